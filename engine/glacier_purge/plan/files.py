"""Reads a plan's snapshot and decisions: first to hold them against the plan, then, batch by batch, to carry it out.

Both readings are of the same open files, which give the bytes that were held against the plan or none (``bound_file``).
Reading and parsing happen elsewhere, in a worker thread, a chunk at a time, so that a cold disk never stalls requests
in flight.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from glacier_purge.inventory.batch import Batch
from glacier_purge.long_work import counted
from glacier_purge.plan.decisions import (
    BoundDecisions,
    DecidedBatch,
    bound_decisions,
    check_counts,
    decided,
    merged_batches,
)
from glacier_purge.plan.document import Plan
from glacier_purge.plan.reasons import ALWAYS
from glacier_purge.storage.bound_file import BoundFile

T = TypeVar("T")

READ_RECORDS = 1_024
"""Records read at a time: enough to make the change of threads cheap; some 0.6 MB, of which four are under way."""


class Elsewhere(Protocol):
    """Runs slow plain work where it does not hold up the event loop."""

    async def __call__(self, work: Callable[[], T], /) -> T:
        """Return what ``work`` returns; its exceptions pass through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFiles:
    """The files of a plan as they were approved; made by ``plan_files``."""

    plan: Plan
    path: Path
    snapshot: BoundFile
    decisions: BoundDecisions

    def decided(self) -> Iterator[DecidedBatch]:
        """Give the plan's records with their decisions, in flat memory. Raises ``NotAsApproved``."""
        return decided(self.decisions, self.records())

    def check(self) -> None:
        """Raise ``FileChanged`` when one of them was changed since, also where it was read already."""
        for file in (self.snapshot, self.decisions.decisions, self.decisions.duplicates):
            file.check()

    def records(self) -> Iterator[Batch]:
        """Give the records of the inventory that was planned with. Raises ``FileChanged``."""
        return self.plan.snapshot.snapshot_in(self.path).parsed(self.snapshot.blocks())


@contextmanager
def plan_files(folder: Path, plan: Plan) -> Iterator[PlanFiles]:
    """Hold a plan's files open, bound to what was planned. Raises ``PlanRefused`` unless they are that to the byte."""
    with (
        plan.snapshot.snapshot_in(folder).bound() as snapshot,
        bound_decisions(folder, plan.decisions_sha256) as decisions,
    ):
        check_counts(decisions, plan)
        yield PlanFiles(plan=plan, path=folder, snapshot=snapshot, decisions=decisions)


def check_plan_files(folder: Path, plan: Plan) -> None:
    """Raise ``PlanRefused`` unless snapshot and decisions are, byte for byte, what was planned."""
    with plan_files(folder, plan):
        pass


def kept_ids(folder: Path, plan: Plan) -> Iterator[str]:
    """Give the ids of the archives that the plan lets be, in flat memory. Raises as ``plan_files`` does."""
    with plan_files(folder, plan) as files:
        what = "reading what an earlier plan kept"
        for batch in counted(what, files.decided(), lambda batch: len(batch.decisions), total=plan.counts.inventory):
            for archive in batch.archives:
                if batch.decisions[archive.ordinal - batch.first_ordinal] not in ALWAYS:
                    yield archive.archive_id


async def read_decided(files: PlanFiles, elsewhere: Elsewhere) -> AsyncIterator[DecidedBatch]:
    """Give the plan's records with their decisions, in flat memory. Raises ``NotAsApproved``."""
    stream = merged_batches(files.decided(), READ_RECORDS)
    while (batch := await elsewhere(lambda: next(stream, None))) is not None:
        yield batch
