"""Lists of archives, for people and programs elsewhere: what a plan lets go, what it lets be, what became of each.

Rows are made while files are read, in flat memory.  An outcome has the archive's id alone; its date, tree hash and
description stand in the inventory.  Both are read once, side by side: the log in its own order, the inventory as far
ahead as the log needs.  What an inventory says waits until the outcome comes, and the run itself bounds how much can
wait: what was released, and the archives parked for another turn, which are ten thousand at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glacier_purge.archive import Archive
from glacier_purge.audit.record import Outcome
from glacier_purge.audit.whole_log import whole_lines
from glacier_purge.errors import AuditDamaged
from glacier_purge.inventory.batch import Batch
from glacier_purge.inventory.description import readable
from glacier_purge.long_work import counted
from glacier_purge.plan.document import Plan
from glacier_purge.plan.files import plan_files
from glacier_purge.plan.reasons import DELETE, DUPLICATE, REASONS

_OF_ARCHIVE = ("uploaded", "tree_hash", "file", "description")
DECIDED = ("ordinal", "archive_id", "size_bytes", "decision", *_OF_ARCHIVE)
"""Columns of what a plan decided. ``file`` is the name that stands in the description, in whatever form."""
SETTLED = (
    "ordinal",
    "archive_id",
    "size_bytes",
    "outcome",
    "attempts",
    "http_status",
    "code",
    "request_id",
    "ms",
    "redelete",
    "committed",
    *_OF_ARCHIVE,
)
"""Columns of what became of archives; those of the inventory are empty where there is none (a script's log)."""

_NOTHING_SAID = ("",) * len(_OF_ARCHIVE)
_WAITING_MAX = 1_000_000
"""A run lets a hundredth of this wait: only a log in an order that no run writes can come so far."""


def decided_rows(folder: Path, plan: Plan, *, going: bool) -> Iterator[tuple[object, ...]]:
    """Give what a plan lets go, or what it lets be and why, by ``DECIDED``, in the inventory's order.

    Raises ``PlanRefused`` unless the plan's files are what was planned.
    """
    with plan_files(folder, plan) as files:
        total = plan.counts.inventory
        for batch in counted("writing the list", files.decided(), lambda batch: len(batch.decisions), total=total):
            first, decisions = batch.first_ordinal, batch.decisions
            for archive in batch.archives:
                decision = decisions[archive.ordinal - first]
                if (decision == DELETE) is not going:
                    continue
                reason = (
                    f"duplicate_of:{batch.duplicates[archive.ordinal]}" if decision == DUPLICATE else REASONS[decision]
                )
                yield (archive.ordinal, archive.archive_id, archive.size_bytes, reason, *_said_of(archive))
            for defect in () if going else batch.defects:
                yield (defect.ordinal, "", None, f"invalid: {defect.reason}", "", "", "", defect.text)


def settled_rows(folder: Path, plan: Plan | None, only: str | None = None) -> Iterator[tuple[object, ...]]:
    """Give what became of each archive, or of those with one outcome ``only``, by ``SETTLED``, in the log's order.

    ``plan`` is None for the log of a script, which has no inventory.  Raises ``PlanRefused`` for an inventory that is
    not what was planned with, and ``AuditDamaged`` at a line that can't be read and where the log was cut back; the
    rows before have been given.
    """
    with _inventory_of(folder, plan) as batches:
        waiting: dict[int, Archive] = {}
        read = 0
        for line in whole_lines(folder):
            outcome = line.record
            if not isinstance(outcome, Outcome):
                continue
            while read <= outcome.ordinal and (batch := next(batches, None)) is not None:
                waiting.update((archive.ordinal, archive) for archive in batch.archives)
                read = batch.first_ordinal + batch.records
                if len(waiting) > _WAITING_MAX:
                    raise AuditDamaged(
                        f"{len(waiting):,} records before record {outcome.ordinal:,}, of which this one is, have no "
                        "outcome yet: no run writes its log in such an order",
                        file=str(folder),
                        offset_bytes=0,
                    )
            archive = waiting.pop(outcome.ordinal, None)
            if only in (None, outcome.outcome):
                yield (
                    outcome.ordinal,
                    outcome.archive_id,
                    outcome.size,
                    outcome.outcome,
                    outcome.attempts,
                    outcome.http_status,
                    outcome.code,
                    outcome.request_id,
                    outcome.ms,
                    outcome.redelete,
                    line.ts,
                    *(_NOTHING_SAID if archive is None else _said_of(archive)),
                )


@contextmanager
def _inventory_of(folder: Path, plan: Plan | None) -> Iterator[Iterator[Batch]]:
    if plan is None:
        yield iter(())
        return
    snapshot = plan.snapshot.snapshot_in(folder)
    with snapshot.bound() as bound:
        yield snapshot.parsed(bound.blocks())


def _said_of(archive: Archive) -> tuple[str, str, str, str]:
    return (archive.created, archive.tree_hash, readable(archive.description), archive.description)
