"""Progress in words: what is done, how fast, until when, the limit found, and always why it is no faster or what it
waits for.

It is handed moments and writes them, one line every so often, each with its time, since logs are read later; it asks
nobody and counts nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TextIO

from glacier_purge.report.terminal import safe
from glacier_purge.report.works import PlainWorks
from glacier_purge.text import duration, rate, share, size, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from glacier_purge.report.summary import Progress
    from glacier_purge.report.way import Way
    from glacier_purge.report.works import WorkView


class PlainDisplay:
    """One line a moment, for log files and pipes. ``now`` is this host's time (UTC)."""

    is_drawn = False

    def __init__(self, stream: TextIO, *, every_seconds: float, now: Callable[[], datetime]) -> None:
        self.every_seconds = every_seconds
        self._stream = stream
        self._now = now
        self._works = PlainWorks(stream, every_seconds=every_seconds, now=now)

    def show(self, moment: Progress) -> None:
        """Write one line."""
        self._stream.write(f"{stamp(self._now())} {sentence(moment, self._now())}\n")
        self._stream.flush()

    def show_way(self, way: Way) -> None:
        """Each step is told when it is made, and what is waited for when that begins."""

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Lines do not disturb a question."""
        yield

    def show_works(self, works: Sequence[WorkView]) -> None:
        """Write a line where one is due."""
        self._works.show(works)

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        return


def sentence(moment: Progress, now: datetime) -> str:
    """A moment on one line of plain text."""
    parts = [done(moment), bytes_done(moment), pace(moment), *times(moment, now)]
    return f"{', '.join(filter(None, parts))} - {safe(moment.why)}"


def done(moment: Progress) -> str:
    """How many archives have their outcome."""
    settled = moment.deleted + moment.failed
    return f"{settled:,} of {moment.selected:,} ({share(settled, moment.selected)})"


def bytes_done(moment: Progress) -> str:
    """What was deleted in bytes; empty where no archive has any."""
    if not moment.selected_bytes:
        return ""
    return f"{size(moment.deleted_bytes)} of {size(moment.selected_bytes)}"


def pace(moment: Progress) -> str:
    """How fast it goes and what became of the requests, separated by commas."""
    parts = [
        "" if moment.rate_per_second is None else f"{rate(moment.rate_per_second)}",
        f"limit found {rate(moment.limit_per_second)}" if moment.limit_per_second else "no limit met",
        f"{moment.in_flight:,} in flight",
        f"{moment.throttled:,} throttled",
    ]
    if moment.waiting:
        parts.append(f"{moment.waiting:,} wait for another turn")
    if moment.failed:
        parts.append(f"{moment.failed:,} FAILED")
    return ", ".join(filter(None, parts))


def times(moment: Progress, now: datetime) -> list[str]:
    """How long it has taken, how long the rest takes, and when it is over."""
    taken = f"{duration(moment.elapsed_seconds)} so far"
    if moment.deleted + moment.failed >= moment.selected:
        return [taken]
    left = moment.remaining_seconds
    return [taken, "time left unknown" if left is None else f"{duration(left)} left, {over_at(left, now)}"]


def over_at(left_seconds: float, now: datetime) -> str:
    """When it is over, by the clock (UTC)."""
    try:
        at = now + timedelta(seconds=left_seconds)
    except OverflowError:
        return "over in another age"
    return f"over at {at:%H:%M} UTC" if at.date() == now.date() else f"over on {at:%Y-%m-%d at %H:%M} UTC"
