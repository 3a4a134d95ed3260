"""A new inventory, or a job by its name, ordered of a lifecycle: it wins over what a folder remembers until a plan is
approved, is carried out once, and the same command can be given again and again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from glacier_purge.fleet.fleet import State
from glacier_purge.glacier.waiting import NoWait
from glacier_purge.inventory.fetching.job_choice import WantedJob, mark
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.lifecycle.phases import Event
from glacier_purge.lifecycle.steps_file import read_steps
from glacier_purge.proof.certificate import read_certificate
from glacier_purge.storage.folder import RunFolder
from tests.clients import HOUR, Stepping, simulated
from tests.glacier_simulator.raw_client import ask
from tests.lifecycle.lifecycles import carried, events, ids_of, said_yes

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.fleet.fleet import Ending
    from glacier_simulator import SimulatedGlacier

pytestmark = pytest.mark.usefixtures("credentials")

NEW = WantedJob(is_new=True)
NOTHING_ORDERED = WantedJob()


async def theirs(glacier: SimulatedGlacier, description: str = "nightly", **scope: str) -> str:
    """A finished job that somebody else began, or one of ours in another folder."""
    body = {"Type": "inventory-retrieval", "Description": description} | (
        {"InventoryRetrievalParameters": scope} if scope else {}
    )
    reply = await ask(glacier.endpoint_url, "POST", "/-/vaults/photos/jobs", json.dumps(body).encode())
    glacier.clock.step(6 * HOUR)
    return reply.headers["x-amz-job-id"]


async def going_on(
    glacier: SimulatedGlacier, place: Path, wanted: WantedJob, *, waits: bool = False, approves: bool = False
) -> Ending:
    """One command: ``waits`` for what there is to wait for, and ``approves`` what is asked about."""
    return await carried(
        glacier,
        place,
        options=LifecycleOptions(wanted=wanted),
        approve=said_yes if approves else None,
        waiter=Stepping(glacier) if waits else NoWait(clock=Stepping(glacier).now),
    )


def fetched(place: Path) -> list[str]:
    """The jobs whose inventories were fetched, in order."""
    return [step.facts["job"] for step in read_steps(place) if step.event is Event.FETCHED]


def began(glacier: SimulatedGlacier) -> set[str]:
    """Every job that was ever begun and is still known."""
    return set(glacier.service.vault("photos", glacier.clock.now()).facts.jobs)


async def test_a_new_inventory_takes_the_place_of_one_whose_plan_nobody_approved(tmp_path: Path) -> None:
    place = tmp_path / "photos"
    async with simulated(archives=12) as (glacier, _):
        adopted = await theirs(glacier)
        assert "approval" in (await going_on(glacier, place, NOTHING_ORDERED)).message
        for _ in range(2):
            assert "such jobs take 3 to 5 hours" in (await going_on(glacier, place, NEW)).message
        assert len(began(glacier)) == 2, "asked for once"
        glacier.clock.step(6 * HOUR)
        first = await going_on(glacier, place, NEW)
        again = await going_on(glacier, place, NEW)
        assert "approval" in first.message
        assert (again.digest, len(began(glacier))) == (first.digest, 2), "the same command changes nothing any more"
        ending = await going_on(glacier, place, NEW, waits=True, approves=True)
        left = glacier.ledger["archives_left"]
    assert (ending.state, left) == (State.DONE, 0), ending.message
    given_up = next(step for step in read_steps(place) if step.event is Event.PLAN_GIVEN_UP)
    assert "a new inventory was ordered" in given_up.facts["because"]
    assert fetched(place)[0] == adopted != fetched(place)[1]


async def test_a_job_by_its_name_takes_the_place_of_one_that_is_remembered(tmp_path: Path) -> None:
    place = tmp_path / "photos"
    async with simulated(archives=12) as (glacier, _):
        assert "such jobs take 3 to 5 hours" in (await going_on(glacier, place, NOTHING_ORDERED)).message
        (remembered,) = began(glacier)
        named = WantedJob(job_id=await theirs(glacier))
        first = await going_on(glacier, place, named)
        again = await going_on(glacier, place, named)
        assert "approval" in first.message
        assert first.digest == again.digest
        ending = await going_on(glacier, place, named, waits=True, approves=True)
        left = glacier.ledger["archives_left"]
    assert (ending.state, left) == (State.DONE, 0), ending.message
    assert fetched(place) == [named.job_id]
    assert remembered != named.job_id
    certificate = read_certificate(RunFolder(place / "round-1"))
    assert certificate is not None
    assert certificate.inventory_job != named.job_id, "what the plan was made from proves nothing of it"


async def test_a_job_by_its_name_takes_the_place_of_one_whose_plan_nobody_approved(tmp_path: Path) -> None:
    place = tmp_path / "photos"
    async with simulated(archives=12) as (glacier, _):
        adopted = await theirs(glacier)
        assert "approval" in (await going_on(glacier, place, NOTHING_ORDERED)).message
        named = WantedJob(job_id=await theirs(glacier))
        first = await going_on(glacier, place, named)
        again = await going_on(glacier, place, named)
    assert "approval" in first.message
    assert first.digest == again.digest
    assert fetched(place) == [adopted, named.job_id]
    assert events(place).count(Event.PLAN_GIVEN_UP) == 1


async def test_a_part_of_the_vault_by_its_name_is_refused_and_the_lifecycle_goes_on_without(tmp_path: Path) -> None:
    place = tmp_path / "photos"
    async with simulated(archives=100) as (glacier, _):
        named = WantedJob(job_id=await theirs(glacier, Marker=ids_of(glacier)[4]))
        for _ in range(2):
            refused = await going_on(glacier, place, named)
            assert (refused.exit_code, "it lists 95 archives, and the service counts 100" in refused.message) == (
                2,
                True,
            )
        ending = await going_on(glacier, place, NOTHING_ORDERED, waits=True, approves=True)
        left = glacier.ledger["archives_left"]
    assert (ending.state, left) == (State.DONE, 0), ending.message
    assert named.job_id not in fetched(place)


async def test_a_fetched_inventory_gives_way_before_it_is_planned_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "photos"
    async with simulated(archives=12) as (glacier, _):
        adopted = await theirs(glacier)
        with monkeypatch.context() as patched:
            patched.setattr("glacier_purge.lifecycle.planning.check_age", _stop)
            assert "stopped here" in (await going_on(glacier, place, NOTHING_ORDERED)).message
        assert "such jobs take 3 to 5 hours" in (await going_on(glacier, place, NEW)).message
        ending = await going_on(glacier, place, NEW, waits=True)
    assert "approval" in ending.message
    assert fetched(place)[0] == adopted != fetched(place)[1]
    assert events(place).count(Event.INVENTORY_GIVEN_UP) == 1


async def _stop(*_: object) -> None:
    from glacier_purge.errors import RunStopped

    raise RunStopped("stopped here")


async def purged(glacier: SimulatedGlacier, place: Path) -> None:
    """Carry it until a newer inventory is waited for."""
    await theirs(glacier)
    await going_on(glacier, place, NOTHING_ORDERED)
    ending = await going_on(glacier, place, NOTHING_ORDERED, approves=True)
    assert "an inventory of photos made after" in ending.message


async def test_a_purge_is_proven_by_the_job_that_was_named(tmp_path: Path) -> None:
    place = tmp_path / "photos"
    async with simulated(archives=12) as (glacier, _):
        await purged(glacier, place)
        stale = WantedJob(job_id=await theirs(glacier, mark(Stepping(glacier).now())))
        refused = await going_on(glacier, place, stale)
        assert refused.exit_code == 2
        assert "or later is needed, when the run made its last deletion" in refused.message
        glacier.clock.step(25 * HOUR)
        await theirs(glacier)
        named = WantedJob(job_id=await theirs(glacier))
        ending = await going_on(glacier, place, named)
    assert ending.state is State.DONE, ending.message
    certificate = read_certificate(RunFolder(place / "round-1"))
    assert certificate is not None
    assert certificate.inventory_job == named.job_id


async def test_a_purge_is_proven_by_a_new_job_where_that_was_ordered(tmp_path: Path) -> None:
    place = tmp_path / "photos"
    async with simulated(archives=12) as (glacier, _):
        await purged(glacier, place)
        glacier.clock.step(25 * HOUR)
        there = await theirs(glacier)
        for _ in range(2):
            assert "such jobs take 3 to 5 hours" in (await going_on(glacier, place, NEW)).message
        glacier.clock.step(6 * HOUR)
        ending = await going_on(glacier, place, NEW)
    assert ending.state is State.DONE, ending.message
    certificate = read_certificate(RunFolder(place / "round-1"))
    assert certificate is not None
    assert certificate.inventory_job != there
    assert len(fetched(place)) == 1, "an approved plan keeps its inventory"
