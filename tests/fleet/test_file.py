"""What a fleet file says, and which vaults it means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from glacier_purge.archive import Vault
from glacier_purge.errors import UsageError
from glacier_purge.fleet.file import Assumed, Entry, Place, expand, read_fleet
from glacier_purge.plan.choices import Caps, Choices

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Place(profile=None, region=None)


def vaults(*names: str, region: str = "us-east-1") -> list[Vault]:
    return [Vault(account_id="123456789012", region=region, name=name) for name in names]


def chosen(text: str, listed: Sequence[Vault]) -> list[str]:
    return [one.vault.name for one in expand(read_fleet(text), {HERE: listed}).chosen]


def test_everything_an_entry_may_say_is_read() -> None:
    plan = read_fleet(
        """
        deny = "legal-*"
        [[vaults]]
        name = "photos-*"
        profile = ["one", "two"]
        region = "eu-west-1"
        freeze = true
        delete_vault = "photos-2019"
        even_the_last_vault = true
        set_aside_defects = true
        max_rate = 50
        older_than = "90d"
        newer_than = "2012-08-21"
        description = "/^tmp-/"
        min_size = 1
        max_size = "2GiB"
        ids = "these.ids"
        exclude_ids = "not-these.ids"
        migrated = ["moved.csv", "dynamodb://moved"]
        check_s3 = "bucket/prefix"
        in_retrieval = "wait"
        limit = 1000
        max_archives = 2000
        max_bytes = "1TiB"
        max_duration = "8h"
        [[vaults]]
        name = "films"
        """
    )
    assert plan.deny == ("legal-*",)
    assert plan.entries == (
        Entry(
            number=1,
            name="photos-*",
            profiles=("one", "two"),
            regions=("eu-west-1",),
            freeze=True,
            delete_vault=("photos-2019",),
            even_the_last_vault=True,
            set_aside_defects=True,
            max_rate=50.0,
            choices=Choices(
                older_than="90d",
                newer_than="2012-08-21",
                description="/^tmp-/",
                min_size="1",
                max_size="2GiB",
                ids="these.ids",
                exclude_ids="not-these.ids",
                migrated=("moved.csv", "dynamodb://moved"),
                check_s3="bucket/prefix",
                in_retrieval="wait",
                limit=1000,
            ),
            caps=Caps(max_archives=2000, max_bytes=1 << 40, max_duration_seconds=28_800),
        ),
        Entry(number=2, name="films"),
    )
    assert [(place.profile, place.region) for place in plan.places] == [
        ("one", "eu-west-1"),
        ("two", "eu-west-1"),
        (None, None),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vaults = [", "not TOML"),
        ("", "names no vaults"),
        ("vaults = []", "names no vaults"),
        ("vaults = ['photos']", "names no vaults"),
        ("vault = 'photos'", "the fleet file: vault is nothing a fleet knows. Did you mean vaults?"),
        ("[[vaults]]\nname = 'a'\nregoin = 'x'", "entry 1: regoin is nothing a fleet knows. Did you mean region?"),
        ("[[vaults]]\nname = 'a'\nzzzz = 1", "There are: name, profile, region, account, freeze"),
        ("[[vaults]]\nfreeze = true", "entry 1 of the fleet file has no name"),
        ("[[vaults]]\nname = ''", "entry 1: name has to be a text"),
        ("[[vaults]]\nname = 7", "entry 1: name has to be a text, not 7"),
        ("[[vaults]]\nname = 'a'\nregion = []", "an empty list"),
        ("[[vaults]]\nname = 'a'\nregion = ['x', 'x']", "the same twice"),
        ("[[vaults]]\nname = 'a'\nfreeze = 'yes'", "true or false"),
        ("[[vaults]]\nname = 'a'\ndelete_vault = true", "in full"),
        ("[[vaults]]\nname = 'a'\ndelete_vault = 'a*'", "is not a vault name"),
        ("[[vaults]]\nname = 'a'\nmax_rate = 0", "above 0"),
        ("[[vaults]]\nname = 'a'\nmax_rate = true", "above 0"),
        ("[[vaults]]\nname = 'a'\nmax_rate = inf", "above 0"),
        ("[[vaults]]\nname = 'a'\nmax_rate = '5'", "above 0"),
        ("[[vaults]]\nname = 'a'\nolder_then = '90d'", "older_then is nothing a fleet knows. Did you mean older_than?"),
        ("[[vaults]]\nname = 'a'\nolder_than = 'long ago'", "entry 1: older_than 'long ago' is neither an age"),
        ("[[vaults]]\nname = 'a'\nolder_than = 90", "entry 1: older_than has to be a text, not 90"),
        ("[[vaults]]\nname = 'a'\nolder_than = 2020-01-01", "entry 1: older_than has to be a text"),
        ("[[vaults]]\nname = 'a'\ndescription = '/(/'", "entry 1: description /(/ is not a regular expression"),
        ("[[vaults]]\nname = 'a'\nmin_size = -1", "entry 1: min_size has to be a whole number, 0 or more"),
        ("[[vaults]]\nname = 'a'\nmin_size = true", "entry 1: min_size has to be a whole number"),
        ("[[vaults]]\nname = 'a'\nmax_size = 'big'", "entry 1: max_size 'big' is not a size"),
        ("[[vaults]]\nname = 'a'\nids = '-'", "entry 1: ids has to be a file"),
        ("[[vaults]]\nname = 'a'\nmigrated = ['-']", "entry 1: migrated has to be a file"),
        ("[[vaults]]\nname = 'a'\nmigrated = []", "an empty list"),
        ("[[vaults]]\nname = 'a'\ncheck_s3 = 'b'", "entry 1: check_s3 looks at the copies"),
        ("[[vaults]]\nname = 'a'\nin_retrieval = 'no'", "one of hold, wait, delete, not 'no'"),
        ("[[vaults]]\nname = 'a'\nlimit = 0", "entry 1: limit has to be a whole number, 1 or more, not 0"),
        ("[[vaults]]\nname = 'a'\nmax_archives = '5'", "entry 1: max_archives has to be a whole number"),
        ("[[vaults]]\nname = 'a'\nmax_bytes = 'much'", "entry 1: max_bytes 'much' is not a size"),
        ("[[vaults]]\nname = 'a'\nmax_duration = 8", "entry 1: max_duration has to be a text"),
        ("[[vaults]]\nname = 'a'\nmax_duration = '8'", "entry 1: max_duration '8' is not a span of time"),
        ("deny = 5\n[[vaults]]\nname = 'a'", "deny has to be a text"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_fleet(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[vaults]]\nname = 'photos-*'", ["photos-1", "photos-2"]),
        ("[[vaults]]\nname = 'photos-1'", ["photos-1"]),
        ("[[vaults]]\nname = 'PHOTOS-*'\n[[vaults]]\nname = 'films'", ["films"]),
        ("deny = ['*-2']\n[[vaults]]\nname = 'photos-*'", ["photos-1"]),
        ("deny = ['PHOTOS-1']\n[[vaults]]\nname = '*'", ["films", "photos-2"]),
        ("[[vaults]]\nname = 'photos-[2-9]'\n[[vaults]]\nname = 'f?lms'", ["photos-2", "films"]),
    ],
)
def test_vaults_are_chosen_by_glob_and_left_out_by_deny(text: str, expected: list[str]) -> None:
    assert chosen(text, vaults("films", "photos-1", "photos-2")) == expected


def test_what_matched_nothing_was_denied_or_is_removed_in_vain_is_said() -> None:
    text = "deny = ['*-2']\n[[vaults]]\nname = 'photos-*'\ndelete_vault = ['photos-1', 'photos-2']\n"
    found = expand(read_fleet(text + "[[vaults]]\nname = 'gone'"), {HERE: vaults("photos-1", "photos-2")})
    assert [one.remove_vault for one in found.chosen] == [True]
    assert [finding.partition(":")[0] for finding in found.findings] == [
        "arn",
        "entry 1 ('photos-*') wants photos-2 removed, which is none of its vaults",
        "entry 2 ('gone') matches no vault in the default region, the default profile. Check name, region and profile.",
    ]


def test_a_vault_named_twice_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"photos-1 is named twice: by entry 1 .* and by entry 2"):
        chosen("[[vaults]]\nname = 'photos-*'\n[[vaults]]\nname = '*-1'", vaults("photos-1"))


def test_a_vault_reached_by_two_profiles_is_an_error() -> None:
    plan = read_fleet("[[vaults]]\nname = 'photos'\nprofile = ['one', 'two']")
    with pytest.raises(UsageError, match="the default region, one and by entry 1"):
        expand(plan, dict.fromkeys(plan.places, vaults("photos")))


def test_the_same_name_in_two_regions_is_two_vaults() -> None:
    plan = read_fleet("[[vaults]]\nname = 'photos'\nregion = ['us-east-1', 'eu-west-1']")
    found = expand(plan, {place: vaults("photos", region=str(place.region)) for place in plan.places})
    assert [one.vault.region for one in found.chosen] == ["us-east-1", "eu-west-1"]


def test_a_fleet_without_vaults_is_an_error() -> None:
    with pytest.raises(UsageError, match="the fleet has no vault: entry 1"):
        chosen("[[vaults]]\nname = 'photos'", vaults("films"))


HEAD = """
account = ["111111111111", "222222222222"]
role = "purge"
external_id = "corp-7"
session_tags = ["ticket=OPS-7"]
"""


def test_a_role_and_accounts_at_the_head_are_every_entrys_that_says_nothing_else() -> None:
    plan = read_fleet(
        f"""{HEAD}
        [[vaults]]
        name = "photos"
        [[vaults]]
        name = "films"
        account = "333333333333"
        role = "arn:aws:iam::333333333333:role/other"
        session_tags = []
        """
    )
    purge = Assumed(role="purge", external_id="corp-7", session_tags=("ticket=OPS-7",))
    other = Assumed(role="arn:aws:iam::333333333333:role/other", external_id="corp-7")
    assert plan.places == (
        Place(profile=None, region=None, account="111111111111", assumed=purge),
        Place(profile=None, region=None, account="222222222222", assumed=purge),
        Place(profile=None, region=None, account="333333333333", assumed=other),
    )
    assert str(plan.places[0]) == "the default region, account 111111111111, role purge, the default profile"


@pytest.mark.parametrize(
    ("head", "entry", "said"),
    [
        ("account = 111111111111", "", "the fleet file: account has to be a text"),
        ("account = ['11']", "", "the fleet file: account: '11' is no account: write its 12 digits, in quotes"),
        ("role = 'a b'", "", "the fleet file: role: 'a b' is no role"),
        ("external_id = 'corp-7'", "", "the fleet file: external_id is what a role is asked for with"),
        ("", "session_tags = ['a=b']", "entry 1: session_tags is what a role is asked for with"),
        ("role = 'purge'", "external_id = 'x'", "entry 1: external_id: it is no external id"),
        ("role = 'purge'", "session_tags = 'ticket'", "entry 1: session_tags: 'ticket' is no session tag"),
        ("roles = 'purge'", "", "roles is nothing a fleet knows. Did you mean role"),
    ],
)
def test_a_role_that_cannot_be_is_refused(head: str, entry: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_fleet(f"{head}\n[[vaults]]\nname = 'photos'\n{entry}\n")
