"""``apply``: carry out an approved plan, or go on with one that was begun."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.cli.options import (
    ApprovalOptions,
    Approvals,
    Aws,
    AwsOptions,
    HookOptions,
    Hooks,
    LogOptions,
    Logs,
    Output,
    Pace,
    PaceOptions,
    Proof,
    ProofOptions,
    Replica,
    ReplicaOptions,
    Safety,
    SafetyOptions,
    SettingsOptions,
    SettingsSource,
    Watch,
    WatchOptions,
)
from glacier_purge.cli.output import OutputFormat, tell

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
    approvals: Approvals = ApprovalOptions(),
    proof: Proof = ProofOptions(),
    replica: Replica = ReplicaOptions(),
    hooks: Hooks = HookOptions(),
    watch: Watch = WatchOptions(),
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Carry out the plan in a run folder. A run that was begun goes on where it stopped.

    Shows the whole plan on stderr and asks for the vault's name and the number of archives on a terminal; elsewhere
    --confirm-digest has to quote the plan's digest. A run that was approved before is not asked about again. With
    --approvals nobody is asked here: so many people have to sign (`approve`), and until they did it ends with 75.

    Parameters
    ----------
    run_dir
        Run folder that `plan` made.
    confirm_digest
        The plan's digest, all 64 characters.

    Examples
    --------
    # On a terminal: it asks for the vault's name and the number of archives.
    glacier-purge apply photos-run
    # From a script, and no more than 50 a second.
    glacier-purge apply photos-run --confirm-digest "$digest" --max-rate 50
    # Only when two of those in the file have signed an approval.
    glacier-purge apply photos-run --approvals 2 --allowed-signers signers
    """
    from glacier_purge.api.run_dirs import open_run
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.plan.document import read_plan

    configure_logs(logs)
    settings = source.load(
        aws,
        hooks=hooks,
        approval=approvals.overrides(),
        pace=pace.overrides(),
        audit=proof.overrides(),
        replica=replica.overrides(),
        report=watch.overrides(),
        safety=safety.overrides(),
    )
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
    from glacier_purge.api.clients import Clients
    from glacier_purge.api.news import news_of_run
    from glacier_purge.api.purging import opened_run
    from glacier_purge.api.telling import telling
    from glacier_purge.api.values import access, rules
    from glacier_purge.api.watching import shown
    from glacier_purge.audit.recovery import replay
    from glacier_purge.cli.confirmation import approval_for
    from glacier_purge.cli.terminal_session import TerminalSession
    from glacier_purge.cli.waiting import host
    from glacier_purge.guard.rules import check_plan

    async with (
        shown(folder, settings, tell),
        telling(settings, tell) as told,
        news_of_run(folder, plan, told) as news,
    ):
        if settings.replica.address is not None and replay(folder.path).finished is not None:
            tell(f"the run in {folder.path} is finished: nothing more is sent, and no other host is kept out for it")
        check_plan(plan, rules(settings))  # before anybody is asked; carrying out checks again, and the archives too
        approval: Approval = await approval_for(folder, plan, settings, confirm_digest, news)
        here = host(access(settings, plan.endpoint_url))
        async with (
            Clients() as clients,
            opened_run(folder, plan, settings, clients, here, credentials=credentials, on_hold=news.held) as run,
            news.watching(run, plan),
        ):
            session = TerminalSession(run, plan)
            every_seconds = settings.report.progress_seconds
            exit_code = await session.carry_out(folder, approval, output, plain_every_seconds=every_seconds)
        if run.ledger is not None:
            news.carried_out(run.ledger, session.stopped_as)
        return exit_code
