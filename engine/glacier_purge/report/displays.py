"""Which display a stream gets: drawn in place by rich on a terminal, plain lines in a file or a pipe, and on a terminal
that can't move its cursor (TERM=dumb, as in editors and on serial lines).

The plain ones and the drawn ones know nothing of each other, and rich is only loaded where it draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TextIO

from glacier_purge.report.drawn import is_drawn_on
from glacier_purge.report.fleet import PlainFleet
from glacier_purge.report.progress import PlainDisplay
from glacier_purge.report.works import PlainWorks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from types import TracebackType

    from glacier_purge.report.fleet import Row
    from glacier_purge.report.summary import Progress
    from glacier_purge.report.way import Way
    from glacier_purge.report.works import WorkView


class Display(Protocol):
    """Somewhere a run is shown, or a lifecycle with its runs, for as long as it is entered.

    Where it ``is_drawn``, a lifecycle's steps and waits are on it; elsewhere each has to be told.
    """

    every_seconds: float
    is_drawn: bool

    def show(self, moment: Progress) -> None:
        """Draw one moment."""

    def show_works(self, works: Sequence[WorkView]) -> None:
        """Draw the long work under way, in whatever thread."""

    def show_way(self, way: Way) -> None:
        """Draw where a lifecycle is."""

    def aside(self) -> _Aside:
        """A context in which nothing is drawn, so that somebody can be asked."""

    def __enter__(self) -> Display: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class WorksDisplay(Protocol):
    """Somewhere long work is shown while nothing else is."""

    def show(self, works: Sequence[WorkView]) -> None:
        """Draw what is under way; none, when all of it is over."""


class FleetDisplay(Protocol):
    """Somewhere rows are shown, for as long as it is entered."""

    every_seconds: float

    def show(self, rows: Sequence[Row]) -> None:
        """Draw all rows."""

    def aside(self) -> _Aside:
        """A context in which nothing is drawn, so that somebody can be asked."""

    def __enter__(self) -> FleetDisplay: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class _Aside(Protocol):
    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None: ...


def works_display(stream: TextIO, *, plain_every_seconds: float, now: Callable[[], datetime]) -> WorksDisplay:
    """Choose what shows long work on ``stream``; ``now`` is this host's time (UTC)."""
    if not is_drawn_on(stream):
        return PlainWorks(stream, every_seconds=plain_every_seconds, now=now)
    from glacier_purge.report.live import LiveWorks  # noqa: PLC0415 - rich is only loaded where it draws

    return LiveWorks(stream)


def display(stream: TextIO, *, plain_every_seconds: float, now: Callable[[], datetime]) -> Display:
    """Choose the display of a run that fits ``stream``; ``now`` is this host's time (UTC)."""
    if not is_drawn_on(stream):
        return PlainDisplay(stream, every_seconds=plain_every_seconds, now=now)
    from glacier_purge.report.live import LiveDisplay  # noqa: PLC0415 - rich is only loaded where it draws

    return LiveDisplay(stream, now=now)


def fleet_display(stream: TextIO, *, plain_every_seconds: float, now: Callable[[], datetime]) -> FleetDisplay:
    """Choose the display of a fleet that fits ``stream``; ``now`` is this host's time (UTC)."""
    if not is_drawn_on(stream):
        return PlainFleet(stream, every_seconds=plain_every_seconds, now=now)
    from glacier_purge.report.live import LiveFleet  # noqa: PLC0415 - rich is only loaded where it draws

    return LiveFleet(stream)
