"""A vault that a lifecycle froze: seen wherever it stops, thawed by what ends it, and by ``thaw`` when it is lost."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request

import pytest

from glacier_purge.guard.upload_denial import denial, sid_for, with_statement
from glacier_purge.lifecycle.phases import Event
from glacier_purge.lifecycle.steps_file import LifecycleFile, read_steps
from glacier_purge.plan.document import read_plan
from glacier_purge.storage.folder import RunFolder
from glacier_purge.storage.locks import vault_locked
from tests.clients import VAULT
from tests.e2e.desk import asked, deletes
from tests.e2e.shell import Shell, process_settings_kept
from tests.e2e.simulator import DIRECT, simulating

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.shell import Said
    from tests.e2e.simulator import Simulator

THEIRS = """{
  "Version": "2012-10-17",
  "Statement": {"Sid": "a", "Effect": "Deny", "Principal": "*", "Action": "glacier:AddTagsToVault", "Resource": "*"}
}"""
DENIED = "Uploads to photos are denied by this lifecycle since "


@pytest.fixture
def own(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell with a service of its own: three archives, and the owner's policy."""
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with simulating(archives=3, latency_ms=1.0) as simulator, process_settings_kept():
        asked(simulator, "PUT", "photos/access-policy", {"Policy": THEIRS})
        yield Shell(tmp_path, simulator, capsys)


def policy(simulator: Simulator) -> str | None:
    address = f"{simulator.endpoint_url}/-/vaults/photos/access-policy"
    try:
        with DIRECT.open(Request(address, headers={"x-amz-glacier-version": "2012-06-01"}), timeout=30) as reply:
            text: str = json.loads(reply.read())["Policy"]
            return text
    except HTTPError:  # 404: there is none
        return None


def run(shell: Shell, *options: str, place: str = "lifecycle") -> Said:
    at = ("--run-dir", str(shell.folder / place), "--endpoint-url", shell.simulator.endpoint_url, "--no-wait")
    return shell("run", "photos", "--output", "json", *at, *options)


def purged_and_frozen(shell: Shell) -> Said:
    """Carry a lifecycle to where it waits for its verification, uploads denied."""
    assert run(shell, "--freeze").exit_code == 75
    shell.simulator.post("clock", step_seconds=6 * 3600.0)
    assert run(shell, "--freeze").exit_code == 75
    digest = read_plan(shell.folder / "lifecycle/round-1/plan.json").digest
    said = run(shell, "--freeze", "--confirm-digest", digest)
    assert said.exit_code == 75, said.err
    assert read_steps(shell.folder / "lifecycle")[-1].event is Event.ACCOUNTED
    return said


def told(said: Said) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(said.out)
    return facts


def test_denied_uploads_are_told_at_every_end_and_by_status(own: Shell) -> None:
    said = purged_and_frozen(own)
    place = own.folder / "lifecycle"
    assert DENIED in said.err
    assert f"glacier-purge abandon {place}" in said.err
    assert DENIED in told(own("status", str(place), "--output", "json"))["uploads"]
    own.simulator.post("clock", step_seconds=30 * 3600.0)
    run(own)
    own.simulator.post("clock", step_seconds=6 * 3600.0)
    done = run(own)
    assert done.exit_code == 0, done.err
    assert "are denied" not in done.err
    assert policy(own.simulator) == THEIRS
    assert told(own("status", str(place), "--output", "json"))["uploads"] == "as the vault's owner has it"


def test_killed_before_the_step_and_moved_a_lifecycle_thaws_what_it_froze(
    own: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = LifecycleFile.advance

    def killed(lifecycle: LifecycleFile, event: Event, **facts: object) -> None:
        if event is Event.FROZEN:
            raise KeyboardInterrupt
        advance(lifecycle, event, **facts)

    assert run(own, "--freeze").exit_code == 75
    own.simulator.post("clock", step_seconds=6 * 3600.0)
    assert run(own, "--freeze").exit_code == 75
    digest = read_plan(own.folder / "lifecycle/round-1/plan.json").digest
    with monkeypatch.context() as patched:
        patched.setattr(LifecycleFile, "advance", killed)
        assert run(own, "--freeze", "--confirm-digest", digest).exit_code == 130
    seen = own("status", str(own.folder / "lifecycle"), "--output", "json")
    assert "may be denied by this lifecycle" in told(seen)["uploads"]
    shutil.move(own.folder / "lifecycle", own.folder / "elsewhere")
    run(own, "--freeze", place="elsewhere")
    own.simulator.post("clock", step_seconds=30 * 3600.0)
    run(own, "--freeze", place="elsewhere")
    own.simulator.post("clock", step_seconds=6 * 3600.0)
    said = run(own, "--freeze", place="elsewhere")
    assert said.exit_code == 0, said.err
    assert policy(own.simulator) == THEIRS


def test_an_abandoned_lifecycle_is_thawed_noted_and_never_gone_on_with(own: Shell) -> None:
    purged_and_frozen(own)
    place = own.folder / "lifecycle"
    refused = own("abandon", str(place))
    assert (refused.exit_code, "--confirm-vault photos" in refused.err) == (2, True)
    wrong = own("abandon", str(place), "--confirm-vault", "photo")
    assert (wrong.exit_code, "is not the vault's name" in wrong.err) == (2, True)
    assert policy(own.simulator) != THEIRS
    assert len(read_steps(place)) == 6
    for _ in range(2):
        ended = own("abandon", str(place), "--confirm-vault", "photos", "--output", "json")
        assert ended.exit_code == 0, ended.err
        assert (told(ended)["state"], told(ended)["phase"], told(ended)["uploads"]) == (
            *("abandoned", "verify", "as before"),
        )
    assert policy(own.simulator) == THEIRS
    assert [step.event for step in read_steps(place)].count(Event.ABANDONED) == 1
    sent = deletes(own.simulator), own.simulator.ledger()["requests"]
    again = run(own, "--freeze")
    applied = own("apply", str(place / "round-1"))
    removed = own("delete-vault", str(place / "round-1"), "--confirm-vault", "photos")
    for said in (again, applied, removed):
        assert said.exit_code == 2
        assert f"the lifecycle in {place} was abandoned at " in said.err
    assert deletes(own.simulator) == sent[0]
    seen = told(own("status", str(place), "--output", "json"))
    assert (seen["state"], seen["phase"]) == ("abandoned", "done")
    assert seen["why"].startswith("abandoned at ")


def test_what_can_not_be_abandoned_is_refused(own: Shell) -> None:
    nothing = own("abandon", str(own.folder), "--confirm-vault", "photos")
    assert (nothing.exit_code, "not the folder of a lifecycle" in nothing.err) == (2, True)
    purged_and_frozen(own)
    place = own.folder / "lifecycle"
    with RunFolder.open(place).held():
        at_work = own("abandon", str(place), "--confirm-vault", "photos")
    with vault_locked(VAULT, own.simulator.endpoint_url, None):
        deleting = own("abandon", str(place), "--confirm-vault", "photos")
    assert (at_work.exit_code, deleting.exit_code) == (75, 75)
    assert "another process" in at_work.err
    assert "another process on this host works on" in deleting.err
    assert read_steps(place)[-1].event is Event.ACCOUNTED


MEMBER = f"{VAULT.account_id}-{VAULT.region}-{VAULT.name}"


def fleet(shell: Shell, name: str, *options: str) -> Said:
    """A fleet of one frozen vault, in a folder of its own."""
    (shell.folder / "fleet.toml").write_text('[[vaults]]\nname = "photos"\nfreeze = true\n')
    at = ("--run-dir", str(shell.folder / name), "--endpoint-url", shell.simulator.endpoint_url, "--no-wait")
    return shell("fleet", str(shell.folder / "fleet.toml"), *at, *options)


def approved(shell: Shell, *names: str) -> None:
    """Carry fleets to where they wait for their verification; they begin before any of them denies uploads."""
    for _ in range(2):
        for name in names:
            assert fleet(shell, name).exit_code == 75
        shell.simulator.post("clock", step_seconds=6 * 3600.0)
    for name in names:
        digest = read_plan(shell.folder / name / MEMBER / "round-1/plan.json").digest
        said = fleet(shell, name, "--confirm-digest", digest)
        assert (said.exit_code, DENIED in said.err) == (75, True), said.err


def test_two_fleets_of_one_vault_deny_uploads_each_until_its_own_end(own: Shell) -> None:
    approved(own, "one", "other")
    own.simulator.post("clock", step_seconds=30 * 3600.0)
    for name in ("one", "other"):
        assert fleet(own, name).exit_code == 75
    own.simulator.post("clock", step_seconds=6 * 3600.0)
    done = fleet(own, "one")
    assert done.exit_code == 0, done.err
    assert (policy(own.simulator) or "").count("GlacierPurgeFreeze") == 1
    assert DENIED in told(own("status", str(own.folder / "other" / MEMBER), "--output", "json"))["uploads"]
    done = fleet(own, "other")
    assert done.exit_code == 0, done.err
    assert json.loads(policy(own.simulator) or "") == json.loads(THEIRS) | {
        "Statement": [json.loads(THEIRS)["Statement"]]
    }
    assert Event.ALLOWED not in [step.event for step in read_steps(own.folder / "other" / MEMBER)]


def test_a_fleets_vault_is_abandoned_once_uploads_are_allowed_and_the_fleet_says_so(own: Shell) -> None:
    approved(own, "fleet")
    place, confirmed = own.folder / "fleet" / MEMBER, ("--confirm-vault", "photos")
    with RunFolder.open(place).held():  # as by the fleet's process, which waits or works
        assert own("abandon", str(place), *confirmed).exit_code == 75
    own.simulator.post("faults", rules=[{"kind": "access-denied", "operation": "SetVaultAccessPolicy"}])
    assert own("abandon", str(place), *confirmed).exit_code == 254
    own.simulator.post("faults", rules=[])
    assert read_steps(place)[-1].event is Event.ACCOUNTED
    assert DENIED in told(own("status", str(place), "--output", "json"))["uploads"]
    for _ in range(2):
        assert own("abandon", str(place), *confirmed).exit_code == 0
    assert policy(own.simulator) == THEIRS
    sent = deletes(own.simulator)
    said = fleet(own, "fleet")
    assert (said.exit_code, "was abandoned at" in said.err) == (2, True)
    assert told(own("status", str(own.folder / "fleet"), "--output", "json"))["abandoned"] == 1
    assert deletes(own.simulator) == sent


@pytest.mark.parametrize(("spoilt", "thaw"), [("lifecycle.jsonl", "photos"), ("terms.json", "VAULT")])
def test_what_can_not_be_abandoned_is_not_advised_to_be(spoilt: str, thaw: str, own: Shell) -> None:
    purged_and_frozen(own)
    place = own.folder / "lifecycle"
    (place / spoilt).write_bytes((place / spoilt).read_bytes().replace(b'":', b'";', 1))
    said = run(own)
    assert said.exit_code == 4
    assert f"glacier-purge thaw {thaw} allows them now." in said.err
    assert "glacier-purge abandon" not in said.err
    assert own("abandon", str(place), "--confirm-vault", "photos").exit_code in {2, 4}


def test_thaw_takes_out_what_a_lost_lifecycle_left_and_leaves_the_rest(own: Shell) -> None:
    at = ("photos", "--endpoint-url", own.simulator.endpoint_url, "--output", "json")
    nothing = own("thaw", *at)
    assert (nothing.exit_code, told(nothing)["state"].split(":")[0]) == (0, "nothing to take away")
    purged_and_frozen(own)
    shutil.rmtree(own.folder / "lifecycle")
    frozen = policy(own.simulator)
    found = own("doctor", *at)
    assert "glacier-purge thaw" in found.out
    refused = own("thaw", *at)
    assert (refused.exit_code, "--confirm-vault photos" in refused.err) == (2, True)
    with vault_locked(VAULT, own.simulator.endpoint_url, None):
        deleting = own("thaw", *at, "--confirm-vault", "photos")
    assert deleting.exit_code == 75
    assert policy(own.simulator) == frozen
    thawed = own("thaw", *at, "--confirm-vault", "photos")
    assert thawed.exit_code == 0, thawed.err
    assert told(thawed)["taken_away"].startswith("GlacierPurgeFreeze")
    left = json.loads(policy(own.simulator) or "")
    assert left == json.loads(THEIRS) | {"Statement": [json.loads(THEIRS)["Statement"]]}


def test_a_lifecycle_that_lives_sees_that_it_was_thawed_and_claims_nothing_else(own: Shell) -> None:
    purged_and_frozen(own)
    place = own.folder / "lifecycle"
    at = ("photos", "--endpoint-url", own.simulator.endpoint_url, "--confirm-vault", "photos")
    thawed = own("thaw", *at)
    assert thawed.exit_code == 0, thawed.err
    assert "If a lifecycle of this vault still goes on, it notes that uploads are allowed" in thawed.err
    left = policy(own.simulator)
    own.simulator.post("clock", step_seconds=30 * 3600.0)
    seen = run(own)
    assert seen.exit_code == 75, seen.err
    assert "somebody gave glacier-purge thaw, or changed the policy" in seen.err
    assert DENIED not in seen.err
    assert told(own("status", str(place), "--output", "json"))["uploads"] == "as the vault's owner has it"
    own.simulator.post("clock", step_seconds=6 * 3600.0)
    done = run(own)
    assert done.exit_code == 0, done.err
    assert [step.event for step in read_steps(place)].count(Event.ALLOWED) == 1
    assert policy(own.simulator) == left
    assert own("audit", "verify", str(place)).exit_code == 0


@pytest.mark.parametrize(("typed", "exit_code"), [("photos\n", 0), ("yes\n", 2), ("\n", 2)])
def test_thaw_shows_what_it_takes_and_asks_on_a_terminal(
    typed: str, exit_code: int, own: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = denial(sid_for(b"a lost lifecycle"), VAULT.arn)
    asked(own.simulator, "PUT", "photos/access-policy", {"Policy": with_statement(THEIRS, ours)})
    master, slave = os.openpty()
    os.write(master, typed.encode())
    with os.fdopen(slave, encoding="utf-8") as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        said = own("thaw", "photos", "--endpoint-url", own.simulator.endpoint_url)
    os.close(master)
    assert said.exit_code == exit_code, said.err
    assert json.dumps(ours) in said.err
    assert ("GlacierPurgeFreeze" in (policy(own.simulator) or "")) is bool(exit_code)


def test_a_policy_that_is_none_is_left_alone_by_thaw(own: Shell) -> None:
    own.simulator.post("faults", rules=[{"kind": "access-denied", "operation": "GetVaultAccessPolicy"}])
    said = own("thaw", "photos", "--endpoint-url", own.simulator.endpoint_url, "--confirm-vault", "photos")
    own.simulator.post("faults", rules=[])
    assert said.exit_code == 254
    assert policy(own.simulator) == THEIRS
