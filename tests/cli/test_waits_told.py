"""A wait is told with what it is for and until when, each time; how to leave it is told once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from glacier_purge.cli.waiting import WaitTeller
from glacier_purge.glacier.waiting import Waiting

if TYPE_CHECKING:
    import pytest

BEGUN = datetime(2026, 11, 23, tzinfo=UTC)


def test_a_wait_is_told_again_after_a_day_and_the_way_out_once(capsys: pytest.CaptureFixture[str]) -> None:
    teller = WaitTeller(lambda: BEGUN)
    for minutes in (10, 20, 1449, 1450):
        teller(Waiting(what="a job\x1b[2J", until=BEGUN + timedelta(minutes=minutes)))
    teller(Waiting(what="another", until=BEGUN))
    way_out = ". Ctrl-C stops, the same command goes on."
    assert capsys.readouterr().err.splitlines() == [
        f"glacier-purge: 2026-11-23T00:00:00Z waiting for a job\\x1b[2J; next look at 2026-11-23T00:10:00Z{way_out}",
        "glacier-purge: 2026-11-23T00:00:00Z waiting for a job\\x1b[2J; next look at 2026-11-24T00:10:00Z",
        f"glacier-purge: 2026-11-23T00:00:00Z waiting for another; next look at 2026-11-23T00:00:00Z{way_out}",
    ]
