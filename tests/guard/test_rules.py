"""What is refused whoever approved: what is protected, too much, or too old.

An inventory is never too old for its age alone, where the service can say that nothing changed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import PlanOutdated, PlanRefused
from glacier_purge.glacier.port import VaultDescription
from glacier_purge.guard.rules import (
    Rules,
    check_archives,
    check_fresh,
    check_inventory,
    check_place,
    check_plan,
    is_aged,
)
from glacier_purge.plan.files import plan_files
from glacier_purge.plan.making import Selection
from glacier_purge.plan.selection import first_of
from tests.plan.archives import VAULT, archive, archive_id, plan_of, snapshot

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
TAKEN = "2026-11-01T08:16:34Z"
ANY_AGE = Rules(inventory_age_seconds_max=None)


def described(last_inventory: str | None) -> VaultDescription:
    last = None if last_inventory is None else datetime.fromisoformat(last_inventory)
    return VaultDescription(arn="", last_inventory=last, archives=1, size_bytes=1)


@pytest.mark.parametrize(
    ("date", "rules", "aged"),
    [
        (TAKEN, Rules(), True),
        (TAKEN, ANY_AGE, False),
        (TAKEN, Rules(inventory_age_seconds_max=30 * 86_400.0), False),
        ("2026-11-18T12:00:01Z", Rules(), False),
        ("2026-11-18T11:59:59Z", Rules(), True),
        ("2030-01-01T00:00:00Z", Rules(), False),
        (None, Rules(), False),  # CSV says no date
        ("long ago", Rules(), False),
    ],
)
def test_an_inventory_is_aged_by_what_it_says_itself(date: str | None, rules: Rules, aged: bool) -> None:
    assert is_aged(date, rules, NOW) is aged


@pytest.mark.parametrize(
    ("date", "last"),
    [
        (TAKEN, "2026-11-01T08:16:34.221Z"),  # the same one, as DescribeVault writes it
        (TAKEN, "2026-11-01T08:16:34Z"),
        (TAKEN, "2020-01-01T00:00:00Z"),
        ("2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"),  # young enough
        ("2026-11-24T00:00:00Z", None),
        (None, "2026-11-25T00:00:00Z"),
    ],
)
def test_what_is_young_or_still_the_vaults_last_is_taken(date: str | None, last: str | None) -> None:
    check_inventory(date, Rules(), NOW, described(last))


@pytest.mark.parametrize(
    ("vault", "says"),
    [
        (described("2026-11-01T08:16:35.000Z"), "24 d 3 h old.*has a newer one, of 2026-11-01T08:16:35Z"),
        (described("2026-11-25T00:00:00Z"), "has a newer one"),
        (described(None), "the service knows no inventory of it"),
        (None, "nobody can tell .*no route to host"),
    ],
)
def test_what_is_old_and_not_known_to_be_the_last_is_refused(vault: VaultDescription | None, says: str) -> None:
    with pytest.raises(PlanRefused, match=says) as refused:
        check_inventory(TAKEN, Rules(), NOW, vault, "no route to host" if vault is None else "")
    assert "--inventory-max-age" in str(refused.value)
    check_inventory(TAKEN, ANY_AGE, NOW, vault)


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        (Rules(deny_vaults=("photos",)), "deny_vaults.*'photos'"),
        (Rules(deny_vaults=("music", "ph*s")), r"deny_vaults.*'ph\*s'"),
        (Rules(deny_vaults=("arn:aws:glacier:*:123456789012:vaults/*",)), "deny_vaults"),
        (Rules(deny_accounts=("210987654321", "123456789012")), "deny_accounts"),
    ],
)
def test_a_protected_vault_or_account_is_refused(rules: Rules, named: str) -> None:
    with pytest.raises(PlanRefused, match=f"vaults/photos is protected: .*{named}"):
        check_place(VAULT, rules)


def test_what_no_list_names_may_be_purged() -> None:
    check_place(VAULT, Rules(deny_vaults=("photo", "PHOTOS", "photos?"), deny_accounts=("12345678901",)))


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (Rules(max_archives=3), None),
        (Rules(max_archives=2), "would delete 3 archives, more than the 2 of --max-archives"),
        (Rules(max_bytes=3_000), None),
        (Rules(max_bytes=2_999), r"\(3,000 bytes\), more than the 2,999 bytes of --max-bytes"),
        (Rules(deny_vaults=("photos",)), "is protected"),
    ],
)
def test_a_plan_may_be_as_large_as_was_allowed_and_no_larger(tmp_path: Path, rules: Rules, says: str | None) -> None:
    plan = plan_of(snapshot(tmp_path / "run", [archive(number) for number in range(3)]))
    if says is None:
        check_plan(plan, rules)
    else:
        with pytest.raises(PlanRefused, match=says):
            check_plan(plan, rules)


def test_an_archive_on_a_deny_list_is_refused_unless_it_stays_or_is_done(tmp_path: Path) -> None:
    listed = tmp_path / "denied"
    listed.write_text(f"{archive_id(1)}\n{archive_id(2)}\n")
    rules = Rules(deny_id_files=(str(listed),))
    taken = snapshot(tmp_path / "run", [archive(number) for number in range(4)])
    plan = plan_of(taken, selection=Selection(filters=[first_of(2)]))
    with plan_files(tmp_path / "run", plan) as files:
        check_archives(files, Rules(), lambda _: False)
        with pytest.raises(PlanOutdated, match=r"record 1 of the plan, .* stands on a deny list"):
            check_archives(files, rules, lambda _: False)
        check_archives(files, rules, lambda ordinal: ordinal == 1)  # record 2 is on the list, and is not selected


@pytest.mark.parametrize(
    ("created", "refused", "says"),
    [
        ("2026-11-18T12:00:00Z", None, ""),
        ("2026-11-25T13:00:00Z", None, ""),  # another host's clock
        ("2026-11-18T11:59:59Z", PlanOutdated, "was made 7 d 1 s ago.*approved for 7 days"),
        ("2026-11-25T13:00:01Z", PlanRefused, "made in the future"),
        ("yesterday", PlanRefused, "does not say when"),
    ],
)
def test_a_plan_can_be_approved_for_seven_days(created: str, refused: type[PlanRefused] | None, says: str) -> None:
    if refused is None:
        check_fresh(created, NOW)
    else:
        with pytest.raises(refused, match=says):
            check_fresh(created, NOW)
