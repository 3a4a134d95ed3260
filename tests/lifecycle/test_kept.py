"""Lifecycles in which something was chosen, over the simulator, days stepped: what goes, what stays, how it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from glacier_purge.fleet.fleet import State
from glacier_purge.glacier.waiting import NoWait
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.lifecycle.phases import Event
from glacier_purge.lifecycle.steps_file import read_steps
from glacier_purge.plan.choices import Caps, Choices
from glacier_purge.proof.certificate import read_certificate
from glacier_purge.storage.folder import RunFolder
from tests.clients import HOUR, Stepping, simulated
from tests.glacier_simulator.raw_client import ask
from tests.lifecycle.lifecycles import carried, events, ids_of, listed, said_yes, upload

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.approval.typed import Approval
    from glacier_purge.plan.document import Plan

pytestmark = pytest.mark.usefixtures("today", "credentials")


async def test_what_was_chosen_goes_the_rest_is_kept_and_the_certificate_says_so(tmp_path: Path) -> None:
    place = tmp_path / "lifecycle"
    async with simulated(archives=30) as (glacier, _):
        before = ids_of(glacier)
        choices = Choices(ids=listed(tmp_path / "ids", before[5:15]), limit=8)
        ending = await carried(glacier, place, choices)
        left = ids_of(glacier)
        received = glacier.ledger["deletes_received"]
    assert ending.state is State.DONE, ending.message
    assert set(left) == set(before) - set(before[5:13])
    assert received == 8
    assert events(place)[-3:] == [Event.KEPT_REST, Event.KEPT, Event.THAWED]
    certificate = read_certificate(RunFolder.open(place / "round-1"))
    assert certificate is not None
    assert (certificate.deleted, certificate.found.gone, certificate.found.kept) == (8, 8, 22)
    assert certificate.kept_because == {"not_listed": 20, "over_limit:8": 2}
    text = (place / "round-1/certificate.txt").read_text("utf-8")
    assert "  kept         22 that the plan let be\n           20  not_listed\n            2  over_limit:8\n" in text


async def test_a_later_round_takes_up_what_is_new_and_nothing_that_was_kept(tmp_path: Path) -> None:
    place, approved = tmp_path / "lifecycle", []
    async with simulated(archives=30) as (glacier, _):
        before = ids_of(glacier)

        async def yes_while_somebody_uploads(folder: RunFolder, plan: Plan) -> Approval:
            approved.append((plan.counts.selected, plan.counts.skipped))
            if len(approved) == 1:
                await upload(glacier)
            return await said_yes(folder, plan)

        choices = Choices(limit=10)
        ending = await carried(glacier, place, choices, approve=yes_while_somebody_uploads)
        left = set(ids_of(glacier))
    assert ending.state is State.DONE, ending.message
    assert approved == [(10, 20)], "the ten of the limit were used up"
    assert left >= set(before[10:])
    assert len(left) == 21
    assert events(place).count(Event.ONLY_KEPT) == 1
    assert events(place)[-3:] == [Event.KEPT_REST, Event.KEPT, Event.THAWED]


async def test_what_is_uploaded_meanwhile_and_matches_is_another_round(tmp_path: Path) -> None:
    place, approved = tmp_path / "lifecycle", []
    async with simulated(archives=30) as (glacier, _):
        before = ids_of(glacier)

        async def yes_while_somebody_uploads(folder: RunFolder, plan: Plan) -> Approval:
            approved.append({reason.name: reason.records for reason in plan.reasons if reason.records})
            if len(approved) == 1:
                await upload(glacier)
            return await said_yes(folder, plan)

        choices = Choices(exclude_ids=listed(tmp_path / "ids", before[:4]))
        ending = await carried(glacier, place, choices, approve=yes_while_somebody_uploads)
        left = ids_of(glacier)
    assert ending.state is State.DONE, ending.message
    assert approved == [{"delete": 26, "excluded": 4}, {"delete": 1, "excluded": 4}]
    assert set(left) == set(before[:4])


async def test_a_vault_that_would_keep_archives_is_not_removed_and_nothing_is_planned(tmp_path: Path) -> None:
    place = tmp_path / "lifecycle"
    async with simulated(archives=30) as (glacier, _):
        choices = Choices(limit=29)
        removing = LifecycleOptions(remove_vault="photos", even_the_last=True)
        refused = await carried(glacier, place, choices, options=removing)
        received = glacier.ledger["deletes_received"]
        again = await carried(glacier, place, choices, options=removing)
        kept = await carried(glacier, place, choices)
        left = glacier.ledger["archives_left"]
    assert (refused.state, refused.exit_code) == (State.FAILED, 2)
    assert "1 archives would be kept in it (1 over_limit:29): only an empty vault" in refused.message
    assert again == refused
    assert received == 0
    assert (kept.state, left) == (State.DONE, 1)


async def test_a_vault_is_removed_once_nobody_retrieves_from_it(tmp_path: Path) -> None:
    place, removing = tmp_path / "lifecycle", LifecycleOptions(remove_vault="photos", even_the_last=True)
    async with simulated(archives=10) as (glacier, _):
        job = json.dumps({"Type": "archive-retrieval", "ArchiveId": ids_of(glacier)[3]}).encode()
        assert (await ask(glacier.endpoint_url, "POST", "/-/vaults/photos/jobs", job)).status == 202
        refused = await carried(glacier, place, options=removing)
        glacier.clock.step(48 * HOUR)
        ending = await carried(glacier, place, options=removing)
    assert "1 archives would be kept in it (1 in_retrieval)" in refused.message
    assert ending.state is State.DONE, ending.message
    assert events(place)[-1] is Event.DELETED


async def test_what_was_retrieved_when_it_was_planned_stays_kept_in_later_rounds(tmp_path: Path) -> None:
    place, approved = tmp_path / "lifecycle", []
    async with simulated(archives=10) as (glacier, _):
        held = ids_of(glacier)[3]
        job = json.dumps({"Type": "archive-retrieval", "ArchiveId": held}).encode()
        assert (await ask(glacier.endpoint_url, "POST", "/-/vaults/photos/jobs", job)).status == 202

        async def yes_while_somebody_uploads(folder: RunFolder, plan: Plan) -> Approval:
            approved.append({reason.name: reason.records for reason in plan.reasons if reason.records})
            if len(approved) == 1:
                await upload(glacier)
            glacier.clock.step(48 * HOUR)
            return await said_yes(folder, plan)

        ending = await carried(glacier, place, approve=yes_while_somebody_uploads)
        left = ids_of(glacier)
    assert ending.state is State.DONE, ending.message
    assert approved == [{"delete": 9, "in_retrieval": 1}, {"delete": 1, "kept_by_an_earlier_round": 1}]
    assert left == [held]


async def test_choices_that_keep_nothing_let_the_vault_go(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, _):
        removing = LifecycleOptions(remove_vault="photos", even_the_last=True)
        ending = await carried(glacier, tmp_path / "lifecycle", Choices(limit=10), options=removing)
    assert ending.state is State.DONE, ending.message
    assert events(tmp_path / "lifecycle")[-1] is Event.DELETED


async def test_choices_that_leave_nothing_end_the_lifecycle_without_a_plan(tmp_path: Path) -> None:
    place = tmp_path / "lifecycle"
    async with simulated(archives=10) as (glacier, _):
        ending = await carried(glacier, place, Choices(min_size="1PiB"))
        received = glacier.ledger["deletes_received"]
    assert (ending.state, received) == (State.DONE, 0)
    assert read_steps(place)[-1].facts == {"kept": 10}
    assert events(place)[-1] is Event.NOTHING_CHOSEN


async def test_a_list_that_changes_while_it_is_waited_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "lifecycle"
    async with simulated(archives=10) as (glacier, _):
        choices = Choices(ids=listed(tmp_path / "ids", ids_of(glacier)[:2]))
        hasty = NoWait(clock=Stepping(glacier).now)
        pending = await carried(glacier, place, choices, waiter=hasty)
        listed(tmp_path / "ids", ids_of(glacier)[:3])
        refused = await carried(glacier, place, Choices())
        listed(tmp_path / "ids", ids_of(glacier)[:2])
        done = await carried(glacier, place, Choices())
        received = glacier.ledger["deletes_received"]
    assert pending.state is State.PENDING
    assert "ids was changed since the lifecycle began" in refused.message
    assert (done.state, received) == (State.DONE, 2)


async def test_a_plan_over_the_cap_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    async def nobody(folder: RunFolder, plan: Plan) -> Approval:
        raise AssertionError("asked")

    async with simulated(archives=10) as (glacier, _):
        capped = Caps(max_archives=9)
        refused = await carried(glacier, tmp_path / "lifecycle", Choices(), caps=capped, approve=nobody)
        again = await carried(glacier, tmp_path / "lifecycle", Choices(), approve=nobody)
    assert "more than the 9 of --max-archives" in refused.message
    assert again == refused, "the cap holds where it is not given again"


async def test_kept_archives_that_somebody_deleted_meanwhile_are_counted_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "lifecycle"
    async with simulated(archives=12) as (glacier, _):
        before = ids_of(glacier)

        async def yes_while_somebody_deletes(folder: RunFolder, plan: Plan) -> Approval:
            for archive_id in before[4:11]:
                path = f"/-/vaults/photos/archives/{archive_id}"
                assert (await ask(glacier.endpoint_url, "DELETE", path)).status == 204
            return await said_yes(folder, plan)

        ending = await carried(glacier, place, Choices(limit=4), approve=yes_while_somebody_deletes)
    assert ending.state is State.DONE, ending.message
    certificate = read_certificate(RunFolder.open(place / "round-1"))
    assert certificate is not None
    assert (certificate.found.gone, certificate.found.kept, certificate.found.kept_gone) == (4, 1, 7)
    named = set(certificate.found.kept_gone_first)
    assert len(named) == 5
    assert named < set(before[4:11])
    text = (place / "round-1/certificate.txt").read_text("utf-8")
    assert "KEPT, GONE   7 that the plan let be and the inventory does not list" in text
    assert all(archive_id in text for archive_id in named)
    listed_there = (place / "round-1/verification/kept-gone.ids").read_text("ascii").split()
    assert sorted(listed_there) == sorted(before[4:11])
    kept_rest = next(step for step in read_steps(place) if step.event is Event.KEPT_REST)
    assert kept_rest.facts["kept_gone"] == 7
    assert "7 archives that the plan let be are gone" in capsys.readouterr().err


async def test_kept_archives_that_vanish_between_two_rounds_are_counted_in_the_later_one(tmp_path: Path) -> None:
    place, asked = tmp_path / "lifecycle", []
    async with simulated(archives=12) as (glacier, _):
        before = ids_of(glacier)

        async def remove(ids: list[str]) -> None:
            for archive_id in ids:
                path = f"/-/vaults/photos/archives/{archive_id}"
                assert (await ask(glacier.endpoint_url, "DELETE", path)).status == 204

        async def yes_while_somebody_is_at_it(folder: RunFolder, plan: Plan) -> Approval:
            asked.append(plan.counts.skipped)
            if len(asked) == 1:
                await remove(before[4:6])  # told when the first round is verified
                await upload(glacier)
            if len(asked) == 2:
                await remove(before[6:10])  # and the next inventory is of a time after that
                glacier.clock.step(9 * 24 * HOUR)
            return await said_yes(folder, plan)

        choices = Choices(exclude_ids=listed(tmp_path / "ids", before[4:]))
        ending = await carried(glacier, place, choices, approve=yes_while_somebody_is_at_it)
    assert ending.state is State.DONE, ending.message
    assert asked == [8, 6, 2]
    found = [read_certificate(RunFolder.open(place / name)) for name in ("round-1", "round-3")]
    assert [one and one.found.kept_gone for one in found] == [2, 4]
    told = (place / "round-3/verification/kept-gone.ids").read_text("ascii").split()
    assert sorted(told) == sorted(before[6:10])


async def test_an_order_to_remove_a_vault_whose_plan_kept_archives_says_how_to_go_on(tmp_path: Path) -> None:
    place = tmp_path / "lifecycle"
    async with simulated(archives=3) as (glacier, _):
        hasty = NoWait(clock=Stepping(glacier).now)
        await carried(glacier, place, Choices(limit=2), waiter=hasty)
        glacier.clock.step(6 * HOUR)
        await carried(glacier, place, waiter=hasty)
        ending = await carried(glacier, place, options=LifecycleOptions(remove_vault="photos", even_the_last=True))
        assert (ending.exit_code, "without --delete-vault to go on" in ending.message) == (2, True)
        assert glacier.ledger["operations"].get("DeleteVault", 0) == 0
        assert (await carried(glacier, place)).state is State.DONE
