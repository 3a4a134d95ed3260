from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from glacier_purge.archive import Archive
from glacier_purge.inventory.batch import Batch


class DuplicateFinder:
    """with DuplicateFinder(folder) as finder: finder.add(batch.archives) ...; finder.duplicates(lambda: batches(...))"""

    def __init__(self, folder: Path) -> None: ...

    def __enter__(self) -> DuplicateFinder:
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        raise NotImplementedError

    def add(self, archives: list[Archive]) -> None:
        raise NotImplementedError

    def duplicates(self, read_again: Callable[[], Iterable[Batch]]) -> Iterator[tuple[int, int]]:
        """(ordinal, first_ordinal) of each record whose id stood earlier, sorted by ordinal."""
        raise NotImplementedError
