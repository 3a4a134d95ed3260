"""The port to Amazon Glacier: what a run may ask of the service, in the run's own words, and how replies come back.

Adapters (``glacier.sdk``, ``glacier.http``) and pretend services implement ``Glacier``; only ``api.clients`` chooses
one.  An adapter is bound to one vault, makes exactly one HTTP request for each archive it is given and retries
nothing: every attempt has to pass the pacer and the audit.

Deletes go out together and replies come back together, those of one turn of the event loop, as one call each way and
not as the value of an ``await``: a task, a future or a few calls for each of a million archives would cost more than
all the rest of the engine (benchmarks/README.md).  A turn brings dozens of replies at full speed, and all that follows
(settling, recording, the next deletes) costs much less for dozens together.  Little is delayed by it: uvloop writes
what a turn has sent when the turn ends in any case.

Every reply of every transport passes ``Replies``, so that is where one that was given to a delete before is found out.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from glacier_purge.glacier.doubts import repeated

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from datetime import datetime

    from glacier_purge.archive import ArchiveId, Vault
    from glacier_purge.glacier.reply import Reply
    from glacier_purge.glacier.request_ids import SeenRequestIds

    Settle = Callable[[Sequence[tuple[Any, Reply]]], object]
    """Takes replies, each beside what was given to ``delete_archives`` for it, every one once.

    Called from the event loop, never from within ``delete_archives``.
    """
    Later = Callable[[], Coroutine[None, None, None]]
    """What is left to be awaited, in a task of the caller's own, for a request to leave and be settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultDescription:
    """DescribeVault's answer. Counts are as of ``last_inventory``; None before the vault's first inventory.

    ``size_bytes`` has each archive's overhead in it.  ``created`` is when the vault itself was made.
    ``service_time`` is what time the service had when it answered (the reply's ``Date``); None where it does not say.
    """

    arn: str
    last_inventory: datetime | None
    archives: int | None
    size_bytes: int | None
    created: datetime | None = None
    service_time: datetime | None = None


class Addressed(Protocol):
    """What a delete can be asked for: an archive, or whatever else knows an archive's id."""

    @property
    def archive_id(self) -> ArchiveId:
        """The id that stands in the request."""


class Glacier(Protocol):
    """Amazon Glacier, one vault of it."""

    @property
    def vault(self) -> Vault:
        """The vault every call is about."""

    @property
    def endpoint_url(self) -> str:
        """Where requests go, as resolved."""

    def deliver_to(self, settle: Settle) -> None:
        """Name who takes the replies, before the first delete. Raises ``RuntimeError`` for another one after that."""

    def delete_archives(self, archives: Sequence[Addressed]) -> Sequence[Later]:
        """Send a DeleteArchive for each, and let what came back be settled; faults of the network are replies too.

        All are on their way, but for those that cannot leave at once (there is no connection yet, say) and do so when
        the caller awaits what is returned.  Raises ``UsageError`` for an id that must not be sent; then none was.
        """

    async def describe_vault(self) -> VaultDescription:
        """Ask for the vault's description.

        Raises ``ServiceRefused`` (denied, missing, no longer supported), ``CredentialsFailed`` (none, expired)
        and ``RunStopped`` (no answer).
        """

    async def renew_credentials(self) -> None:
        """Fetch credentials afresh. Raises ``CredentialsFailed`` when there are none to be had now."""


class Replies:
    """The replies of this turn of the loop; ``deliver_to`` comes before the first.

    ``seen`` are the request ids of replies so far, also of those that others take.
    """

    __slots__ = ("_arrived", "_loop", "_seen", "_settle")

    def __init__(self, seen: SeenRequestIds) -> None:
        self._loop = asyncio.get_running_loop()
        self._settle: Settle | None = None
        self._seen = seen
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
        request_id, seen = reply.request_id, self._seen
        if request_id is not None:
            if request_id in seen.newer or request_id in seen.older:
                self._doubt(archive, request_id)
                return False
            seen.newer.add(request_id)
        self._arrived.append((archive, reply))
        return True

    def _doubt(self, archive: Any, request_id: str) -> None:
        """Deliver a repeated reply as none, and as none to whoever got it before in this turn: it may be either's."""
        self._seen.newer.add(request_id)
        none = repeated(request_id)
        self._arrived = [(each, none if reply.request_id == request_id else reply) for each, reply in self._arrived]
        self._arrived.append((archive, none))

    def _deliver(self) -> None:
        assert self._settle is not None
        arrived, self._arrived = self._arrived, []
        self._seen.turn_over()
        self._settle(arrived)
