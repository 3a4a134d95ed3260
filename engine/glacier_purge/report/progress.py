"""Progress in words: what is done, how fast, the limit found, and always why it is no faster or what it waits for.

It is handed moments and writes them, one line every so often; it asks nobody and counts nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from glacier_purge.report.terminal import safe
from glacier_purge.text import duration, rate, share

if TYPE_CHECKING:
    from glacier_purge.report.summary import Progress


class PlainDisplay:
    """One line a moment, for log files and pipes."""

    def __init__(self, stream: TextIO, *, every_seconds: float) -> None:
        self.every_seconds = every_seconds
        self._stream = stream

    def show(self, moment: Progress) -> None:
        """Write one line."""
        self._stream.write(sentence(moment) + "\n")
        self._stream.flush()

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        return


def sentence(moment: Progress) -> str:
    """A moment on one line of plain text."""
    done = moment.deleted + moment.failed
    part = f"{done:,} of {moment.selected:,} ({share(done, moment.selected)})"
    return f"{part}, {figures(moment)} - {safe(moment.why)}"


def figures(moment: Progress) -> str:
    """A moment's figures, separated by commas."""
    parts = [
        f"{rate(moment.rate_per_second)}",
        f"limit found {rate(moment.limit_per_second)}" if moment.limit_per_second else "no limit met",
        f"{moment.in_flight:,} in flight",
        f"{moment.throttled:,} throttled",
    ]
    if moment.waiting:
        parts.append(f"{moment.waiting:,} wait for another turn")
    if moment.failed:
        parts.append(f"{moment.failed:,} FAILED")
    if moment.deleted + moment.failed < moment.selected:
        left = moment.remaining_seconds
        parts.append("time left unknown" if left is None else f"{duration(left)} left")
    return ", ".join(parts)
