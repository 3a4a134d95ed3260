"""What is asked of a disk by whoever writes what must survive a crash, and the real one.

Its promises rest on a few operations: append, fdatasync, rename, fsync of a folder.  They stand behind ``Files`` so
that the same code runs on a real folder (``FolderFiles``) and on a pretended disk that can lose power at any operation
(``pretend_disk``).  All of them are plain calls.  A ``Disk`` is for the audit log: beside them, ``in_writer`` and
``aside`` say on which thread a bundle of them runs, because the log has one writer thread for life, and slow work
(checkpoints, sealing) has another; the real one (``FileDisk``) keeps its files open.  Neither follows a symbolic link
or retries a failed operation, and both let ``OSError`` through; a file in which others have a hand is ``NotOurs``.
Writers that have nothing better to say than that the disk did not take it say it by ``writing``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from glacier_purge.errors import AuditDamaged, DiskFailed
from glacier_purge.storage.file_system import ADVICE, described, is_lacking, sync_folder
from glacier_purge.storage.ownership import open_own

T = TypeVar("T")

_APPEND = os.O_WRONLY | os.O_APPEND
_data_sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class Files(Protocol):
    """The files of one folder. Names are relative to it, with ``/``; itself is ``.``. Failures are ``OSError``."""

    def place(self, name: str) -> str:
        """What a file is called when people are told of it."""

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


class Disk(Files, Protocol):
    """A run folder that an audit log is written in."""

    async def in_writer(self, work: Callable[[], T]) -> T:
        """Run ``work`` in the one thread that writes the log."""

    async def aside(self, work: Callable[[], T]) -> T:
        """Run slow ``work`` where it does not hold up the log."""

    async def aclose(self) -> None:
        """Wait for work under way and let go of all files."""


@contextmanager
def writing(files: Files, name: str) -> Iterator[None]:
    """Raise ``DiskFailed``, which names the file, when the system does not take what is written to it.

    ``FileExistsError`` is let through: that a file is there already is not the disk's fault.
    """
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        advice = "Mend the disk, or make room on it, and give the same command again."
        if is_lacking(error):
            advice = f"It lies on {described(Path(files.place(name)))}, which can't do that. {ADVICE}"
        raise DiskFailed(f"{files.place(name)} can't be written: {error.strerror}. {advice}") from error


class FolderFiles:
    """A real folder: files 0600, folders 0700. It opens a file for each operation, so there is nothing to close."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, name: str) -> str:
        """See ``Files``."""
        return str(self._folder / name)

    def names(self, folder: str) -> list[str]:
        """See ``Files``."""
        try:
            return sorted(os.listdir(self._folder / folder))  # noqa: PTH208 - names, not paths
        except FileNotFoundError:
            return []
        except NotADirectoryError as error:
            raise AuditDamaged("something else stands in this folder's place", file=folder, offset_bytes=0) from error

    def size(self, name: str) -> int | None:
        """See ``Files``."""
        try:
            return (self._folder / name).stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            return None

    def read(self, name: str, offset: int = 0, length: int = -1) -> bytes:
        """See ``Files``."""
        with os.fdopen(open_own(self._folder / name), "rb", buffering=0) as file:
            file.seek(offset)
            if length < 0:
                return file.readall()
            return file.read(length) or b""

    def make_folder(self, name: str) -> None:
        """See ``Files``."""
        (self._folder / name).mkdir(mode=0o700, exist_ok=True)

    def create(self, name: str) -> None:
        """See ``Files``."""
        os.close(self._created(name))

    def append(self, name: str, data: bytes) -> None:
        """See ``Files``."""
        with self._to_append(name) as descriptor:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]

    def sync(self, name: str) -> None:
        """See ``Files``."""
        with self._to_append(name) as descriptor:
            _data_sync(descriptor)

    def truncate(self, name: str, size: int) -> None:
        """See ``Files``."""
        with self._to_append(name) as descriptor:
            os.ftruncate(descriptor, size)

    def rename(self, old: str, new: str) -> None:
        """See ``Files``."""
        (self._folder / old).replace(self._folder / new)

    def remove(self, name: str) -> None:
        """See ``Files``."""
        (self._folder / name).unlink()

    def sync_folder(self, folder: str) -> None:
        """See ``Files``."""
        sync_folder(self._folder / folder)

    def _created(self, name: str) -> int:
        return open_own(self._folder / name, _APPEND | os.O_CREAT | os.O_EXCL)

    @contextmanager
    def _to_append(self, name: str) -> Iterator[int]:
        descriptor = open_own(self._folder / name, _APPEND)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


class FileDisk(FolderFiles):
    """The real disk: a run folder whose files stay open for the next append, until ``aclose``."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._appending: dict[str, int] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="audit-writer")
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="audit-aside")

    def create(self, name: str) -> None:
        """See ``Files``."""
        self._appending[name] = self._created(name)

    def rename(self, old: str, new: str) -> None:
        """See ``Files``."""
        self._let_go(old)
        self._let_go(new)
        super().rename(old, new)

    def remove(self, name: str) -> None:
        """See ``Files``."""
        self._let_go(name)
        super().remove(name)

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

    @contextmanager
    def _to_append(self, name: str) -> Iterator[int]:
        descriptor = self._appending.get(name)
        if descriptor is None:
            descriptor = self._appending[name] = open_own(self._folder / name, _APPEND)
        yield descriptor

    def _let_go(self, name: str) -> None:
        descriptor = self._appending.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)
