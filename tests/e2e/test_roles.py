"""A purge as a role of the vault's account: taken by options, renewed as it goes, refused where it is not given."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.aws.company import EXTERNAL_ID, FILMS, HUB, OPERATOR, PHOTOS, pretended
from tests.e2e.conftest import Bench
from tests.e2e.shell import Shell, process_settings_kept
from tests.e2e.simulator import simulating

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AS_OPERATOR = {
    "AWS_ACCESS_KEY_ID": OPERATOR.access_key_id,
    "AWS_SECRET_ACCESS_KEY": OPERATOR.secret_access_key,
}
ROLE = ("--role", "purge", "--external-id", EXTERNAL_ID, "--session-tag", "ticket=OPS-7", "--account-id", PHOTOS)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """The company, with sessions of five seconds; a purge of photos takes longer."""
    with simulating(accounts=pretended(archives=80, lasts_seconds=5.0), rate=10, burst=1) as simulator:
        yield Bench(tmp_path, simulator, variables=AS_OPERATOR)


@pytest.fixture
def at(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """The command in this process, at the company, with nothing but the operator's keys."""
    for name, value in AS_OPERATOR.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with simulating(accounts=pretended()) as simulator, process_settings_kept():
        monkeypatch.setenv("AWS_ENDPOINT_URL_GLACIER", simulator.endpoint_url)
        yield Shell(tmp_path, simulator, capsys)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_purge_goes_on_over_the_ends_of_its_sessions(bench: Bench) -> None:
    digest = bench.plan(*ROLE)["digest"]
    done = bench.run(*bench.apply_arguments(digest, *ROLE, "--debug"))
    bench.check_invariants()
    ledger = bench.simulator.ledger()
    assert ledger["operations"]["AssumeRole"] >= 2
    left = {one["account_id"]: one["vaults"] for one in json.loads(bench.simulator.get("accounts"))["accounts"]}
    assert left[PHOTOS] == {"photos": 0}
    assert left[FILMS] == {"films": 80, "photos": 80}
    assert OPERATOR.secret_access_key not in done.stderr


@pytest.mark.parametrize(
    ("options", "exit_code", "said"),
    [
        (("--role", "purge"), 2, "may be any account's"),
        (("--role", "purge", "--account-id", PHOTOS), 253, "not authorized to perform: sts:AssumeRole"),
        (("--role", f"arn:aws:iam::{FILMS}:role/purge", "--account-id", PHOTOS), 2, f"is of account {FILMS}"),
        (("--role", "p u r g e"), 2, "--role is 'p u r g e': 'p u r g e' is no role"),
        (("--role", "purge", "--session-tag", "ticket"), 2, "'ticket' is no session tag: write KEY=VALUE"),
        (("--external-id", EXTERNAL_ID), 2, "name one (--role)"),
    ],
)
def test_a_role_that_cannot_be_had_is_refused_in_words(
    at: Shell, options: tuple[str, ...], exit_code: int, said: str
) -> None:
    done = at("doctor", "photos", *options)
    assert (done.exit_code, said in done.err) == (exit_code, True), done.err
    assert not {"DescribeVault", "ListVaults"} & set(at.simulator.ledger()["operations"])


def test_doctor_says_as_whom_it_works(at: Shell) -> None:
    assert f"arn:aws:sts::{PHOTOS}:assumed-role/purge/glacier-purge-" in at("doctor", "photos", *ROLE).out


def test_a_role_may_stand_in_the_settings(at: Shell) -> None:
    settings = at.folder / "settings.toml"
    settings.write_text(
        f'[aws]\nrole = "arn:aws:iam::{FILMS}:role/purge"\nexternal_id = "{EXTERNAL_ID}"\n'
        'session_tags = ["ticket=OPS-7"]\n'
    )
    listed = json.loads(at("vaults", "--config", str(settings), "--output", "json").out)
    assert [(one["account_id"], one["vault"]) for one in listed["vaults"]] == [(FILMS, "films"), (FILMS, "photos")]


FLEET = f"""
role = "purge"
external_id = "{EXTERNAL_ID}"
session_tags = ["ticket=OPS-7"]

[[vaults]]
name = "photos"
account = ["{PHOTOS}", "{FILMS}"]
region = "us-east-1"
"""


@pytest.fixture
def swift(tmp_path: Path) -> Iterator[Bench]:
    """The company, ten hours a second."""
    with simulating(accounts=pretended(archives=5), time_scale=36_000) as simulator:
        (tmp_path / "fleet.toml").write_text(FLEET)
        yield Bench(tmp_path, simulator, variables=AS_OPERATOR)


def left(bench: Bench) -> dict[str, dict[str, int]]:
    accounts = json.loads(bench.simulator.get("accounts"))["accounts"]
    return {one["account_id"]: one["vaults"] for one in accounts}


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_fleet_empties_vaults_of_two_accounts_each_as_its_role(swift: Bench) -> None:
    fleet = ("fleet", "fleet.toml", "--run-dir", "run", "--endpoint-url", swift.simulator.endpoint_url)
    planned = swift.json(*fleet, exit_code=75)
    assert len(planned["confirm_digests"]) == 2
    approved = [part for digest in planned["confirm_digests"] for part in ("--confirm-digest", digest)]
    done = swift.json(*fleet, *approved)
    assert {one["state"] for one in done["vaults"]} == {"done"}
    assert (left(swift)[PHOTOS], left(swift)[FILMS]) == ({"photos": 0}, {"films": 5, "photos": 0})
    for folder in (swift.folder / "run").glob("*-photos"):
        swift.run("audit", "verify", str(next(folder.glob("round-*"))))


@pytest.mark.parametrize("account", [PHOTOS, FILMS])
def test_a_role_that_one_account_does_not_give_begins_no_fleet(swift: Bench, account: str) -> None:
    (swift.folder / "fleet.toml").write_text(
        FLEET + f'[[vaults]]\nname = "films"\nrole = "nobody"\naccount = "{account}"\nregion = "us-east-1"\n'
    )
    fleet = ("fleet", "fleet.toml", "--run-dir", "run", "--endpoint-url", swift.simulator.endpoint_url, "--no-wait")
    refused = swift.run(*fleet, exit_code=253)
    assert f"the role arn:aws:iam::{account}:role/nobody is not given" in refused.stderr
    assert not list((swift.folder / "run").glob("fleet.json"))


COMPANY_WIDE = FLEET.replace(f'account = ["{PHOTOS}", "{FILMS}"]', f'account = ["{PHOTOS}", "{FILMS}", "{HUB}"]')


@pytest.mark.parametrize("verb", [("vaults",), ("estimate", "--all")])
def test_vaults_of_all_accounts_are_listed_and_an_account_that_cannot_be_read_is_no_none(
    at: Shell, verb: tuple[str, ...]
) -> None:
    (at.folder / "fleet.toml").write_text(COMPANY_WIDE)
    command = (*verb, "--accounts-from", str(at.folder / "fleet.toml"))
    said = at(*command, "--output", "json")
    told = json.loads(said.out)
    assert said.exit_code == 253
    assert [(one["account_id"], one["vault"]) for one in told["vaults"]] == [
        (PHOTOS, "photos"),
        (FILMS, "films"),
        (FILMS, "photos"),
    ]
    [unread] = told["not_read"]
    assert (unread["account_id"], unread["region"], unread["exit_code"]) == (HUB, "us-east-1", 253)
    assert f"the role arn:aws:iam::{HUB}:role/purge is not given" in unread["why"]
    page = at(*command)
    assert page.exit_code == 253
    assert f"us-east-1 (account {HUB}): the role" in page.out
    assert "No vaults" not in page.out
    listed = at(*command, "--output", "csv")
    assert (listed.exit_code, sum(HUB in line for line in listed.out.splitlines())) == (253, 1)


def test_the_regions_of_a_fleet_file_can_be_others(at: Shell) -> None:
    (at.folder / "fleet.toml").write_text(FLEET)
    command = ("vaults", "--accounts-from", str(at.folder / "fleet.toml"))
    told = json.loads(at(*command, "--regions", "us-east-1,eu-west-1", "--output", "json").out)
    assert len(told["vaults"]) == 3
    assert [(one["account_id"], one["region"]) for one in told["empty"]] == [
        (PHOTOS, "eu-west-1"),
        (FILMS, "eu-west-1"),
    ]
    both = at(*command, "--profiles", "archive")
    assert (both.exit_code, "--accounts-from says as whom it is asked" in both.err) == (2, True)
