"""A fleet drawn on a terminal: one table, redrawn in place by rich."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from glacier_purge.report.fleet import COLUMNS
from glacier_purge.report.screen import fit
from glacier_purge.report.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from glacier_purge.report.fleet import Row


class LiveFleet:
    """One row a vault, redrawn every second."""

    every_seconds = 1.0

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console = Console(file=stream)
        self._live = Live(console=self._console, auto_refresh=False)

    def show(self, rows: Sequence[Row]) -> None:
        """Redraw; not while somebody is asked."""
        if self._live.is_started:
            fit(self._console, self._stream)
            self._live.update(_table(rows), refresh=True)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Leave the terminal to a question, which stays there: the next table begins below it."""
        self._live.stop()
        try:
            yield
        finally:  # the one before would draw over as many lines as its table had
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()

    def __enter__(self) -> LiveFleet:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()


def _table(rows: Sequence[Row]) -> Table:
    table = Table(*(Column(name, overflow="fold") for name in COLUMNS), expand=True)
    for row in rows:
        table.add_row(*(Text(safe(cell)) for cell in row.cells))
    return table
