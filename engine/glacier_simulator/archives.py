"""Everything a vault ever held, by index, and what became of it.

An archive keeps its index for ever.  First come the generated archives, which are a rule and no data; after
them those that were loaded or uploaded, which are records.  Next to them lie three bytes for each index:
whether the archive is gone, how many deletes for it reached the operation, and how many were turned away for
rate (both stop counting at 255).  Deletes of ids that were never here are counted, not remembered.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from glacier_simulator import dates
from glacier_simulator.generated import Generated, pattern
from glacier_simulator.identifiers import Identifiers

OVERHEAD_BYTES = 32 * 1024
"""What the service adds to each archive for index and metadata, counted in SizeInBytes (AWS, "object archival")."""

_COUNT_MAX = 255
_FILLER_WORD = b"filler. "
_FILLER = _FILLER_WORD * 8193  # 64 KiB from any place in the word


class Record(msgspec.Struct, gc=False):
    """An archive as data. ``created`` is as inventories write it; ``body`` is None where only the record was loaded."""

    archive_id: str
    description: str
    created: str
    size_bytes: int
    tree_hash: str
    body: bytes | None = None


class ShelfState(msgspec.Struct):
    """A shelf as plain data."""

    number: int
    generated: Generated
    records: list[Record]
    gone: bytes
    received: bytes
    throttled: bytes


class Shelf:
    """The archives of one vault, alive and gone. Shelf numbers are never used twice."""

    __slots__ = (
        "_generated",
        "_identifiers",
        "_loaded",
        "_records",
        "distinct_received",
        "gone",
        "live",
        "live_bytes",
        "number",
        "received",
        "throttled",
    )

    def __init__(self, number: int, identifiers: Identifiers, generated: Generated | None = None) -> None:
        self.number = number
        self._identifiers = identifiers
        self._generated = generated or Generated(0, 0, 0.0, 0.0)
        self._records: list[Record] = []
        self._loaded: dict[str, int] = {}
        count = self._generated.count
        self.gone = bytearray(count)
        self.received = bytearray(count)
        self.throttled = bytearray(count)
        self.live = count
        self.live_bytes = self._generated.total_size_bytes() + count * OVERHEAD_BYTES
        self.distinct_received = 0

    def __len__(self) -> int:
        return len(self.gone)

    @property
    def generated(self) -> Generated:
        """The rule for the first ``generated.count`` archives."""
        return self._generated

    def find(self, archive_id: str) -> int | None:
        """The index of an archive that is or was here."""
        place = self._identifiers.locate(archive_id)
        if place is not None and place[0] == self.number and place[1] < len(self.gone):
            return place[1]
        return self._loaded.get(archive_id)

    def add(self, record: Record) -> None:
        """Put a record with an id of its own on the shelf. An id already here is a fault of whoever loads."""
        if self.find(record.archive_id) is not None:
            raise ValueError(f"archive {record.archive_id} is here already")
        self._loaded[record.archive_id] = len(self.gone)
        self._append(record)

    def next_archive_id(self) -> str:
        """The id that the next uploaded archive gets."""
        return self._identifiers.archive_id(self.number, len(self.gone))

    def upload(self, record: Record) -> None:
        """Put a record on the shelf whose id is ``next_archive_id()``."""
        self._append(record)

    def remove(self, index: int) -> bool:
        """Take an archive off; False when it was gone already."""
        if self.gone[index]:
            return False
        self.gone[index] = 1
        self.live -= 1
        self.live_bytes -= self.size_bytes(index) + OVERHEAD_BYTES
        return True

    def count_received(self, index: int) -> None:
        """Note that a delete for this archive reached the operation."""
        count = self.received[index]
        if count == 0:
            self.distinct_received += 1
        if count < _COUNT_MAX:
            self.received[index] = count + 1

    def count_throttled(self, index: int) -> None:
        """Note that a delete for this archive was turned away for rate."""
        if self.throttled[index] < _COUNT_MAX:
            self.throttled[index] += 1

    def size_bytes(self, index: int) -> int:
        """An archive's size, without overhead."""
        generated = self._generated
        if index < generated.count:
            sizes = pattern(generated.seed).sizes
            return sizes[index % len(sizes)]
        return self._records[index - generated.count].size_bytes

    def archive_id(self, index: int) -> str:
        """An archive's id."""
        if index < self._generated.count:
            return self._identifiers.archive_id(self.number, index)
        return self._records[index - self._generated.count].archive_id

    def tree_hash(self, index: int) -> str:
        """The stand-in for a generated archive's tree hash."""
        return self._identifiers.tree_hash(self.number, index)

    def record(self, index: int) -> Record:
        """An archive as data, made on the spot if it is a generated one."""
        generated = self._generated
        if index >= generated.count:
            return self._records[index - generated.count]
        forms, sizes = pattern(generated.seed)[:2]
        return Record(
            self._identifiers.archive_id(self.number, index),
            forms[index % len(forms)].describe(index),
            dates.in_seconds(generated.created(index)),
            sizes[index % len(sizes)],
            self.tree_hash(index),
        )

    def created(self, index: int) -> float:
        """When an archive was uploaded, epoch seconds."""
        if index < self._generated.count:
            return self._generated.created(index)
        return dates.read(self._records[index - self._generated.count].created) or 0.0

    def live_indices(self) -> Iterator[int]:
        """All archives that are not gone, in order of upload."""
        return indices_of(0, self.gone)

    def state(self) -> ShelfState:
        """All there is to keep."""
        return ShelfState(
            self.number,
            self._generated,
            self._records,
            bytes(self.gone),
            bytes(self.received),
            bytes(self.throttled),
        )

    @classmethod
    def restored(cls, state: ShelfState, identifiers: Identifiers) -> Shelf:
        """Build the shelf again from what was kept."""
        shelf = cls(state.number, identifiers, state.generated)
        for record in state.records:
            place = identifiers.locate(record.archive_id)
            if place is None or place != (state.number, len(shelf.gone)):
                shelf._loaded[record.archive_id] = len(shelf.gone)
            shelf._append(record)
        for index in indices_of(1, state.gone):
            shelf.remove(index)
        shelf.received = bytearray(state.received)
        shelf.throttled = bytearray(state.throttled)
        shelf.distinct_received = len(state.received) - state.received.count(0)
        return shelf

    def _append(self, record: Record) -> None:
        self._records.append(record)
        self.gone.append(0)
        self.received.append(0)
        self.throttled.append(0)
        self.live += 1
        self.live_bytes += record.size_bytes + OVERHEAD_BYTES


def indices_of(mark: int, marks: bytes | bytearray) -> Iterator[int]:
    """Positions of a byte, found at the speed of ``find``."""
    position = marks.find(mark)
    while position >= 0:
        yield position
        position = marks.find(mark, position + 1)


def filler(start: int, stop: int) -> Iterator[bytes]:
    """Bytes ``start`` to ``stop`` of an archive that has none: the same eight characters over and over."""
    while start < stop:
        end = min(stop, start + len(_FILLER))
        shift = start % len(_FILLER_WORD)
        yield _FILLER[shift : shift + end - start]
        start = end
