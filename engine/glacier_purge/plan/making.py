"""Makes a plan from a snapshot that was read once: decides every record, writes the decisions down, counts and samples.

Two readings of the inventory, in flat memory: the first, in ``first_reading``, finds what must not be believed; the
second, here, decides.  The decisions are durable before ``plan.json`` names their hash.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from glacier_purge.archive import ANY_LENGTH
from glacier_purge.errors import UsageError
from glacier_purge.plan.counting import Counting
from glacier_purge.plan.decisions import decisions_sha256, writing
from glacier_purge.plan.document import FORMAT, Plan, PlanFinding, SnapshotFacts
from glacier_purge.plan.first_reading import FirstReading
from glacier_purge.plan.selection import Filter, decisions_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which archives go, for one pass over the inventory; ``findings`` is asked when the pass is over."""

    filters: Sequence[Filter] = ()
    findings: Callable[[], list[PlanFinding]] = list


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedPlan:
    """A plan that is not written down yet, and whether the service said which archives are being retrieved."""

    plan: Plan
    retrievals_looked_at: bool


class NothingToDelete(UsageError):
    """The inventory lists nothing that goes; ``kept`` archives of it stay because something was chosen."""

    def __init__(self, message: str, *, kept: int) -> None:
        super().__init__(message)
        self.kept = kept


def decide_all(reading: FirstReading, selection: Selection) -> Plan:
    """Decide every record that was read and write the decisions beside the snapshot. Raises ``NothingToDelete``."""
    snapshot, target = reading.snapshot, reading.target
    counting = Counting(selection.filters)
    with writing(snapshot.path.parent) as writer:
        for batch, duplicates in reading.again():
            decisions = decisions_of(batch, duplicates, selection.filters)
            writer.write(bytes(decisions), duplicates)
            counting.take(batch, decisions)
    if not counting.counts.selected:
        raise NothingToDelete(f"{target.vault.arn}: {_why_nothing(counting)}", kept=counting.counts.skipped)
    return Plan(
        format=FORMAT,
        tool_version=target.tool_version,
        account_id=target.vault.account_id,
        region=target.vault.region,
        vault_name=target.vault.name,
        endpoint_url=target.endpoint_url,
        snapshot=SnapshotFacts(
            file=snapshot.path.name,
            format=snapshot.format,
            sha256=snapshot.sha256,
            size_bytes=snapshot.size_bytes,
            inventory_date=snapshot.inventory_date,
            any_id_length=snapshot.id_rule == ANY_LENGTH,
        ),
        decisions_sha256=decisions_sha256(snapshot.path.parent),
        reasons=counting.reasons,
        findings=selection.findings(),
        counts=counting.counts,
        selected_bytes=counting.census.bytes,
        oldest=counting.period.oldest,
        newest=counting.period.newest,
        uploads=counting.census.months(),
        last_days=counting.census.last_days(),
        sizes=counting.census.sizes(),
        samples=counting.samples,
    )


def _why_nothing(counting: Counting) -> str:
    stays = [f"{reason.records:,} {reason.code}" for reason in counting.reasons if reason.records]
    if counting.counts.skipped:
        return f"no archive is left to delete ({', '.join(stays)}). Nothing was planned."
    return (
        f"the inventory lists no archive to delete ({counting.counts.inventory:,} records). "
        "An empty vault needs no purge; DeleteVault works once a newer inventory says it is empty."
    )
