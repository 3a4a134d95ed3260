"""Replies on their way to whoever asked for the deletes: together once a turn of the event loop, not one by one.

A turn brings dozens of replies at full speed, and all that follows (settling, recording, the next deletes) costs much
less for dozens together.  Little is delayed by it: uvloop writes what a turn has sent when the turn ends in any case.

Every reply of every transport passes here, so this is where one that was given to a delete before is found out.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from glacier_purge.service.doubts import repeated
from glacier_purge.service.request_ids import SeenRequestIds

if TYPE_CHECKING:
    from glacier_purge.service.port import Settle
    from glacier_purge.service.reply import Reply


class Replies:
    """The replies of this turn of the loop; ``deliver_to`` comes before the first."""

    __slots__ = ("_arrived", "_is_new", "_loop", "_settle")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._settle: Settle | None = None
        self._is_new = SeenRequestIds().is_new
        self._arrived: list[tuple[Any, Reply]] = []

    def deliver_to(self, settle: Settle) -> None:
        """Name who takes them, once and for all. Raises ``RuntimeError`` for another one."""
        if self._settle not in (None, settle):
            raise RuntimeError("replies go to somebody else already, who may still wait for some")
        self._settle = settle

    def add(self, archive: Any, reply: Reply) -> bool:
        """Take the reply to the delete of ``archive``; it is delivered when this turn of the loop is over.

        Return whether it is believed. Where it is not, nothing more can be believed of the connection it came over.
        """
        if not self._arrived:
            self._loop.call_soon(self._deliver)
        request_id = reply.request_id
        if request_id is None or self._is_new(request_id):
            self._arrived.append((archive, reply))
            return True
        self._doubt(archive, request_id)
        return False

    def _doubt(self, archive: Any, request_id: str) -> None:
        """Deliver a repeated reply as none, and as none to whoever got it before in this turn: it may be either's."""
        none = repeated(request_id)
        self._arrived = [(each, none if reply.request_id == request_id else reply) for each, reply in self._arrived]
        self._arrived.append((archive, none))

    def _deliver(self) -> None:
        assert self._settle is not None
        arrived, self._arrived = self._arrived, []
        self._settle(arrived)
