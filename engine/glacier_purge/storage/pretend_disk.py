"""A disk in memory that can fail at any operation and lose power between any two.

It keeps what a real disk promises apart from what it merely shows: bytes appended but not fsynced, a cut not fsynced,
and names made, changed or removed since the folder was last fsynced.  ``after_power_cut`` makes one of the disks that
may be found afterwards: what was promised, and of the rest what the given choices let survive (for appended bytes
any 512-byte sectors, the others read as zeros; for names a beginning of the changes, as journaling file systems do).
Tests, benchmarks and anyone who wants to know what a crash costs need it, so it ships with the package.
Everything runs in the calling thread, so that virtual time stays exact.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import NamedTuple, TypeVar

T = TypeVar("T")

SECTOR_BYTES = 512
"""What a disk writes whole or not at all."""


class Survival(NamedTuple):
    """What of the unpromised survives a power cut, decided by the one who cuts it.

    ``appended`` gets a file's name, the offset of its unsynced bytes and those, and returns what is found there;
    ``names`` gets how many changes of names were not synced and returns how many of them happened;
    ``cut`` tells whether an unsynced truncation happened.
    """

    appended: Callable[[str, int, bytes], bytes]
    names: Callable[[int], int]
    cut: Callable[[str], bool]


class _File:
    __slots__ = ("data", "durable_bytes", "lost")

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)
        self.durable_bytes = len(data)
        self.lost = b""
        """Durable bytes that an unsynced truncation took away."""


class PretendDisk:
    """A run folder in memory.

    ``before`` is called with each changing operation's name and file before it happens, and may raise ``OSError`` for
    it to fail; an ``append`` that fails with ENOSPC has written half of its bytes.  ``operations`` counts them.
    """

    def __init__(self, files: dict[str, bytes] | None = None, before: Callable[[str, str], None] | None = None) -> None:
        self.operations = 0
        self.before = before
        self._files = {name: _File(data) for name, data in (files or {}).items()}
        self._promised = dict(self._files)
        self._changes: list[dict[str, _File]] = []

    def place(self, name: str) -> str:
        """See ``Disk``."""
        return name

    def names(self, folder: str) -> list[str]:
        """See ``Disk``."""
        start = "" if folder == "." else folder + "/"
        return sorted(name[len(start) :] for name in self._files if name.startswith(start))

    def size(self, name: str) -> int | None:
        """See ``Disk``."""
        file = self._files.get(name)
        return None if file is None else len(file.data)

    def read(self, name: str, offset: int = 0, length: int = -1) -> bytes:
        """See ``Disk``."""
        end = None if length < 0 else offset + length
        return bytes(self._file(name).data[offset:end])

    def make_folder(self, name: str) -> None:
        """See ``Disk``. Folders are only parts of names here."""

    def create(self, name: str) -> None:
        """See ``Disk``."""
        self._operate("create", name)
        if name in self._files:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        self._files[name] = _File()
        self._changes.append(dict(self._files))

    def append(self, name: str, data: bytes) -> None:
        """See ``Disk``."""
        file = self._file(name)
        try:
            self._operate("append", name)
        except OSError as failure:
            if failure.errno == errno.ENOSPC:
                file.data += data[: len(data) // 2]
            raise
        file.data += data

    def sync(self, name: str) -> None:
        """See ``Disk``."""
        self._operate("sync", name)
        file = self._file(name)
        file.durable_bytes = len(file.data)
        file.lost = b""

    def truncate(self, name: str, size: int) -> None:
        """See ``Disk``."""
        self._operate("truncate", name)
        file = self._file(name)
        file.lost = bytes(file.data[size : file.durable_bytes])
        file.durable_bytes = min(size, file.durable_bytes)
        del file.data[size:]

    def rename(self, old: str, new: str) -> None:
        """See ``Disk``."""
        self._operate("rename", old)
        self._file(old)
        self._files[new] = self._files.pop(old)
        self._changes.append(dict(self._files))

    def remove(self, name: str) -> None:
        """See ``Disk``."""
        self._operate("remove", name)
        self._file(name)
        del self._files[name]
        self._changes.append(dict(self._files))

    def sync_folder(self, folder: str) -> None:
        """See ``Disk``. Like a real journal, it makes all earlier changes of names durable."""
        self._operate("sync_folder", folder)
        self._promised = dict(self._files)
        self._changes = []

    async def in_writer(self, work: Callable[[], T]) -> T:
        """See ``Disk``."""
        return work()

    async def aside(self, work: Callable[[], T]) -> T:
        """See ``Disk``."""
        return work()

    async def aclose(self) -> None:
        """See ``Disk``."""

    def contents(self) -> dict[str, bytes]:
        """Every file as a reader sees it now."""
        return {name: bytes(file.data) for name, file in self._files.items()}

    def promised(self) -> dict[str, bytes]:
        """Every file as it is found whatever happens."""
        return {name: bytes(file.data[: file.durable_bytes]) + file.lost for name, file in self._promised.items()}

    def after_power_cut(self, survival: Survival) -> PretendDisk:
        """One of the disks that may be found when the power comes back."""
        happened = survival.names(len(self._changes))
        names = self._changes[happened - 1] if happened else self._promised
        found: dict[str, bytes] = {}
        for name, file in names.items():
            kept = bytes(file.data[: file.durable_bytes])
            if file.lost and not survival.cut(name):
                found[name] = kept + file.lost
            else:
                found[name] = kept + survival.appended(name, len(kept), bytes(file.data[file.durable_bytes :]))
        return PretendDisk(found)

    def _operate(self, verb: str, name: str) -> None:
        self.operations += 1
        if self.before is not None:
            self.before(verb, name)

    def _file(self, name: str) -> _File:
        try:
            return self._files[name]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name) from None
