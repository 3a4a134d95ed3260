"""Shows long work while it is done, whatever the verb: drawn by a thread, so that reading a log or sorting ids, which
leave nobody else a turn, is seen to go on.

The thread begins with the first work, rests while there is none, and draws nothing that is over within a second.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from glacier_purge.cli.voice import lines
from glacier_purge.long_work import watched_by
from glacier_purge.report.works import Works

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from glacier_purge.long_work import LongWork
    from glacier_purge.report.displays import WorksDisplay
    from glacier_purge.report.works import WorkView

_EVERY_SECONDS = 0.25
_PLAIN_EVERY_SECONDS = 10.0


@contextmanager
def works_shown(show: Callable[[Sequence[WorkView]], None]) -> Iterator[Works]:
    """Have ``show`` called with the work that is under way in the context, again and again, and when there is none."""
    drawing = _Drawing(show)
    try:
        with watched_by(drawing):
            yield drawing.works
    finally:
        drawing.close()


@contextmanager
def works_on_stderr() -> Iterator[None]:
    """Show them on stderr, for verbs that show nothing else meanwhile."""
    chosen: WorksDisplay | None = None

    def show(works: Sequence[WorkView]) -> None:
        nonlocal chosen
        if chosen is None:
            from glacier_purge.clock import utc_now
            from glacier_purge.report.displays import works_display

            chosen = works_display(lines("info"), plain_every_seconds=_PLAIN_EVERY_SECONDS, now=utc_now)
        chosen.show(works)

    with works_shown(show):
        yield


class _Drawing:
    """The watcher, with the thread that draws what it knows."""

    def __init__(self, show: Callable[[Sequence[WorkView]], None]) -> None:
        self.works = Works(time.monotonic)
        self._show = show
        self._is_shown = False
        self._asides = 0
        self._turn = threading.Lock()
        self._some = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def begins(self, work: LongWork) -> None:
        with self._turn:
            self.works.begins(work)
            if self._thread is None:
                self._thread = threading.Thread(target=self._draw, name="progress", daemon=True)
                self._thread.start()
            self._some.set()

    def ends(self, work: LongWork) -> None:
        with self._turn:
            self.works.ends(work)
            self._show_none()

    @contextmanager
    def stand_aside(self) -> Iterator[None]:
        with self._turn:
            self._asides += 1
            self._show_none()
        try:
            yield
        finally:
            with self._turn:
                self._asides -= 1

    def close(self) -> None:
        """Draw nothing more."""
        with self._turn:
            self.works.clear()
            self._show_none()
            self._closed.set()
            self._some.set()
        if self._thread is not None:
            self._thread.join()

    def _show_none(self) -> None:
        """Make room for what comes next, before it comes."""
        if not self.works:
            self._some.clear()
        if self._is_shown and (self._asides or not self.works):
            self._is_shown = False
            self._show(())

    def _draw(self) -> None:
        while not self._closed.wait(_EVERY_SECONDS):
            self._some.wait()
            with self._turn:
                if self.works and not self._asides and not self._closed.is_set():
                    self._is_shown = True
                    self._show(self.works.views())
