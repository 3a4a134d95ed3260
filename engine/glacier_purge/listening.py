"""Opens the queue that settings name, one listener for all vaults of a process that share it.

The only place that chooses the adapter for it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from glacier_purge.inventory.announcements import Announcements
from glacier_purge.service.queue_address import queue_region
from glacier_purge.service.sqs import open_queue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from glacier_purge.archive import Vault
    from glacier_purge.service.access import Access
    from glacier_purge.settings import Settings


class Listeners:
    """The listeners of a process, each opened when it is first asked for. Made by ``listeners``."""

    def __init__(self, opened: AsyncExitStack, tell: Callable[[str], None]) -> None:
        self._opened = opened
        self._tell = tell
        self._known: dict[tuple[str, str | None], Announcements] = {}

    async def of(self, vault: Vault, access: Access, settings: Settings) -> Announcements | None:
        """The listener for ``vault``; None where the settings name no queue. Sends nothing.

        Raises ``UsageError`` for a queue that must not be listened to.
        """
        url = settings.inventory.job_queue
        if url is None:
            return None
        queue_region(url, vault.region, access.endpoint_url)
        key = (url, access.profile)
        if key not in self._known:
            queue = await self._opened.enter_async_context(open_queue(url, access, vault.region))
            self._known[key] = Announcements(queue, self._tell)
        return self._known[key]


@asynccontextmanager
async def listeners(tell: Callable[[str], None]) -> AsyncIterator[Listeners]:
    """Have listeners; ``tell`` gets what a person should know about a queue."""
    async with AsyncExitStack() as opened:
        yield Listeners(opened, tell)
