"""Long work as people see it: how far it is, how fast, how long yet; as data, in words, and as lines for logs.

``Works`` is what is under way in one process, or in one of a fleet's vaults; whoever draws asks it how it stands. It
takes a clock and never waits.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from glacier_purge.long_work import LongWork, Unit
from glacier_purge.report.terminal import safe
from glacier_purge.text import duration, share, size, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

_SAMPLES = 10
_SAMPLE_SECONDS = 1.0
_SEEN_AFTER_SECONDS = 0.5
"""What takes no longer than this is over before anybody wonders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkView:
    """One work at one moment. ``number`` tells it from the others; rates are per second, None is unknown."""

    number: int
    what: str
    unit: Unit
    done: int
    total: int | None
    elapsed_seconds: float
    per_second: float | None

    @property
    def remaining_seconds(self) -> float | None:
        """How long the rest takes at the rate of now."""
        if self.total is None or not self.per_second:
            return None
        return max(0, self.total - self.done) / self.per_second

    @property
    def sentence(self) -> str:
        """All of it on a line of plain text."""
        left = self.remaining_seconds
        parts = [
            self._amount(),
            self._pace(),
            f"{duration(self.elapsed_seconds)} so far",
            "" if left is None else f"{duration(left)} left",
        ]
        return f"{safe(self.what)}: {', '.join(filter(None, parts))}"

    @property
    def ended(self) -> str:
        """What to say of it when it is over."""
        return f"{safe(self.what)} took {duration(self.elapsed_seconds)}"

    def _amount(self) -> str:
        if self.total is None:
            return self._told(self.done) if self.done else ""
        part = share(min(self.done, self.total), self.total)
        return part if self.unit is Unit.PARTS else f"{self._told(self.done)} of {self._told(self.total)} ({part})"

    def _pace(self) -> str:
        if not self.per_second or self.unit is Unit.PARTS:
            return ""
        told = size(round(self.per_second)) if self.unit is Unit.BYTES else f"{self.per_second:,.0f}"
        return f"{told}/s"

    def _told(self, number: int) -> str:
        return size(number) if self.unit is Unit.BYTES else f"{number:,} {self.unit.value}"


@dataclass(slots=True)
class _Watched:
    work: LongWork
    number: int
    began: float
    samples: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_SAMPLES))


class Works:
    """The works under way, oldest first. ``clock`` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._watched: list[_Watched] = []
        self._begun = 0

    def __bool__(self) -> bool:
        return bool(self._watched)

    def begins(self, work: LongWork) -> None:
        """Watch it from now on."""
        now = self._clock()
        self._begun += 1
        self._watched.append(_Watched(work, self._begun, now, deque([(now, work.done)], maxlen=_SAMPLES)))

    def ends(self, work: LongWork) -> None:
        """Watch it no more."""
        self._watched = [watched for watched in self._watched if watched.work is not work]

    @contextmanager
    def stand_aside(self) -> Iterator[None]:
        """Nothing is drawn here, so there is nothing to make room."""
        yield

    def clear(self) -> None:
        """Watch none of them any more."""
        self._watched = []

    def views(self) -> list[WorkView]:
        """How they stand now."""
        now = self._clock()
        return [_view(watched, now) for watched in self._watched]


def _view(watched: _Watched, now: float) -> WorkView:
    work, samples = watched.work, watched.samples
    began, before = samples[0]
    seconds = now - began
    if now - samples[-1][0] >= _SAMPLE_SECONDS:
        samples.append((now, work.done))
    return WorkView(
        number=watched.number,
        what=work.what,
        unit=work.unit,
        done=work.done,
        total=work.total,
        elapsed_seconds=now - watched.began,
        per_second=(work.done - before) / seconds if seconds >= _SAMPLE_SECONDS else None,
    )


class PlainWorks:
    """Lines for log files and pipes: of what was begun last, once it has taken a second, then every so often, and one
    at the end of what was told of. ``now`` is this host's time (UTC)."""

    def __init__(self, stream: TextIO, *, every_seconds: float, now: Callable[[], datetime]) -> None:
        self._stream = stream
        self._every_seconds = every_seconds
        self._now = now
        self._told: WorkView | None = None
        self._wrote = self._busy_from = self._idle_from = now()

    def show(self, works: Sequence[WorkView]) -> None:
        """Write what there is to say of them now; of none, that the last is over."""
        told = self._told
        if told is not None and all(work.number != told.number for work in works):
            self._write(told.ended)
            self._told = None
        if not works:
            self._idle_from = self._now()
            return
        newest = works[-1]
        if self._told is not None and newest.number == self._told.number:
            self._told = newest
            is_due = self._since(self._wrote) >= self._every_seconds
        else:
            is_due = min(self._since(self._wrote), self._since(self._begun_to_be_busy())) >= _SEEN_AFTER_SECONDS
        if is_due:
            self._told = newest
            self._write(newest.sentence)

    def _begun_to_be_busy(self) -> datetime:
        """Many short works, one after the other, are a long one to whoever waits."""
        if self._idle_from > self._busy_from:
            if self._since(self._idle_from) > _SEEN_AFTER_SECONDS:
                self._busy_from = self._now()
            self._idle_from = self._busy_from
        return self._busy_from

    def _since(self, at: datetime) -> float:
        return (self._now() - at).total_seconds()

    def _write(self, line: str) -> None:
        self._wrote = self._now()
        self._stream.write(f"{stamp(self._wrote)} {line}\n")
        self._stream.flush()
