"""One run for a report: what was approved, what became of it, how it went, what it saves, and how all that is checked.

Read from the folder's files and from nothing else; figures are the ledger's, which a checkpoint keeps, so that it takes
no longer for ten million archives than for ten.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from glacier_purge.audit.ledger import Ledger
from glacier_purge.audit.recovery import replay_log
from glacier_purge.plan.cost import OVERHEAD_BYTES, estimate
from glacier_purge.plan.document import read_plan
from glacier_purge.plan.identity import read_identity
from glacier_purge.proof.certificate import read_certificate
from glacier_purge.report.shape import shape_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glacier_purge.audit.timeline import FailedArchive, Saying
    from glacier_purge.plan.cost import PriceTable
    from glacier_purge.plan.document import Plan
    from glacier_purge.proof.certificate import Certificate
    from glacier_purge.report.shape import Shape
    from glacier_purge.storage.folder import RunFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """What was paid for what is gone; None where the region has no price. ``fee`` is an estimate for the whole plan."""

    currency: str
    prices_as_of: str
    freed_bytes: int
    per_month: float | None
    fee: float | None
    young_archives: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A run as its folder tells it. Times are UTC, ISO 8601; ``anchor`` is ``SEQ:HASH`` of the last record."""

    folder: str
    name: str
    plan: Plan
    retrievals_looked_at: bool | None
    at_work: bool
    approved_by: str | None
    counts: dict[str, int]
    bytes_deleted: int
    attempts: int
    throttled: int
    faults: int
    active_seconds: float
    finished: bool
    stop_reason: str | None
    first_deletion: str | None
    last_deletion: str | None
    shape: Shape | None
    failed: Sequence[FailedArchive]
    sayings: Sequence[Saying]
    sayings_dropped: int
    anchor: str | None
    certificate: Certificate | None
    savings: Savings

    @classmethod
    def of(cls, folder: RunFolder, prices: PriceTable, now: datetime) -> RunReport:
        """Read the run in ``folder``; where nothing is deleted yet, ages are those of ``now``.

        Raises what its files raise when they can't be read, or are damaged.
        """
        at_work = folder.is_locked()
        plan = read_plan(folder.plan_file)
        log = replay_log(folder.path, plan_digest=plan.digest)
        ledger = Ledger(plan.counts.inventory) if log is None else log.ledger
        at = None if log is None else log.position
        timeline = ledger.timeline
        return cls(
            folder=str(folder.path),
            name=folder.path.resolve().name,
            plan=plan,
            retrievals_looked_at=read_identity(folder, plan).retrievals_looked_at,
            at_work=at_work,
            approved_by=ledger.approved_by,
            counts=ledger.counts,
            bytes_deleted=ledger.bytes_deleted,
            attempts=ledger.attempts,
            throttled=ledger.throttled,
            faults=ledger.server_faults,
            active_seconds=ledger.active_seconds,
            finished=ledger.finished is not None,
            stop_reason=ledger.stop_reason,
            first_deletion=ledger.first_deletion_ts,
            last_deletion=ledger.last_deletion_ts,
            shape=shape_of(timeline),
            failed=tuple(timeline.failed),
            sayings=tuple(timeline.sayings),
            sayings_dropped=timeline.sayings_dropped,
            anchor=f"{at.seq - 1}:{at.last_hash}" if at is not None and at.seq else None,
            certificate=read_certificate(folder),
            savings=_savings(plan, ledger, prices, now),
        )

    @property
    def accounted(self) -> int:
        """Records of the inventory that have their outcome."""
        return sum(self.counts.values())

    @property
    def began(self) -> str | None:
        """When the first deletion was on record, or the first word of a process where there was none."""
        if self.shape is None:
            return self.first_deletion
        return self.shape.begin.isoformat()


def _savings(plan: Plan, ledger: Ledger, prices: PriceTable, now: datetime) -> Savings:
    last = ledger.last_deletion_ts
    day = now if last is None else datetime.fromisoformat(last)
    whole = estimate(plan, prices, day.date())
    freed = ledger.bytes_deleted + ledger.counts["deleted"] * OVERHEAD_BYTES
    return Savings(
        currency=prices.currency,
        prices_as_of=prices.as_of,
        freed_bytes=freed,
        per_month=prices.storage_per_month(plan.region, freed),
        fee=whole.early_deletion_fee,
        young_archives=whole.young_archives,
    )
