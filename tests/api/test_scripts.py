"""A vault, and a fleet, carried by a script's functions over the simulator, its days stepped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import glacier_purge
from glacier_purge import Choices, LifecycleListener, LifecycleOptions, LifecycleOrder, Settings
from glacier_purge.lifecycle.steps_file import read_steps
from tests.clients import Stepping, simulated

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge import PlanView
    from glacier_purge.lifecycle.steps import Step
    from glacier_purge.report.summary import Progress
    from glacier_simulator import SimulatedGlacier

pytestmark = pytest.mark.usefixtures("today", "credentials")


def settings_for(glacier: SimulatedGlacier) -> Settings:
    return Settings.model_validate(
        {"aws": {"endpoint_url": glacier.endpoint_url}, "pace": {"first_per_second": 1000.0}}
    )


async def yes(view: PlanView) -> str:
    return view.plan.digest


async def test_a_script_carries_a_vault_to_its_end_and_is_shown_the_plan_before_anything_is_deleted(
    tmp_path: Path,
) -> None:
    shown: list[tuple[str, int]] = []
    steps: list[Step] = []
    moments: list[Progress] = []
    async with simulated(archives=30) as (glacier, _):

        async def approve(view: PlanView) -> str:
            shown.append((view.as_text(), glacier.ledger["deletes_received"]))
            return view.plan.digest

        report = await glacier_purge.run_lifecycle(
            "photos",
            run_dir=tmp_path / "run",
            approve=approve,
            order=LifecycleOrder(choices=Choices(limit=20)),
            settings=settings_for(glacier),
            waiter=Stepping(glacier),
            listener=LifecycleListener(on_step=steps.append, on_progress=moments.append),
        )
        ledger = glacier.ledger
    assert [deleted for _, deleted in shown] == [0]
    assert "20" in shown[0][0]
    assert (ledger["deletes_received"], ledger["archives_left"]) == (20, 10)
    assert (report.state, report.kept, report.rounds, report.vault_deleted) == ("done", 10, 1, False)
    assert steps == read_steps(tmp_path / "run")
    assert moments[-1].deleted == 20


async def test_a_plan_that_nobody_approves_waits_and_another_call_goes_on(tmp_path: Path) -> None:
    async with simulated(archives=12) as (glacier, _):
        waiter, settings = Stepping(glacier), settings_for(glacier)
        with pytest.raises(glacier_purge.Pending, match="somebody's approval"):
            await glacier_purge.run_lifecycle("photos", run_dir=tmp_path, settings=settings, waiter=waiter)
        assert glacier.ledger["deletes_received"] == 0
        report = await glacier_purge.run_lifecycle(
            "photos", run_dir=tmp_path, approve=yes, settings=settings, waiter=waiter
        )
        assert (report.ended_with, glacier.ledger["archives_left"]) == ("uploads as before", 0)


async def test_the_digest_of_another_plan_approves_nothing(tmp_path: Path) -> None:
    async def approve(view: PlanView) -> str:
        return view.plan.digest[::-1]

    async with simulated(archives=12) as (glacier, _):
        with pytest.raises(glacier_purge.PlanRefused, match="is not this plan's"):
            await glacier_purge.run_lifecycle(
                "photos",
                run_dir=tmp_path,
                approve=approve,
                settings=settings_for(glacier),
                waiter=Stepping(glacier),
            )
        assert glacier.ledger["deletes_received"] == 0
    assert read_steps(tmp_path)[-1].phase.value == "plan"


async def test_another_vaults_name_removes_nothing_and_begins_nothing(tmp_path: Path) -> None:
    order = LifecycleOrder(options=LifecycleOptions(remove_vault="films"))
    async with simulated(archives=1) as (glacier, _):
        with pytest.raises(glacier_purge.UsageError, match="'films' is to be removed, and this is the lifecycle of"):
            await glacier_purge.run_lifecycle("photos", run_dir=tmp_path, order=order, settings=settings_for(glacier))
    assert not read_steps(tmp_path)


async def test_a_lifecycle_goes_on_by_its_vaults_name_once_the_vault_is_gone(tmp_path: Path) -> None:
    """The service knows no account of a vault that was removed; the lifecycle does. Killed before it wrote that down,
    and given once more when all was done."""
    order = LifecycleOrder(options=LifecycleOptions(remove_vault="photos", even_the_last=True))
    ended = []
    async with simulated(archives=3) as (glacier, _):
        for _ in range(3):
            report = await glacier_purge.run_lifecycle(
                "photos",
                run_dir=tmp_path,
                approve=yes,
                order=order,
                settings=settings_for(glacier),
                waiter=Stepping(glacier),
            )
            ended.append((report.state, report.vault_deleted))
            steps = (tmp_path / "lifecycle.jsonl").read_bytes().splitlines(keepends=True)
            if len(ended) == 1:
                (tmp_path / "lifecycle.jsonl").write_bytes(b"".join(steps[:-1]))
    assert ended == [("done", True)] * 3


async def test_a_script_carries_a_fleet_and_what_one_vault_waits_for_does_not_stop_the_other(tmp_path: Path) -> None:
    fleet_file = tmp_path / "fleet.toml"
    fleet_file.write_text('[[vaults]]\nname = "*"\n', "utf-8")
    rows: list[str] = []

    async def only_films(view: PlanView) -> str | None:
        return view.plan.digest if view.plan.vault_name == "films" else None

    async with simulated(archives=12) as (glacier, _):
        glacier.service.generate_vault("films", 5, 1_000_000_000.0)
        report = await glacier_purge.run_fleet(
            fleet_file,
            run_dir=tmp_path / "fleet",
            approve=only_films,
            settings=settings_for(glacier),
            waiter=Stepping(glacier),
            listener=glacier_purge.FleetListener(on_progress=lambda now: rows.extend(row.standing for row in now)),
        )
        assert glacier.ledger["deletes_received"] == 5
    states = {vault.vault_arn.rpartition("/")[2]: vault.state for vault in report.vaults}
    assert states == {"films": "done", "photos": "pending"}
    assert report.exit_code == 75
    waits = next(vault for vault in report.vaults if vault.state == "pending")
    assert len(waits.confirm_digest or "") == 64
    assert "done" in rows
