"""Who watches is told what is done and how far it is, in threads and tasks too; where nobody does, nothing happens."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from glacier_purge.long_work import LongWork, Unit, counted, long_work, told_as_one, undisturbed, watched_by

if TYPE_CHECKING:
    from collections.abc import Iterator


class Watching:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.works: list[LongWork] = []

    def begins(self, work: LongWork) -> None:
        self.works.append(work)
        self.told.append(f"begins {work.what}")

    def ends(self, work: LongWork) -> None:
        self.told.append(f"ends {work.what} at {work.done} of {work.total}")

    @contextmanager
    def stand_aside(self) -> Iterator[None]:
        self.told.append("aside")
        yield
        self.told.append("back")


def test_a_work_is_told_counted_and_over_also_where_it_fails() -> None:
    watching = Watching()
    with watched_by(watching):
        assert list(counted("counting", ["a", "bb"], len, total=3, unit=Unit.BYTES)) == ["a", "bb"]
        with undisturbed():
            pass
        with suppress(ZeroDivisionError), long_work("failing", done=2) as work:
            work.add(1)
            raise ZeroDivisionError
        with watched_by(None), long_work("unseen"):
            pass
    with long_work("unseen"), undisturbed():
        pass
    assert watching.told == [
        "begins counting",
        "ends counting at 3 of 3",
        "aside",
        "back",
        "begins failing",
        "ends failing at 3 of None",
    ]


def test_parts_of_a_work_are_not_told_but_a_person_is_left_alone() -> None:
    watching = Watching()
    with watched_by(watching), long_work("whole", total=2) as whole:
        with told_as_one(), long_work("part"), undisturbed():
            whole.add(2)
        with long_work("another"):
            pass
    with told_as_one(), long_work("unseen"):
        pass
    assert watching.told == [
        "begins whole",
        "aside",
        "back",
        "begins another",
        "ends another at 0 of None",
        "ends whole at 2 of 2",
    ]


async def test_threads_and_tasks_take_their_watcher_along_and_each_its_own() -> None:
    """As a fleet's vaults do, side by side."""
    both = Watching(), Watching()

    async def vault(watching: Watching) -> None:
        with watched_by(watching):
            await asyncio.to_thread(lambda: list(counted("reading", [1, 2], lambda _: 1)))

    await asyncio.gather(*map(vault, both))
    assert [watching.told for watching in both] == [["begins reading", "ends reading at 2 of None"]] * 2
