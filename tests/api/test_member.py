"""Members of a fleet over the simulator, its days stepped: one missing, one denied, the others done."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from glacier_purge.api.addresses import vaults_there
from glacier_purge.api.clients import Clients
from glacier_purge.api.lifecycle import LifecycleOrder
from glacier_purge.api.member import Member
from glacier_purge.approval.typed import approve_by_digest
from glacier_purge.archive import Vault
from glacier_purge.deletion.budget import Budget
from glacier_purge.deletion.pacer import PacerSettings
from glacier_purge.fleet.fleet import Fleet, State, folder_name
from glacier_purge.glacier.waiting import NoWait
from glacier_purge.settings import Settings
from tests.clients import VAULT, Stepping, control, simulated

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.api.person import ApprovalRequest
    from glacier_purge.approval.typed import Approval
    from glacier_purge.glacier.waiting import Waiter
    from glacier_simulator import SimulatedGlacier

pytestmark = pytest.mark.usefixtures("today", "credentials")

OLD = 1_000_000_000.0


async def said_yes(request: ApprovalRequest) -> Approval:
    return approve_by_digest(request.plan, request.plan.digest, "me@here")


def named(name: str) -> Vault:
    return Vault(account_id=VAULT.account_id, region=VAULT.region, name=name)


def members(glacier: SimulatedGlacier, place: Path, waiter: Waiter, clients: Clients, *names: str) -> dict[str, Member]:
    settings = Settings.model_validate(
        {"aws": {"endpoint_url": glacier.endpoint_url}, "pace": {"first_per_second": 1000.0}}
    )
    budget = Budget(PacerSettings(rate_per_second_first=1000.0), random.Random(1).random)
    return {
        name: Member(
            named(name),
            place / folder_name(named(name)),
            LifecycleOrder(),
            settings,
            clients,
            lane=budget.lane,
            approve=said_yes,
            say=lambda _: None,
            waiter_for=lambda _: waiter,
        )
        for name in names
    }


async def test_a_missing_vault_and_a_denied_one_do_not_stop_the_others(tmp_path: Path) -> None:
    async with simulated(archives=30) as (glacier, _), Clients() as clients:
        for name in ("films", "locked"):
            glacier.service.generate_vault(name, 20, OLD)
        async with control(glacier.endpoint_url, named("locked")) as client:
            deny = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"glacier:*Archive",'
            await client.set_access_policy(deny + f'"Resource":"{named("locked").arn}"}}]}}')
        carried = members(glacier, tmp_path, Stepping(glacier), clients, "photos", "films", "locked", "gone")
        fleet = Fleet(carried)
        await fleet.go_on()
        left = glacier.ledger["archives_left"]
    states = {name: ending.state for name, ending in fleet.endings.items()}
    assert states == {"photos": State.DONE, "films": State.DONE, "locked": State.FAILED, "gone": State.FAILED}
    assert left == 20
    assert (fleet.endings["locked"].exit_code, fleet.endings["gone"].exit_code, fleet.exit_code) == (2, 254, 254)
    assert "denies deleting any archive" in fleet.endings["locked"].message
    assert "Vault not found" in fleet.endings["gone"].message
    assert [member.phase for member in carried.values()] == ["done", "done", "preflight", "preflight"]


async def test_a_stop_drains_what_is_purged_and_another_fleet_goes_on_without_second_deletes(tmp_path: Path) -> None:
    async with simulated(archives=200) as (glacier, _), Clients() as clients:
        glacier.service.generate_vault("films", 200, OLD)
        carried = members(glacier, tmp_path, Stepping(glacier), clients, "photos", "films")
        fleet = Fleet(carried)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fleet.go_on)
            while not (any(" of 200 (" in member.row.standing for member in carried.values()) or fleet.endings):
                await anyio.lowlevel.checkpoint()
            fleet.stop("Ctrl-C")
        stopped = glacier.ledger["deletes_received"]
        assert {ending.exit_code for ending in fleet.endings.values()} == {130}
        assert "purge" in {member.phase for member in carried.values()}
        again = Fleet(members(glacier, tmp_path, Stepping(glacier), clients, "photos", "films"))
        await again.go_on()
        ledger = glacier.ledger
    assert stopped < 400
    assert {ending.state for ending in again.endings.values()} == {State.DONE}
    assert (ledger["archives_left"], ledger["deletes_received"]) == (0, 400)


async def test_all_inventories_are_asked_for_before_anybody_waits(tmp_path: Path) -> None:
    async with simulated(archives=30) as (glacier, _), Clients() as clients:
        glacier.service.generate_vault("films", 20, OLD)
        hasty = NoWait(clock=Stepping(glacier).now)
        fleet = Fleet(members(glacier, tmp_path, hasty, clients, "photos", "films"))
        await fleet.go_on()
        jobs = []
        for name in ("photos", "films"):
            async with control(glacier.endpoint_url, named(name)) as client:
                jobs.append(len([job async for job in client.list_jobs()]))
    assert jobs == [1, 1]
    assert {ending.state for ending in fleet.endings.values()} == {State.PENDING}
    assert all(ending.message.startswith("inventory job") for ending in fleet.endings.values())
    assert fleet.exit_code == 75


async def test_all_vaults_of_an_account_are_listed_however_many_pages_that_takes() -> None:
    async with simulated(archives=1) as (glacier, _), Clients() as clients:
        for number in range(24):
            glacier.service.generate_vault(f"vault-{number:02}", 0, OLD)
        settings = Settings.model_validate({"aws": {"endpoint_url": glacier.endpoint_url}})
        there = await vaults_there(settings, clients)
    assert [vault.name for vault in there] == ["photos", *(f"vault-{number:02}" for number in range(24))]
