"""What became of one vault, for a manager and an auditor: a run by itself, or a lifecycle with its rounds and days.

The verdict names the worst that holds: what failed before what is not proven, and *proven* never without a newer
inventory.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING

from glacier_purge.archive import Vault
from glacier_purge.errors import UsageError
from glacier_purge.lifecycle.phases import Event, Phase
from glacier_purge.lifecycle.state import is_lifecycle, read_state
from glacier_purge.report.run_report import RunReport
from glacier_purge.storage.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from glacier_purge.lifecycle.state import LifecycleState
    from glacier_purge.lifecycle.steps import Step
    from glacier_purge.plan.cost import PriceTable

_WAITS = {
    Phase.INVENTORY: "for the inventory job",
    Phase.APPROVAL: "for a person",
    Phase.VERIFY: "for a newer inventory",
}
_DAYS_SHOWN_MAX = 4


class Verdict(Enum):
    """How it stands, the worst that holds."""

    FAILED = "archives could not be deleted"
    PROVEN = "Deleted, and proven gone by a newer inventory"
    DELETED = "Deleted; not yet proven by a newer inventory"
    AT_WORK = "Deletes are being sent"
    STOPPED = "Stopped before its end"
    NOTHING_SENT = "Nothing was sent yet"
    NOTHING_TO_DELETE = "There was nothing to delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseTaken:
    """One step of a calendar: what was done from ``begin`` to ``end``, and what for it waited, if it did."""

    round: int
    phase: str
    event: str
    begin: datetime
    end: datetime
    waited: str

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.end - self.begin).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """A lifecycle's days, in order. Times are UTC."""

    phases: tuple[PhaseTaken, ...]

    @property
    def first(self) -> datetime:
        """When it began."""
        return self.phases[0].begin

    @property
    def last(self) -> datetime:
        """When its last step was made."""
        return self.phases[-1].end

    @property
    def seconds(self) -> float:
        """From its beginning to its last step."""
        return max((self.last - self.first).total_seconds(), 0.001)

    @property
    def waited_seconds(self) -> float:
        """How much of that it waited for others."""
        return sum(phase.seconds for phase in self.phases if phase.waited)

    def share(self, moment: datetime) -> float:
        """Where a moment lies, 0 to 1."""
        return min(1.0, max(0.0, (moment - self.first).total_seconds() / self.seconds))

    def days(self) -> list[datetime]:
        """Midnights in between, as many as can be shown."""
        midnight = self.first.replace(hour=0, minute=0, second=0) + timedelta(days=1)
        days = []
        while midnight < self.last - timedelta(seconds=self.seconds / _DAYS_SHOWN_MAX):
            days.append(midnight)
            midnight += timedelta(days=1)
        return days[:: -(-len(days) // _DAYS_SHOWN_MAX) or 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultReport:
    """One vault's report. ``rounds`` are those that were planned, in order; ``calendar`` is a lifecycle's."""

    folder: str
    name: str
    vault: str
    account_id: str
    region: str
    endpoint_url: str
    calendar: Calendar | None
    ended: Event | None
    phase: str | None
    rounds: tuple[RunReport, ...]

    @classmethod
    def of(cls, folder: RunFolder, prices: PriceTable, now: datetime) -> VaultReport:
        """Read a run's or a lifecycle's folder. Raises what their files raise, and ``UsageError`` for other folders."""
        if is_lifecycle(folder.path):
            return _of_lifecycle(folder, prices, now)
        if not folder.plan_file.exists():
            raise UsageError(
                f"{folder.path} is not the folder of a run, a lifecycle or a fleet: there is no plan in it."
            )
        run = RunReport.of(folder, prices, now)
        plan = run.plan
        return cls(
            folder=run.folder,
            name=run.name,
            vault=plan.vault_name,
            account_id=plan.account_id,
            region=plan.region,
            endpoint_url=plan.endpoint_url,
            calendar=None,
            ended=None,
            phase=None,
            rounds=(run,),
        )

    @property
    def last(self) -> RunReport | None:
        """The last round that was planned; None before there is one."""
        return self.rounds[-1] if self.rounds else None

    @property
    def deleted(self) -> int:
        """Archives deleted, in all rounds."""
        return sum(run.counts["deleted"] for run in self.rounds)

    @property
    def failed(self) -> int:
        """Archives that failed for good in the last round: an earlier one's are tried again."""
        return 0 if self.last is None else self.last.counts["failed"]

    @property
    def verdict(self) -> Verdict:
        """How it stands."""
        run = self.last
        if run is None:
            return Verdict.NOTHING_TO_DELETE if self.phase == Phase.DONE.value else Verdict.NOTHING_SENT
        if run.counts["failed"]:
            return Verdict.FAILED
        if run.certificate is not None:
            return Verdict.PROVEN
        if run.finished:
            return Verdict.DELETED
        if run.at_work:
            return Verdict.AT_WORK
        return Verdict.STOPPED if run.shape is not None or run.counts["deleted"] else Verdict.NOTHING_SENT

    @property
    def vault_removed(self) -> bool:
        """Whether the lifecycle removed the vault itself."""
        return self.ended is Event.DELETED


def _of_lifecycle(folder: RunFolder, prices: PriceTable, now: datetime) -> VaultReport:
    standing = read_state(folder)
    if standing.terms is None:
        raise UsageError(f"{folder.path}: nothing was begun in it that could be reported.")
    vault = Vault.from_arn(standing.terms.vault_arn)
    return VaultReport(
        folder=str(folder.path),
        name=folder.path.resolve().name,
        vault=vault.name,
        account_id=vault.account_id,
        region=vault.region,
        endpoint_url=standing.terms.endpoint_url,
        calendar=_calendar(standing, standing.terms.began),
        ended=next((step.event for step in reversed(standing.steps) if step.event in _ENDS), None),
        phase=standing.phase.value,
        rounds=tuple(RunReport.of(place, prices, now) for place in _planned_rounds(folder, standing.steps)),
    )


_ENDS = frozenset({Event.DELETED, Event.KEPT, Event.ABANDONED})


def _planned_rounds(folder: RunFolder, steps: Sequence[Step]) -> Iterator[RunFolder]:
    planned = dict.fromkeys(step.round for step in steps if step.event is Event.PLANNED)
    for number in planned:
        place = RunFolder(folder.path / f"round-{number}")
        if place.plan_file.exists():
            yield place


def _calendar(standing: LifecycleState, begun: datetime) -> Calendar | None:
    taken, at = [], begun
    for step in standing.steps:
        end = datetime.fromisoformat(step.at)
        waited = _WAITS.get(step.phase, "")
        taken.append(
            PhaseTaken(
                round=step.round, phase=step.phase.value, event=step.event.value, begin=at, end=end, waited=waited
            )
        )
        at = end
    return Calendar(phases=tuple(taken)) if taken else None
