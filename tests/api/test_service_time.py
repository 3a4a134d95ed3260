"""Ages of jobs and inventories by the service's clock, where this host's is hours off; each by the way a verb goes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from glacier_purge.api.clients import Clients
from glacier_purge.api.fetching import Fetching
from glacier_purge.api.planning import plan_in_new_folder
from glacier_purge.clock import utc_now
from glacier_purge.errors import GlacierPurgeError, Pending, PlanRefused
from glacier_purge.glacier.waiting import NoWait
from glacier_purge.plan.choices import Choices
from glacier_purge.settings import Settings
from glacier_simulator import clock as simulator_clock
from tests.clients import HOUR, VAULT, simulated
from tests.glacier_simulator.raw_client import ask
from tests.lifecycle.lifecycles import carried, upload

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_simulator import SimulatedGlacier

pytestmark = pytest.mark.usefixtures("credentials")

HOST = NoWait()
"""Whoever waits by this host's clock."""


@pytest.fixture(params=[40, -40, 0], ids=["40 h ahead", "40 h behind", "as this host"])
def hours_ahead(request: pytest.FixtureRequest) -> int:
    """How far the service's clock is ahead of this host's when a test looks."""
    hours: int = request.param
    return hours


def tells_its_time(glacier: SimulatedGlacier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the service date its replies as it dates its jobs."""
    monkeypatch.setattr(simulator_clock, "_read", glacier.clock.now)


def settings_for(glacier: SimulatedGlacier) -> Settings:
    aws = {"endpoint_url": glacier.endpoint_url, "account_id": VAULT.account_id, "region": VAULT.region}
    return Settings.model_validate({"aws": aws})


async def begin(glacier: SimulatedGlacier) -> str:
    reply = await ask(glacier.endpoint_url, "POST", "/-/vaults/photos/jobs", b'{"Type":"inventory-retrieval"}')
    return reply.headers["x-amz-job-id"]


async def fetched_by(
    glacier: SimulatedGlacier, place: Path, hours_max: float | None, said: list[str]
) -> tuple[str, datetime]:
    """The job whose inventory is fetched now, or what is waited for; and when to come again."""
    age_max = None if hours_max is None else timedelta(hours=hours_max)
    async with Clients() as clients:
        fetching = Fetching(
            settings=settings_for(glacier), clients=clients, waiter=HOST, say=said.append, age_max=age_max
        )
        try:
            return (await fetching.to_file("photos", place)).job_id, utc_now()
        except Pending as pending:
            return pending.what, pending.until or utc_now()


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize(
    ("hours_ago", "hours_max", "taken"),
    [(7, None, True), (27.7, None, False), (7, 8, True), (7, 6, False)],
    ids=["done", "its output ends soon", "young enough", "too old"],
)
async def test_a_job_is_as_old_as_the_service_says(
    hours_ago: float,
    hours_max: float | None,
    taken: bool,
    hours_ahead: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starts_at = utc_now().timestamp() + (hours_ahead - hours_ago) * HOUR
    async with simulated(starts_at=starts_at) as (glacier, _):
        job_id = await begin(glacier)
        glacier.clock.step(hours_ago * HOUR)
        tells_its_time(glacier, monkeypatch)
        said: list[str] = []
        found, until = await fetched_by(glacier, tmp_path / "inventory.json", hours_max, said)
    assert (found == job_id) is taken, found
    assert timedelta(seconds=-9) < until - utc_now() < timedelta(hours=5), "by this host's clock"
    off = [line for line in said if line.startswith("this host's clock is 1 d 1")]
    assert len(off) == (1 if hours_ahead else 0), said


async def test_an_inventory_is_as_old_as_the_service_says(
    hours_ahead: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight days by the service's clock, of which there is a newer one; the host may take it for seven days old."""
    async with simulated(starts_at=utc_now().timestamp() + (hours_ahead - 8 * 24) * HOUR) as (glacier, _):
        inventory = tmp_path / "inventory.json"
        inventory.write_bytes(glacier.inventory_text())
        await upload(glacier)
        glacier.clock.step(8 * 24 * HOUR)
        tells_its_time(glacier, monkeypatch)
        async with Clients() as clients:
            with pytest.raises(PlanRefused, match="the service has a newer one"):
                await plan_in_new_folder(
                    *("photos", str(inventory), settings_for(glacier), clients),
                    run_dir=tmp_path / "run",
                    set_aside_defects=False,
                    waiter=HOST,
                )
    assert not (tmp_path / "run").exists()


async def test_an_archive_is_as_old_as_the_service_says(
    hours_ahead: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with simulated(archives=0, starts_at=utc_now().timestamp() + (hours_ahead - 10) * HOUR) as (glacier, _):
        await upload(glacier)
        inventory = tmp_path / "inventory.json"
        inventory.write_bytes(glacier.inventory_text())
        glacier.clock.step(10 * HOUR)
        tells_its_time(glacier, monkeypatch)
        for older_than, selected in (("9h", 1), ("11h", None)):
            async with Clients() as clients:
                try:
                    _, plan = await plan_in_new_folder(
                        *("photos", str(inventory), settings_for(glacier), clients, Choices(older_than=older_than)),
                        run_dir=tmp_path / older_than,
                        set_aside_defects=False,
                        waiter=HOST,
                    )
                    found = plan.counts.selected
                except GlacierPurgeError:
                    found = None
            assert found == selected, older_than


async def test_a_lifecycle_whose_hosts_clock_goes_wrong_takes_its_job_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with simulated(archives=12) as (glacier, _):
        first = await carried(glacier, tmp_path / "photos", approve=None, waiter=HOST)
        assert "such jobs take 3 to 5 hours" in first.message
        tells_its_time(glacier, monkeypatch)
        glacier.clock.step(6 * HOUR)  # and none has passed here
        second = await carried(glacier, tmp_path / "photos", approve=None, waiter=HOST)
        glacier.clock.step(40 * HOUR)
        third = await carried(glacier, tmp_path / "photos", waiter=HOST)
    assert "somebody's approval" in second.message
    assert "an inventory of photos made after" in third.message
