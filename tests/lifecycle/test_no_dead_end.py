"""What grows old, is spoilt or is in the way while a lifecycle lives: it goes on by itself, or says what to do, and the
vault's policy is as its owner made it unless uploads are said to be denied."""

from __future__ import annotations

import errno
import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

import glacier_purge
from glacier_purge.api.member import Member
from glacier_purge.errors import RunStopped, UsageError
from glacier_purge.fleet.fleet import State
from glacier_purge.glacier.waiting import NoWait
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.lifecycle.phases import Event, Phase
from glacier_purge.lifecycle.steps import position
from glacier_purge.lifecycle.steps_file import read_steps
from glacier_purge.plan.choices import EVERY_ARCHIVE, Choices
from glacier_purge.plan.document import read_plan
from glacier_purge.storage.disk import FolderFiles
from glacier_purge.storage.folder import RunFolder
from glacier_simulator.faults import Rule
from tests.clients import HOUR, Stepping, simulated
from tests.glacier_simulator.raw_client import ask
from tests.lifecycle.lifecycles import carried, events, ids_of, listed, said_yes, upload
from tests.lifecycle.test_files import THEIRS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from glacier_purge.approval.typed import Approval
    from glacier_purge.plan.document import Plan
    from glacier_simulator import SimulatedGlacier

FREEZING = LifecycleOptions(freeze=True)
REMOVING = LifecycleOptions(remove_vault="photos", even_the_last=True)
DAY = 24 * HOUR


pytestmark = pytest.mark.usefixtures("credentials")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "photos"


async def empty_the_vault(glacier: SimulatedGlacier) -> None:
    for archive_id in ids_of(glacier):
        reply = await ask(glacier.endpoint_url, "DELETE", f"/-/vaults/photos/archives/{archive_id}")
        assert reply.status == 204


async def days_go_by(glacier: SimulatedGlacier) -> None:
    glacier.clock.step(9 * DAY)


async def somebody_uploads_and_days_go_by(glacier: SimulatedGlacier) -> None:
    await upload(glacier)
    glacier.clock.step(9 * DAY)


@pytest.mark.parametrize("meanwhile", [days_go_by, somebody_uploads_and_days_go_by])
async def test_an_approval_after_nine_days_is_asked_for_again_with_another_plan(
    meanwhile: Callable[[SimulatedGlacier], Awaitable[None]], place: Path
) -> None:
    asked: list[tuple[str, str]] = []
    async with simulated(archives=12) as (glacier, client):
        await client.set_access_policy(THEIRS)

        async def slowly(folder: RunFolder, plan: Plan) -> Approval:
            asked.append((folder.path.name, plan.digest))
            assert await client.access_policy() == THEIRS, "uploads are denied before anybody said yes"
            if len(asked) == 1:
                await meanwhile(glacier)
            return await said_yes(folder, plan)

        ending = await carried(glacier, place, options=FREEZING, approve=slowly)
        assert ending.state is State.DONE, ending.message
        assert await client.access_policy() == THEIRS
        assert glacier.ledger["archives_left"] == 0
    given_up = next(step for step in read_steps(place) if step.event is Event.PLAN_GIVEN_UP)
    assert (given_up.phase, given_up.round) == (Phase.APPROVAL, 1)
    sent = read_plan(place / "round-2/plan.json")
    assert asked[-1][1] == sent.digest
    assert not (place / "round-1/audit").exists()


async def test_an_inventory_that_grew_old_before_its_plan_is_fetched_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with simulated(archives=12) as (glacier, _):
        with monkeypatch.context() as patched:
            patched.setattr(Member, "reached", stopping_after(Event.FETCHED))
            stopped = await carried(glacier, place)
        await somebody_uploads_and_days_go_by(glacier)
        ending = await carried(glacier, place)
        left = glacier.ledger["archives_left"]
    assert (stopped.exit_code, ending.state, left) == (3, State.DONE, 0), ending
    assert events(place).count(Event.INVENTORY_GIVEN_UP) == 1
    assert read_steps(place)[-1].round == 1


@pytest.mark.parametrize("emptied", [False, True])
async def test_a_plan_that_grew_old_with_uploads_denied_is_made_again_or_ends_in_good_order(
    emptied: bool, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with simulated(archives=12) as (glacier, client):
        await client.set_access_policy(THEIRS)
        with monkeypatch.context() as patched:
            patched.setattr(Member, "reached", stopping_after(Event.FROZEN))
            stopped = await carried(glacier, place, options=FREEZING)
        assert "denied by this lifecycle since" in stopped.message
        assert "glacier-purge thaw" in stopped.message
        assert await client.access_policy() != THEIRS
        if emptied:
            await empty_the_vault(glacier)
        else:
            await ask(glacier.endpoint_url, "DELETE", f"/-/vaults/photos/archives/{ids_of(glacier)[0]}")
        glacier.clock.step(9 * DAY)
        before = glacier.ledger["deletes_received"]
        ending = await carried(glacier, place, options=FREEZING)
        assert ending.state is State.DONE, ending.message
        assert await client.access_policy() == THEIRS
        assert glacier.ledger["archives_left"] == 0
        assert glacier.ledger["deletes_received"] - before == (0 if emptied else 11)
    given_up = next(step for step in read_steps(place) if step.event is Event.PLAN_GIVEN_UP)
    assert given_up.phase is Phase.PURGE
    assert events(place)[-1] is Event.THAWED
    assert (Event.NOTHING_SENT in events(place)) is emptied


async def test_an_upload_between_the_proof_and_the_removal_is_another_round(place: Path) -> None:
    asked = []
    async with simulated(archives=12) as (glacier, _):
        first = await carried(glacier, place, options=LifecycleOptions(remove_vault="photos"))
        assert position(read_steps(place))[0] is Phase.DELETE_VAULT
        await upload(glacier)

        async def yes(folder: RunFolder, plan: Plan) -> Approval:
            asked.append(plan.counts.selected)
            return await said_yes(folder, plan)

        ending = await carried(glacier, place, options=REMOVING, approve=yes)
    assert first.exit_code == 2
    assert ending.state is State.DONE, ending.message
    assert asked == [1]
    assert events(place).count(Event.WRITTEN_TO) == 1
    assert events(place)[-1] is Event.DELETED


async def test_a_limit_counts_what_was_deleted_before_the_vault_was_written_to(place: Path) -> None:
    async with simulated(archives=12) as (glacier, _):
        choices = Choices(limit=12)
        await carried(glacier, place, choices, options=LifecycleOptions(remove_vault="photos"))
        await upload(glacier)
        refused = await carried(glacier, place, choices, options=REMOVING)
        kept = await carried(glacier, place, choices)
        ledger = glacier.ledger
    assert "1 archives would be kept in it" in refused.message
    assert (kept.state, ledger["archives_left"], ledger["deletes_received"]) == (State.DONE, 1, 12)


async def test_a_vault_held_by_another_process_is_waited_for_before_uploads_are_denied(
    place: Path, tmp_path: Path
) -> None:
    async with simulated(archives=12) as (glacier, client):
        await client.set_access_policy(THEIRS)
        await carried(glacier, place, options=FREEZING, approve=None)
        other = RunFolder.create(tmp_path / "other")
        plan = read_plan(place / "round-1/plan.json")
        with other.locked(plan.vault, plan.endpoint_url):
            hasty = NoWait(clock=Stepping(glacier).now)
            pending = await carried(glacier, place, options=FREEZING, waiter=hasty)
            assert await client.access_policy() == THEIRS
        ending = await carried(glacier, place, options=FREEZING)
        assert await client.access_policy() == THEIRS
    assert (pending.exit_code, ending.state) == (75, State.DONE), (pending, ending)
    assert "the process that holds the vault to end" in pending.message


async def test_what_forbids_a_purge_is_seen_before_uploads_are_denied(place: Path) -> None:
    async with simulated(archives=12) as (glacier, client):
        await carried(glacier, place, options=FREEZING, approve=None)
        policy = json.loads(THEIRS)
        policy["Statement"][0] |= {"Effect": "Deny", "Action": "glacier:DeleteArchive"}
        await client.set_access_policy(json.dumps(policy))
        refused = await carried(glacier, place, options=FREEZING)
        assert await client.access_policy() == json.dumps(policy)
        await client.set_access_policy(THEIRS)
        ending = await carried(glacier, place, options=FREEZING)
        assert await client.access_policy() == THEIRS
    assert (refused.exit_code, ending.state) == (2, State.DONE), (refused, ending)
    assert Event.PLAN_GIVEN_UP not in events(place)


async def test_a_denial_that_another_lifecycle_left_is_told_and_never_taken_for_the_owners(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with simulated(archives=12) as (glacier, client):
        await carried(
            glacier, tmp_path / "lost", options=FREEZING, waiter=NoWait(clock=Stepping(glacier).now), approve=None
        )
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Member, "reached", stopping_after(Event.FROZEN))
            await carried(glacier, tmp_path / "lost", options=FREEZING)
        shutil.rmtree(tmp_path / "lost")
        denied = await client.access_policy()
        assert denied is not None
        assert "GlacierPurgeFreeze" in denied
        refused = await carried(glacier, place, options=FREEZING, approve=None)
        assert not (place / "freeze.json").exists()
        capsys.readouterr()
        ending = await carried(glacier, place)
        said = capsys.readouterr().err
        assert await client.access_policy() == denied
    assert refused.exit_code == 2, refused
    assert "take it away with: glacier-purge thaw photos" in refused.message
    assert "take it away with: glacier-purge thaw photos" in said
    assert ending.state is State.DONE, ending.message


async def test_a_policy_that_somebody_put_in_place_of_ours_is_seen_and_denied_in_the_next_round(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with simulated(archives=12) as (glacier, client):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Member, "reached", stopping_after(Event.ACCOUNTED))
            await carried(glacier, place, options=FREEZING)
        await client.set_access_policy(THEIRS)
        await upload(glacier)
        ending = await carried(glacier, place, options=FREEZING)
        assert ending.state is State.DONE, ending
        assert await client.access_policy() == THEIRS
        assert glacier.ledger["archives_left"] == 0
    happened = events(place)
    assert happened.count(Event.ALLOWED) == 1
    assert happened.index(Event.FROZEN) < happened.index(Event.ALLOWED) < happened.index(Event.SOMETHING_LEFT)
    assert happened.count(Event.FROZEN) == 2
    assert "changed the policy" in capsys.readouterr().err


async def test_an_outage_of_the_policy_alone_is_waited_out_and_never_taken_for_allowed_uploads(place: Path) -> None:
    async with simulated(archives=12) as (glacier, client):
        await client.set_access_policy(THEIRS)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Member, "reached", stopping_after(Event.ACCOUNTED))
            await carried(glacier, place, options=FREEZING)
        glacier.desk.faults.replace([Rule("captive-portal", operation="GetVaultAccessPolicy")])
        ending = await carried(glacier, place, options=FREEZING, waiter=NoWait(clock=Stepping(glacier).now))
        assert (ending.exit_code, Event.ALLOWED in events(place)) == (75, False), ending
        glacier.desk.faults.replace([Rule("access-denied", operation="GetVaultAccessPolicy")])
        await carried(glacier, place, options=FREEZING, waiter=NoWait(clock=Stepping(glacier).now))
        assert Event.ALLOWED not in events(place)
        glacier.desk.faults.replace([])
        ending = await carried(glacier, place, options=FREEZING)
        assert (ending.state, Event.ALLOWED in events(place)) == (State.DONE, False), ending
        assert await client.access_policy() == THEIRS


async def test_a_list_that_is_gone_after_the_purge_keeps_nobody_from_uploading(place: Path, tmp_path: Path) -> None:
    async with simulated(archives=12) as (glacier, client):
        await client.set_access_policy(THEIRS)
        choices = Choices(ids=listed(tmp_path / "ids", ids_of(glacier)[:3]))
        await carried(glacier, place, choices, options=FREEZING, approve=None)
        hasty = NoWait(clock=Stepping(glacier).now)
        pending = await carried(glacier, place, EVERY_ARCHIVE, options=FREEZING, waiter=hasty)
        assert position(read_steps(place))[0] is Phase.VERIFY
        (tmp_path / "ids").unlink()
        ending = await carried(glacier, place, EVERY_ARCHIVE, options=FREEZING)
        assert await client.access_policy() == THEIRS
    assert (pending.exit_code, ending.state) == (75, State.DONE), ending


async def test_a_spoilt_round_keeps_nobody_from_uploading_and_is_said_all_the_same(place: Path) -> None:
    async with simulated(archives=12) as (glacier, client):
        await client.set_access_policy(THEIRS)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Member, "reached", stopping_after(Event.PROVEN))
            await carried(glacier, place, options=FREEZING)
        (place / "round-1/certificate.json").unlink()
        ending = await carried(glacier, place, options=FREEZING)
        assert await client.access_policy() == THEIRS
        again = await carried(glacier, place, options=FREEZING)
    assert ending.exit_code == again.exit_code == 4, (ending, again)
    assert "round-1/certificate.json" in ending.message
    assert events(place)[-1] is Event.THAWED


def stopping_after(event: Event) -> Callable[..., None]:
    """Instead of telling of a step, end the process after that one."""

    def tell(member: Member, step: object) -> None:
        del member
        if getattr(step, "event", None) is event:
            raise RunStopped("stopped by the test")

    return tell


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize(
    "name",
    ["terms.json", "retrieval.json", "run.json", "plan.json", "freeze.json", "certificate.json", "decisions"],
)
async def test_a_full_disk_at_any_document_is_named_and_the_same_command_goes_on(
    name: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = FolderFiles.create

    def full(files: FolderFiles, this: str) -> None:
        if this in {name, f".{name}.new"}:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        create(files, this)

    async with simulated(archives=12) as (glacier, client):
        await client.set_access_policy(THEIRS)
        with monkeypatch.context() as patched:
            patched.setattr(FolderFiles, "create", full)
            ending = await carried(glacier, place, options=FREEZING)
        assert (ending.state, ending.exit_code) == (State.STOPPED, 3)
        assert f"{name} can't be written: No space left on device. Mend the disk" in ending.message
        again = await carried(glacier, place, options=FREEZING)
        assert again.state is State.DONE, again.message
        assert await client.access_policy() == THEIRS
        assert glacier.ledger["archives_left"] == 0


async def test_a_round_that_was_proven_is_not_proven_anew_by_hand_and_the_lifecycle_goes_on(place: Path) -> None:
    async with simulated(archives=12) as (glacier, _):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Member, "reached", stopping_after(Event.PROVEN))
            await carried(glacier, place, options=REMOVING)
        written = (place / "round-1/certificate.json").read_bytes()
        with pytest.raises(UsageError, match="goes by the certificate that it wrote"):
            await glacier_purge.verify(place / "round-1")
        assert (place / "round-1/certificate.json").read_bytes() == written
        ending = await carried(glacier, place, options=REMOVING)
    assert ending.state is State.DONE, ending
