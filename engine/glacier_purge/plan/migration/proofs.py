"""Gathers what proves a migration before a plan is made: manifests from files and tables, copies from S3.

Where tables and copies are reached is the caller's to say (``Stores``).  What is gathered lies in nameless files in the
run folder.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from glacier_purge.errors import UsageError
from glacier_purge.inventory.snapshot import Snapshot
from glacier_purge.long_work import long_work
from glacier_purge.plan.choices import Choices
from glacier_purge.plan.migration.copies import CopyStore, SeenCopies
from glacier_purge.plan.migration.manifest import from_dynamodb
from glacier_purge.plan.migration.manifest_files import Tables, read_file
from glacier_purge.plan.migration.migrated import Copies, ListedCopies, Migration, Proofs, UnseenCopies
from glacier_purge.plan.rows import Rows

_TABLE = "dynamodb://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Where a migration left its traces: ``scan_table`` gives every item of a DynamoDB table, as DynamoDB writes it;
    ``open_copies`` opens the S3 that copies lie in."""

    scan_table: Callable[[str], AsyncIterator[Mapping[str, Any]]]
    open_copies: Callable[[], AbstractAsyncContextManager[CopyStore]]


@asynccontextmanager
async def gathered(choices: Choices, snapshot: Snapshot, folder: Path, stores: Stores) -> AsyncIterator[Proofs | None]:
    """Read the manifests and look at the copies; None when no manifest was given.

    Raises ``UsageError`` for manifests that cannot be read or prove nothing, and what the services answer.
    """
    if not choices.migrated:
        yield None
        return
    with Rows(folder) as claims, Rows(folder) as objects:
        tables = Tables(claims=claims, objects=objects, id_rule=snapshot.id_rule)
        for source in choices.migrated:
            if source.startswith(_TABLE):
                with long_work(f"reading {source}") as work:
                    async for item in stores.scan_table(source.removeprefix(_TABLE)):
                        tables.add_claim(from_dynamodb(item))
                        work.add(1)
            else:
                await anyio.to_thread.run_sync(read_file, source, tables)
        await anyio.to_thread.run_sync(claims.seal)
        await anyio.to_thread.run_sync(objects.seal)
        _check_something_is_claimed(tables, choices)
        migration = Migration(claims)
        copies = await _copies(tables, choices, migration, snapshot, stores)
        yield Proofs(migration=migration, copies=copies)


async def _copies(tables: Tables, choices: Choices, migration: Migration, snapshot: Snapshot, stores: Stores) -> Copies:
    if choices.check_s3 is None:
        return ListedCopies(tables.objects) if len(tables.objects) else UnseenCopies()
    bucket, _, prefix = choices.check_s3.partition("/")
    seen = SeenCopies(len(tables.claims), bucket, prefix)
    records = snapshot.batches("looking at copies")
    async with stores.open_copies() as store:
        await seen.look(migration, records, store)
    return seen


def _check_something_is_claimed(tables: Tables, choices: Choices) -> None:
    if len(tables.claims):
        return
    if len(tables.objects):
        raise UsageError(
            "an S3 listing knows keys and sizes, but no archive ids and no tree hashes, so alone it proves nothing. "
            "Give the migration's table too: --migrated TABLE --migrated LISTING."
        )
    raise UsageError(f"{', '.join(choices.migrated)} names no archive: nothing is proven, and nothing was planned.")
