"""Progress that rich draws on a terminal and draws again in place: a run's bar with its figures and the line that says
why, and a fleet's table.

Both are first made to fit (``fit``): rich takes the environment's COLUMNS before the terminal's own word, looks at
other streams than the one it draws on, and takes 80 for a terminal it knows nothing of.  Whoever has COLUMNS from a
start-up file would get a narrow table on a wide terminal.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from rich.console import Console, ConsoleDimensions, Group
from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    DownloadColumn,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bar
from rich.table import Column, Table
from rich.text import Text

from glacier_purge.long_work import Unit
from glacier_purge.report.fleet import COLUMNS, folded
from glacier_purge.report.progress import bytes_done, pace, times
from glacier_purge.report.terminal import safe
from glacier_purge.report.way import COLUMNS as WAY_COLUMNS
from glacier_purge.report.way import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from rich.console import RenderableType
    from rich.progress import TaskID

    from glacier_purge.report.fleet import Row
    from glacier_purge.report.summary import Progress
    from glacier_purge.report.way import Way
    from glacier_purge.report.works import WorkView

_WHEN_COLUMNS = 19
"""A moment to the second; what is longer is broken at its spaces."""
_WIDE_COLUMNS = 110
"""From here on a folded fleet's account and region find room."""
_SPINNER = "line"
"""Of ASCII, which every terminal has."""
_SEEN_AFTER_SECONDS = 0.25


class LiveWorks:
    """Bars of long work: begun when the first has taken a quarter of a second, gone when there is none."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console = Console(file=stream)
        self._bars = WorkBars(self._console)
        self._live: Live | None = None

    def show(self, works: Sequence[WorkView]) -> None:
        """Redraw, or make room for what comes next where there are none."""
        self._bars.update(works)
        if not works:
            self._stop()
            return
        if self._live is None:
            if works[0].elapsed_seconds < _SEEN_AFTER_SECONDS:
                return
            self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
            self._live.start()
        fit(self._console, self._stream)
        self._live.update(self._bars.picture, refresh=True)

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


class WorkBars:
    """A bar for each work, of rich's columns."""

    def __init__(self, console: Console) -> None:
        columns = (SpinnerColumn(_SPINNER), TextColumn("{task.description}"), BarColumn(None), TaskProgressColumn())
        times = (TimeElapsedColumn(), TimeRemainingColumn(compact=True))
        in_bytes = Bar(*columns, DownloadColumn(binary_units=True), TransferSpeedColumn(), *times, console=console)
        in_parts = Bar(*columns, *times, console=console)
        in_numbers = Bar(*columns, TextColumn("{task.fields[amount]}"), *times, console=console)
        self._bars = {Unit.BYTES: in_bytes, Unit.PARTS: in_parts, Unit.RECORDS: in_numbers, Unit.ARCHIVES: in_numbers}
        self._tasks: dict[int, tuple[Bar, TaskID]] = {}
        for bars in self._bars.values():
            bars.expand = True

    def update(self, works: Sequence[WorkView]) -> None:
        """Have a bar for each of these, and no other."""
        for gone in self._tasks.keys() - {work.number for work in works}:
            bars, task = self._tasks.pop(gone)
            bars.remove_task(task)
        for work in works:
            if work.number not in self._tasks:
                bars = self._bars[work.unit]
                task = bars.add_task(escape(safe(work.what)), total=work.total, completed=work.done, amount="")
                self._tasks[work.number] = bars, task
            bars, task = self._tasks[work.number]
            amount = f"{work.done:,}" if work.total is None else f"{work.done:,} of {work.total:,}"
            bars.update(task, completed=work.done, total=work.total, amount=amount)

    @property
    def picture(self) -> RenderableType:
        """The bars."""
        return Group(*dict.fromkeys(bars for bars, _ in self._tasks.values()))


class LiveDisplay:
    """A bar with its figures and one line that says why, redrawn four times a second. ``now`` is the time (UTC)."""

    every_seconds = 0.25
    is_drawn = True

    def __init__(self, stream: TextIO, *, now: Callable[[], datetime]) -> None:
        self._bar = Bar(
            TextColumn("[bold]{task.description}"), BarColumn(bar_width=None), TaskProgressColumn(), expand=True
        )
        self._task = self._bar.add_task("deleted", total=None)
        self._stream = stream
        self._now = now
        self._live = Live(console=Console(file=stream), auto_refresh=False)
        self._console = self._live.console
        self._works = WorkBars(self._console)
        self._moment: Progress | None = None
        self._way: Way | None = None

    def show(self, moment: Progress) -> None:
        """Redraw."""
        settled = moment.deleted + moment.failed
        self._bar.update(
            self._task, total=moment.selected, completed=settled, description=f"{settled:,} of {moment.selected:,}"
        )
        self._moment = moment
        self._draw()

    def show_works(self, works: Sequence[WorkView]) -> None:
        """Redraw with these."""
        self._works.update(works)
        self._draw()

    def show_way(self, way: Way) -> None:
        """Redraw with where a lifecycle is; a run that went on before is over."""
        self._way, self._moment = way, None
        self._draw()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Leave the terminal to a question, which stays there: the next picture begins below it."""
        live, self._live = self._live, Live(console=self._console, auto_refresh=False)
        live.stop()
        try:
            yield
        finally:  # the one before would draw over as many lines as its picture had
            self._live.start()

    def _draw(self) -> None:
        if self._live.is_started:
            fit(self._console, self._stream)
            way = () if self._way is None else (_way_drawn(self._way),)
            run = () if self._moment is None else (self._picture(self._moment),)
            self._live.update(Group(*way, self._works.picture, *run), refresh=True)

    def _picture(self, moment: Progress) -> RenderableType:
        figures = ", ".join(filter(None, [bytes_done(moment), pace(moment)]))
        lines = [figures, ", ".join(times(moment, self._now()))]
        return Group(
            self._bar,
            *(Padding(Text(line), (0, 0, 0, 2)) for line in lines),
            Padding(Text(safe(moment.why), style="dim"), (0, 0, 0, 2)),
        )

    def __enter__(self) -> LiveDisplay:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()


def fit(console: Console, stream: TextIO) -> None:
    """Let the console have the size that the terminal behind ``stream`` has now; without a terminal rich decides."""
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):  # no file behind it, or none that is a terminal
        return
    if columns and lines:  # a pseudo-terminal that nobody gave a size says 0
        console.size = ConsoleDimensions(columns, lines)


def _way_drawn(way: Way) -> RenderableType:
    styles = {Standing.DONE: "dim", Standing.NOW: "bold", Standing.NEXT: "dim"}
    table = Table(*(Column(name, overflow="fold") for name in WAY_COLUMNS), box=None, padding=(0, 2, 0, 0), expand=True)
    table.columns[2].ratio = 1
    table.columns[3].max_width = _WHEN_COLUMNS
    for line in way.phases:
        table.add_row(*(Text(safe(cell)) for cell in line.cells), style=styles[line.standing])
    return Group(Text(safe(way.title), style="bold"), table)


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
            self._live.update(_fitting(rows, self._console), refresh=True)

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


def _fitting(rows: Sequence[Row], console: Console) -> RenderableType:
    """All rows where there is room for them; else a line for each that does not only wait, and one for all others."""
    whole = _table(rows)
    lines = console.height - 1  # the cursor's own
    if len(console.render_lines(whole, console.options.update(height=None))) <= lines:
        return whole
    shown, others = folded(rows, lines - 2)
    places = [0, 1, 2, 4] if console.width >= _WIDE_COLUMNS else [0, 2, 4]
    table = Table(box=None, padding=(0, 2, 0, 0), expand=True)
    for place in places[:-1]:
        table.add_column(COLUMNS[place], no_wrap=True, overflow="ellipsis", max_width=console.width // 4)
    table.add_column(COLUMNS[-1], no_wrap=True, overflow="ellipsis", ratio=1)
    for row in shown:
        table.add_row(*(Text(safe(row.cells[place])) for place in places))
    return Group(table, Text(others, style="dim", no_wrap=True, overflow="ellipsis"))


def _table(rows: Sequence[Row]) -> Table:
    table = Table(*(Column(name, overflow="fold") for name in COLUMNS), expand=True)
    for row in rows:
        table.add_row(*(Text(safe(cell)) for cell in row.cells))
    return table
