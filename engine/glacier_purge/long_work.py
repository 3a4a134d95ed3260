"""Work that may take longer than anybody likes to look at nothing, counted as it goes on. Pure: it knows no time.

Whoever does it says what it is and adds to a count; whoever watches is told when it begins and ends, and reads the
count at a pace of its own.  So a count costs an addition, watched or not, and no room knows a display.

The watcher stands in a context variable: threads and tasks take it along, and vaults of a fleet have one each.
Rejected: a callback handed from the command down to whatever reads a file, through the signatures of six rooms.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

T = TypeVar("T")


class Unit(Enum):
    """What is counted."""

    BYTES = "bytes"
    RECORDS = "records"
    ARCHIVES = "archives"
    PARTS = "parts"
    """Of equal size, and nothing to anybody but as a share; or, without a total, nothing at all."""


class LongWork:
    """One such work. ``total`` is None where nobody knows; ``done`` may begin above 0 where it goes on."""

    __slots__ = ("done", "total", "unit", "what")

    def __init__(self, what: str, total: int | None, unit: Unit, done: int) -> None:
        self.what = what
        self.total = total
        self.unit = unit
        self.done = done

    def add(self, more: int) -> None:
        """Count ``more`` of them as done."""
        self.done += more


class Watcher(Protocol):
    """Whoever watches works; they may be in any thread."""

    def begins(self, work: LongWork) -> None:
        """Know that it begins."""

    def ends(self, work: LongWork) -> None:
        """Know that it ended, whether or not all of it was done."""

    def stand_aside(self) -> AbstractContextManager[None]:
        """A context in which nothing is shown."""


_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched_by(watcher: Watcher | None) -> Iterator[None]:
    """Have ``watcher`` told of what is begun in this context; None is nobody."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


class _Part:
    """A watcher of parts: it shows nothing of them, and stands aside as the one of the whole does."""

    def __init__(self, whole: Watcher) -> None:
        self.stand_aside = whole.stand_aside

    def begins(self, work: LongWork) -> None:
        pass

    def ends(self, work: LongWork) -> None:
        pass


def told_as_one() -> AbstractContextManager[None]:
    """Have nothing shown of what is begun in the context: it is part of a work that is shown already."""
    watcher = _watcher.get()
    return watched_by(None if watcher is None else _Part(watcher))


def undisturbed() -> AbstractContextManager[None]:
    """Have nothing shown in the context, in which a person may be asked something at the terminal."""
    watcher = _watcher.get()
    return nullcontext() if watcher is None else watcher.stand_aside()


@contextmanager
def long_work(what: str, *, total: int | None = None, unit: Unit = Unit.RECORDS, done: int = 0) -> Iterator[LongWork]:
    """Do in the context ``what`` is said, as in "reading inventory.json", and add to ``done`` meanwhile."""
    work = LongWork(what, total, unit, done)
    watcher = _watcher.get()
    if watcher is None:
        yield work
        return
    watcher.begins(work)
    try:
        yield work
    finally:
        watcher.ends(work)


def counted(
    what: str, items: Iterable[T], size: Callable[[T], int], *, total: int | None = None, unit: Unit = Unit.RECORDS
) -> Iterator[T]:
    """Give the items and count what each is worth."""
    with long_work(what, total=total, unit=unit) as work:
        for item in items:
            yield item
            work.add(size(item))
