"""One delete, awaited: what a test of a transport asks for, and a pool never does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glacier_purge.archive import ArchiveId
    from glacier_purge.service.port import Glacier, Settle
    from glacier_purge.service.reply import Reply


def into(answer: asyncio.Future[Reply]) -> Settle:
    """Settle a future, unless the test has given up on it."""

    def settle(reply: Reply) -> None:
        if not answer.done():
            answer.set_result(reply)

    return settle


async def delete(glacier: Glacier, archive_id: ArchiveId) -> Reply:
    """Send one DeleteArchive and wait for its reply."""
    answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    later = glacier.delete_archive(archive_id, into(answer))
    if later is not None:
        await later()
    return await answer
