"""Orders to a run that goes on: what each does, what is written down, and that none outlives its process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
import pytest

from glacier_purge.errors import UsageError
from glacier_purge.run.steering import AskStatus, Order, Pause, Resume, SetRate, Stop, read_order, write_order
from glacier_purge.run.windows import Window
from tests.deletion.pretended import InProcessGlacier
from tests.run.bench import Bench
from tests.virtual_time import IN_PROCESS

if TYPE_CHECKING:
    from pathlib import Path

BY = "dave@host"


@pytest.mark.parametrize(
    "order",
    [Pause(by=BY), Resume(by=BY), SetRate(by=BY, per_second=40.5), SetRate(by=BY, per_second=None), Stop(by=BY)],
    ids=lambda order: order.name,
)
def test_an_order_is_read_as_it_was_written(order: Order) -> None:
    line = write_order(order)
    assert line.count(b"\n") == 1
    assert read_order(line) == order


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"pause", b"{}", b"\xff", b'{"order":"explode","by":"x"}', b'{"order":"pause"}'),
        *(b'{"order":"rate","by":"x"}', b'{"order":"rate","by":"x","per_second":"fast"}'),
        b'{"order":"pause","by":"x","until":"noon"}',
        b'{"order":"rate","by":"x","per_second":5,"per_second":5000}',
    ],
)
def test_what_is_no_order_is_refused(line: bytes) -> None:
    with pytest.raises(UsageError, match="no order this version understands"):
        read_order(line)


@IN_PROCESS
async def test_a_paused_run_sends_nothing_until_it_is_resumed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(500))
    async with bench.process(telemetry_seconds=600.0) as run:
        await anyio.sleep(2)
        moment = run.obey(Pause(by=BY))
        assert (moment["state"], moment["paused_by"]) == ("paused", ["operator"])
        assert str(moment["why"]).startswith("paused by dave@host at 2026-11-22T12:00:02Z, until somebody resumes it")
        await anyio.sleep(1)
        sent = bench.service.requests
        await anyio.sleep(24 * 3600)
        assert bench.service.requests == sent
        assert (run.telemetry()["accepted_per_second"], run.telemetry()["steady"]) == (None, False)
        assert "are read before the next delete" in str(run.obey(Resume(by="eve@host"))["why"])
        await anyio.sleep(0.1)
        assert run.telemetry()["state"] == "running"
    ordered = [(line["order"], line["by"], line["epoch"]) for line in bench.events("ordered")]
    assert ordered == [("pause", BY, 1), ("resume", "eve@host", 1)]
    assert bench.log()[-1]["event"] == "finished"


@IN_PROCESS
async def test_a_changed_rate_holds_from_then_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(2000))
    async with bench.process() as run:
        await anyio.sleep(2)
        assert run.obey(SetRate(by=BY, per_second=5.0))["max_per_second"] == 5.0
        await anyio.sleep(2)
        sent = bench.service.requests
        await anyio.sleep(100)
        assert bench.service.requests - sent == pytest.approx(500, abs=5)
        assert run.telemetry()["accepted_per_second"] == pytest.approx(5.0, abs=0.5)
        assert run.telemetry()["steady"]
        assert run.obey(SetRate(by=BY, per_second=None))["max_per_second"] is None
        with pytest.raises(UsageError, match="above 0"):
            run.obey(SetRate(by=BY, per_second=0.0))
    assert [line["per_second"] for line in bench.events("ordered")] == [5.0, None]


@IN_PROCESS
async def test_a_stopped_run_names_who_stopped_it_and_goes_on_with_the_next_process(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(500))
    async with bench.process() as run:
        await anyio.sleep(2)
        moment = run.obey(Stop(by=BY))
        assert moment["state"] == "stopping"
    assert bench.log()[-1]["reason"] == "stop ordered by dave@host"
    await bench.finish()


@IN_PROCESS
async def test_a_pause_is_not_kept_by_the_next_process(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(500))
    async with bench.process() as run:
        await anyio.sleep(2)
        run.obey(Pause(by=BY))
        await anyio.sleep(3)
        run.obey(Stop(by=BY))
    assert bench.events("telemetry")[-1]["paused_by"] == ["operator"]
    await bench.finish()


@IN_PROCESS
async def test_before_anything_is_sent_only_the_status_is_told(tmp_path: Path) -> None:
    run = Bench(tmp_path, InProcessGlacier(5)).purge_run()
    assert run.obey(AskStatus(by=BY))["state"] == "checking"
    with pytest.raises(UsageError, match="Ask again in a moment"):
        run.obey(Pause(by=BY))


@IN_PROCESS
async def test_asking_for_the_status_is_not_written_down(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(300))
    async with bench.process() as run:
        await anyio.sleep(1)
        assert run.obey(AskStatus(by=BY))["state"] == "running"
    assert bench.events("ordered") == []


@IN_PROCESS
async def test_outside_of_its_hours_a_run_waits_and_says_until_when(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(500))
    async with bench.process(windows=(Window.parse("22:00-06:00 UTC"),), telemetry_seconds=60.0) as run:
        await anyio.sleep(9 * 3600)
        assert bench.service.requests == 0
        moment = run.telemetry()
        assert (moment["state"], moment["until"]) == ("paused", "2026-11-22T22:00:00Z")
        assert moment["why"] == "outside of the hours asked for: nothing is sent until 2026-11-22T22:00:00Z"
        await anyio.sleep(3600 + 2)
        assert bench.service.requests > 0
        assert run.telemetry()["window_closes"] == "2026-11-23T06:00:00Z"
    assert bench.log()[-1]["event"] == "finished"


@IN_PROCESS
async def test_a_window_that_closes_holds_the_run_until_the_next_one(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(500))
    windows = (Window.parse("11:00-12:01 UTC"), Window.parse("13:00-14:00 UTC"))
    async with bench.process(windows=windows) as run:
        run_clock = asyncio.get_running_loop().time
        await anyio.sleep(1)
        run.obey(SetRate(by=BY, per_second=5.0))
        await anyio.sleep(62)
        sent = bench.service.requests
        assert 0 < sent < 500
        assert run.obey(Resume(by=BY))["state"] == "paused", "an operator does not open windows"
        await anyio.sleep(3500)
        assert bench.service.requests == sent
    assert run_clock() > 3600
    assert max(bench.service.sent_at[:sent]) < 60
    assert bench.service.sent_at[sent] >= 3600


@IN_PROCESS
@pytest.mark.parametrize("hours", [-6, 6])
async def test_a_clock_that_is_set_is_noticed_in_half_a_minute(tmp_path: Path, hours: int) -> None:
    bench = Bench(tmp_path, InProcessGlacier(5000))
    async with bench.process(windows=(Window.parse("11:00-14:00 UTC"),)) as run:
        await anyio.sleep(5)
        assert run.telemetry()["state"] == "running"
        bench.clock_set_by_seconds = hours * 3600.0
        await anyio.sleep(30)
        assert run.telemetry()["state"] == "paused"
        bench.clock_set_by_seconds = 0.0
        await anyio.sleep(30)
        assert run.telemetry()["state"] == "running"
        run.drain("test")


@IN_PROCESS
async def test_a_pause_and_a_closed_window_have_no_end_that_is_known(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(50))
    async with bench.process(windows=(Window.parse("13:00-14:00 UTC"),)) as run:
        await anyio.sleep(1)
        moment = run.obey(Pause(by=BY))
        assert (moment["paused_by"], moment["until"]) == (["operator", "window"], None)
        await anyio.sleep(3600)
        assert bench.service.requests == 0
        run.obey(Resume(by=BY))


@IN_PROCESS
@pytest.mark.parametrize("per_second", [51.0, None])
async def test_no_order_raises_the_rate_above_what_this_hosts_company_allows(
    per_second: float | None, tmp_path: Path
) -> None:
    bench = Bench(tmp_path, InProcessGlacier(500))
    async with bench.process(rate_per_second_wall=50.0) as run:
        await anyio.sleep(0.5)
        run.obey(SetRate(by=BY, per_second=50.0))
        with pytest.raises(UsageError, match="allows at most 50 deletes a second"):
            run.obey(SetRate(by=BY, per_second=per_second))
        assert run.telemetry()["max_per_second"] == 50.0
