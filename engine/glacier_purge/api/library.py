"""What the command line does as functions, for scripts that want it without a shell; the verbs call the same rooms.

Where the service is waited for, for hours, that is the ``waiter``'s: ``SleepingWaiter(tell=...)`` tells of each wait
and sleeps, ``NoWait()`` raises ``Pending``, which says for what and until when; the same call goes on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, overload

import anyio

from glacier_purge.api.approving import approved_by_documents, documents_wanted
from glacier_purge.api.clients import Clients
from glacier_purge.api.fetching import Fetching
from glacier_purge.api.news import news_of_run
from glacier_purge.api.person import as_warning
from glacier_purge.api.planning import NO_WAIT, plan_in_new_folder
from glacier_purge.api.proving import proven
from glacier_purge.api.purging import opened_run, was_approved
from glacier_purge.api.run_dirs import check_is_no_stream, open_run, open_run_to_prove
from glacier_purge.api.telling import telling
from glacier_purge.api.watching import shown
from glacier_purge.approval.typed import approve_by_digest
from glacier_purge.clock import utc_now
from glacier_purge.errors import PlanRefused, one_error
from glacier_purge.fleet.roster import settled_roster
from glacier_purge.glacier.waiting import SleepingWaiter
from glacier_purge.inventory.fetching.job_choice import ANY_JOB, WantedJob
from glacier_purge.lifecycle.state import is_lifecycle
from glacier_purge.plan.choices import EVERY_ARCHIVE
from glacier_purge.plan.document import read_plan
from glacier_purge.report.lifecycle_view import LifecycleView, fleet_view
from glacier_purge.report.plan_shown import all_shown, plan_shown, plans_waiting
from glacier_purge.report.run_view import run_status
from glacier_purge.report.summary import Report, progress, summarise
from glacier_purge.run.host import Host, who
from glacier_purge.settings import Settings
from glacier_purge.storage.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import timedelta

    from glacier_purge.api.scripts import ApprovePlan
    from glacier_purge.approval.typed import Approval
    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.glacier.waiting import Waiter
    from glacier_purge.plan.choices import Choices
    from glacier_purge.plan.document import Plan
    from glacier_purge.report.results.lifecycles import FleetStatus, LifecycleStatus
    from glacier_purge.report.results.planning import AllShown, Fetched, Shown
    from glacier_purge.report.results.running import RunStatus, Verified
    from glacier_purge.report.summary import Progress
    from glacier_purge.run.purge import PurgeRun

    OnProgress = Callable[[Progress], None]

SLEEPING = SleepingWaiter(tell=lambda _: None)
"""Waits as long as it takes and tells nobody."""
PROGRESS_SECONDS = 1.0
"""How often ``on_progress`` is called while a plan is carried out, and once when it ends."""


async def fetch_inventory(
    vault: str,
    *,
    to: str | Path,
    settings: Settings | None = None,
    credentials: StaticCredentials | None = None,
    age_max: timedelta | None = None,
    wanted: WantedJob = ANY_JOB,
    waiter: Waiter = SLEEPING,
    say: Callable[[str], None] = as_warning,
) -> Fetched:
    """Fetch the inventory of ``vault`` to the new file ``to``; a job for it takes 3 to 5 hours.

    A job will do that is no older than ``age_max`` (None: whose output can still be downloaded), or the one ``wanted``;
    otherwise one is asked for.  The file is put in place only after it was read to its end and held against what the
    service says of the vault.  ``say`` is told of jobs that are passed over.

    Raises ``UsageError`` for a file that exists and a job that won't do, ``InventoryDamaged``, ``RunStopped`` (call it
    again), ``CredentialsFailed``, ``ServiceRefused``, and ``Pending`` as ``waiter`` has it.
    """
    async with Clients() as clients:
        fetching = Fetching(
            settings=settings if settings is not None else Settings(),
            clients=clients,
            waiter=waiter,
            say=say,
            age_max=age_max,
            wanted=wanted,
            credentials=credentials,
        )
        return await fetching.to_file(vault, Path(to))


async def make_plan(
    vault: str,
    *,
    inventory: str | Path,
    run_dir: str | Path,
    settings: Settings | None = None,
    credentials: StaticCredentials | None = None,
    choices: Choices = EVERY_ARCHIVE,
    set_aside_defects: bool = False,
    waiter: Waiter = NO_WAIT,
) -> Plan:
    """Plan the purge of ``vault`` from an inventory file into the new folder ``run_dir``; sends no delete.

    ``inventory`` is JSON or CSV, plain, gzip or zstd.  ``choices`` say which archives go, as in
    ``Choices(older_than="90d", min_size="10MiB")``; what they keep is counted in ``Plan.reasons``.  ``Plan.digest`` is
    what ``purge`` wants to see quoted.

    Raises ``InventoryDamaged`` (with file, byte offset and reason), ``PlanRefused`` and ``UsageError``, also where
    nothing is left to delete; no folder is left.  ``Choices(in_retrieval="wait")`` raises ``Pending`` while archives
    are being retrieved, unless ``waiter`` waits; ``"hold"`` and ``"wait"`` what the service answers.
    """
    async with Clients() as clients:
        _, made = await plan_in_new_folder(
            vault,
            str(inventory),
            settings if settings is not None else Settings(),
            clients,
            choices,
            run_dir=Path(run_dir),
            set_aside_defects=set_aside_defects,
            waiter=waiter,
            credentials=credentials,
        )
    return made


def show_plan(run_dir: str | Path, *, settings: Settings | None = None) -> Shown | AllShown:
    """The plan in ``run_dir`` again, with what it costs and how long it takes as of today; of a fleet, all that wait.

    Sends nothing.  It reads the plan's files through: minutes for millions of archives, in a thread of the caller's.

    Raises ``PlanRefused`` unless the files are what was planned, ``UsageError`` where there is no plan yet.
    """
    settings = settings if settings is not None else Settings()
    folder = RunFolder.look(Path(run_dir))
    roster = settled_roster(folder)
    if roster is not None:
        return all_shown(folder, plans_waiting(folder, roster, settings))
    check_is_no_stream(folder)
    return plan_shown(folder, settings).as_result()


@overload
async def purge(
    run_dir: str | Path,
    *,
    confirm_digest: str,
    documents: Collection[bytes] = (),
    settings: Settings | None = None,
    credentials: StaticCredentials | None = None,
    on_progress: OnProgress | None = None,
) -> Report: ...


@overload
async def purge(
    run_dir: str | Path,
    *,
    approve: ApprovePlan,
    documents: Collection[bytes] = (),
    settings: Settings | None = None,
    credentials: StaticCredentials | None = None,
    on_progress: OnProgress | None = None,
) -> Report: ...


@overload
async def purge(
    run_dir: str | Path,
    *,
    documents: Collection[bytes],
    settings: Settings | None = None,
    credentials: StaticCredentials | None = None,
    on_progress: OnProgress | None = None,
) -> Report: ...


async def purge(
    run_dir: str | Path,
    *,
    confirm_digest: str | None = None,
    approve: ApprovePlan | None = None,
    documents: Collection[bytes] = (),
    settings: Settings | None = None,
    credentials: StaticCredentials | None = None,
    on_progress: OnProgress | None = None,
) -> Report:
    """Carry out the plan in ``run_dir``, or go on with it where an earlier process stopped; return its report.

    No yes is ever assumed.  Either ``confirm_digest`` is the plan's digest: whoever calls this has seen the plan.  Or
    ``approve`` is handed the view of the plan, and answers with its digest.  Where people have to sign (the settings'
    ``approval``) neither will do, and ``documents`` are their approvals, besides those in the folder.

    ``Report.seconds`` are the seconds processes worked on it, ``Report.complete`` tells whether every inventory record
    is accounted for.  ``on_progress`` is called about once a second; what it raises stops the run, in good order.

    Raises ``PlanRefused``, ``UsageError`` and ``RunLocked`` (nothing was sent), ``CredentialsFailed``,
    ``ServiceRefused``, ``RunStopped``, ``DiskFailed`` (resumable: call it again), ``AuditDamaged`` and
    ``NotAsApproved``; several at once in a group.
    """
    settings = settings if settings is not None else Settings()
    folder = open_run(Path(run_dir))
    plan = read_plan(folder.plan_file)
    async with shown(folder, settings, as_warning), telling(settings, as_warning) as told:
        with one_error():
            async with news_of_run(folder, plan, told) as news:
                was_approved(folder, plan)
                wanted = documents_wanted(folder, plan, settings, documents=documents)
                if wanted is not None:
                    approval = await approved_by_documents(wanted)
                else:
                    approval = await _approval(folder, plan, settings, confirm_digest, approve)
                async with (
                    Clients() as clients,
                    opened_run(
                        folder, plan, settings, clients, Host(), credentials=credentials, on_hold=news.held
                    ) as run,
                    news.watching(run, plan),
                    anyio.create_task_group() as tasks,
                ):
                    if on_progress is not None:
                        tasks.start_soon(_tell_progress, run, plan, on_progress)
                    ledger = await run.carry_out(approval)
                    tasks.cancel_scope.cancel()
                news.carried_out(ledger)
        if on_progress is not None:
            on_progress(progress(ledger, run.telemetry(), plan))
    return summarise(ledger, inventory=plan.counts.inventory, selected=plan.counts.selected, run_dir=str(folder.path))


async def verify(
    run_dir: str | Path,
    *,
    settings: Settings | None = None,
    credentials: StaticCredentials | None = None,
    wanted: WantedJob = ANY_JOB,
    waiter: Waiter = SLEEPING,
    say: Callable[[str], None] = as_warning,
) -> Verified:
    """Hold an inventory made after the last deletion against the audit log of the run in ``run_dir``; write what it is.

    The service makes one about once a day; ``wanted`` is the job to take where not any will do.
    ``Verified.certificate`` is None where nothing is proven; ``Verified.new_since`` and ``kept_gone`` count what is not
    as it should be.  ``say`` is told of jobs that are passed over.

    Raises ``RunLocked``, ``UsageError`` for a run that is not at its end, ``AuditDamaged``, what the service answers,
    and ``Pending`` as ``waiter`` has it.
    """
    folder = open_run_to_prove(Path(run_dir))
    plan = read_plan(folder.plan_file)
    settings = settings if settings is not None else Settings()
    async with Clients() as clients, telling(settings, say) as told:
        return await proven(
            folder, plan, settings, clients, waiter, say, wanted=wanted, credentials=credentials, telling=told
        )


def status(run_dir: str | Path) -> RunStatus | LifecycleStatus | FleetStatus:
    """How far a run, a lifecycle or a fleet is and what it waits for: what is on disk, and what its process says.

    Disturbs nothing, and reads whosever folder it is.  Raises ``UsageError`` for any other folder, and ``AuditDamaged``
    where its files do not hold together; a fleet says that of each vault.
    """
    folder = RunFolder.look(Path(run_dir))
    roster = settled_roster(folder)
    if roster is not None:
        facts, _ = fleet_view(folder, roster)
        return facts
    if is_lifecycle(folder.path):
        return LifecycleView.of(folder).as_result()
    check_is_no_stream(folder)
    return run_status(folder, utc_now())


async def _approval(
    folder: RunFolder, plan: Plan, settings: Settings, confirm_digest: str | None, approve: ApprovePlan | None
) -> Approval:
    if confirm_digest is not None:
        return approve_by_digest(plan, confirm_digest, who())
    if approve is None:
        raise PlanRefused(
            f"deleting {plan.counts.selected:,} archives needs a yes: give confirm_digest or approve. Nothing was sent."
        )
    digest = await approve(plan_shown(folder, settings).view)
    was_approved(folder, plan)  # once more: somebody may have thought about it for days
    if digest is None:
        raise PlanRefused(f"the plan in {folder.path} was not approved. Nothing was sent.")
    return approve_by_digest(plan, digest, who())


async def _tell_progress(run: PurgeRun, plan: Plan, tell: OnProgress) -> None:
    while True:
        await anyio.sleep(PROGRESS_SECONDS)
        if run.ledger is not None:
            tell(progress(run.ledger, run.telemetry(), plan))
