"""Finds the records whose archive id already stood earlier, in flat memory, for 0.3 µs a record.

Three steps, each only as exact as it has to be:

1. While the inventory is read, 64 bits are kept of every id: Python's own keyed string hash, which is paid for anyway.
   They are gathered in runs of ``_RUN_IDS``, each sorted and, unless it stays the only one, on disk.
2. The range of hashes is cut into slices; of one slice after the other, every run's part is loaded and hashes that
   stand there twice are marked in a fixed bitmap.  Nearly always there is none, and that was it.
3. Otherwise the inventory is read once more. Ids whose hash is marked are sorted on disk as text, each with its
   ordinal, and equal ids are then neighbours: this is exact, whatever collided before.

Memory is bounded by constants, also when a hostile inventory lists everything twice; disk is 8 bytes a record, and
about 170 for each that is in doubt.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice, pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from glacier_purge.archive import Archive
from glacier_purge.inventory.batch import Batch
from glacier_purge.long_work import Unit, counted
from glacier_purge.storage.disk import FolderFiles, writing

_RUN_IDS = 1 << 16
_SLICES = 1 << 10
"""A slice of 100 million hashes has 100,000 of them."""
_SLICE_BOUNDS = [-(1 << 63) + number * ((1 << 64) // _SLICES) for number in range(1, _SLICES)]
_HASH_BYTES = 8

_MARKS = 1 << 22
"""4 MiB, a byte a mark. Marks that fall together only bring a few ids more into step 3."""

_SORT_LINES = 1 << 15
_READ_BYTES = 1 << 13


class DuplicateFinder:
    """Show it every archive in order, then ask: ``with DuplicateFinder(folder) as finder: ...``.

    Its files are nameless ones in ``folder``, and gone when it is left.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hashes: list[int] = []
        self._runs: _Runs | None = None

    def __enter__(self) -> DuplicateFinder:
        return self

    def __exit__(self, *_: object) -> None:
        if self._runs is not None:
            self._runs.close()

    def add(self, archives: list[Archive]) -> None:
        """Take in the next archives of the inventory."""
        self._hashes += [hash(archive.archive_id) for archive in archives]
        if len(self._hashes) >= _RUN_IDS:
            self._write_run()

    def duplicates(self, read_again: Callable[[], Iterable[Batch]]) -> Iterator[tuple[int, int]]:
        """Give ``(ordinal, first_ordinal)`` of each record that repeats an id, by ordinal.

        ``read_again`` is called only if need be, and must give the same archives as before.
        """
        marks = self._marks()
        if marks is None:
            return
        doubtful = (
            f"{archive.archive_id} {archive.ordinal:016x}\n"
            for batch in read_again()
            for archive in batch.archives
            if marks[hash(archive.archive_id) % _MARKS]
        )
        repeated = _repeated(sorted_on_disk(doubtful, self._folder))
        pairs = (f"{ordinal:016x} {first:016x}\n" for ordinal, first in repeated)
        for line in sorted_on_disk(pairs, self._folder):
            ordinal, _, first = line.partition(" ")
            yield int(ordinal, 16), int(first, 16)

    def _write_run(self) -> None:
        if self._runs is None:
            self._runs = _Runs(self._folder)
        self._hashes.sort()
        self._runs.append(self._hashes)
        self._hashes = []

    def _marks(self) -> bytearray | None:
        """Mark every hash that stands twice; None when there is none."""
        marks: bytearray | None = None
        for hashes in self._slices():
            if len(set(hashes)) == len(hashes):
                continue
            marks = marks or bytearray(_MARKS)
            for one, next_one in pairwise(sorted(hashes)):
                if one == next_one:
                    marks[one % _MARKS] = 1
        return marks

    def _slices(self) -> Iterable[Sequence[int]]:
        """All hashes, equal ones never in two slices."""
        if self._runs is None:
            return [self._hashes]
        self._write_run()
        return counted("looking for repeated ids", self._runs.slices(), lambda _: 1, total=_SLICES, unit=Unit.PARTS)


class _Runs:
    """Sorted runs of hashes in one file, and where in each run each slice ends."""

    def __init__(self, folder: Path) -> None:
        self._files = FolderFiles(folder)
        with writing(self._files, "."):
            self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - closed by its owner, who outlives this call
        self._begins: list[int] = []
        self._bounds: list[array[int]] = []

    def close(self) -> None:
        self._file.close()

    def append(self, hashes: list[int]) -> None:
        self._begins.append(self._file.tell())
        self._bounds.append(array("I", [0, *(bisect_left(hashes, bound) for bound in _SLICE_BOUNDS), len(hashes)]))
        with writing(self._files, "."):
            array("q", hashes).tofile(self._file)

    def slices(self) -> Iterator[array[int]]:
        for number in range(_SLICES):
            hashes = array("q")
            for begin, bounds in zip(self._begins, self._bounds, strict=True):
                self._file.seek(begin + bounds[number] * _HASH_BYTES)
                hashes.frombytes(self._file.read((bounds[number + 1] - bounds[number]) * _HASH_BYTES))
            yield hashes


def sorted_on_disk(lines: Iterator[str], folder: Path) -> Iterator[str]:
    """Sort any number of ASCII lines, each with its newline, by a nameless file there. Raises ``DiskFailed``."""
    files = FolderFiles(folder)
    with writing(files, "."):
        nameless = TemporaryFile(dir=folder)  # noqa: SIM115 - closed below
    with nameless as file:
        spans = []
        while block := sorted(islice(lines, _SORT_LINES)):
            begin = file.tell()
            with writing(files, "."):
                file.writelines(line.encode("ascii") for line in block)
                file.flush()
            spans.append((begin, file.tell()))
            del block
        yield from merge(*(_lines_between(file, begin, end) for begin, end in spans))


def _lines_between(file: IO[bytes], begin: int, end: int) -> Iterator[str]:
    """Read the lines of one span, a piece at a time; other spans are read from the same file in between."""
    rest = b""
    while begin < end:
        file.seek(begin)
        piece = file.read(min(_READ_BYTES, end - begin))
        begin += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.decode("ascii") + "\n" for line in lines)


def _repeated(lines: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Of sorted ``id ordinal`` lines, give each ordinal whose id stood before, with the first ordinal of that id."""
    first_id, first_ordinal = "", 0
    for line in lines:
        archive_id, _, ordinal = line.partition(" ")
        if archive_id == first_id:
            yield int(ordinal, 16), first_ordinal
        else:
            first_id, first_ordinal = archive_id, int(ordinal, 16)
