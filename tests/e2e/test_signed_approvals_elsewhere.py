"""Two people approve on one host, its disk is lost, and another takes the lifecycle with what they signed."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from glacier_purge.plan.document import read_plan
from tests.e2e.desk import deletes
from tests.e2e.test_frozen import own, told
from tests.e2e.test_lease_of_every_verb import URL, s3
from tests.e2e.test_signed_approvals import standalone

if TYPE_CHECKING:
    from pathlib import Path

    from tests.approval.people import People
    from tests.e2e.shell import Said, Shell

__all__ = ["own", "s3"]
pytestmark = pytest.mark.usefixtures("s3")


class Host:
    """A host, with a folder of its own, which is all that is lost with it."""

    def __init__(self, shell: Shell, people: People, name: str) -> None:
        self.shell, self.people = shell, people
        self.place = shell.folder / name
        self.revoked = shell.folder / "revoked"
        self.at = ("--endpoint-url", shell.simulator.endpoint_url, "--no-wait", "--output", "json")

    def run(self) -> Said:
        named = ("--approvals", "2", "--allowed-signers", str(self.people.signers_file), "--revoked", str(self.revoked))
        return self.shell("run", "photos", "--run-dir", str(self.place), *named, *self.at)

    def take(self) -> Said:
        return self.shell("take", str(self.place), "--from", URL, *self.at)

    def planned(self) -> None:
        self.revoked.touch()
        assert self.run().exit_code == 75
        self.shell.simulator.post("clock", step_seconds=6 * 3600.0)
        said = self.run()
        assert (said.exit_code, "2 people to approve" in said.out) == (75, True), said.err

    @property
    def round(self) -> Path:
        return self.place / "round-1"

    def approved(self, who: str) -> None:
        key = ("--key", str(self.people.key(who)), "--who", f"{who}@example")
        said = self.shell(
            "approve", str(self.place), *key, "--confirm-digest", read_plan(self.round / "plan.json").digest
        )
        assert said.exit_code == 0, said.err

    def denied(self, *, denies: bool = True) -> None:
        """Have the first delete be denied, so that the run stops once what approved it is on record."""
        rules = [{"kind": "access-denied", "operation": "DeleteArchive"}] if denies else []
        self.shell.simulator.post("faults", rules=rules)

    def lost(self) -> dict[str, bytes]:
        """Lose the disk; what people had signed there."""
        signed = {one.name: one.read_bytes() for one in (self.round / "approvals").glob("*.approval")}
        shutil.rmtree(self.place)
        return signed

    def has_all_of(self, signed: dict[str, bytes]) -> bool:
        return {name: (self.round / "approvals" / name).read_bytes() for name in signed} == signed

    def signed_in_log(self) -> list[str]:
        lines = [json.loads(line) for line in (self.round / "audit/000001.jsonl").read_bytes().splitlines()]
        return [line["document"] for line in lines if line["event"] == "approval"]


def test_what_one_signed_comes_back_and_the_other_signs_on_the_host_that_took_it(own: Shell, people: People) -> None:
    first, other = Host(own, people, "first"), Host(own, people, "other")
    first.planned()
    first.approved("anna")
    said = first.run()
    assert "1 of 2 approvals are there (anna@example)" in said.out + said.err
    signed = first.lost()
    said = other.take()
    assert said.exit_code == 75, said.err
    assert "1 of 2 approvals are there (anna@example)" in said.out + said.err
    assert other.has_all_of(signed)
    assert deletes(own.simulator) == 0
    other.approved("bert")
    said = other.run()
    assert (said.exit_code, told(said)["phase"]) == (75, "verify"), said.err
    assert own.simulator.ids_left() == set()
    check_sound(own, other, ["anna@example", "bert@example"])


def test_what_approved_a_run_that_was_begun_comes_back_in_its_log_and_beside_it(own: Shell, people: People) -> None:
    first, other = Host(own, people, "first"), Host(own, people, "other")
    begun(first)
    in_log, signed = first.signed_in_log(), first.lost()
    assert len(in_log) == len(signed) == 2
    first.denied(denies=False)
    said = other.take()
    assert (said.exit_code, told(said)["phase"]) == (75, "verify"), said.err
    assert own.simulator.ids_left() == set()
    assert other.has_all_of(signed)
    assert other.signed_in_log() == in_log, "what was on record was not asked for again"
    check_sound(own, other, ["anna@example", "bert@example"])


def test_a_key_that_is_revoked_in_between_approves_nothing_where_it_is_taken(own: Shell, people: People) -> None:
    first, other = Host(own, people, "first"), Host(own, people, "other")
    begun(first)
    first.lost()
    first.denied(denies=False)
    sent = deletes(own.simulator)
    first.revoked.write_text(people.public("bert"))
    said = other.take()
    assert said.exit_code == 75, said.err
    assert "1 of 2 approvals are there (anna@example)" in said.out + said.err
    assert "was revoked" in said.out + said.err
    assert deletes(own.simulator) == sent
    assert len(own.simulator.ids_left()) == 3
    first.revoked.unlink()
    said = other.run()
    assert said.exit_code == 2, said.err
    assert str(first.revoked) in said.err
    assert deletes(own.simulator) == sent
    first.revoked.write_text(people.public("bert"))
    other.approved("cara")
    said = other.run()
    assert (said.exit_code, told(said)["phase"]) == (75, "verify"), said.err
    check_sound(own, other, ["anna@example", "bert@example", "cara@example"])


def begun(host: Host) -> None:
    """Both sign, and the first delete is denied."""
    host.planned()
    for who in ("anna", "bert"):
        host.approved(who)
    host.denied()
    assert host.run().exit_code == 254


def check_sound(shell: Shell, host: Host, who: list[str]) -> None:
    verified = told(shell("audit", "verify", str(host.round), "--output", "json"))
    assert verified["verdict"] == "sound"
    alone = standalone(host.round)
    assert alone.returncode == 0, alone.stderr
    for name in who:
        assert name in alone.stdout
