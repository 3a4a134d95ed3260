"""The shape of a run over its days, gathered while it is written: what pages and charts are drawn from.

Ten million archives leave a log that takes 20 seconds to read, and a shape of a few hundred points.  So the ledger
keeps the points as records go by, and a checkpoint keeps them with the rest; whoever reads the log from its beginning
comes to the same ones.  A point holds totals over the whole run: those of a process begin anew with it, and what a
killed one had counted since its last word is in its outcomes and nowhere else.

Bounded: when there are too many points, every second of them goes, and what held the pace is added up apart.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec

from glacier_purge.audit.record import Note, Outcome

BEATS_MAX = 1_024
FAILED_MAX = 20
"""Failed archives that are kept with their words; all of them are in the log."""
SAYINGS_MAX = 200
_TEXT_MAX = 400

NOBODY = "nobody"
"""What held the pace between two processes, with what the first had left to do after its last word."""
UNTOLD = ""
"""What held it where the log does not say: a version before 0.2.0 wrote it."""

_BEATS = frozenset({"telemetry", "stopped", "finished"})
_SAYINGS = frozenset(
    {"approved", "opened", "ordered", "held", "hold_lifted", "recovered", "restored", "canary", "stopped"}
)
_SAID = (
    "by",
    "origin",
    "how",
    "order",
    "found",
    "since",
    "reason",
    "tool_version",
    "archives",
    "failed",
    "max_per_second",
)


class Beat(msgspec.Struct, array_like=True):
    """How the run stood at a moment. Counts and ``active_seconds`` are totals of all its processes."""

    ts: str
    epoch: int
    cause: str
    deleted: int
    throttled: int
    faults: int
    active_seconds: float
    limit_per_second: float | None
    p50_ms: float | None
    p99_ms: float | None


class Held(msgspec.Struct, array_like=True):
    """What went on while one cause held the pace: seconds of the log's clock, and what happened in them."""

    since: str
    seconds: float = 0.0
    deleted: int = 0
    throttled: int = 0
    faults: int = 0


class FailedArchive(msgspec.Struct, array_like=True):
    """An archive that was given up, in the service's words."""

    ordinal: int
    archive_id: str
    http_status: int | None
    code: str | None
    attempts: int
    request_id: str | None


class Saying(msgspec.Struct, array_like=True):
    """Something that was said in the log: by whom, and what about."""

    ts: str
    event: str
    facts: dict[str, str | float | bool | None]


class Timeline(msgspec.Struct):
    """The points of a run, what held its pace, what people and the service said. Bounded, however long it takes."""

    beats: list[Beat] = []
    held: dict[str, Held] = {}
    failed: list[FailedArchive] = []
    sayings: list[Saying] = []
    sayings_dropped: int = 0

    def failed_archive(self, outcome: Outcome) -> None:
        """Keep a failed archive, of the first few."""
        if len(self.failed) < FAILED_MAX:
            it = outcome
            self.failed.append(
                FailedArchive(it.ordinal, it.archive_id, it.http_status, it.code, it.attempts, it.request_id)
            )

    def note(self, note: Note, ts: str, now: Totals) -> None:
        """Take in one note of the log, written at ``ts``; ``now`` is how the ledger stands behind it."""
        if note.event in _SAYINGS:
            self._keep(Saying(ts, note.event, _said(note.facts)))
        if note.event in _BEATS:
            self._beat(_beat(note, ts, now))

    def _keep(self, saying: Saying) -> None:
        if len(self.sayings) < SAYINGS_MAX:
            self.sayings.append(saying)
        else:  # the last is what somebody looks for first
            self.sayings[-1] = saying
            self.sayings_dropped += 1

    def _beat(self, beat: Beat) -> None:
        if self.beats:
            self._hold(self.beats[-1], beat)
        self.beats.append(beat)
        if len(self.beats) > BEATS_MAX:
            self.beats = _thinned(self.beats)

    def _hold(self, last: Beat, beat: Beat) -> None:
        cause = last.cause if last.epoch == beat.epoch else NOBODY
        held = self.held.setdefault(cause, Held(last.ts))
        held.seconds = round(held.seconds + seconds_between(last.ts, beat.ts), 3)
        held.deleted += beat.deleted - last.deleted
        held.throttled += beat.throttled - last.throttled
        held.faults += beat.faults - last.faults


class Totals(msgspec.Struct, frozen=True):
    """How a ledger stands: what it has counted over all processes."""

    epoch: int
    deleted: int
    throttled: int
    faults: int
    active_seconds: float


def _beat(note: Note, ts: str, now: Totals) -> Beat:
    facts = note.facts
    cause = facts.get("cause")
    return Beat(
        ts,
        now.epoch,
        cause if isinstance(cause, str) else UNTOLD,
        now.deleted,
        now.throttled,
        now.faults,
        round(now.active_seconds, 3),
        *(_figure(facts.get(name)) for name in ("limit_per_second", "p50_ms", "p99_ms")),
    )


def _said(facts: dict[str, Any]) -> dict[str, str | float | bool | None]:
    """What is worth keeping of a note, and small, whatever somebody wrote there."""
    kept: dict[str, str | float | bool | None] = {}
    for name in _SAID:
        value = facts.get(name)
        if isinstance(value, str):
            kept[name] = value[:_TEXT_MAX]
        elif isinstance(value, int | float):
            kept[name] = value
    return kept


def _thinned(beats: list[Beat]) -> list[Beat]:
    """Leave out every second beat; those that end a process's part only where there are too many of them."""
    kept = _without_every_second(beats, spared=_ends_a_part)
    return kept if len(kept) <= BEATS_MAX * 3 // 4 else _without_every_second(kept, spared=_ends_nothing)


def _without_every_second(beats: list[Beat], spared: Callable[[Beat, Beat, Beat], bool]) -> list[Beat]:
    """Leave out beats between the first and the last; the one behind keeps the slowest replies of both."""
    kept = [beats[0]]
    goes = True
    for beat, following in pairwise(beats[1:]):
        if goes and not spared(kept[-1], beat, following):
            following.p99_ms = max(filter(None, (beat.p99_ms, following.p99_ms)), default=None)
            goes = False
        else:
            kept.append(beat)
            goes = True
    return [*kept, beats[-1]]


def _ends_a_part(before: Beat, beat: Beat, following: Beat) -> bool:
    return not before.epoch == beat.epoch == following.epoch


def _ends_nothing(*_beats: Beat) -> bool:
    return False


def seconds_between(first: str, second: str) -> float:
    """Seconds of the log's clock; none where it was put back, or where a stamp is no moment."""
    try:
        return max(0.0, (datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds())
    except ValueError:
        return 0.0


def _figure(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
