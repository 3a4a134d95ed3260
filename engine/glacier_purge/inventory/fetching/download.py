"""Downloads a job's output in ranges, so that a connection that breaks costs what was under way and nothing else.

Inventories come to gigabytes, and single downloads of them do break (glacier-vault-remove #10: after 156 of 2,853 MB).
What arrived is kept in ``inventory.part``; how long that is, is all there is to know for going on, in this process or a
later one.  There is no checksum for inventories, so length is checked here, and everything else by reading it.
"""

from __future__ import annotations

import os
from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from glacier_purge.errors import UsageError
from glacier_purge.glacier.control import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from typing import IO

    from glacier_purge.glacier.control import GlacierControl

PART_FILE = "inventory.part"
FRUITLESS_TRIES_MAX = 8
"""After so many requests in a row that brought not a byte, somebody has to look."""
_WAIT_SECONDS_MAX = 30.0


async def download(
    control: GlacierControl,
    job_id: str,
    size_bytes: int,
    part: Path,
    *,
    chunk_bytes: int,
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    """Bring ``part`` to ``size_bytes``, going on where it ends.

    Raises ``NoAnswer`` after ``FRUITLESS_TRIES_MAX`` tries without progress, ``ControlRefused`` when the output is
    gone, and ``UsageError`` when the disk does not take it.
    """
    fruitless = 0
    with _opened(part) as file:
        while (have := _length(file)) < size_bytes:
            last = min(have + chunk_bytes, size_bytes) - 1
            try:
                await _take(control, job_id, have, last, file)
            except NoAnswer:
                fruitless = 0 if _length(file) > have else fruitless + 1
                if fruitless >= FRUITLESS_TRIES_MAX:
                    raise
                await sleep(min(2.0**fruitless, _WAIT_SECONDS_MAX))
            else:
                fruitless = 0


async def _take(control: GlacierControl, job_id: str, first: int, last: int, file: IO[bytes]) -> None:
    """Append one range, and what came of it when it breaks off."""
    try:
        async with aclosing(control.job_output(job_id, first, last)) as pieces:
            async for piece in pieces:
                await anyio.to_thread.run_sync(_append, file, piece)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(_sync, file)


def _opened(part: Path) -> IO[bytes]:
    try:
        return os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600), "ab")
    except OSError as error:
        raise UsageError(f"cannot write {part}: {error.strerror}.") from error


def _length(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _append(file: IO[bytes], piece: bytes) -> None:
    try:
        file.write(piece)
        file.flush()
    except OSError as error:
        raise UsageError(f"cannot write {file.name}: {error.strerror}. Make room; the same command goes on.") from error


def _sync(file: IO[bytes]) -> None:
    os.fsync(file.fileno())
