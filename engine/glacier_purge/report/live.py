"""Progress drawn on a terminal: a bar with its figures and one line that says why, redrawn in place by rich."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from glacier_purge.report.console import figures
from glacier_purge.report.screen import fit
from glacier_purge.report.terminal import safe

if TYPE_CHECKING:
    from rich.console import RenderableType

    from glacier_purge.report.summary import Progress


class LiveDisplay:
    """A bar with its figures and one line that says why, redrawn four times a second."""

    every_seconds = 0.25

    def __init__(self, stream: TextIO) -> None:
        self._bar = Bar(
            TextColumn("[bold]{task.description}"), BarColumn(bar_width=None), TaskProgressColumn(), expand=True
        )
        self._task = self._bar.add_task("deleted", total=None)
        self._stream = stream
        self._live = Live(console=Console(file=stream), auto_refresh=False)

    def show(self, moment: Progress) -> None:
        """Redraw."""
        done = moment.deleted + moment.failed
        fit(self._live.console, self._stream)
        self._bar.update(
            self._task, total=moment.selected, completed=done, description=f"{done:,} of {moment.selected:,}"
        )
        self._live.update(self._picture(moment), refresh=True)

    def _picture(self, moment: Progress) -> RenderableType:
        return Group(self._bar, Text("  " + figures(moment)), Text("  " + safe(moment.why), style="dim"))

    def __enter__(self) -> LiveDisplay:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
