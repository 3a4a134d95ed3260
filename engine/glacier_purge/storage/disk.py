"""What the audit asks of a disk, and the real one.

The journal's promises rest on a few operations: append, fdatasync, rename, fsync of a folder.  They stand behind a
small ``Disk`` so that the same code runs on files (``FileDisk``) and on a pretended disk that can lose power at any
operation (``pretend_disk``).  All file operations are plain calls; ``in_writer`` and ``aside`` say on which thread a
bundle of them runs: the log has one writer thread for life, and slow work (checkpoints, sealing) has another.
``FileDisk`` never follows a symbolic link, never retries a failed operation, and lets ``OSError`` through; a file in
which others have a hand is ``NotOurs``.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol, TypeVar

from glacier_purge.errors import AuditDamaged
from glacier_purge.storage.ownership import open_own

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")

_APPEND = os.O_WRONLY | os.O_APPEND
_data_sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class Disk(Protocol):
    """One run folder. Names are relative to it, with ``/``; the folder itself is ``.``. Failures are ``OSError``."""

    def names(self, folder: str) -> list[str]:
        """The names in a folder, sorted; empty when there is no such folder."""

    def size(self, name: str) -> int | None:
        """A file's size in bytes; None when there is no such file."""

    def read(self, name: str, offset: int = 0, length: int = -1) -> bytes:
        """Read up to ``length`` bytes (-1: to the end) from ``offset``."""

    def make_folder(self, name: str) -> None:
        """Make a folder if it is missing."""

    def create(self, name: str) -> None:
        """Make an empty file; it must not be there yet. Durable only after ``sync_folder``."""

    def append(self, name: str, data: bytes) -> None:
        """Write all of ``data`` at the end of a file."""

    def sync(self, name: str) -> None:
        """Make a file's content durable (fdatasync)."""

    def truncate(self, name: str, size: int) -> None:
        """Cut a file to ``size`` bytes."""

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, replacing what had it."""

    def remove(self, name: str) -> None:
        """Remove a file."""

    def sync_folder(self, folder: str) -> None:
        """Make a folder's entries durable (fsync)."""

    async def in_writer(self, work: Callable[[], T]) -> T:
        """Run ``work`` in the one thread that writes the log."""

    async def aside(self, work: Callable[[], T]) -> T:
        """Run slow ``work`` where it does not hold up the log."""

    async def aclose(self) -> None:
        """Wait for work under way and let go of all files."""


class FileDisk:
    """The real disk: a run folder, files 0600, folders 0700."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._appending: dict[str, int] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="audit-writer")
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="audit-aside")

    def names(self, folder: str) -> list[str]:
        """See ``Disk``."""
        try:
            return sorted(os.listdir(self._folder / folder))  # noqa: PTH208 - names, not paths
        except FileNotFoundError:
            return []
        except NotADirectoryError as error:
            raise AuditDamaged("something else stands in this folder's place", file=folder, offset_bytes=0) from error

    def size(self, name: str) -> int | None:
        """See ``Disk``."""
        try:
            return (self._folder / name).stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            return None

    def read(self, name: str, offset: int = 0, length: int = -1) -> bytes:
        """See ``Disk``."""
        with os.fdopen(open_own(self._folder / name), "rb", buffering=0) as file:
            file.seek(offset)
            if length < 0:
                return file.readall()
            return file.read(length) or b""

    def make_folder(self, name: str) -> None:
        """See ``Disk``."""
        (self._folder / name).mkdir(mode=0o700, exist_ok=True)

    def create(self, name: str) -> None:
        """See ``Disk``."""
        self._appending[name] = open_own(self._folder / name, _APPEND | os.O_CREAT | os.O_EXCL)

    def append(self, name: str, data: bytes) -> None:
        """See ``Disk``."""
        descriptor = self._open_to_append(name)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    def sync(self, name: str) -> None:
        """See ``Disk``."""
        _data_sync(self._open_to_append(name))

    def truncate(self, name: str, size: int) -> None:
        """See ``Disk``."""
        os.ftruncate(self._open_to_append(name), size)

    def rename(self, old: str, new: str) -> None:
        """See ``Disk``."""
        self._let_go(old)
        self._let_go(new)
        (self._folder / old).replace(self._folder / new)

    def remove(self, name: str) -> None:
        """See ``Disk``."""
        self._let_go(name)
        (self._folder / name).unlink()

    def sync_folder(self, folder: str) -> None:
        """See ``Disk``."""
        descriptor = os.open(self._folder / folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    async def in_writer(self, work: Callable[[], T]) -> T:
        """See ``Disk``."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, work)

    async def aside(self, work: Callable[[], T]) -> T:
        """See ``Disk``."""
        return await asyncio.get_running_loop().run_in_executor(self._aside, work)

    async def aclose(self) -> None:
        """See ``Disk``."""
        self._writer.shutdown()
        self._aside.shutdown()
        while self._appending:
            os.close(self._appending.popitem()[1])

    def _open_to_append(self, name: str) -> int:
        descriptor = self._appending.get(name)
        if descriptor is None:
            descriptor = self._appending[name] = open_own(self._folder / name, _APPEND)
        return descriptor

    def _let_go(self, name: str) -> None:
        descriptor = self._appending.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)
