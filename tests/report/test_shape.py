from __future__ import annotations

import pytest

from glacier_purge.audit.timeline import NOBODY, UNTOLD, Beat, Held, Timeline
from glacier_purge.deletion.reason import Cause
from glacier_purge.report.shape import CAUSES, FAILING, PAUSED, SPANS, shape_of


def beat(second: int, deleted: int, *, cause: str = "at_limit", epoch: int = 1, active: float | None = None) -> Beat:
    ts = f"2026-11-{1 + second // 86_400:02}T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}.000Z"
    worked = float(second) if active is None else active
    return Beat(ts, epoch, cause, deleted, 0, 0, worked, 100.0, 40.0, 90.0)


def test_every_cause_there_is_has_words_and_a_colour() -> None:
    assert CAUSES.keys() == {cause.value for cause in Cause} | {NOBODY, UNTOLD}


@pytest.mark.parametrize("beats", [[], [beat(0, 0)]])
def test_what_has_no_two_points_has_no_shape(beats: list[Beat]) -> None:
    assert shape_of(Timeline(beats=beats)) is None


def test_rates_are_deletions_over_the_seconds_somebody_worked() -> None:
    shape = shape_of(Timeline(beats=[beat(0, 0), beat(10, 50), beat(20, 50, active=10.0), beat(30, 150, active=20.0)]))
    assert shape is not None
    assert [point.rate_per_second for point in shape.points] == [5.0, None, 10.0]
    assert (shape.seconds, [point.at_seconds for point in shape.points]) == (30.0, [10.0, 20.0, 30.0])


def test_between_two_processes_nobody_works() -> None:
    beats = [beat(0, 0), beat(10, 100), beat(1_000, 103, epoch=2, active=10.5), beat(1_010, 203, epoch=2, active=20.5)]
    shape = shape_of(Timeline(beats=beats))
    assert shape is not None
    assert [(point.at_seconds, point.rate_per_second, point.deleted) for point in shape.points] == [
        (10.0, 10.0, 100),
        (10.0, 0.0, 100),
        (1_000.0, 0.0, 103),
        (1_010.0, 10.0, 203),
    ]
    assert shape.waits == ((10.0, 1_000.0, PAUSED),)


def test_waits_that_touch_are_one_and_others_are_not() -> None:
    causes = ["at_limit", "window", "window", "at_limit", "faults", "faults", "at_limit", "hold", "at_limit"]
    shape = shape_of(Timeline(beats=[beat(60 * n, n, cause=cause) for n, cause in enumerate(causes)]))
    assert shape is not None
    assert shape.waits == ((60.0, 180.0, PAUSED), (240.0, 360.0, FAILING), (420.0, 480.0, PAUSED))


def test_a_thousand_points_are_drawn_as_some_hundred_and_none_is_lost() -> None:
    shape = shape_of(Timeline(beats=[beat(5 * n, 7 * n) for n in range(1_000)]))
    assert shape is not None
    assert SPANS // 2 < len(shape.points) <= SPANS + 1
    assert shape.points[-1].deleted == 7 * 999
    assert {round(point.rate_per_second or 0, 6) for point in shape.points} == {1.4}


def test_what_held_the_pace_is_told_the_longest_first_with_its_share() -> None:
    held = {"window": Held("x", 30.0, 0, 0, 0), "at_limit": Held("x", 60.0, 600, 3, 1), "new word": Held("x", 10.0)}
    shape = shape_of(Timeline(beats=[beat(0, 0), beat(100, 600)], held=held))
    assert shape is not None
    assert [(row.name, row.share, row.deleted) for row in shape.held] == [
        ("At the limit found", 0.6, 600),
        ("Outside the hours set", 0.3, 0),
        ("Not told by the version that wrote the log", 0.1, 0),
    ]
