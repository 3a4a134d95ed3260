"""Rows about archives, found by archive id: lists of ids and manifests of any length, in flat memory.

The rows lie in a nameless file in the order in which they came.  Beside it lies an index of 8 bytes a row, sorted:
32 bits of the id's hash (Python's own, paid for anyway) and 32 bits of where the row is.  The hash only says where to
look.  What is found there is compared with the whole id, so nothing is ever selected or excluded because two hashes
are alike.  Only the index is mapped, and what is mapped is the system's page cache, which it can take back.

Rejected: sqlite with the id as its key, which takes ids in random order into a B-tree (a million rows of 150 bytes:
9.3 us each to build and 8.8 us to ask, where this takes 1.4 us and 2.3 us); sorting manifest and inventory and merging
them, which sorts the larger side to use the smaller.
"""

from __future__ import annotations

import os
import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO

from glacier_purge.errors import UsageError
from glacier_purge.long_work import Unit, counted

_HEAD = struct.Struct("<HI")
"""Lengths of the id and of what stands about it."""
_ALIGNED_BYTES = 64
"""Rows begin at multiples of it, so 32 bits reach through 256 GiB of them."""
_SIZE_BYTES_MAX = _ALIGNED_BYTES << 32
_KEY_BYTES = 8
_READ_BYTES = 512
"""Nearly every row fits; a longer one is read in two."""
_RUN_KEYS = 1 << 16
_SLICES = 1 << 10
_SLICE_BOUNDS = [number << 54 for number in range(1, _SLICES)]
_HASH_MASK = 0xFFFF_FFFF


class Rows:
    """Fill it with ``add``, ``seal`` it, then ask it: ``with Rows(folder) as rows: ...``. Ids may stand repeatedly."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - closed by its owner, who outlives this call
        self._size_bytes = 0
        self._keys: list[int] = []
        self._runs = _Runs(folder)
        self._index_file: IO[bytes] | None = None
        self._index: memoryview | array[int] = array("Q")
        self._begins = [0] * (_SLICES + 1)

    def __enter__(self) -> Rows:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(self._index, memoryview):
            self._index.release()
        self._file.close()
        if self._index_file is not None:
            self._index_file.close()
        self._runs.close()

    def __len__(self) -> int:
        return self._begins[-1]

    def add(self, archive_id: str, row: bytes = b"") -> None:
        """Take in one row; ids have any characters of ASCII."""
        name = archive_id.encode("ascii")
        length = _HEAD.size + len(name) + len(row)
        padding = -length % _ALIGNED_BYTES
        if self._size_bytes + length > _SIZE_BYTES_MAX:
            raise UsageError("more rows than 256 GiB can hold: split the manifest.")
        self._file.write(_HEAD.pack(len(name), len(row)) + name + row + bytes(padding))
        self._keys.append((hash(archive_id) & _HASH_MASK) << 32 | self._size_bytes // _ALIGNED_BYTES)
        self._size_bytes += length + padding
        if len(self._keys) >= _RUN_KEYS:
            self._runs.append(self._keys)
            self._keys = []

    def seal(self) -> None:
        """Sort the index. No rows can be added afterwards, none found before."""
        self._runs.append(self._keys)
        self._keys = []
        self._file.flush()
        if not self._size_bytes:
            return
        index = self._index_file = TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed on leaving
        slices = counted("sorting what was read", self._runs.slices(), lambda _: 1, total=_SLICES, unit=Unit.PARTS)
        for number, keys in enumerate(slices):
            array("Q", sorted(keys)).tofile(index)
            self._begins[number + 1] = self._begins[number] + len(keys)
        index.flush()
        self._index = memoryview(mmap(index.fileno(), 0, access=ACCESS_READ)).cast("Q")

    def positions(self, archive_id: str) -> list[int]:
        """Where rows about ``archive_id`` stand in the index; positions run from 0 to ``len(self) - 1``."""
        key = (hash(archive_id) & _HASH_MASK) << 32
        number = key >> 54
        found: list[int] = []
        end = self._begins[number + 1]
        at = bisect_left(self._index, key, self._begins[number], end)
        while at < end and self._index[at] ^ key <= _HASH_MASK:
            if self._read(at)[0] == archive_id.encode():
                found.append(at)
            at += 1
        return found

    def row(self, position: int) -> bytes:
        """What stands about the archive at ``position``."""
        return self._read(position)[1]

    def archive_id(self, position: int) -> str:
        """Whose row stands at ``position``."""
        return self._read(position)[0].decode("ascii")

    def _read(self, position: int) -> tuple[bytes, bytes]:
        begin = (self._index[position] & _HASH_MASK) * _ALIGNED_BYTES
        content = os.pread(self._file.fileno(), _READ_BYTES, begin)
        id_bytes, row_bytes = _HEAD.unpack_from(content)
        name_ends = _HEAD.size + id_bytes
        row_ends = name_ends + row_bytes
        if row_ends > len(content):
            content += os.pread(self._file.fileno(), row_ends - len(content), begin + len(content))
        return content[_HEAD.size : name_ends], content[name_ends:row_ends]


class _Runs:
    """Sorted runs of keys in one file, and where in each run each slice of all keys ends."""

    def __init__(self, folder: Path) -> None:
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - closed by its owner
        self._begins: list[int] = []
        self._bounds: list[array[int]] = []

    def close(self) -> None:
        self._file.close()

    def append(self, keys: list[int]) -> None:
        keys.sort()
        self._begins.append(self._file.tell())
        self._bounds.append(array("I", [0, *(bisect_left(keys, bound) for bound in _SLICE_BOUNDS), len(keys)]))
        array("Q", keys).tofile(self._file)

    def slices(self) -> Iterator[array[int]]:
        for number in range(_SLICES):
            keys = array("Q")
            for begin, bounds in zip(self._begins, self._bounds, strict=True):
                self._file.seek(begin + bounds[number] * _KEY_BYTES)
                keys.frombytes(self._file.read((bounds[number + 1] - bounds[number]) * _KEY_BYTES))
            yield keys
