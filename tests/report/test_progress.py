from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from glacier_purge.report.displays import display
from glacier_purge.report.live import LiveDisplay
from glacier_purge.report.progress import PlainDisplay, over_at, pace, sentence, times
from glacier_purge.report.summary import Progress

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MOMENT = Progress(
    selected=12_000,
    deleted=4_000,
    failed=0,
    rate_per_second=97.3,
    limit_per_second=100.0,
    in_flight=12,
    waiting=0,
    throttled=3,
    why="at the limit found, 100/s",
    deleted_bytes=3 << 30,
    selected_bytes=9 << 30,
    elapsed_seconds=41.2,
)


def test_a_moment_is_one_line_with_its_reason() -> None:
    assert sentence(MOMENT, NOW) == (
        "4,000 of 12,000 (33.3%), 3.0 GiB of 9.0 GiB, 97.3/s, limit found 100.0/s, 12 in flight, 3 throttled, "
        "41 s so far, 1 min 22 s left, over at 12:01 UTC - at the limit found, 100/s"
    )


def test_what_is_not_known_yet_is_not_made_up() -> None:
    start = replace(
        MOMENT, deleted=0, deleted_bytes=0, selected_bytes=0, rate_per_second=None, limit_per_second=None, why="x"
    )
    assert sentence(start, NOW) == (
        "0 of 12,000 (0.0%), no limit met, 12 in flight, 3 throttled, 41 s so far, time left unknown - x"
    )
    assert times(replace(MOMENT, is_steady=False), NOW)[1] == "time left unknown"


def test_where_nothing_is_left_no_time_is_left_either() -> None:
    assert times(replace(MOMENT, deleted=12_000), NOW) == ["41 s so far"]


@pytest.mark.parametrize(
    ("left_seconds", "told"),
    [
        (60.0, "over at 12:01 UTC"),
        (86_400.0, "over on 2026-11-24 at 12:00 UTC"),
        (1e12, "over in another age"),
    ],
)
def test_the_end_is_told_by_the_clock(left_seconds: float, told: str) -> None:
    assert over_at(left_seconds, NOW) == told


def test_what_waits_and_what_failed_is_said_when_there_is_any() -> None:
    assert "7 wait for another turn, 2 FAILED" in pace(replace(MOMENT, waiting=7, failed=2))


def test_a_reason_from_outside_is_only_displayed() -> None:
    said = sentence(replace(MOMENT, why="paused (\x1b[2J\u202eboo\r\n)"), NOW)
    assert said.isprintable()
    assert r"\x1b[2J\u202eboo\r\n" in said


@pytest.mark.parametrize("term", ["dumb", "vt100"])
def test_elsewhere_than_on_a_terminal_that_can_be_drawn_on_each_moment_is_a_line_with_its_time(
    term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    stream = Terminal() if term == "dumb" else io.StringIO()
    with display(stream, plain_every_seconds=10.0, now=lambda: NOW) as shown:
        assert isinstance(shown, PlainDisplay)
        assert shown.every_seconds == 10.0
        shown.show(MOMENT)
        shown.show(MOMENT)
    assert stream.getvalue() == 2 * f"2026-11-23T12:00:00Z {sentence(MOMENT, NOW)}\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_drawn_on_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "vt100")
    stream = Terminal()
    with display(stream, plain_every_seconds=10.0, now=lambda: NOW) as shown:
        assert isinstance(shown, LiveDisplay)
        shown.show(MOMENT)
        shown.show(replace(MOMENT, deleted=5_000, why="[bold]not markup[/bold]"))
    assert "3.0 GiB of 9.0 GiB" in stream.getvalue()
    assert "over at 12:01 UTC" in stream.getvalue()
    assert "5,000 of 12,000" in stream.getvalue()
    assert "[bold]not markup[/bold]" in stream.getvalue()
