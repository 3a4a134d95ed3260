from __future__ import annotations

import io
from dataclasses import replace

from glacier_purge.report.displays import display
from glacier_purge.report.live import LiveDisplay
from glacier_purge.report.progress import PlainDisplay, figures, sentence
from glacier_purge.report.summary import Progress

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
)


def test_a_moment_is_one_line_with_its_reason() -> None:
    assert sentence(MOMENT) == (
        "4,000 of 12,000 (33.3%), 97.3/s, limit found 100.0/s, 12 in flight, 3 throttled, 1 min 22 s left"
        " - at the limit found, 100/s"
    )


def test_what_is_not_known_yet_is_not_made_up() -> None:
    start = replace(MOMENT, deleted=0, rate_per_second=None, limit_per_second=None, in_flight=0, throttled=0)
    assert figures(start) == "-, no limit met, 0 in flight, 0 throttled, time left unknown"


def test_where_nothing_is_left_no_time_is_left_either() -> None:
    assert figures(replace(MOMENT, deleted=12_000)).endswith("3 throttled")


def test_what_waits_and_what_failed_is_said_when_there_is_any() -> None:
    assert "7 wait for another turn, 2 FAILED" in figures(replace(MOMENT, waiting=7, failed=2))


def test_a_reason_from_outside_is_only_displayed() -> None:
    said = sentence(replace(MOMENT, why="paused (\x1b[2J\u202eboo\r\n)"))
    assert said.isprintable()
    assert r"\x1b[2J\u202eboo\r\n" in said


def test_elsewhere_than_on_a_terminal_each_moment_is_a_line() -> None:
    stream = io.StringIO()
    with display(stream, plain_every_seconds=10.0) as shown:
        assert isinstance(shown, PlainDisplay)
        assert shown.every_seconds == 10.0
        shown.show(MOMENT)
        shown.show(MOMENT)
    assert stream.getvalue() == 2 * (sentence(MOMENT) + "\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_drawn_on_in_place() -> None:
    stream = Terminal()
    with display(stream, plain_every_seconds=10.0) as shown:
        assert isinstance(shown, LiveDisplay)
        shown.show(MOMENT)
        shown.show(replace(MOMENT, deleted=5_000, why="[bold]not markup[/bold]"))
    assert "5,000 of 12,000" in stream.getvalue()
    assert "[bold]not markup[/bold]" in stream.getvalue()
