"""Replies on their way to whoever asked for the deletes: together once a turn of the event loop, not one by one.

A turn brings dozens of replies at full speed, and all that follows (settling, recording, the next deletes) costs much
less for dozens together.  Little is delayed by it: uvloop writes what a turn has sent when the turn ends in any case.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glacier_purge.service.port import Settle
    from glacier_purge.service.reply import Reply


class Replies:
    """The replies of this turn of the loop; ``deliver_to`` comes before the first."""

    __slots__ = ("_arrived", "_loop", "_settle")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._settle: Settle | None = None
        self._arrived: list[tuple[Any, Reply]] = []

    def deliver_to(self, settle: Settle) -> None:
        """Name who takes them, once and for all. Raises ``RuntimeError`` for another one."""
        if self._settle not in (None, settle):
            raise RuntimeError("replies go to somebody else already, who may still wait for some")
        self._settle = settle

    def add(self, archive: Any, reply: Reply) -> None:
        """Take the reply to the delete of ``archive``; it is delivered when this turn of the loop is over."""
        if not self._arrived:
            self._loop.call_soon(self._deliver)
        self._arrived.append((archive, reply))

    def _deliver(self) -> None:
        assert self._settle is not None
        arrived, self._arrived = self._arrived, []
        self._settle(arrived)
