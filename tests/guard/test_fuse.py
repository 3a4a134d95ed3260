"""Whole runs in virtual time that begin carefully and give up on failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from glacier_purge.glacier.reply import Meaning, Reply
from glacier_purge.guard.fuse import FuseSettings
from tests.deletion.pretended import InProcessGlacier
from tests.run.bench import Bench
from tests.virtual_time import IN_PROCESS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = IN_PROCESS

STRANGE = Reply(Meaning.UNKNOWN, 400, "StrangeException")


def failing(bad: Callable[[int], bool], archives: int = 600) -> InProcessGlacier:
    """A service that has no good answer for some ordinals, however often it is asked."""
    service = InProcessGlacier(archives)
    ordinals = {archive.archive_id: archive.ordinal for archive in service.archives()}
    service.weather = lambda _: STRANGE if service.last_sent and bad(ordinals[service.last_sent]) else None
    return service


async def test_ten_go_alone_then_a_hundred_then_all(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(500))
    await bench.finish()
    stages = [(line["archives"], line["failed"]) for line in bench.events("canary")]
    assert stages == [(10, 0), (110, 0)]
    log = bench.log()
    settled = released = 0
    for line in log:
        settled += line["event"] == "outcome"
        if line["event"] == "released":
            released = line["last"] + 1
            assert released <= (10 if settled < 10 else 110 if settled < 110 else 500)


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize(("ordinal", "first"), [(3, 10), (50, 110)])
async def test_one_failure_in_the_canary_stops_the_run_and_the_next_process_goes_on(
    tmp_path: Path, ordinal: int, first: int
) -> None:
    service = failing(lambda number: number == ordinal)
    bench = Bench(tmp_path, service)
    await bench.carry_out(bench.purge_run())
    last = bench.log()[-1]
    assert (last["event"], last["reason"]) == ("stopped", f"1 of the first {first} archives failed")
    assert len(bench.outcomes()) == first
    await bench.finish()
    assert sum(line["outcome"] == "failed" for line in bench.outcomes().values()) == 1


@pytest.mark.parametrize(
    ("caution", "bad", "reason"),
    [
        (
            FuseSettings(failed_max=3),
            lambda n: n >= 150,
            "4 archives failed, more than the 3 of safety.fuse_failed_max",
        ),
        (FuseSettings(stages=(), failed_max=0), lambda n: n == 5, "1 archives failed, more than the 0"),
        (
            FuseSettings(failed_max=None, failed_share_max=0.05),
            lambda n: n >= 150 and n % 10 == 0,
            "archives failed, more than the 5.0% of safety.fuse_failed_share",
        ),
    ],
)
async def test_the_fuse_blows_when_too_many_fail(
    tmp_path: Path, caution: FuseSettings, bad: Callable[[int], bool], reason: str
) -> None:
    bench = Bench(tmp_path, failing(bad, 2_000))
    await bench.carry_out(bench.purge_run(caution=caution))
    last = bench.log()[-1]
    assert last["event"] == "stopped"
    assert reason in last["reason"]
    assert len(bench.outcomes()) < 2_000


async def test_without_limits_failures_end_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, failing(lambda number: number % 2 == 0))
    await bench.finish(caution=FuseSettings(stages=(), failed_max=None, failed_share_max=None))
    assert sum(line["outcome"] == "failed" for line in bench.outcomes().values()) == 300


async def test_a_process_stops_when_its_time_is_over_and_the_next_goes_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(500))
    await bench.carry_out(bench.purge_run(duration_seconds_max=2.0))
    last = bench.log()[-1]
    assert (last["event"], last["reason"]) == ("stopped", "worked for 2 s, the --max-duration")
    assert 100 < len(bench.outcomes()) < 300
    await bench.finish()


async def test_a_plan_smaller_than_the_canary_just_ends(tmp_path: Path) -> None:
    bench = Bench(tmp_path, InProcessGlacier(7))
    await bench.finish()
    assert bench.events("canary") == []
