"""Downloads a job's output in ranges, so that a connection that breaks costs what was under way and nothing else.

Inventories come to gigabytes, and single downloads of them do break (glacier-vault-remove #10: after 156 of 2,853 MB).
What arrived is kept in ``inventory.part``; how long that is, is all there is to know for going on, in this process or a
later one.  There is no checksum for inventories, so length is checked here, and everything else by reading it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import anyio
import anyio.to_thread

from glacier_purge.glacier.control import GlacierControl, NoAnswer
from glacier_purge.long_work import LongWork, Unit, long_work
from glacier_purge.storage.disk import FolderFiles, writing

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
    gone, and ``DiskFailed`` when the disk does not take it.
    """
    fruitless = 0
    file = _Part(part)
    have = file.size_bytes()
    with long_work("downloading the inventory", total=size_bytes, unit=Unit.BYTES, done=have) as work:
        while (have := file.size_bytes()) < size_bytes:
            last = min(have + chunk_bytes, size_bytes) - 1
            try:
                await _take(control, job_id, have, last, file, work)
            except NoAnswer:
                fruitless = 0 if file.size_bytes() > have else fruitless + 1
                if fruitless >= FRUITLESS_TRIES_MAX:
                    raise
                await sleep(min(2.0**fruitless, _WAIT_SECONDS_MAX))
            else:
                fruitless = 0


async def _take(control: GlacierControl, job_id: str, first: int, last: int, file: _Part, work: LongWork) -> None:
    """Append one range, and what came of it when it breaks off."""
    try:
        async with aclosing(control.job_output(job_id, first, last)) as pieces:
            async for piece in pieces:
                await anyio.to_thread.run_sync(file.append, piece)
                work.add(len(piece))
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(file.sync)


class _Part:
    """The file that the output comes into."""

    def __init__(self, part: Path) -> None:
        self._part = part
        self._files = FolderFiles(part.parent)
        if self._files.size(part.name) is None:
            with writing(self._files, part.name):
                self._files.create(part.name)

    def size_bytes(self) -> int:
        """How much of it is here."""
        return self._files.size(self._part.name) or 0

    def append(self, piece: bytes) -> None:
        """Take in the next piece."""
        with writing(self._files, self._part.name):
            self._files.append(self._part.name, piece)

    def sync(self) -> None:
        """Make what came durable."""
        with writing(self._files, self._part.name):
            self._files.sync(self._part.name)
