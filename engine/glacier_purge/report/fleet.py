"""How a fleet stands: a row a vault, as a table of plain text or as lines of news.

In a log file nobody wants to read for half a day that a vault waits, so there a row is told when it says something
new, and once a day.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, TextIO

from glacier_purge.report.terminal import safe
from glacier_purge.text import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

_TELL_AGAIN = timedelta(days=1)
COLUMNS = ("vault", "where", "phase", "next look (UTC)", "what it does or waits for")
"""The long one is the last, so that the others stay in line where it is broken."""


_WANTED = "wanted"
_RANK = ("damaged", "refused", _WANTED, "stopped", "running", "pending", "waiting", "not begun", "abandoned", "done")


def rank(state: str, *, is_wanted: bool) -> int:
    """Where a vault stands on a page: what needs a person first, and so does a plan whose approval ``is_wanted``."""
    return _RANK.index(_WANTED if is_wanted else state)


class Pressing(IntEnum):
    """How much it wants to be seen, the most first."""

    ASKS = 0
    FAILED = 1
    WORKS = 2
    WAITS = 3
    DONE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One vault at one moment. ``standing`` says what it does or waits for, ``until`` when that is looked at (UTC)."""

    vault: str
    where: str
    phase: str
    standing: str
    until: datetime | None = None
    pressing: Pressing = Pressing.WORKS

    @property
    def cells(self) -> tuple[str, ...]:
        """What stands below each of ``COLUMNS``."""
        until = "" if self.until is None else f"{self.until:%Y-%m-%d %H:%M:%S}"  # with a place to break it
        return self.vault, self.where, self.phase, until, self.standing


class PlainFleet:
    """A line for each row that has news. ``now`` is this host's time (UTC)."""

    def __init__(self, stream: TextIO, *, every_seconds: float, now: Callable[[], datetime]) -> None:
        self.every_seconds = every_seconds
        self._stream = stream
        self._now = now
        self._is_aside = False
        self._told: dict[tuple[str, str], tuple[str, str, datetime]] = {}

    def show(self, rows: Sequence[Row]) -> None:
        """Write the rows that have news; none while somebody is asked."""
        if self._is_aside:
            return
        now = self._now()
        for row in rows:
            phase, standing, at = self._told.get((row.vault, row.where), ("", "", now))
            if (phase, standing) != (row.phase, row.standing) or now - at >= _TELL_AGAIN:
                self._told[row.vault, row.where] = (row.phase, row.standing, now)
                self._stream.write(f"{stamp(now)} {row_sentence(row)}\n")
        self._stream.flush()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Write nothing into a question; the news comes after it."""
        self._is_aside = True
        try:
            yield
        finally:
            self._is_aside = False

    def __enter__(self) -> PlainFleet:
        return self

    def __exit__(self, *_: object) -> None:
        return


def as_table(rows: Sequence[Row]) -> str:
    """Rows as lines of plain text under their headings, as wide as they need."""
    from glacier_purge.report.grid import grid  # noqa: PLC0415 - rich is only loaded where it draws

    return grid(COLUMNS, [row.cells for row in rows], None, numbers=frozenset())


def folded(rows: Sequence[Row], lines: int) -> tuple[list[Row], str]:
    """The rows to show where there is room for so many, in their order, and a sentence about the others.

    What only waits, or is done, is shown where nothing else is: then those that are looked at first.
    """
    news = sorted((row for row in rows if row.pressing < Pressing.WAITS), key=lambda row: row.pressing)
    waits = sorted((row for row in rows if row.pressing is Pressing.WAITS), key=_next_look)
    chosen = (news or waits)[:lines]
    left = [row for row in rows if row not in chosen]
    kinds = [
        (sum(row.pressing is Pressing.WAITS for row in left), "waiting"),
        (sum(row.pressing is Pressing.DONE for row in left), "done"),
        (sum(row.pressing < Pressing.WAITS for row in left), "with news for which there is no room"),
    ]
    told = [f"{number:,} {kind}" for number, kind in kinds if number]
    first = next((row.until for row in waits if row in left and row.until is not None), None)
    if first is not None:
        told[0] += f" (next look {first:%Y-%m-%d %H:%M} UTC)"
    return [row for row in rows if row in chosen], f"{len(left):,} more: {', '.join(told)}"


def _next_look(row: Row) -> tuple[bool, str]:
    return row.until is None, "" if row.until is None else row.until.isoformat()


def row_sentence(row: Row) -> str:
    """A row on one line of plain text."""
    until = "" if row.until is None else f"; next look at {row.until:%Y-%m-%dT%H:%M:%SZ}"
    return safe(f"{row.vault} ({row.where}), {row.phase}: {row.standing}{until}")
