"""Lifecycles that are to remove their vault: an order is carried out or refused, however little there was to delete."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from glacier_purge.api.clients import Clients
from glacier_purge.archive import Vault
from glacier_purge.fleet.fleet import Fleet, State
from glacier_purge.glacier.control import Removal
from glacier_purge.glacier.waiting import NoWait
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.lifecycle.phases import Event
from glacier_purge.lifecycle.steps_file import read_steps
from glacier_purge.plan.choices import Choices
from glacier_purge.plan.document import read_plan
from glacier_purge.storage.folder import RunFolder
from glacier_purge.vault.emptiness import Certified
from glacier_purge.vault.removal import VaultRemoval
from tests.api.test_member import members
from tests.clients import VAULT, Stepping, simulated
from tests.lifecycle.lifecycles import carried, events, said_yes
from tests.proof.test_verifying import upload

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.approval.typed import Approval
    from glacier_purge.plan.document import Plan

FILMS = Vault(account_id=VAULT.account_id, region=VAULT.region, name="films")
REMOVING = LifecycleOptions(remove_vault="films", even_the_last=True)
REMOVING_PHOTOS = LifecycleOptions(remove_vault="photos", even_the_last=True)
OLD = 1_000_000_000.0
DENY = {"Sid": "kept", "Effect": "Deny", "Principal": "*", "Action": "glacier:DeleteVault", "Resource": "*"}


pytestmark = pytest.mark.usefixtures("credentials")


async def nobody(folder: RunFolder, plan: Plan) -> Approval:
    raise AssertionError("asked")


@pytest.mark.parametrize(
    ("options", "kept", "end"),
    [
        (REMOVING, [], [Event.EMPTY, Event.DELETED]),
        (LifecycleOptions(), ["films"], [Event.FETCHED, Event.NOTHING_LISTED]),
    ],
)
async def test_a_vault_whose_inventory_lists_nothing_is_removed_where_that_was_ordered(
    options: LifecycleOptions, kept: list[str], end: list[Event], tmp_path: Path
) -> None:
    async with simulated(archives=1) as (glacier, _):
        glacier.service.generate_vault("films", 0, OLD)
        ending = await carried(glacier, tmp_path / "films", options=options, vault=FILMS, approve=nobody)
        assert (ending.state, ending.exit_code) == (State.DONE, 0), ending.message
        assert glacier.service.vault_names() == [*kept, "photos"]
    assert events(tmp_path / "films")[-2:] == end


async def test_a_vault_that_was_never_written_to_is_removed_at_once(tmp_path: Path) -> None:
    async with simulated(archives=1) as (glacier, _):
        glacier.service.create_vault("films", glacier.clock.now())
        hasty = NoWait(clock=Stepping(glacier).now)
        ending = await carried(glacier, tmp_path / "films", options=REMOVING, vault=FILMS, waiter=hasty)
        assert (ending.state, ending.exit_code) == (State.DONE, 0), ending.message
        assert glacier.service.vault_names() == ["photos"]
    assert events(tmp_path / "films") == [Event.CLEAR, Event.NEVER_INVENTORIED, Event.DELETED]


async def test_a_vault_that_was_never_written_to_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    async with simulated(archives=1) as (glacier, _):
        glacier.service.create_vault("films", glacier.clock.now())
        hasty = NoWait(clock=Stepping(glacier).now)
        pending = await carried(glacier, tmp_path / "films", vault=FILMS, waiter=hasty)
        assert (pending.state, pending.exit_code) == (State.PENDING, 75)
        assert "without one by" in pending.message
        waiter = Stepping(glacier)
        ending = await carried(glacier, tmp_path / "films", vault=FILMS, waiter=waiter)
        assert 71 <= len(waiter.waited) <= 73
        again = await carried(glacier, tmp_path / "films", vault=FILMS, waiter=hasty)
        assert glacier.service.vault_names() == ["films", "photos"]
    assert (ending.state, ending.exit_code) == (again.state, again.exit_code) == (State.DONE, 0)
    assert events(tmp_path / "films") == [Event.CLEAR, Event.NEVER_WRITTEN]
    assert "nothing to delete" in read_steps(tmp_path / "films")[-1].facts["because"]


async def test_a_vault_written_to_before_its_first_inventory_is_purged_before_it_is_removed(tmp_path: Path) -> None:
    async with simulated(archives=1) as (glacier, _):
        glacier.service.create_vault("films", glacier.clock.now())
        await upload(glacier, "films")
        ending = await carried(glacier, tmp_path / "films", options=REMOVING, vault=FILMS)
        assert ending.state is State.DONE, ending.message
        assert glacier.service.vault_names() == ["photos"]
        assert glacier.ledger["deletes_received"] == 1
    assert events(tmp_path / "films")[1:4] == [Event.NEVER_INVENTORIED, Event.WRITTEN_TO, Event.FETCHED]
    assert events(tmp_path / "films")[-2:] == [Event.PROVEN, Event.DELETED]


async def test_an_upload_after_a_vault_was_found_empty_is_another_round(tmp_path: Path) -> None:
    place = tmp_path / "photos"
    async with simulated(archives=0) as (glacier, _):
        refused = await carried(glacier, place, options=LifecycleOptions(remove_vault="photos"))
        await upload(glacier)
        ending = await carried(glacier, place, options=REMOVING_PHOTOS)
        assert ending.state is State.DONE, ending.message
        assert glacier.service.vault_names() == []
        assert glacier.ledger["deletes_received"] == 1
    assert (refused.exit_code, "--even-the-last-vault" in refused.message) == (2, True)
    assert events(place)[2:5] == [Event.EMPTY, Event.WRITTEN_TO, Event.FETCHED]


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize(
    ("archives", "choices", "advice"),
    [
        (3, Choices(), "glacier-purge delete-vault {place}/round-1 --confirm-vault photos"),
        (3, Choices(limit=1), "begin another: glacier-purge run photos --delete-vault photos"),
        (3, Choices(min_size="1PiB"), "begin another: glacier-purge run photos --delete-vault photos"),
        (0, Choices(), "begin another: glacier-purge run photos --delete-vault photos"),
    ],
)
async def test_an_order_to_remove_the_vault_after_the_end_is_refused_with_what_removes_it(
    archives: int, choices: Choices, advice: str, tmp_path: Path
) -> None:
    place = tmp_path / "photos"
    async with simulated(archives=archives) as (glacier, _):
        assert (await carried(glacier, place, choices)).state is State.DONE
        requests = glacier.ledger["operations"].get("DeleteVault", 0)
        late = await carried(glacier, place, options=REMOVING_PHOTOS)
        assert glacier.ledger["operations"].get("DeleteVault", 0) == requests == 0
        assert (await carried(glacier, place)).state is State.DONE, "without the order all is done"
    assert (late.state, late.exit_code) == (State.FAILED, 2)
    assert "was not removed: the lifecycle" in late.message
    assert advice.format(place=place) in late.message


async def test_an_order_given_again_after_it_was_carried_out_is_done(tmp_path: Path) -> None:
    async with simulated(archives=0) as (glacier, _):
        for _ in range(2):
            ending = await carried(glacier, tmp_path / "photos", options=REMOVING_PHOTOS)
            assert (ending.state, ending.exit_code) == (State.DONE, 0), ending.message


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize(
    ("statement", "options", "exit_code", "said"),
    [
        ({}, REMOVING_PHOTOS, 2, "kept of the vault's access policy denies deleting the vault"),
        ({"Action": "glacier:Delete*Vault"}, REMOVING_PHOTOS, 2, "denies deleting the vault"),
        ({}, LifecycleOptions(), 0, ""),
        (
            {"Condition": {"NumericLessThan": {"glacier:ArchiveAgeInDays": "1"}}, "Action": "glacier:Delete*"},
            REMOVING_PHOTOS,
            0,
            "",
        ),
    ],
    ids=["denied", "by a wildcard", "denied and not ordered", "by an age, which a vault has not"],
)
async def test_a_policy_that_denies_removing_the_vault_is_told_before_anything_begins(
    statement: dict[str, object], options: LifecycleOptions, exit_code: int, said: str, tmp_path: Path
) -> None:
    async with simulated(archives=2) as (glacier, client):
        await client.set_access_policy(json.dumps({"Version": "2012-10-17", "Statement": [DENY | statement]}))
        ending = await carried(glacier, tmp_path / "photos", options=options, approve=said_yes)
        received = glacier.ledger["deletes_received"]
    assert ending.exit_code == exit_code, ending.message
    assert said in ending.message
    assert received == (0 if exit_code else 2)


async def test_a_fleet_with_a_vault_that_was_never_written_to_ends(tmp_path: Path) -> None:
    async with simulated(archives=2) as (glacier, _), Clients() as clients:
        glacier.service.create_vault("films", glacier.clock.now())
        fleet = Fleet(members(glacier, tmp_path, Stepping(glacier), clients, "photos", "films"))
        await fleet.go_on()
        assert glacier.service.vault_names() == ["films", "photos"]
    assert {ending.state for ending in fleet.endings.values()} == {State.DONE}
    assert fleet.exit_code == 0


async def test_a_policy_that_denies_removal_is_told_before_uploads_are_denied_also_where_the_order_is_younger(
    tmp_path: Path,
) -> None:
    place, freezing = tmp_path / "photos", LifecycleOptions(freeze=True, remove_vault="photos", even_the_last=True)
    async with simulated(archives=2) as (glacier, client):
        assert (await carried(glacier, place, approve=None)).state is State.PENDING
        theirs = json.dumps({"Version": "2012-10-17", "Statement": [DENY]})
        await client.set_access_policy(theirs)
        refused = await carried(glacier, place, options=freezing)
        assert await client.access_policy() == theirs
        assert glacier.ledger["deletes_received"] == 0
        await client.delete_access_policy()
        ending = await carried(glacier, place, options=freezing)
        assert glacier.service.vault_names() == []
    assert (refused.exit_code, "denies deleting the vault" in refused.message) == (2, True)
    assert ending.state is State.DONE, ending.message


async def test_the_verb_that_an_order_after_the_end_names_removes_the_vault(tmp_path: Path) -> None:
    place = tmp_path / "photos"
    async with simulated(archives=2) as (glacier, client):
        assert (await carried(glacier, place)).state is State.DONE
        run = RunFolder.open(place / "round-1")
        proof = Certified(folder=run, plan=read_plan(run.plan_file))
        removing = VaultRemoval(client, run.path, proof, Stepping(glacier), by="me", even_the_last=True)
        assert await removing.remove("photos") is Removal.DONE
        assert glacier.service.vault_names() == []
