"""Reads a plan's snapshot and decisions: first to hold them against the plan, then, batch by batch, to carry it out.

Reading and parsing happen elsewhere, in a worker thread, a chunk at a time, so that a cold disk never stalls requests
in flight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_purge.inventory.snapshot import Snapshot, batches, verify
from glacier_purge.plan.decisions import check_decisions, decided, merged
from glacier_purge.plan.selection import ALWAYS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from glacier_purge.inventory.batch import Batch
    from glacier_purge.plan.decisions import Decided
    from glacier_purge.plan.document import Plan
    from glacier_purge.run.host import Elsewhere


READ_RECORDS = 1_024
"""Records read at a time: enough to make the change of threads cheap; some 0.6 MB, of which four are under way."""


def check_files(folder: Path, plan: Plan) -> None:
    """Raise ``PlanRefused`` unless snapshot and decisions are, byte for byte, what was planned."""
    facts = plan.snapshot
    verify(
        Snapshot(
            path=folder / facts.file,
            format="csv" if facts.format == "csv" else "json",
            sha256=facts.sha256,
            size_bytes=facts.size_bytes,
            records=plan.counts.inventory,
            vault_arn=None,
            inventory_date=facts.inventory_date,
        )
    )
    check_decisions(folder, plan.decisions_sha256)


def kept_ids(folder: Path, plan: Plan) -> Iterator[str]:
    """Give the ids of the archives that the plan lets be, in flat memory."""
    for batch in decided(folder, _records(folder, plan)):
        for archive in batch.archives:
            if batch.decisions[archive.ordinal - batch.first_ordinal] not in ALWAYS:
                yield archive.archive_id


async def read_decided(folder: Path, plan: Plan, elsewhere: Elsewhere) -> AsyncIterator[Decided]:
    """Give the plan's records with their decisions, in flat memory."""
    stream = merged(decided(folder, _records(folder, plan)), READ_RECORDS)
    while (batch := await elsewhere(lambda: next(stream, None))) is not None:
        yield batch


def _records(folder: Path, plan: Plan) -> Iterator[Batch]:
    facts = plan.snapshot
    return batches(folder / facts.file, "csv" if facts.format == "csv" else "json", any_id_length=facts.any_id_length)
