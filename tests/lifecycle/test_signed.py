"""A lifecycle that two of three people have to approve: who is there, who is missing, and that nothing goes without."""

from __future__ import annotations

import shutil
import sys
import zipfile
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
import pytest

from glacier_purge.api.bundling import bundled
from glacier_purge.approval.documents import read_signed_plan
from glacier_purge.approval.signers import Approvers
from glacier_purge.audit.recovery import replay
from glacier_purge.audit.verification import verify_folder
from glacier_purge.errors import Needs
from glacier_purge.fleet.fleet import State
from glacier_purge.lifecycle.phases import Event, Phase
from glacier_purge.lifecycle.steps import position
from glacier_purge.lifecycle.steps_file import LifecycleFile, read_steps
from glacier_purge.lifecycle.terms import read_terms
from glacier_purge.plan.cost import read_price_table
from glacier_purge.plan.document import read_plan
from glacier_purge.report.lifecycle_view import LifecycleView
from glacier_purge.report.plan_shown import plan_shown
from glacier_purge.report.report_text import as_lines
from glacier_purge.report.run_view import run_status
from glacier_purge.report.vault_report import VaultReport
from glacier_purge.settings import Settings
from glacier_purge.storage.folder import PLAN_FILE, RunFolder
from tests.approval.people import NOW, People
from tests.clients import simulated
from tests.lifecycle.lifecycles import carried, said_yes, upload

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.approval.typed import Approval
    from glacier_purge.plan.document import Plan
    from glacier_simulator import SimulatedGlacier

pytestmark = pytest.mark.usefixtures("credentials")


def asked(people: People, **more: object) -> dict[str, object]:
    return {"approvals": 2, "allowed_signers": str(people.signers_file), **more}


def put(
    people: People, place: Path, *names: str, round_name: str = "round-1", until: timedelta = timedelta(days=1)
) -> None:
    """Carry these people's approvals of a round's plan into its folder."""
    folder = RunFolder.open(place / round_name)
    plan = read_plan(folder.path / PLAN_FILE)
    folder.make_folder("approvals")
    for name in names:
        file = folder.path / "approvals" / f"{name}.approval"
        file.write_bytes(people.approval(folder, plan, name, until=NOW + until))
        file.chmod(0o600)


def sent(glacier: SimulatedGlacier) -> int:
    return int(glacier.ledger["deletes_received"])


async def test_two_of_three_people_approve_and_the_log_has_their_documents(people: People, tmp_path: Path) -> None:
    place = tmp_path / "lifecycle"
    async with simulated(archives=10) as (glacier, _):

        async def once_more(names: str, missing: str) -> None:
            ending = await carried(glacier, place, approval=asked(people))
            assert (ending.state, ending.exit_code, ending.needs) == (State.PENDING, 75, Needs.APPROVAL), ending.message
            assert missing in ending.message
            assert position(read_steps(place))[0] is Phase.APPROVAL
            assert sent(glacier) == 0
            put(people, place, *names.split())

        await once_more("", "2 people to approve the plan in")
        await once_more("anna mallory", "0 of 2 approvals are there. Who is to approve gives glacier-purge approve")
        await once_more("bert", "one person to approve")
        view = LifecycleView.of(RunFolder(place))
        assert (view.state, view.why) == (
            "pending",
            "waiting for people to approve: 2 of 2 approvals are there (anna@example, bert@example); mallory.approval: "
            + view.there.refused[0].partition(": ")[2],
        )
        status = view.as_result()
        assert (status.approved_by, status.approvals_needed) == (None, 2)
        assert status.approvals_there == ["anna@example", "bert@example"]
        page = plan_shown(RunFolder(place), Settings()).as_text()
        assert "approved by anna@example, bert@example, of 2 who have to" in page
        ending = await carried(glacier, place, approval=asked(people))
        assert ending.state is State.DONE, ending.message
        assert sent(glacier) == 10
    [approved] = [step for step in read_steps(place) if step.event is Event.APPROVED]
    assert (approved.facts["how"], approved.facts["by"]) == ("signed", "anna@example, bert@example")
    ledger = replay(place / "round-1")
    assert [said["who"] for said in ledger.approvals] == ["anna@example", "bert@example"]
    terms = read_terms(place)
    assert terms is not None
    assert isinstance(terms.approvers, Approvers)
    assert (terms.approvers.needed, terms.approvers.allowed_signers) == (2, people.signers)
    verdicts = verify_folder(place)
    assert not [fault for _, _, found in verdicts for fault in found.faults]
    by = "anna@example, bert@example (signed)"
    assert LifecycleView.of(RunFolder(place)).as_result().approved_by == by
    assert run_status(RunFolder(place / "round-1"), NOW).approved_by == by
    assert f"  approved by     {by}" in as_lines(VaultReport.of(RunFolder(place), read_price_table(None), NOW))
    assert f"  approved by  {by}\n" in (place / "round-1" / "certificate.txt").read_text("utf-8")
    bundled(place, tmp_path / "bundle.zip", None)
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        bundle.extractall(tmp_path / "unpacked")
        names = bundle.namelist()
    for name in ("allowed_signers", "anna.approval", "bert.approval"):
        assert f"evidence/round-1/approvals/{name}" in names
    alone = [sys.executable, "-I", "verify.py", "evidence", "--without-inventories"]
    checked = await anyio.run_process(alone, cwd=tmp_path / "unpacked", check=False)
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.count(b"the approval of") == 2
    told = [notice for notice in verdicts[1].found.notices if notice.startswith("the approval of")]
    assert len(told) == 2
    assert all("signed with" in notice for notice in told)


async def test_a_typed_yes_is_none_where_people_have_to_sign(people: People, tmp_path: Path) -> None:
    """Also from whoever answers without looking at what is wanted, as ``carried`` does here."""
    place, asked_about = tmp_path / "lifecycle", []
    async with simulated(archives=10) as (glacier, _):

        async def yes(folder: RunFolder, plan: Plan) -> Approval:
            asked_about.append(plan.digest)
            return await said_yes(folder, plan)

        ending = await carried(glacier, place, approval=asked(people), approve=yes)
        assert (ending.exit_code, len(asked_about)) == (75, 1)
        ending = await carried(glacier, place, approve=yes)  # and not by leaving the option away
        assert (ending.exit_code, len(asked_about)) == (75, 2)
        assert sent(glacier) == 0


@pytest.mark.parametrize(
    ("more", "told"),
    [({"approvals": 1}, "given now is --approvals 1"), ({"not_the_planner": True}, "--not-the-planner")],
    ids=["fewer", "other rules"],
)
async def test_what_was_settled_is_not_changed_later(
    more: dict[str, object], told: str, people: People, tmp_path: Path
) -> None:
    place = tmp_path / "lifecycle"
    async with simulated(archives=10) as (glacier, _):
        await carried(glacier, place, approval=asked(people))
        ending = await carried(glacier, place, approval=asked(people) | more)
        assert ending.exit_code == 2
        assert told in ending.message
        other = await carried(glacier, tmp_path / "typed", approve=None)
        assert other.exit_code == 75
        other = await carried(glacier, tmp_path / "typed", approval=asked(people))
        assert "began with no --approvals" in other.message
        assert sent(glacier) == 0


async def test_who_is_written_into_the_file_later_approves_nothing(people: People, tmp_path: Path) -> None:
    place, signers = tmp_path / "lifecycle", tmp_path / "signers"
    shutil.copy(people.signers_file, signers)
    settings = asked(people, allowed_signers=str(signers))
    async with simulated(archives=10) as (glacier, _):
        await carried(glacier, place, approval=settings)
        signers.write_text(people.signers + people.line("mallory"), "ascii")
        put(people, place, "anna", "mallory")
        ending = await carried(glacier, place, approval=settings)
        assert (ending.exit_code, sent(glacier)) == (75, 0)
        assert "mallory.approval: the allowed signers do not have" in ending.message


async def test_a_key_revoked_between_approval_and_the_first_delete_counts_no_more(
    people: People, tmp_path: Path
) -> None:
    """Two said yes, and that is a step; the process that would send by it looks once more."""
    place, revoked = tmp_path / "lifecycle", tmp_path / "revoked"
    revoked.touch()
    settings = asked(people, revoked=str(revoked))
    async with simulated(archives=10) as (glacier, _):
        await carried(glacier, place, approval=settings)
        put(people, place, "anna", "bert")
        await carried(glacier, place, approval=settings, ends_after=Event.APPROVED)
        revoked.write_text(people.public("anna"), "ascii")
        ending = await carried(glacier, place)  # the file's name was settled, too
        assert position(read_steps(place))[0] is Phase.PURGE
        assert (ending.exit_code, ending.needs, sent(glacier)) == (75, Needs.APPROVAL, 0), ending.message
        assert "was revoked, by" in ending.message
        put(people, place, "cara")
        ending = await carried(glacier, place, approval=settings)
        assert (ending.state, sent(glacier)) == (State.DONE, 10), ending.message
    assert [said["who"] for said in replay(place / "round-1").approvals] == ["bert@example", "cara@example"]
    assert not [fault for _, _, found in verify_folder(place) for fault in found.faults]


async def test_a_step_that_somebody_wrote_approves_nothing(people: People, tmp_path: Path) -> None:
    place = tmp_path / "lifecycle"
    async with simulated(archives=10) as (glacier, _):
        await carried(glacier, place, approval=asked(people))
        plan = read_plan(place / "round-1" / PLAN_FILE)
        for how, exit_code in (("typed", 4), ("signed", 75)):
            forged = LifecycleFile(place, lambda: NOW)
            forged.advance(Event.APPROVED, digest=plan.digest, how=how, by="anna@example, bert@example")
            ending = await carried(glacier, place, approval=asked(people))
            assert (ending.exit_code, sent(glacier)) == (exit_code, 0), ending.message
            assert ("0 of 2 approvals are there" in ending.message) == (how == "signed")
            found = verify_folder(place)[0].found
            assert bool(found.faults) == (how == "typed")
            lines = (place / "lifecycle.jsonl").read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if b'"approved"' not in line and b"uploads not denied" not in line]
            (place / "lifecycle.jsonl").write_bytes(b"".join(kept))


async def test_each_round_is_approved_by_itself(people: People, tmp_path: Path) -> None:
    """Documents of the first round are none of the second, whose plan is another one; they may be brought along."""
    place, documents = tmp_path / "lifecycle", list[bytes]()

    def by(*names: str) -> None:
        folder = RunFolder.open(max(place.glob("round-*")))
        plan = read_plan(folder.path / PLAN_FILE)
        documents.extend(people.approval(folder, plan, name) for name in names)

    async with simulated(archives=10) as (glacier, _):
        await carried(glacier, place, approval=asked(people))
        by("anna", "bert")
        await carried(glacier, place, documents=documents, ends_after=Event.APPROVED)
        await upload(glacier)
        ending = await carried(glacier, place, documents=documents)
        assert (ending.exit_code, position(read_steps(place))) == (75, (Phase.APPROVAL, 2)), ending.message
        assert "0 of 2 approvals are there." in ending.message
        by("cara", "bert")
        ending = await carried(glacier, place, documents=documents)
        assert (ending.state, sent(glacier)) == (State.DONE, 11), ending.message
    assert not [fault for _, _, found in verify_folder(place) for fault in found.faults]


async def test_who_planned_is_not_who_approves(people: People, tmp_path: Path) -> None:
    place, settings = tmp_path / "lifecycle", asked(people, not_the_planner=True)
    async with simulated(archives=10) as (glacier, _):
        ending = await carried(glacier, place, approval=settings)
        assert ending.exit_code == 2
        assert "Give --sign-key" in ending.message
        place, audit = tmp_path / "again", {"sign_key": str(people.key("anna"))}
        await carried(glacier, place, approval=settings, audit=audit)
        assert read_signed_plan(RunFolder(place / "round-1")) is not None
        put(people, place, "anna", "bert")
        ending = await carried(glacier, place, approval=settings, audit=audit)
        assert (ending.exit_code, sent(glacier)) == (75, 0)
        assert "1 of 2 approvals are there (bert@example); anna.approval: anna@example made the plan" in ending.message
        put(people, place, "cara")
        ending = await carried(glacier, place, approval=settings, audit=audit)
        assert (ending.state, sent(glacier)) == (State.DONE, 10), ending.message
    verdicts = verify_folder(place)
    assert not [fault for _, _, found in verdicts for fault in found.faults]
    assert any(notice.startswith("plan.signed: by ") for notice in verdicts[1].found.notices)
