"""Looks at copies in S3 before a plan is made: one HeadObject for every claim that the inventory bears out.

Only what may be deleted is looked at, so a manifest of another vault costs nothing.  What was seen is one byte for each
claim.  Missing and behind a delete marker are the same: nothing is there.  Not being let look ends the planning; an
object is never taken to be there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream

from glacier_purge.inventory.batch import Batch
from glacier_purge.plan.migration.manifest import Claim
from glacier_purge.plan.migration.migrated import Migration
from glacier_purge.plan.reasons import COPY_DIFFERS, COPY_MISSING, COPY_NOT_SEEN, DELETE

LOOKS_AT_ONCE = 64


class CopyStore(Protocol):
    """Where copies lie."""

    async def object_size_bytes(self, bucket: str, key: str) -> int | None:
        """Size of an object; None when there is none. Raises when it cannot be said."""


class SeenCopies:
    """Copies that were looked at, below one bucket and prefix."""

    def __init__(self, claims: int, bucket: str, prefix: str) -> None:
        self._seen = bytearray([COPY_NOT_SEEN]) * claims
        self._bucket = bucket
        self._prefix = f"{prefix.rstrip('/')}/" if prefix else ""

    def judge(self, position: int, claim: Claim) -> int:
        """Give what was seen."""
        del claim
        return self._seen[position]

    async def look(self, migration: Migration, batches: Iterable[Batch], store: CopyStore) -> None:
        """Look at the copy of every claim that holds for one of the archives."""
        send, receive = anyio.create_memory_object_stream[tuple[int, Claim]](LOOKS_AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for _ in range(LOOKS_AT_ONCE):
                tasks.start_soon(self._look_at_each, receive.clone(), store)
            receive.close()
            async with send:
                for batch in batches:
                    for archive in batch.archives:
                        for position, claim in migration.claims(archive):
                            if migration.worth(archive, claim) == DELETE:
                                await send.send((position, claim))

    async def _look_at_each(self, claims: MemoryObjectReceiveStream[tuple[int, Claim]], store: CopyStore) -> None:
        async with claims:
            async for position, claim in claims:
                self._seen[position] = await self._look_at(claim, store)

    async def _look_at(self, claim: Claim, store: CopyStore) -> int:
        key = self._key(claim)
        if key is None:
            return COPY_NOT_SEEN
        size_bytes = await store.object_size_bytes(self._bucket, key)
        if size_bytes is None:
            return COPY_MISSING
        return DELETE if size_bytes == claim.size_bytes else COPY_DIFFERS

    def _key(self, claim: Claim) -> str | None:
        """The copy's key below the prefix; Re:Freezer's table names it without bucket and prefix."""
        if claim.key is None or claim.bucket not in {None, self._bucket}:
            return None
        if claim.key.startswith(self._prefix):
            return claim.key
        return None if claim.bucket is not None else self._prefix + claim.key
