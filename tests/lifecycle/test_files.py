"""Every file of a lifecycle's and of a fleet's folder, spoilt in every way at four stops: said, and nothing is sent.

A lifecycle's are spoilt in a sixth of the ways here, in all of them by the campaign `damaged-folders`.
"""

from __future__ import annotations

import json
import shutil
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from glacier_purge.archive import Vault
from glacier_purge.audit.verification import verify_folder
from glacier_purge.cli.output import OutputFormat
from glacier_purge.cli.status import status
from glacier_purge.errors import AuditDamaged, GlacierPurgeError, NotOurs, PlanRefused
from glacier_purge.fleet.fleet import State, folder_name
from glacier_purge.fleet.roster import Roster, settled_roster, write_roster
from glacier_purge.glacier.waiting import NoWait
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.lifecycle.phases import Event, Phase
from glacier_purge.lifecycle.state import read_state
from glacier_purge.lifecycle.steps import position
from glacier_purge.lifecycle.steps_file import read_steps
from glacier_purge.storage.folder import RunFolder
from tests.clients import VAULT, Stepping, simulated
from tests.lifecycle.lifecycles import carried, listing, said_yes, upload
from tests.lifecycle.spoiling import WAYS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from glacier_purge.approval.typed import Approval
    from glacier_purge.fleet.fleet import Ending
    from glacier_purge.plan.document import Plan
    from glacier_simulator import SimulatedGlacier

FILMS = Vault(account_id=VAULT.account_id, region=VAULT.region, name="films")
THEIRS = (
    '{"Version":"2012-10-17","Statement":[{"Sid":"theirs","Effect":"Allow","Principal":"*",'
    f'"Action":"glacier:UploadArchive","Resource":"{VAULT.arn}"}}]}}'
)

BOUND = {"lifecycle.jsonl", "terms.json", "freeze.json", "round-1/plan.json", "round-1/run.json", "round-2/plan.json"}
"""What the steps know the hash of; at any stop."""
NOTES = {"waiting.json", "ended.json"}
UNVOUCHED = NOTES | {"round-1/retrieval.json", "round-1/verification/retrieval.json"}
"""What no hash is of, and nothing is decided by."""
FETCHED = {"round-1/decisions", "round-1/inventory.json"}
LOG = {"round-1/audit/000001.jsonl"}
PROOF = {"round-1/certificate.json"}
FILES = (
    *sorted(BOUND | NOTES | FETCHED | LOG | PROOF),
    "round-1/retrieval.json",
    "round-1/verification/retrieval.json",
    "round-1/verification/inventory.json",
    "round-2/decisions",
    "round-2/inventory.json",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Where a lifecycle stands, and what is made of files that are spoilt there."""

    phase: Phase
    round: int
    exit_code: int
    refused: frozenset[str]
    planned_again: frozenset[str] = frozenset()


STOPS = {
    "approval awaited": Stop(
        phase=Phase.APPROVAL, round=1, exit_code=75, refused=frozenset(BOUND), planned_again=frozenset(FETCHED)
    ),
    "after the purge": Stop(phase=Phase.VERIFY, round=1, exit_code=75, refused=frozenset(BOUND | FETCHED | LOG)),
    "before DeleteVault": Stop(
        phase=Phase.DELETE_VAULT, round=1, exit_code=2, refused=frozenset(BOUND | FETCHED | LOG | PROOF)
    ),
    "round 2": Stop(
        phase=Phase.APPROVAL,
        round=2,
        exit_code=75,
        refused=frozenset(BOUND | FETCHED | LOG | PROOF),
        planned_again=frozenset({"round-2/decisions", "round-2/inventory.json"}),
    ),
}


pytestmark = pytest.mark.usefixtures("credentials")


def options_for(name: str, vault: Vault) -> LifecycleOptions:
    return LifecycleOptions(freeze=True, remove_vault=vault.name if name == "before DeleteVault" else None)


async def brought_to(name: str, glacier: SimulatedGlacier, place: Path, vault: Vault) -> Ending:
    """Carry a vault's lifecycle as far as that stop."""
    hasty = NoWait(clock=Stepping(glacier).now)
    wanted = options_for(name, vault)
    if name == "approval awaited":
        return await carried(glacier, place, vault=vault, options=wanted, approve=None)
    if name == "after the purge":
        await carried(glacier, place, vault=vault, options=wanted, approve=None)
        return await carried(glacier, place, vault=vault, options=wanted, waiter=hasty)
    if name == "before DeleteVault":
        return await carried(glacier, place, vault=vault, options=wanted)

    async def once(folder: RunFolder, plan: Plan) -> Approval:
        if folder.path.name != "round-1":
            raise PlanRefused("no more today")
        await upload(glacier, vault)
        return await said_yes(folder, plan)

    await carried(glacier, place, vault=vault, options=wanted, approve=once)
    return await carried(glacier, place, vault=vault, options=wanted, approve=None)


def told(place: Path) -> tuple[int, str]:
    """What ``status`` ends with, and its word or its message."""
    said = StringIO()
    try:
        with redirect_stdout(said):
            exit_code = status(place, output=OutputFormat.JSON)
    except GlacierPurgeError as error:
        return error.exit_code, str(error)
    return exit_code, json.loads(said.getvalue())["state"]


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize("name", STOPS)
async def test_a_spoilt_file_is_said_or_made_anew_and_nothing_is_sent(name: str, tmp_path: Path) -> None:
    assert await spoilt_at(name, tmp_path, every=6) > 0


async def spoilt_at(name: str, folder: Path, *, every: int) -> int:
    """Spoil each file there is at a stop, each ``every``th way; how many cells of that table were tried."""
    stop, place, films, kept = STOPS[name], folder / "photos", folder / "films", folder / "kept"
    async with simulated(archives=12) as (glacier, client):
        glacier.service.generate_vault("films", 9, 1_000_000_000.0)
        await client.set_access_policy(THEIRS)
        await brought_to(name, glacier, films, FILMS)
        assert (await brought_to(name, glacier, place, VAULT)).exit_code == stop.exit_code
        assert position(read_steps(place)) == (stop.phase, stop.round)
        shutil.copytree(place, kept)
        sent, policy = glacier.ledger["deletes_received"], await client.access_policy()
        tried, seen = 0, set()
        for file, way in islice(cells(place), list(STOPS).index(name) % every, None, every):
            relative = str(file.relative_to(place))
            other = films / relative
            if way == "swapped" and not (other.exists() and other.read_bytes() != file.read_bytes()):
                continue
            WAYS[way](file, other)
            seen.add(relative)
            tried += 1
            word = told(place)
            verdict = max(one.found.exit_code for one in verify_folder(place))
            ending = await carried(
                glacier,
                place,
                options=options_for(name, VAULT),
                approve=None,
                waiter=NoWait(clock=Stepping(glacier).now),
            )
            cell = (name, relative, way, word, ending)
            expected = 4 if relative in stop.refused else stop.exit_code
            if way == "anybodys" and relative in stop.refused | stop.planned_again:
                expected = 2
            assert ending.exit_code == expected, cell
            assert word[0] != 255, cell
            if way == "anybodys":
                assert verdict == 0, cell
            elif relative not in UNVOUCHED:
                assert verdict == 4, cell
            if expected == 4 and relative in BOUND | PROOF:
                assert word == (4, "damaged"), cell
            if expected == 4 or (way == "anybodys" and expected == 2 and stop.exit_code != 2):
                named = (relative, relative.partition("/")[2] or relative, relative.rpartition("/")[0] or relative)
                assert any(name in ending.message for name in named), cell
            if relative in stop.planned_again and way != "anybodys":
                assert f"round-{stop.round + 1}" in ending.message, cell
            if policy != THEIRS:
                assert "glacier-purge thaw" in ending.message or ending.exit_code == 75, cell
            assert (glacier.ledger["deletes_received"], await client.access_policy()) == (sent, policy), cell
            shutil.rmtree(place)
            shutil.copytree(kept, place)
        assert seen >= BOUND & {str(file.relative_to(place)) for file in place.rglob("*")}
        last = await carried(glacier, place, options=LifecycleOptions(freeze=True))
        assert last.state is State.DONE, last.message
        assert await client.access_policy() == THEIRS
    return tried


def cells(place: Path) -> Iterator[tuple[Path, str]]:
    """Each file that is there, with each way to spoil it."""
    for name in FILES:
        if (place / name).exists():
            yield from ((place / name, way) for way in WAYS)


async def test_a_note_that_a_power_cut_tore_is_no_note_and_another_one_is_told(tmp_path: Path) -> None:
    place = tmp_path / "photos"
    async with simulated(archives=1) as (glacier, _):
        await carried(glacier, place, waiter=NoWait(clock=Stepping(glacier).now))
    folder, note = RunFolder.look(place), place / "waiting.json"
    whole = note.read_bytes()
    assert read_state(folder).waiting is not None
    for kept in range(len(whole)):
        for torn in (whole[:kept], whole[:kept] + bytes(len(whole) - kept)):
            note.write_bytes(torn)
            assert read_state(folder).waiting is None, torn
    note.write_bytes(whole.replace(b"until", b"untie"))
    with pytest.raises(PlanRefused, match="it is only a note"):
        read_state(folder)


async def test_another_lifecycles_round_is_not_carried_out(tmp_path: Path) -> None:
    """At every stop, and while its plan is about to be written down."""
    place, films = tmp_path / "photos", tmp_path / "films"
    async with simulated(archives=12) as (glacier, _):
        glacier.service.generate_vault("films", 9, 1_000_000_000.0)
        await brought_to("approval awaited", glacier, films, FILMS)
        await brought_to("approval awaited", glacier, place, VAULT)
        lines = (place / "lifecycle.jsonl").read_bytes().splitlines(keepends=True)
        for steps in (lines, lines[:-1], lines[:-2]):  # approval, plan, inventory
            (place / "lifecycle.jsonl").write_bytes(b"".join(steps))
            shutil.rmtree(place / "round-1")
            shutil.copytree(films / "round-1", place / "round-1")
            refused = await carried(glacier, place)
            assert refused.exit_code == 4, refused
            assert "round-1" in refused.message
        assert glacier.ledger["deletes_received"] == 0


@pytest.mark.parametrize("whole", [True, False], ids=["with their terms", "without"])
async def test_two_members_of_a_fleet_that_were_swapped_touch_neither_vault(whole: bool, tmp_path: Path) -> None:
    fleet = RunFolder.create(tmp_path / "fleet")
    photos, films = (fleet.path / folder_name(vault) for vault in (VAULT, FILMS))
    async with simulated(archives=12) as (glacier, _):
        glacier.service.generate_vault("films", 9, 1_000_000_000.0)
        write_roster(fleet, roster(glacier))
        for vault, place in ((VAULT, photos), (FILMS, films)):
            await carried(glacier, place, vault=vault, approve=None)
        swap(photos, films)
        if not whole:
            swap(photos / "terms.json", films / "terms.json")
        exit_code, word = told(fleet.path)
        endings = [await carried(glacier, place, vault=vault) for vault, place in ((VAULT, photos), (FILMS, films))]
        assert glacier.ledger["deletes_received"] == 0
    assert [ending.exit_code for ending in endings] == ([2, 2] if whole else [4, 4]), endings
    assert (exit_code, word) == (4, "damaged")


@pytest.mark.parametrize("way", [*WAYS, "edited"])
@pytest.mark.parametrize("begun", [True, False])
def test_a_fleet_whose_list_was_spoilt_is_not_begun_anew(begun: bool, way: str, tmp_path: Path) -> None:
    fleet, other = (RunFolder.create(tmp_path / name) for name in ("fleet", "other"))
    write_roster(fleet, listing(VAULT))
    write_roster(other, listing(FILMS))
    if begun:
        (fleet.path / folder_name(VAULT)).mkdir()
        (fleet.path / folder_name(VAULT) / "terms.json").touch()
    file = fleet.path / "fleet.json"
    if way == "edited":
        file.write_bytes(file.read_bytes().replace(b'"remove_vault": false', b'"remove_vault": true'))
    else:
        WAYS[way](file, other.path / "fleet.json")
    if way == "anybodys":
        with pytest.raises(NotOurs, match=r"fleet\.json"):
            settled_roster(fleet)
    elif begun or way == "edited":
        with pytest.raises(AuditDamaged, match=r"fleet\.json"):
            settled_roster(fleet)
    elif way == "gone":
        assert settled_roster(fleet) is None
    elif way != "swapped":
        with pytest.raises(GlacierPurgeError, match=r"fleet\.json"):
            settled_roster(fleet)


async def test_what_was_lost_at_the_end_is_done_again_and_ends_the_same(tmp_path: Path) -> None:
    """Whole lines missing at the end, which a chain of hashes can't show: the phases are begun again."""
    place = tmp_path / "photos"
    async with simulated(archives=12) as (glacier, client):
        await client.set_access_policy(THEIRS)
        assert (await carried(glacier, place, options=LifecycleOptions(freeze=True))).state is State.DONE
        lines = (place / "lifecycle.jsonl").read_bytes().splitlines(keepends=True)
        for left in range(len(lines) - 1, 3, -1):
            (place / "lifecycle.jsonl").write_bytes(b"".join(lines[:left]))
            ending = await carried(glacier, place, options=LifecycleOptions(freeze=True))
            assert ending.exit_code in {0, 4}, (left, ending)
            assert await client.access_policy() == THEIRS
            assert glacier.ledger["deletes_received"] == 12
        assert Event.APPROVED in {step.event for step in read_steps(place)}


def swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def roster(glacier: SimulatedGlacier) -> Roster:
    return listing(VAULT, FILMS, endpoint_url=glacier.endpoint_url)
