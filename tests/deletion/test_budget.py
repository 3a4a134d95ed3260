"""Runs that share the limit of one account, in virtual time: one budget, complete logs, nobody shut out."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import anyio
import pytest

from glacier_purge.deletion.budget import Budget
from glacier_purge.deletion.pacer import PacerSettings
from glacier_purge.errors import DiskFailed, UsageError
from tests.deletion.pretended import InProcessGlacier
from tests.run.bench import Bench
from tests.virtual_time import IN_PROCESS

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.deletion.budget import Lane

pytestmark = IN_PROCESS

LIMIT_PER_SECOND = 100.0
COLD = PacerSettings(in_flight_max=16)


def benches(place: Path, *archives: int) -> list[Bench]:
    """One bench a vault; the limit is their account's, the latencies are each vault's own."""
    services = [
        InProcessGlacier(count, rate_per_second=LIMIT_PER_SECOND, seed=number) for number, count in enumerate(archives)
    ]
    for service in services:
        service.pretended._home.throttle = services[0].pretended._home.throttle
    made = []
    for number, service in enumerate(services):
        folder = place / str(number)
        folder.mkdir()
        made.append(Bench(folder, service))
    return made


def budget(settings: PacerSettings = COLD) -> Budget:
    return Budget(settings, random.Random(1).random)


async def finish(bench: Bench, lane: Lane) -> None:
    bench.pacer_for = lane.begin
    await bench.finish(pace=COLD)


async def test_two_runs_use_one_limit_to_the_full_and_are_hardly_throttled(tmp_path: Path) -> None:
    shared, both = budget(), benches(tmp_path, 1500, 1500)
    with shared.lane() as first, shared.lane() as second:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(finish, both[0], first)
            tasks.start_soon(finish, both[1], second)
            await anyio.sleep(10)
            begun = [bench.service.requests for bench in both]
            cold = sum(map(throttled, both))
            await anyio.sleep(15)
            sent = [bench.service.requests - before for bench, before in zip(both, begun, strict=True)]
    assert sum(sent) >= 0.97 * 15 * LIMIT_PER_SECOND
    assert cold <= 0.01 * 3000, "finding the limit costs no more than it costs one run"
    assert sum(map(throttled, both)) - cold <= 0.005 * 3000
    assert min(sent) >= 0.4 * sum(sent), "one run kept the slots from the other"
    for bench in both:
        assert [line["outcome"] for line in bench.outcomes().values()] == ["deleted"] * 1500
        assert {"shared with other vaults"} <= {
            line["why"].partition("; ")[2][:24] for line in bench.events("telemetry")
        }


async def test_requests_under_way_are_capped_over_all_runs(tmp_path: Path) -> None:
    shared, both = budget(), benches(tmp_path, 300, 300)
    for bench in both:
        bench.service.latency_seconds = 2.0
    most = 0
    with shared.lane() as first, shared.lane() as second:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(finish, both[0], first)
            tasks.start_soon(finish, both[1], second)
            for _ in range(500):
                await anyio.sleep(0.1)
                most = max(most, sum(bench.service.in_flight for bench in both))
    assert COLD.in_flight_max - 1 <= most <= COLD.in_flight_max + 1


async def test_a_lane_keeps_to_its_own_cap_and_an_order_changes_no_other(tmp_path: Path) -> None:
    shared, both = budget(), benches(tmp_path, 200, 1500)
    with shared.lane(5.0) as slow, shared.lane() as fast:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(finish, both[0], slow)
            tasks.start_soon(finish, both[1], fast)
            await anyio.sleep(10)
            assert 48 <= both[0].service.requests <= 52
            assert both[1].service.requests > 500
            assert (slow.rate_per_second_max, fast.rate_per_second_max) == (5.0, None)
            assert "own cap of 5.0/s" in slow.why(anyio.current_time(), in_flight=slow.in_flight).words
            slow.set_rate_max(None)


async def test_a_run_that_breaks_down_leaves_its_part_of_the_budget_to_the_others(tmp_path: Path) -> None:
    shared, both = budget(), benches(tmp_path, 500, 500)
    both[0].fail_at("sync", 6)

    async def break_down() -> None:
        with shared.lane() as lane, pytest.raises((DiskFailed, ExceptionGroup)):
            await finish(both[0], lane)

    with shared.lane() as lane:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(break_down)
            tasks.start_soon(finish, both[1], lane)
            await anyio.sleep(5)
            assert shared.in_flight == lane.in_flight
    assert shared.in_flight == 0


async def test_a_budget_nobody_used_meanwhile_begins_anew(tmp_path: Path) -> None:
    shared = budget()
    now = asyncio.get_running_loop().time()
    with shared.lane() as lane:
        first = lane.begin(now, None)
        first.set_rate_max(3.0)
        assert first.take(now) == 0.0
        assert first.take(now) > 0.0
    with shared.lane() as lane:
        again = lane.begin(now, None)
        assert (again.rate_per_second, again.rate_per_second_max) == (10.0, None)


async def test_slots_taken_together_heed_the_cap_of_the_lane() -> None:
    shared = budget()
    now = asyncio.get_running_loop().time()
    with shared.lane() as wide, shared.lane(2.0) as narrow:
        wide.begin(now, None)
        narrow.begin(now, None)
        assert narrow.take(now + 1.0) == 0.0
        assert narrow.take_more(now + 1.0, 50) == 1, "one a cap of 2/s saved up, and no more"
        assert (narrow.in_flight, shared.in_flight) == (2, 2)
        narrow.accepted(now + 1.1, [0.1, 0.1])
        assert (narrow.in_flight, shared.in_flight) == (0, 0)


def test_a_cap_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="above 0"), budget().lane(0.0):
        pass


def throttled(bench: Bench) -> int:
    return bench.service.pretended.ledger.summary()["throttled"]
