"""``apply``: carry out an approved plan, or go on with one that was begun."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.cli.options import (
    Aws,
    AwsOptions,
    LogOptions,
    Logs,
    Output,
    Pace,
    PaceOptions,
    Safety,
    SafetyOptions,
    SettingsOptions,
    SettingsSource,
)
from glacier_purge.cli.output import OutputFormat

if TYPE_CHECKING:
    from glacier_purge.approval.typed import Approval
    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.plan.document import Plan
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder


def apply(
    run_dir: Path,
    *,
    confirm_digest: str | None = None,
    pace: Pace = PaceOptions(),
    safety: Safety = SafetyOptions(),
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Carry out the plan in a run folder. A run that was begun goes on where it stopped.

    Shows the whole plan on stderr and asks for the vault's name and the number of archives on a terminal; elsewhere
    --confirm-digest has to quote the plan's digest. A run that was approved before is not asked about again.

    Parameters
    ----------
    run_dir
        Run folder that `plan` made.
    confirm_digest
        The plan's digest, all 64 characters.
    """
    from glacier_purge.cli.carrying import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.cli.run_dir import open_run
    from glacier_purge.plan.document import read_plan

    configure_logs(logs)
    settings = source.load(aws, pace=pace.overrides(), safety=safety.overrides())
    folder = open_run(run_dir)
    plan = read_plan(folder.plan_file)

    async def carry_out() -> int:
        return await apply_plan(folder, plan, settings, confirm_digest=confirm_digest, output=output)

    return in_event_loop(carry_out)


async def apply_plan(
    folder: RunFolder,
    plan: Plan,
    settings: Settings,
    *,
    confirm_digest: str | None,
    output: OutputFormat,
    credentials: StaticCredentials | None = None,
) -> int:
    """Hold the locks, get the approval, open the service and carry the plan out."""
    from glacier_purge.api import wiring
    from glacier_purge.cli.carrying import Carrying
    from glacier_purge.cli.confirmation import approval_for
    from glacier_purge.cli.waiting import host
    from glacier_purge.guard.rules import check_plan
    from glacier_purge.lifecycle.endings import check_not_abandoned
    from glacier_purge.run.purge import PurgeRun
    from glacier_purge.storage.disk import FileDisk

    access = wiring.access(settings, plan.endpoint_url, id_rule=plan.snapshot.id_rule, credentials=credentials)
    check_not_abandoned(folder.path)
    check_plan(plan, wiring.rules(settings))  # before anybody is asked; carrying out checks again, and the archives too
    with folder.locked(plan.vault, plan.endpoint_url):
        approval: Approval = approval_for(folder, plan, settings, confirm_digest)
        async with wiring.open_service(plan.vault, access, settings) as service:
            run = PurgeRun(
                folder,
                plan,
                service,
                wiring.purge_settings(settings),
                FileDisk(folder.path),
                host(access),
                open_guarded=lambda: wiring.open_control(plan.vault, access),
            )
            carrying = Carrying(run, folder, plan, plain_every_seconds=settings.report.progress_seconds)
            return await carrying.carry_out(approval, output)
