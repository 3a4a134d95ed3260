"""``status`` of lifecycles and fleets, from folders that real ones left at every stage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.archive import Vault
from glacier_purge.cli.output import OutputFormat
from glacier_purge.cli.status import status
from glacier_purge.errors import PlanRefused, UsageError
from glacier_purge.fleet.fleet import folder_name
from glacier_purge.fleet.roster import write_roster
from glacier_purge.glacier.waiting import NoWait
from glacier_purge.plan.choices import Caps, Choices
from glacier_purge.storage.folder import RunFolder
from tests.clients import VAULT, Stepping, simulated
from tests.lifecycle.lifecycles import carried, ids_of, listed, listing, said_yes, upload

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.approval.typed import Approval
    from glacier_purge.plan.document import Plan

pytestmark = pytest.mark.usefixtures("today", "credentials")

FILMS = Vault(account_id=VAULT.account_id, region=VAULT.region, name="films")


def told(place: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert status(place, output=OutputFormat.JSON) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


async def test_a_lifecycle_says_at_every_stage_how_far_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, seen = tmp_path / "lifecycle", {}

    async def looking(folder: RunFolder, plan: Plan) -> Approval:
        seen["asked"] = told(place, capsys)
        return await said_yes(folder, plan)

    async with simulated(archives=30) as (glacier, _):
        hasty = NoWait(clock=Stepping(glacier).now)
        choices = Choices(ids=listed(tmp_path / "ids", ids_of(glacier)[:10]))
        await carried(glacier, place, choices, waiter=hasty)
        waits = told(place, capsys)
        await carried(glacier, place, approve=None)
        approval = told(place, capsys)
        await carried(glacier, place, approve=looking, waiter=hasty)
        purged = told(place, capsys)
        await carried(glacier, place)
        done = told(place, capsys)
    assert (waits["state"], waits["phase"], waits["vault"]) == ("pending", "inventory", "photos")
    assert waits["why"].startswith("waiting for inventory job")
    assert waits["until"].endswith("Z")
    assert waits["chosen"] == f"--ids {tmp_path / 'ids'}"
    assert (approval["state"], approval["phase"], approval["selected"]) == ("pending", "approval", 10)
    assert approval["confirm_digest"] == approval["digest"]
    assert approval["digest"] in approval["why"]
    assert (seen["asked"]["state"], seen["asked"]["deleted"]) == ("waiting", 0)
    assert (purged["state"], purged["phase"], purged["deleted"], purged["kept"]) == ("pending", "verify", 10, 20)
    assert purged["why"].startswith("waiting for an inventory of photos made after")
    assert (done["state"], done["phase"], done["until"]) == ("done", "done", None)
    assert done["why"] == "deleted 10 of 10 (100.0%), 20 kept"
    assert len(done["certificate"]) == 64


async def test_what_ended_the_last_process_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "lifecycle"
    async with simulated(archives=30) as (glacier, _):
        stopped = await carried(glacier, place, Choices(limit=20), caps=Caps(max_archives=5))
        refused = told(place, capsys)
    assert stopped.exit_code == 2
    assert (refused["state"], refused["phase"]) == ("stopped", "plan")
    assert refused["why"] == stopped.message
    assert "more than the 5 of --max-archives" in refused["why"]


async def test_a_fleet_is_a_table_of_its_vaults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fleet = RunFolder.create(tmp_path / "fleet")
    async with simulated(archives=30) as (glacier, _):
        glacier.service.generate_vault("films", 20, 1_000_000_000.0)
        write_roster(fleet, listing(VAULT, FILMS, endpoint_url=glacier.endpoint_url))
        before = told(fleet.path, capsys)
        await carried(glacier, fleet.path / folder_name(VAULT))
        await carried(glacier, fleet.path / folder_name(FILMS), approve=None, vault=FILMS)
    with fleet.held():
        at_work = told(fleet.path, capsys)
    facts = told(fleet.path, capsys)
    assert status(fleet.path, output=OutputFormat.TEXT) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (before["state"], before["not_begun"]) == ("stopped", 2)
    assert at_work["state"] == "running"
    assert (facts["state"], facts["done"], facts["pending"], facts["findings"]) == ("pending", 1, 1, ["one thing"])
    assert [(vault["vault"], vault["phase"]) for vault in facts["vaults"]] == [
        ("photos", "done"),
        ("films", "approval"),
    ]
    assert len(lines) == 3
    assert lines[0].split()[:3] == ["vault", "where", "phase"]
    assert " ".join(lines[1].split()).startswith("photos 123456789012 us-east-1 done deleted 30 of 30 (100.0%)")
    assert facts["vaults"][1]["confirm_digest"] in lines[2]


async def test_looking_at_a_lifecycle_changes_nothing_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "lifecycle"
    async with simulated(archives=3) as (glacier, _):
        await carried(glacier, place, approve=None)
    steps = place / "lifecycle.jsonl"
    torn = steps.read_bytes() + b'{"at": "2026'
    steps.write_bytes(torn)
    before = {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}
    assert told(place, capsys)["phase"] == "approval"
    assert {file: file.read_bytes() for file in place.rglob("*") if file.is_file()} == before
    steps.write_bytes(b"nothing\n")
    capsys.readouterr()
    assert status(place, output=OutputFormat.JSON) == 4
    damaged = json.loads(capsys.readouterr().out)
    assert damaged["state"] == "damaged"
    assert damaged["why"].startswith(f"{steps}, byte 0, record 0: not a step")


async def test_uploads_in_a_later_round_are_shown_as_that_round(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, asked = tmp_path / "lifecycle", 0
    async with simulated(archives=3) as (glacier, _):

        async def once(folder: RunFolder, plan: Plan) -> Approval:
            nonlocal asked
            asked += 1
            await upload(glacier)
            if asked == 2:
                raise PlanRefused("no more today")
            return await said_yes(folder, plan)

        await carried(glacier, place, approve=once)
    facts = told(place, capsys)
    assert (facts["phase"], facts["round"], facts["selected"]) == ("approval", 2, 1)
    assert (facts["state"], facts["why"]) == ("stopped", "no more today")


def test_what_is_no_folder_of_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanRefused, match="holds no plan"):
        status(tmp_path)
    with pytest.raises(UsageError, match="not a run folder"):
        status(tmp_path / "nowhere")
    (tmp_path / "fleet.json").write_bytes(b"{")
    with pytest.raises(PlanRefused, match=r"fleet\.json cannot be read"):
        status(tmp_path)
