"""One step of a lifecycle: as far as it goes without waiting and without asking, and what it takes to go on.

For cron, a workflow engine, or whoever calls again.  Nothing is held between two calls, and what a call reached is on
disk, so that one that was killed costs nothing but its own time.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier_purge.api.clients import Clients
from glacier_purge.api.lifecycle import opened_lifecycle
from glacier_purge.api.person import as_warning
from glacier_purge.api.scripts import EVERYTHING
from glacier_purge.api.telling import telling
from glacier_purge.approval.typed import approve_by_digest
from glacier_purge.audit.recovery import replay
from glacier_purge.clock import utc_now
from glacier_purge.errors import GlacierPurgeError, Needs
from glacier_purge.fleet.fleet import Ending, State
from glacier_purge.glacier.waiting import NoWait
from glacier_purge.lifecycle.phases import Event, Phase
from glacier_purge.lifecycle.state import read_state
from glacier_purge.report.results.result import UNSET, UnsetType
from glacier_purge.report.results.stepping import FleetStepped, Stepped, StepTaken
from glacier_purge.run.host import who
from glacier_purge.run.windows import in_words
from glacier_purge.settings import Settings
from glacier_purge.storage.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
    from datetime import datetime

    from glacier_purge.api.fleet import OpenedFleet
    from glacier_purge.api.lifecycle import LifecycleOrder
    from glacier_purge.api.person import ApprovalRequest
    from glacier_purge.approval.typed import Approval
    from glacier_purge.audit.ledger import Ledger
    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.lifecycle.state import LifecycleState
    from glacier_purge.lifecycle.steps import Step
    from glacier_purge.plan.document import Plan
    from glacier_purge.run.purge import PurgeRun

COME_AGAIN_AFTER = timedelta(minutes=10)
"""Where nobody says when: another process is at work, or the service did not answer."""

_PRESSING = (Needs.OPERATOR, Needs.CREDENTIALS, Needs.APPROVAL, Needs.TIME, Needs.NOTHING)
"""What a fleet needs is the first of these that one of its vaults needs."""


async def step(
    vault: str,
    *,
    run_dir: str | Path,
    order: LifecycleOrder = EVERYTHING,
    confirm_digests: Collection[str] = (),
    documents: Collection[bytes] = (),
    settings: Settings | None = None,
    credentials: StaticCredentials | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Stepped:
    """Go on with the lifecycle of ``vault`` in ``run_dir``, or begin it, as far as it goes now; say what it needs then.

    ``order`` is settled in the first call.  ``confirm_digests`` are the plans that somebody approved, all 64 characters
    each; ``documents`` are the approvals that people signed, where that is wanted.  Nobody is asked and nothing is
    waited for: what is pending, refused, damaged or in another process's hands comes back as the document, as it does
    from ``run --no-wait --output json``.  Only bugs are raised.
    """
    path, person, waiter = Path(run_dir), _Nobody(confirm_digests, documents), NoWait(clock=clock)
    ending = Ending(state=State.DONE)
    settings = settings if settings is not None else Settings()
    try:
        folder = RunFolder.open_or_create(path)
        async with (
            Clients() as clients,
            telling(settings, as_warning) as told,
            opened_lifecycle(
                folder,
                vault,
                order,
                settings,
                clients,
                person,
                waiter=waiter,
                credentials=credentials,
                telling=told,
            ) as lifecycle,
        ):
            await lifecycle.go_on()
    except Exception as error:
        ending = Ending.by(error)
        if ending.is_unexpected:
            raise
    return stepped(path, vault, person.taken, ending, clock())


class _Nobody:
    """Whoever can't be asked now, and approved beforehand what they approved."""

    def __init__(self, digests: Iterable[str], documents: Collection[bytes]) -> None:
        self.documents = documents
        self._digests = frozenset(digest.strip().lower() for digest in digests)
        self.taken: list[Step] = []

    async def approve(self, request: ApprovalRequest) -> Approval:
        if (signed := await request.by_documents()) is not None:
            return signed
        if request.plan.digest not in self._digests:
            raise request.pending()
        return approve_by_digest(request.plan, request.plan.digest, who())

    def say(self, message: str) -> None:
        """The folder and the document say what matters."""

    def reached(self, step: Step) -> None:
        self.taken.append(step)

    @asynccontextmanager
    async def watch(self, run: PurgeRun, plan: Plan) -> AsyncIterator[None]:
        del run, plan
        yield


def stepped(
    path: Path,
    vault: str,
    taken: Sequence[Step],
    ending: Ending,
    now: datetime,
    *,
    vault_arn: str | UnsetType = UNSET,
) -> Stepped:
    """The document for the lifecycle in the folder ``path``, which took these steps and ended so at ``now``."""
    found = _Found.of(path)
    is_pending = ending.state is State.PENDING
    return Stepped(
        needs=ending.needs,
        confirm_digests=() if ending.digest is None else (ending.digest,),
        until=in_words(_until(ending, now)),
        exit_code=ending.exit_code,
        vault=vault,
        vault_arn=vault_arn,
        state=ending.state.value,
        phase=None if found.standing is None else found.standing.phase.value,
        round=None if found.standing is None else found.standing.round,
        waiting_for=ending.message if is_pending else None,
        message=None if is_pending else ending.message or None,
        steps=tuple(
            StepTaken(at=one.at, round=one.round, phase=one.phase.value, event=one.event.value, facts=one.facts)
            for one in taken
        ),
        selected=None if found.plan is None else found.plan.counts.selected,
        deleted=None if found.ledger is None else found.ledger.counts["deleted"],
        failed=None if found.ledger is None else found.ledger.counts["failed"],
        uploads_denied=None if found.standing is None else found.standing.denied,
        kept=found.fact("kept", Event.KEPT_REST, Event.NOTHING_CHOSEN) or 0,
        kept_gone=found.fact("kept_gone", Event.PROVEN, Event.KEPT_REST) or 0,
        certificate=found.fact("certificate", Event.PROVEN, Event.KEPT_REST),
        vault_deleted=found.fact("answer", Event.DELETED) is not None,
        ended_with=found.ended_with,
        last_round=found.last_round,
        run_dir=str(path),
    )


def fleet_stepped(opened: OpenedFleet, path: Path, now: datetime) -> FleetStepped:
    """The document for a fleet that did what it could."""
    endings = opened.fleet.endings
    vaults = tuple(
        stepped(member.path, member.vault.name, member.taken, endings[name], now, vault_arn=name)
        for name, member in opened.members.items()
    )
    states = [one.state for one in vaults]
    return FleetStepped(
        needs=next((needs for needs in _PRESSING if any(one.needs == needs for one in vaults)), Needs.NOTHING),
        confirm_digests=tuple(digest for one in vaults for digest in one.confirm_digests),
        until=min((one.until for one in vaults if one.until is not None), default=None),
        exit_code=opened.fleet.exit_code,
        done=states.count("done"),
        pending=states.count("pending"),
        stopped=states.count("stopped"),
        failed=states.count("failed"),
        message=None,
        findings=opened.roster.findings,
        vaults=vaults,
        run_dir=str(path),
    )


def fleet_not_opened(path: Path, ending: Ending, now: datetime) -> FleetStepped:
    """The document for a fleet that was not even opened."""
    return FleetStepped(
        needs=ending.needs,
        confirm_digests=(),
        until=in_words(_until(ending, now)),
        exit_code=ending.exit_code,
        done=0,
        pending=0,
        stopped=0,
        failed=0,
        message=ending.message,
        findings=(),
        vaults=(),
        run_dir=str(path),
    )


def _until(ending: Ending, now: datetime) -> datetime | None:
    if ending.needs is Needs.OPERATOR:
        return None
    return now + COME_AGAIN_AFTER if ending.until is None and ending.needs is Needs.TIME else ending.until


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a lifecycle's folder says of it; None for what cannot be read, of which the ending tells."""

    standing: LifecycleState | None
    ledger: Ledger | None

    @classmethod
    def of(cls, path: Path) -> _Found:
        try:
            standing = read_state(RunFolder.look(path))
            ledger = None if standing.planned is None else replay(standing.planned[0].path)
        except GlacierPurgeError:
            return cls(standing=None, ledger=None)
        return cls(standing=standing, ledger=ledger)

    @property
    def plan(self) -> Plan | None:
        return None if self.standing is None or self.standing.planned is None else self.standing.planned[1]

    @property
    def last_round(self) -> str | None:
        planned = None if self.standing is None else self.standing.planned
        return None if planned is None else str(planned[0].path)

    @property
    def ended_with(self) -> str | None:
        if self.standing is None or self.standing.phase is not Phase.DONE:
            return None
        return self.standing.steps[-1].event.value

    def fact(self, name: str, *events: Event) -> Any:
        """What the last of such steps says of it; None before the end, and where there is none."""
        if self.ended_with is None or self.standing is None:
            return None
        found = (step.facts.get(name) for step in reversed(self.standing.steps) if step.event in events)
        return next(found, None)
