"""Turns an approved plan into fresh archives for the pool, and writes down why every other record stays.

Walks the snapshot and its decisions in step.  What the plan lets go and has no outcome yet is released - the range
is durable in the audit log before any of it is handed on - and sent into the bounded stream.  Everything else gets
its terminal outcome here.  A released range covers about half a second of sending, so that what a crash leaves in
doubt stays small at any rate.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from glacier_purge.archive import Archive
from glacier_purge.audit.journal import Journal
from glacier_purge.audit.record import Outcome
from glacier_purge.errors import one_error
from glacier_purge.guard.fuse import Canary
from glacier_purge.plan.decisions import DecidedBatch
from glacier_purge.plan.reasons import DELETE, DUPLICATE, INVALID
from glacier_purge.run.bounds import Allowance

RELEASE_SECONDS = 0.5
RELEASE_MIN = 16
RELEASE_MAX = 1_000
"""Most archives in one released range (RELIABILITY: one record and one fsync per 1,000 costs 0.3 us each)."""


class Feed:
    """Feeds the pool from decided batches, as fast as ``canary`` lets it.

    ``rate_per_second`` tells the pace now; ``reasons`` names decisions; ``allowance`` is what the plan lets go.
    ``reach`` returns once it is known elsewhere that ordinals up to the one given may be sent; None asks nobody.
    """

    def __init__(
        self,
        *,
        decided: AsyncIterator[DecidedBatch],
        journal: Journal,
        fresh: MemoryObjectSendStream[list[Archive]],
        rate_per_second: Callable[[], float],
        reasons: dict[int, str],
        canary: Canary,
        allowance: Allowance,
        reach: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        self._decided = decided
        self._journal = journal
        self._fresh = fresh
        self._rate_per_second = rate_per_second
        self._reasons = reasons
        self._canary = canary
        self._allowance = allowance
        self._reach = reach
        self._released_through = journal.ledger.released_through
        self._resumed = sum(journal.ledger.counts.values()) > 0

    async def run(self) -> None:
        """Walk the plan from its first record to its last, then close the stream. Raises ``NotAsApproved``."""
        ahead, batches = anyio.create_memory_object_stream[DecidedBatch](1)
        with one_error():
            async with self._fresh, batches, anyio.create_task_group() as tasks:
                tasks.start_soon(self._read_ahead, ahead)
                async for batch in batches:
                    await self._feed_batch(batch)

    async def _feed_batch(self, batch: DecidedBatch) -> None:
        await self._record_what_stays(batch)
        going = self._what_goes(batch)
        self._allowance.take(len(going))
        async for archives in self._ranges(going):
            await self._release(archives[0].ordinal, archives[-1].ordinal)
            self._canary.released(len(archives))
            await self._fresh.send(archives)

    async def _read_ahead(self, ahead: MemoryObjectSendStream[DecidedBatch]) -> None:
        """Have the next batch read while this one waits for the disk and the pool."""
        async with ahead:
            async for batch in self._decided:
                await ahead.send(batch)

    def _what_goes(self, batch: DecidedBatch) -> list[Archive]:
        archives = batch.archives
        if batch.decisions.count(DELETE) != len(batch.decisions):
            first, decisions = batch.first_ordinal, batch.decisions
            archives = [archive for archive in archives if decisions[archive.ordinal - first] == DELETE]
        if self._resumed:
            done = self._journal.ledger.done
            archives = [archive for archive in archives if not done(archive.ordinal)]
        return archives

    async def _ranges(self, archives: list[Archive]) -> AsyncIterator[list[Archive]]:
        at = 0
        while at < len(archives):
            length = min(RELEASE_MAX, max(RELEASE_MIN, int(self._rate_per_second() * RELEASE_SECONDS)))
            length = await self._canary.releasable(length)
            yield archives[at : at + length]
            at += length

    async def _release(self, first: int, last: int) -> None:
        """Make durable that everything up to ``last`` may be sent from now on (I3)."""
        if last <= self._released_through:
            return
        if self._reach is not None:
            await self._reach(last)
        self._journal.note("released", first=max(first, self._released_through + 1), last=last)
        self._released_through = last
        await self._journal.durable()

    async def _record_what_stays(self, batch: DecidedBatch) -> None:
        if batch.decisions.count(DELETE) == len(batch.decisions):
            return
        done = self._journal.ledger.done
        outcomes = [outcome for outcome in self._outcomes(batch) if not done(outcome.ordinal)]
        self._journal.record(outcomes)
        await self._journal.room()

    def _outcomes(self, batch: DecidedBatch) -> Iterator[Outcome]:
        archives = {archive.ordinal: archive for archive in batch.archives}
        for defect in batch.defects:
            yield Outcome(
                ordinal=defect.ordinal,
                archive_id="",
                size=0,
                outcome="invalid",
                code=f"invalid: {defect.reason}",
            )
        for ordinal, decision in enumerate(batch.decisions, batch.first_ordinal):
            if decision in (DELETE, INVALID):
                continue
            archive = archives[ordinal]
            duplicate = decision == DUPLICATE
            yield Outcome(
                ordinal=ordinal,
                archive_id=archive.archive_id,
                size=archive.size_bytes,
                outcome="duplicate" if duplicate else "skipped",
                code=f"duplicate_of:{batch.duplicates[ordinal]}" if duplicate else self._reasons[decision],
            )
