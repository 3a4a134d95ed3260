"""The purge as a function: for scripts that want the whole run - folder, plan, audit log, resume - without a shell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.api.clients import Clients
from glacier_purge.api.planning import plan_in_new_folder
from glacier_purge.api.purging import alone_with, opened_run
from glacier_purge.approval.typed import approve_by_digest
from glacier_purge.audit.recovery import replay
from glacier_purge.clock import utc_now
from glacier_purge.errors import one_error
from glacier_purge.guard.rules import check_fresh
from glacier_purge.plan.choices import EVERY_ARCHIVE
from glacier_purge.plan.document import read_plan
from glacier_purge.plan.identity import planned_at
from glacier_purge.report.summary import Report, summarise
from glacier_purge.run.host import Host, who
from glacier_purge.settings import Settings
from glacier_purge.storage.folder import RunFolder

if TYPE_CHECKING:
    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.plan.choices import Choices
    from glacier_purge.plan.document import Plan


async def make_plan(
    vault: str,
    *,
    inventory: str | Path,
    run_dir: str | Path,
    settings: Settings | None = None,
    credentials: StaticCredentials | None = None,
    choices: Choices = EVERY_ARCHIVE,
    set_aside_defects: bool = False,
) -> Plan:
    """Plan the purge of ``vault`` from an inventory file into the new folder ``run_dir``; sends no delete.

    ``inventory`` is JSON or CSV, plain, gzip or zstd.  ``choices`` say which archives go, as in
    ``Choices(older_than="90d", min_size="10MiB")``; what they keep is counted in ``Plan.reasons``.  ``Plan.digest`` is
    what ``purge`` wants to see quoted.

    Raises ``InventoryDamaged`` (with file, byte offset and reason), ``PlanRefused`` and ``UsageError``, also where
    nothing is left to delete; no folder is left.  ``Choices(in_retrieval="wait")`` raises ``Pending`` while archives
    are being retrieved, ``"hold"`` and ``"wait"`` what the service answers.
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
            credentials=credentials,
        )
    return made


async def purge(
    run_dir: str | Path,
    *,
    confirm_digest: str,
    settings: Settings | None = None,
    credentials: StaticCredentials | None = None,
) -> Report:
    """Carry out the plan in ``run_dir``, or go on with it where an earlier process stopped; return its report.

    ``confirm_digest`` must be the plan's digest: whoever calls this has seen the plan.  ``Report.seconds`` are the
    seconds processes worked on it, ``Report.complete`` tells whether every inventory record is accounted for.

    Raises ``PlanRefused`` and ``RunLocked`` (nothing was sent), ``CredentialsFailed``, ``ServiceRefused``,
    ``RunStopped``, ``DiskFailed`` (resumable: call it again) and ``AuditDamaged``; several at once in a group.
    """
    settings = settings if settings is not None else Settings()
    folder = RunFolder.open(Path(run_dir))
    found = read_plan(folder.plan_file)
    with alone_with(folder, found):
        if replay(folder.path).approved_digest != found.digest:
            check_fresh(planned_at(folder, found), utc_now())
        approval = approve_by_digest(found, confirm_digest, who())
        async with (
            Clients() as clients,
            opened_run(folder, found, settings, clients, Host(), credentials=credentials) as run,
        ):
            with one_error():
                ledger = await run.carry_out(approval)
    return summarise(ledger, inventory=found.counts.inventory, selected=found.counts.selected, run_dir=str(folder.path))
