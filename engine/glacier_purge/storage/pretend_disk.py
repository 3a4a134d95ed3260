"""A disk in memory that can fail at any operation and lose power between any two.

It keeps what a real disk promises apart from what it merely shows: bytes appended but not fsynced, a cut not fsynced,
and names made, changed or removed since their own folder was last fsynced.  ``after_power_cut`` makes one of the disks
that may be found afterwards: what was promised, and of the rest what the given choices let survive (for appended bytes
any 512-byte sectors, the others read as zeros; for names a beginning of the changes of each folder).  A folder is a
name in the folder above it, and without that all that lies in it is lost.  File systems with one journal keep more
than this, and POSIX promises no more.
Tests, benchmarks and anyone who wants to know what a crash costs need it, so it ships with the package.
Everything runs in the calling thread, so that virtual time stays exact.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import PurePosixPath
from typing import NamedTuple, TypeVar

T = TypeVar("T")

SECTOR_BYTES = 512
"""What a disk writes whole or not at all."""


class Survival(NamedTuple):
    """What of the unpromised survives a power cut, decided by the one who cuts it.

    ``appended`` gets a file's name, the offset of its unsynced bytes and those, and returns what is found there;
    ``names`` gets a folder and how many changes of its names were not synced, and returns how many of them happened;
    ``cut`` tells whether an unsynced truncation happened.
    """

    appended: Callable[[str, int, bytes], bytes]
    names: Callable[[str, int], int]
    cut: Callable[[str], bool]


class _File:
    __slots__ = ("data", "durable_bytes", "lost")

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)
        self.durable_bytes = len(data)
        self.lost = b""
        """Durable bytes that an unsynced truncation took away."""


class _Folder:
    __slots__ = ()


_Change = dict[str, "_File | _Folder | None"]
"""What one operation made of some names of one folder; None where there is nothing any more."""
_Entries = dict[str, "_File | _Folder"]


class PretendDisk:
    """A run folder in memory.

    ``before`` is called with each changing operation's name and file before it happens, and may raise ``OSError`` for
    it to fail; an ``append`` that fails with ENOSPC has written half of its bytes.  ``operations`` counts them.
    """

    def __init__(
        self,
        files: dict[str, bytes] | None = None,
        before: Callable[[str, str], None] | None = None,
        folders: Iterable[str] = (),
    ) -> None:
        self.operations = 0
        self.before = before
        self._entries: _Entries = {name: _File(data) for name, data in (files or {}).items()}
        for name in (*folders, *(folder for file in files or {} for folder in _above(file))):
            self._entries.setdefault(name, _Folder())
        self._promised = dict(self._entries)
        self._changes: dict[str, list[_Change]] = {}
        """By folder, what was not synced."""

    def place(self, name: str) -> str:
        """See ``Disk``."""
        return name

    def names(self, folder: str) -> list[str]:
        """See ``Disk``."""
        return sorted(name.rpartition("/")[2] for name in self._entries if _folder_of(name) == folder)

    def size(self, name: str) -> int | None:
        """See ``Disk``."""
        file = self._entries.get(name)
        return len(file.data) if isinstance(file, _File) else None

    def read(self, name: str, offset: int = 0, length: int = -1) -> bytes:
        """See ``Disk``."""
        end = None if length < 0 else offset + length
        return bytes(self._file(name).data[offset:end])

    def make_folder(self, name: str) -> None:
        """See ``Disk``."""
        if name not in self._entries:
            self._operate("make_folder", name)
            self._change({name: _Folder()})

    def create(self, name: str) -> None:
        """See ``Disk``."""
        self._operate("create", name)
        if name in self._entries:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        self._change({name: _File()})

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
        """See ``Disk``. Its name is not promised with it."""
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
        self._change({old: None, new: self._file(old)})

    def remove(self, name: str) -> None:
        """See ``Disk``."""
        self._operate("remove", name)
        self._file(name)
        self._change({name: None})

    def sync_folder(self, folder: str) -> None:
        """See ``Disk``. It promises the names in this folder and in no other."""
        self._operate("sync_folder", folder)
        for change in self._changes.pop(folder, ()):
            _apply(change, self._promised)

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
        return {name: bytes(file.data) for name, file in self._entries.items() if isinstance(file, _File)}

    def folders(self) -> list[str]:
        """Every folder that a reader sees now, each after the one it lies in."""
        return sorted(name for name, entry in self._entries.items() if isinstance(entry, _Folder))

    def promised(self) -> dict[str, bytes]:
        """Every file as it is found whatever happens."""
        return {
            name: bytes(file.data[: file.durable_bytes]) + file.lost
            for name, file in self._promised.items()
            if isinstance(file, _File) and _is_reached(name, self._promised)
        }

    def after_power_cut(self, survival: Survival) -> PretendDisk:
        """One of the disks that may be found when the power comes back."""
        entries = dict(self._promised)
        for folder, changes in self._changes.items():
            for change in changes[: survival.names(folder, len(changes))]:
                _apply(change, entries)
        found: dict[str, bytes] = {}
        folders = []
        for name, entry in entries.items():
            if not _is_reached(name, entries):
                continue
            if isinstance(entry, _Folder):
                folders.append(name)
                continue
            kept = bytes(entry.data[: entry.durable_bytes])
            if entry.lost and not survival.cut(name):
                found[name] = kept + entry.lost
            else:
                found[name] = kept + survival.appended(name, len(kept), bytes(entry.data[entry.durable_bytes :]))
        return PretendDisk(found, folders=folders)

    def _operate(self, verb: str, name: str) -> None:
        self.operations += 1
        if self.before is not None:
            self.before(verb, name)

    def _file(self, name: str) -> _File:
        file = self._entries.get(name)
        if not isinstance(file, _File):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return file

    def _change(self, change: _Change) -> None:
        _apply(change, self._entries)
        for folder in {_folder_of(name) for name in change}:
            here = {name: entry for name, entry in change.items() if _folder_of(name) == folder}
            self._changes.setdefault(folder, []).append(here)


def _apply(change: _Change, entries: _Entries) -> None:
    for name, entry in change.items():
        if entry is None:
            entries.pop(name, None)
        else:
            entries[name] = entry


def _folder_of(name: str) -> str:
    return name.rpartition("/")[0] or "."


@lru_cache(maxsize=4096)
def _above(name: str) -> tuple[str, ...]:
    return tuple(str(folder) for folder in PurePosixPath(name).parents)[:-1]


def _is_reached(name: str, entries: _Entries) -> bool:
    return all(folder in entries for folder in _above(name))
