"""How a fleet stands: a row a vault, as a table of plain text or as lines of news.

In a log file nobody wants to read for half a day that a vault waits, so there a row is told when it says something
new, and once a day.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TextIO

from glacier_purge.report.terminal import safe
from glacier_purge.text import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

_TELL_AGAIN = timedelta(days=1)
COLUMNS = ("vault", "where", "phase", "next look (UTC)", "what it does or waits for")
"""The long one is the last, so that the others stay in line where it is broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One vault at one moment. ``standing`` says what it does or waits for, ``until`` when that is looked at (UTC)."""

    vault: str
    where: str
    phase: str
    standing: str
    until: datetime | None = None

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
        self._told: dict[tuple[str, str], tuple[str, str, datetime]] = {}

    def show(self, rows: Sequence[Row]) -> None:
        """Write the rows that have news."""
        now = self._now()
        for row in rows:
            phase, standing, at = self._told.get((row.vault, row.where), ("", "", now))
            if (phase, standing) != (row.phase, row.standing) or now - at >= _TELL_AGAIN:
                self._told[row.vault, row.where] = (row.phase, row.standing, now)
                self._stream.write(f"{stamp(now)} {row_sentence(row)}\n")
        self._stream.flush()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Lines do not disturb a question."""
        yield

    def __enter__(self) -> PlainFleet:
        return self

    def __exit__(self, *_: object) -> None:
        return


def as_table(rows: Sequence[Row]) -> str:
    """Rows as aligned lines of plain text under their headings."""
    cells = [COLUMNS, *(row.cells for row in rows)]
    shown = [[safe(cell) for cell in line] for line in cells]
    widths = [max(len(line[column]) for line in shown) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in shown
    )


def row_sentence(row: Row) -> str:
    """A row on one line of plain text."""
    until = "" if row.until is None else f"; next look at {row.until:%Y-%m-%dT%H:%M:%SZ}"
    return safe(f"{row.vault} ({row.where}), {row.phase}: {row.standing}{until}")
