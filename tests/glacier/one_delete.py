"""One delete, awaited: what a test of a transport asks for, and a pool never does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glacier_purge.archive import ArchiveId
    from glacier_purge.glacier.port import Glacier
    from glacier_purge.glacier.reply import Reply


def _future() -> asyncio.Future[Reply]:
    return asyncio.get_running_loop().create_future()


@dataclass
class Asked:
    """A delete that was asked for, and the reply to it."""

    archive_id: ArchiveId
    answer: asyncio.Future[Reply] = field(default_factory=_future)


def settle(replies: Sequence[tuple[Asked, Reply]]) -> None:
    """Give replies to those who asked, unless they have given up."""
    for asked, reply in replies:
        if not asked.answer.done():
            asked.answer.set_result(reply)


async def delete(glacier: Glacier, archive_id: ArchiveId) -> Reply:
    """Send one DeleteArchive and wait for its reply."""
    glacier.deliver_to(settle)
    asked = Asked(archive_id)
    for later in glacier.delete_archives([asked]):
        await later()
    return await asked.answer
