"""A run's timeline as charts need it: points at equal spans, what held the pace as a table, waits to be shaded. Pure.

Rates are differences of deletions on record, over the seconds in which a process worked: what a process says of its own
rate stands still in a pause, and what a killed one had counted since its last word is gone with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from glacier_purge.audit.timeline import NOBODY, UNTOLD
from glacier_purge.deletion.reason import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from glacier_purge.audit.timeline import Beat, Timeline

SPANS = 160
"""Points of a chart at most: more are not seen on 720 pixels."""
_WORKED_SECONDS_MIN = 0.2
_NEAR = 1 / 200
"""Waits nearer to each other than this share of the whole are one."""

PAUSED, FAILING, THROTTLED, WORKING = "paused", "failing", "throttled", "working"
"""What kind of cause it is, which decides its colour."""

CAUSES: dict[str, tuple[str, str]] = {
    Cause.CHECKING.value: ("Checking before the first delete", WORKING),
    Cause.FIRST_DELETE.value: ("The first delete alone", WORKING),
    Cause.LOOKING_FOR_LIMIT.value: ("Looking for the limit", WORKING),
    Cause.AT_LIMIT.value: ("At the limit found", WORKING),
    Cause.AT_CAP.value: ("At the cap that was set", WORKING),
    Cause.REPLIES.value: ("Held by how fast replies came", WORKING),
    Cause.PROCESS.value: ("Held by this machine", WORKING),
    Cause.THROTTLED.value: ("Throttled: backing off", THROTTLED),
    Cause.FAULTS.value: ("Service failing: slower, or probes only", FAILING),
    Cause.OPERATOR.value: ("Paused by a person", PAUSED),
    Cause.HOLD.value: ("Held: the vault was protected", PAUSED),
    Cause.LEASE.value: ("Paused: which host may send was not known", PAUSED),
    Cause.REPLICA.value: ("Paused: the replica was behind", PAUSED),
    Cause.WINDOW.value: ("Outside the hours set", PAUSED),
    Cause.CREDENTIALS.value: ("Paused: credentials had expired", PAUSED),
    Cause.STOPPING.value: ("Stopping", WORKING),
    NOBODY: ("Not running: stopped or killed", PAUSED),
    UNTOLD: ("Not told by the version that wrote the log", WORKING),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One span of time, ``at_seconds`` its end from the beginning. None is not known, or nothing to divide by."""

    at_seconds: float
    deleted: int
    rate_per_second: float | None
    limit_per_second: float | None
    throttled: int
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBy:
    """What set the pace for some time, and what happened in it. ``share`` is of the whole time, 0 to 1."""

    name: str
    kind: str
    seconds: float
    share: float
    deleted: int
    throttled: int
    faults: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a run went: from ``begin`` (UTC) for ``seconds`` of the log's clock. ``waits`` are (from, until, kind)."""

    begin: datetime
    seconds: float
    points: tuple[Point, ...]
    held: tuple[HeldBy, ...]
    waits: tuple[tuple[float, float, str], ...]


def shape_of(timeline: Timeline) -> Shape | None:
    """Draw a timeline together; None where there are no two points in it."""
    beats = timeline.beats
    if len(beats) < 2:
        return None
    begin = _moment(beats[0])
    offsets = [(_moment(beat) - begin).total_seconds() for beat in beats]
    seconds = max(offsets[-1], 0.001)
    return Shape(
        begin=begin,
        seconds=seconds,
        points=tuple(_points(beats, offsets, seconds)),
        held=tuple(sorted(_held(timeline), key=lambda row: -row.seconds)),
        waits=tuple(_waits(beats, offsets, seconds)),
    )


def _points(beats: Sequence[Beat], offsets: Sequence[float], seconds: float) -> Iterator[Point]:
    last, last_at = beats[0], offsets[0]
    chosen: list[Beat] = []
    for number, (beat, at) in enumerate(zip(beats[1:], offsets[1:], strict=True), 1):
        if beat.epoch != last.epoch and not chosen:  # nobody worked in between
            yield _idle(last_at, last)
            yield _idle(at, beat)
            last, last_at = beat, at
            continue
        chosen.append(beat)
        following = number + 1
        is_last = following == len(beats) or beats[following].epoch != beat.epoch
        if is_last or int(offsets[following] / seconds * SPANS) > int(at / seconds * SPANS):
            yield _point(last, chosen, at)
            last, last_at, chosen = beat, at, []


def _point(before: Beat, beats: Sequence[Beat], at_seconds: float) -> Point:
    last = beats[-1]
    worked = last.active_seconds - before.active_seconds
    p50s = sorted(beat.p50_ms for beat in beats if beat.p50_ms is not None)
    return Point(
        at_seconds=at_seconds,
        deleted=last.deleted,
        rate_per_second=(last.deleted - before.deleted) / worked if worked > _WORKED_SECONDS_MIN else None,
        limit_per_second=last.limit_per_second,
        throttled=last.throttled - before.throttled,
        p50_ms=p50s[len(p50s) // 2] if p50s else None,
        p99_ms=max((beat.p99_ms for beat in beats if beat.p99_ms is not None), default=None),
    )


def _idle(at_seconds: float, beat: Beat) -> Point:
    return Point(
        at_seconds=at_seconds,
        deleted=beat.deleted,
        rate_per_second=0.0,
        limit_per_second=None,
        throttled=0,
        p50_ms=None,
        p99_ms=None,
    )


def _held(timeline: Timeline) -> Iterator[HeldBy]:
    whole = sum(held.seconds for held in timeline.held.values())
    for cause, held in timeline.held.items():
        name, kind = CAUSES.get(cause, CAUSES[UNTOLD])
        yield HeldBy(
            name=name,
            kind=kind,
            seconds=held.seconds,
            share=held.seconds / whole if whole else 0.0,
            deleted=held.deleted,
            throttled=held.throttled,
            faults=held.faults,
        )


def _waits(beats: Sequence[Beat], offsets: Sequence[float], seconds: float) -> Iterator[tuple[float, float, str]]:
    open_wait: tuple[float, float, str] | None = None
    for (beat, following), (begin, end) in zip(pairwise(beats), pairwise(offsets), strict=True):
        cause = beat.cause if beat.epoch == following.epoch else NOBODY
        kind = CAUSES.get(cause, CAUSES[UNTOLD])[1]
        if kind not in {PAUSED, FAILING}:
            continue
        if open_wait and open_wait[2] == kind and begin - open_wait[1] < seconds * _NEAR:
            open_wait = (open_wait[0], end, kind)
            continue
        if open_wait:
            yield open_wait
        open_wait = (begin, end, kind)
    if open_wait:
        yield open_wait


def _moment(beat: Beat) -> datetime:
    return datetime.fromisoformat(beat.ts)
