"""Whole lifecycles as function calls: for scripts that carry a vault, or a fleet of them, without a shell.

The person is then the script's: ``approve`` is handed the view of each plan and answers with the digest it says yes to.
"""

from __future__ import annotations

import shlex
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from glacier_purge.api.clients import Clients
from glacier_purge.api.fleet import FleetPeople, FleetReport, opened_fleet
from glacier_purge.api.lifecycle import LifecycleOrder, LifecycleReport, opened_lifecycle
from glacier_purge.api.person import as_warning
from glacier_purge.api.telling import approving, telling
from glacier_purge.approval.typed import approve_by_digest
from glacier_purge.fleet.job_orders import ANY_JOBS, JobOrders
from glacier_purge.glacier.waiting import SleepingWaiter
from glacier_purge.lifecycle.steps import alarms
from glacier_purge.report.summary import progress
from glacier_purge.run.host import who
from glacier_purge.settings import Settings
from glacier_purge.storage.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence

    from glacier_purge.api.person import ApprovalRequest
    from glacier_purge.approval.typed import Approval
    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.glacier.waiting import Waiter, Waiting
    from glacier_purge.lifecycle.steps import Step
    from glacier_purge.plan.document import Plan
    from glacier_purge.report.fleet import Row
    from glacier_purge.report.plan_view import PlanView
    from glacier_purge.report.summary import Progress
    from glacier_purge.run.purge import PurgeRun

    ApprovePlan = Callable[[PlanView], Awaitable[str | None]]
    """Is shown a plan; answers with the digest of the plan it approves, or None where nobody says yes now."""


def _nothing(_: object) -> None:
    """Whoever gave no function wants to be told nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleListener:
    """What a script is told while a vault is carried, each by a function of its own that must not block.

    ``say`` gets sentences nobody should miss (otherwise they are logged as warnings of ``glacier_purge``), ``on_step``
    each step when it is on disk, ``on_wait`` what is waited for, ``on_progress`` a moment of the deletes every
    ``every_seconds``.
    """

    say: Callable[[str], None] = as_warning
    on_step: Callable[[Step], None] = _nothing
    on_wait: Callable[[Waiting], None] = _nothing
    on_progress: Callable[[Progress], None] = _nothing
    every_seconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetListener:
    """What a script is told while a fleet is carried: ``say`` as a vault's, ``on_progress`` how every vault stands."""

    say: Callable[[str], None] = as_warning
    on_progress: Callable[[Sequence[Row]], None] = _nothing
    every_seconds: float = 1.0


EVERYTHING = LifecycleOrder()
UNHEARD = LifecycleListener()
UNHEARD_FLEET = FleetListener()


async def run_lifecycle(
    vault: str,
    *,
    run_dir: str | Path,
    approve: ApprovePlan | None = None,
    documents: Collection[bytes] = (),
    order: LifecycleOrder = EVERYTHING,
    settings: Settings | None = None,
    credentials: StaticCredentials | None = None,
    waiter: Waiter | None = None,
    listener: LifecycleListener = UNHEARD,
) -> LifecycleReport:
    """Carry ``vault`` through inventory, plan, approval, purge and verification; return how it ended.

    Takes days, most of them waiting.  Stopped at any point, the same call goes on in ``run_dir``, and so does
    ``glacier-purge run``.  ``order`` says which archives go, and is settled when the lifecycle begins.  ``approve`` is
    handed each plan and returns its digest to have it carried out; without it a plan waits until it is given.
    Where people have to sign, ``documents`` are their approvals, besides those that lie in the folder.
    ``waiter`` waits; ``NoWait()`` raises ``Pending`` instead of waiting.

    Raises ``Pending`` (also for an approval that nobody gives), ``PlanRefused``, ``RunLocked`` and other
    ``UsageError`` (nothing was sent), ``RunStopped``, ``CredentialsFailed`` and ``ServiceRefused`` (call it again), and
    ``AuditDamaged``.  Where uploads are denied meanwhile, the error says so.
    """
    folder = RunFolder.open_or_create(Path(run_dir))
    person = _Script(approve, listener, documents)
    settings = settings if settings is not None else Settings()
    async with (
        Clients() as clients,
        telling(settings, listener.say) as told,
        opened_lifecycle(
            folder,
            vault,
            order,
            settings,
            clients,
            person,
            waiter=waiter if waiter is not None else SleepingWaiter(tell=listener.on_wait),
            credentials=credentials,
            telling=told,
        ) as lifecycle,
    ):
        await lifecycle.go_on()
    return LifecycleReport.of(folder, vault, lifecycle)


async def run_fleet(
    fleet_file: str | Path,
    *,
    run_dir: str | Path,
    approve: ApprovePlan | None = None,
    documents: Collection[bytes] = (),
    settings: Settings | None = None,
    orders: JobOrders = ANY_JOBS,
    waiter: Waiter | None = None,
    listener: FleetListener = UNHEARD_FLEET,
) -> FleetReport:
    """Carry all vaults of a fleet file side by side as ``run_lifecycle`` does one; return how each of them ended.

    What ends one vault does not stop the others and is not raised, but told in the report.  ``approve`` may be asked
    about several plans at once.  ``orders`` are the inventory jobs that are wanted now.  The same call goes on, and so
    does ``glacier-purge fleet``.

    Raises ``UsageError`` for a fleet file that can't be read, ``PlanRefused`` for another than the fleet began with,
    ``RunLocked``, ``AuditDamaged``, and what the service answers to being asked which vaults there are.
    """
    given = settings if settings is not None else Settings()

    async def approved(request: ApprovalRequest) -> Approval:
        return await _approved(approve, request)

    def settings_for(profile: str | None, region: str | None, account_id: str | None) -> Settings:
        named = {"profile": profile, "region": region, "account_id": account_id}
        aws = given.aws.model_copy(update={name: value for name, value in named.items() if value is not None})
        return given.model_copy(update={"aws": aws})

    folder = RunFolder.open_or_create(Path(run_dir))
    again = f"glacier-purge fleet {shlex.join([str(fleet_file), '--run-dir', str(folder.path.absolute())])}"
    async with AsyncExitStack() as held:
        people = FleetPeople(
            approve=approved,
            say=lambda vault, message: listener.say(f"{vault.name}: {message}"),
            waiter_for=lambda _, tell: waiter if waiter is not None else SleepingWaiter(tell=tell),
            documents=documents,
            telling=await held.enter_async_context(telling(given, listener.say, approving(again))),
        )
        clients = await held.enter_async_context(Clients())
        opened = await held.enter_async_context(
            opened_fleet(Path(fleet_file), folder, settings_for, clients, people, orders)
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(opened.show, listener.on_progress, listener.every_seconds)
            await opened.fleet.go_on()
            tasks.cancel_scope.cancel()
        listener.on_progress(opened.rows)
        return FleetReport.of(opened)


class _Script:
    """The person that a script's functions make."""

    def __init__(self, approve: ApprovePlan | None, listener: LifecycleListener, documents: Collection[bytes]) -> None:
        self.documents = documents
        self._approve = approve
        self._listener = listener
        self.say = listener.say

    async def approve(self, request: ApprovalRequest) -> Approval:
        return await _approved(self._approve, request)

    def reached(self, step: Step) -> None:
        self._listener.on_step(step)
        for alarm in alarms(step):
            self.say(alarm)

    @asynccontextmanager
    async def watch(self, run: PurgeRun, plan: Plan) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tell, run, plan)
            yield
            tasks.cancel_scope.cancel()
        self._tell_now(run, plan)

    async def _tell(self, run: PurgeRun, plan: Plan) -> None:
        while True:
            await anyio.sleep(self._listener.every_seconds)
            self._tell_now(run, plan)

    def _tell_now(self, run: PurgeRun, plan: Plan) -> None:
        if run.ledger is not None:
            self._listener.on_progress(progress(run.ledger, run.telemetry(), plan))


async def _approved(approve: ApprovePlan | None, request: ApprovalRequest) -> Approval:
    if (signed := await request.by_documents()) is not None:
        return signed
    digest = None if approve is None else await approve(request.view)
    if digest is None:
        raise request.pending()
    return approve_by_digest(request.plan, digest, who())
