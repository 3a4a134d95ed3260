"""The pretended service on disk, so that it survives a restart: one file, replaced as a whole.

The file is written aside, flushed to the disk and renamed, so there is always a whole one.  It is written every few
seconds when something changed and once at the end; a simulator that is killed comes back as it was at the
last of these, which for deletes means that some are forgotten - as harmless here as in the real service, where they are
idempotent.  One simulator at a time may use a folder.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec
import zstandard

from glacier_purge.errors import UsageError

_STATE = "simulator.state"


class Saved(msgspec.Struct, frozen=True):
    """A service at a moment of its own time (seconds since 1970)."""

    now: float
    service: dict[str, Any]


class StateFolder:
    """A folder that one simulator holds for as long as it runs. Use with ``with``; the folder is made when missing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (self._folder / "lock").open("wb")
        except OSError as error:
            raise UsageError(f"cannot use {self._folder} as state folder: {error.strerror}.") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise UsageError(f"another simulator uses {self._folder}. Stop it, or give another --state-dir.") from error
        self._lock = lock
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.close()

    def load(self) -> Saved | None:
        """What was saved last; None when nothing was. Raises ``UsageError`` for a file that is not ours."""
        path = self._folder / _STATE
        if not path.exists():
            return None
        try:
            return msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(path.read_bytes()), type=Saved)
        except (OSError, zstandard.ZstdError, msgspec.MsgspecError) as error:
            raise UsageError(f"{path} is not the state of a simulator: {error}. Remove it to start afresh.") from error

    def save(self, saved: Saved) -> None:
        """Replace what was saved."""
        path, aside = self._folder / _STATE, self._folder / f"{_STATE}.new"
        with aside.open("wb") as file:
            file.write(zstandard.ZstdCompressor(level=1).compress(msgspec.msgpack.encode(saved)))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
