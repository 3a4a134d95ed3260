"""The numbers of a run, for people and programs: all of them computed from the durable audit records.

``Report`` is how a run stands or ended; ``Progress`` is the same moment for somebody who watches.  Neither counts
anything itself, so what a screen shows is on disk (I6).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from glacier_purge.report.results.running import Purged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier_purge.audit.ledger import Ledger
    from glacier_purge.plan.document import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a run stands. ``seconds`` is the time its processes worked; ``redeleted`` counts archives that were sent
    again because a crash or a lost reply left it open whether they were deleted already."""

    inventory: int
    selected: int
    deleted: int
    failed: int
    skipped: int
    invalid: int
    duplicates: int
    throttled: int
    attempts: int
    redeleted: int
    seconds: float
    deletes_per_second: float
    run_dir: str

    @property
    def accounted(self) -> int:
        """Inventory records that have their one terminal outcome."""
        return self.deleted + self.failed + self.skipped + self.invalid + self.duplicates

    @property
    def complete(self) -> bool:
        """Whether every inventory record is accounted for."""
        return self.accounted == self.inventory

    def as_result(self) -> Purged:
        """The report for programs."""
        return Purged(**asdict(self))


def summarise(ledger: Ledger, *, inventory: int, selected: int, run_dir: str) -> Report:
    """Compute a run's numbers. ``inventory`` and ``selected`` are the plan's counts."""
    deleted = ledger.counts["deleted"]
    seconds = ledger.active_seconds
    return Report(
        inventory=inventory,
        selected=selected,
        deleted=deleted,
        failed=ledger.counts["failed"],
        skipped=ledger.counts["skipped"],
        invalid=ledger.counts["invalid"],
        duplicates=ledger.counts["duplicate"],
        throttled=ledger.throttled,
        attempts=ledger.attempts,
        redeleted=ledger.redeleted,
        seconds=round(seconds, 3),
        deletes_per_second=round(deleted / seconds, 2) if seconds > 0 else 0.0,
        run_dir=run_dir,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One moment of a run. Rates are per second; None is unknown, and of a rate also that nothing moves.

    ``elapsed_seconds`` is how long processes worked on it; ``is_steady`` whether the rate says anything of the rest.
    """

    selected: int
    deleted: int
    failed: int
    rate_per_second: float | None
    limit_per_second: float | None
    in_flight: int
    waiting: int
    throttled: int
    why: str
    deleted_bytes: int = 0
    selected_bytes: int = 0
    elapsed_seconds: float = 0.0
    is_steady: bool = True

    @property
    def remaining_seconds(self) -> float | None:
        """How long the rest takes at the rate of now; None while nothing moves, and while the rate still grows."""
        if not self.rate_per_second or not self.is_steady:
            return None
        return (self.selected - self.deleted - self.failed) / self.rate_per_second


def progress(ledger: Ledger, telemetry: Mapping[str, Any], plan: Plan) -> Progress:
    """Put a moment together from the durable state and the facts of a telemetry line."""
    moves = not telemetry.get("paused_by")  # lines of earlier versions repeat the last rate in a pause
    return Progress(
        selected=plan.counts.selected,
        deleted=ledger.counts["deleted"],
        failed=ledger.counts["failed"],
        rate_per_second=telemetry.get("accepted_per_second") if moves else None,
        limit_per_second=telemetry.get("limit_per_second"),
        in_flight=telemetry.get("in_flight", 0),
        waiting=telemetry.get("waiting", 0),
        throttled=telemetry.get("throttled", 0),
        why=telemetry.get("why", "")
        if ledger.finished is None
        else "done: every record of the inventory is accounted for",
        deleted_bytes=ledger.bytes_deleted,
        selected_bytes=plan.selected_bytes,
        elapsed_seconds=max(ledger.active_seconds, telemetry.get("active_seconds") or 0.0),
        is_steady=telemetry.get("steady", True),
    )
