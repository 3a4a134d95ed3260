"""There is one place to ask what time it is, so that a rehearsal or a test can have a day of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from glacier_purge.clock import utc_now, wall_seconds
from glacier_purge.glacier.waiting import NoWait
from glacier_purge.run.host import Host
from glacier_simulator import SimulatedGlacier

if TYPE_CHECKING:
    from pathlib import Path

READS_THE_CLOCK = re.compile(
    r"\bdatetime\.(now|utcnow|today)\(|\bdate\.today\(|\btime\.(time|time_ns|localtime|gmtime)\b"
)
PLACES = {
    "glacier_purge/clock.py",
    "glacier_simulator/clock.py",
    "glacier_purge/glacier/http/rest.py",  # signatures, which have to agree with AWS's clock
}


def test_the_wall_clock_is_read_in_one_place_of_ours_and_one_of_the_simulators(repository: Path) -> None:
    engine = repository / "engine"
    found = {
        str(file.relative_to(engine))
        for file in engine.rglob("*.py")
        if READS_THE_CLOCK.search(file.read_text("utf-8"))
    }
    assert found == PLACES


@pytest.mark.usefixtures("today")
async def test_whatever_is_dated_is_dated_by_that_clock() -> None:
    async with SimulatedGlacier() as glacier:
        times = [wall_seconds(), Host().wall_clock(), NoWait().now().timestamp(), glacier.clock.now()]
    assert max(times) - min(times) < 60
    assert abs(utc_now().timestamp() - times[0]) < 60
