"""Deletes archives whose ids come from anywhere, and gives back each outcome as it happens: for migration scripts.

The same pool, pacer and retry policies as a run, without its folder: nothing is kept on disk and nothing is
collected, so the caller decides what to remember.  Ids are checked before they are sent; wrong ones come back as
outcomes and are never sent.  There is no plan here, so there is no approval: whoever calls this has decided.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

import anyio

from glacier_purge.api import wiring
from glacier_purge.archive import Archive, ArchiveId, Vault
from glacier_purge.audit.record import Outcome
from glacier_purge.deletion.credentials import Renewal
from glacier_purge.deletion.pacer import Pacer
from glacier_purge.deletion.pool import Pool
from glacier_purge.deletion.retry import RetryPolicy
from glacier_purge.deletion.tally import Tally
from glacier_purge.deletion.turns import Turns
from glacier_purge.errors import one_error
from glacier_purge.run.host import Host
from glacier_purge.run.windows import Hours
from glacier_purge.settings import Settings

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectSendStream

    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.glacier.port import Glacier

_BATCH = 64
_UNREAD_MAX = 1_000
"""Unread outcomes down to which deletes wait for the caller, once there were more than ``UNRECORDED_MAX`` of them."""


async def delete_archives(
    vault: Vault,
    ids: Iterable[str] | AsyncIterable[str],
    *,
    settings: Settings | None = None,
    credentials: StaticCredentials | None = None,
) -> AsyncGenerator[Outcome]:
    """Delete the archives ``ids`` names from ``vault``; yield one ``Outcome`` for each id, in order of completion.

    ``ids`` is read as fast as deletes are sent and is never collected; ``Outcome.ordinal`` counts it from 0.  An
    outcome is "deleted" after a 204 for that id (which says nothing about whether it was still there), "failed" after
    three replies nobody knows, or "invalid" for text that is no archive id.  Throttling and faults of the service or
    the network are waited out for as long as they last.

    Raises ``ServiceRefused`` (denied, vault missing or wrong, no longer supported), ``CredentialsFailed`` and
    ``UsageError``; archives without an outcome then may or may not have been sent.  Deletes are idempotent, so all ids
    may be given again.  An error that ``ids`` raises is raised as it is, after the outcomes of the ids before it.

    Source of the deletion rules: Developer Guide, "Delete Archive (DELETE archive)".
    """
    settings = settings if settings is not None else Settings()
    endpoint_url = wiring.endpoint(settings, vault.region)
    access = wiring.access(settings, endpoint_url, id_rule=settings.inventory.id_rule, credentials=credentials)
    async with wiring.open_service(vault, access, settings) as service:
        stream = _Stream(service, settings)
        async with aclosing(stream.outcomes(ids)) as outcomes:
            async for outcome in outcomes:
                yield outcome


class _Stream:
    """One call's engine and the outcomes it has not handed out yet; the pool's recorder."""

    def __init__(self, service: Glacier, settings: Settings) -> None:
        self._service = service
        self._settings = settings
        self._outcomes: deque[Outcome] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._ids_failure: Exception | None = None

    @property
    def pending(self) -> int:
        """How many outcomes the caller has not looked at."""
        return len(self._outcomes)

    def record(self, outcomes: Sequence[Outcome], /) -> None:
        """Keep outcomes for the caller."""
        self._outcomes.extend(outcomes)
        self._news.set()

    async def room(self) -> None:
        """Wait until the caller has looked at most of them."""
        while len(self._outcomes) > _UNREAD_MAX:
            self._room.clear()
            await self._room.wait()

    async def outcomes(self, ids: Iterable[str] | AsyncIterable[str]) -> AsyncGenerator[Outcome]:
        """Run the engine beside the caller and hand out what it records."""
        # A task group must not stay open across a yield (its cancel scope would leak into the caller), so the engine
        # is a task of its own, and this generator is its only owner.
        engine = asyncio.create_task(self._delete(ids))
        engine.add_done_callback(lambda _: self._news.set())
        try:
            while not engine.done() or self._outcomes:
                while self._outcomes:
                    yield self._outcomes.popleft()
                    self._room.set()
                if not engine.done():
                    self._news.clear()
                    await self._news.wait()
            with one_error():
                await engine
        finally:
            if not engine.done():
                engine.cancel()
                with suppress(asyncio.CancelledError):
                    await engine

    async def _delete(self, ids: Iterable[str] | AsyncIterable[str]) -> None:
        host, pace = Host(), wiring.purge_settings(self._settings)
        send, receive = anyio.create_memory_object_stream[list[Archive]](2)
        pool = Pool(
            service=self._service,
            turns=Turns(receive),
            pacer=Pacer(pace.pace, now=host.clock(), random=host.random),
            policy=RetryPolicy(pace.retry, host.random),
            recorder=self,
            tally=Tally(),
            renewal=Renewal(
                self._service.renew_credentials, clock=host.clock, patience_seconds=pace.credentials_patience_seconds
            ),
            clock=host.clock,
            maybe_sent=None,
        )
        hours = Hours(pace.windows, pool, host.wall_clock, before_opening=lambda: None)
        hours.look()
        async with receive, anyio.create_task_group() as tasks:
            tasks.start_soon(hours.keep)
            tasks.start_soon(self._feed_all, ids, send)
            await pool.run()
            tasks.cancel_scope.cancel()
        if self._ids_failure is not None:
            raise self._ids_failure

    async def _feed_all(
        self, ids: Iterable[str] | AsyncIterable[str], fresh: MemoryObjectSendStream[list[Archive]]
    ) -> None:
        """Feed the pool to the end of ``ids``; what they raise must not cancel deletes that are under way."""
        batch: list[Archive] = []
        async with fresh:
            try:
                await self._feed(ids, batch, fresh)
            except Exception as failure:
                self._ids_failure = failure
            if batch:
                await fresh.send(batch)

    async def _feed(
        self,
        ids: Iterable[str] | AsyncIterable[str],
        batch: list[Archive],
        fresh: MemoryObjectSendStream[list[Archive]],
    ) -> None:
        """Feed batch by batch; what is left in ``batch`` at the end has not been sent on."""
        ordinal = 0
        async with aclosing(_each(ids)) as each:
            async for text in each:
                if self._settings.inventory.id_rule.holds(text):
                    batch.append(Archive(ArchiveId(text), "", "", 0, "", ordinal))
                else:
                    self.record([_invalid(ordinal, text)])
                    await self.room()
                ordinal += 1
                if len(batch) == _BATCH or (batch and fresh.statistics().current_buffer_used == 0):
                    await fresh.send(batch.copy())
                    batch.clear()


async def _each(ids: Iterable[str] | AsyncIterable[str]) -> AsyncGenerator[str]:
    if isinstance(ids, AsyncIterable):
        async for text in ids:
            yield text
    else:
        for text in ids:
            yield text


def _invalid(ordinal: int, text: str) -> Outcome:
    return Outcome(ordinal=ordinal, archive_id=str(text)[:200], size=0, outcome="invalid", code="not an archive id")
