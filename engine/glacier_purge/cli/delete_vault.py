"""``delete-vault``: remove the vault of a run that was proven to be empty."""

from __future__ import annotations

from pathlib import Path

from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.options import (
    Aws,
    AwsOptions,
    HookOptions,
    Hooks,
    Hyphened,
    LogOptions,
    Logs,
    Output,
    Replica,
    ReplicaOptions,
    SettingsOptions,
    SettingsSource,
)
from glacier_purge.cli.output import OutputFormat, print_result, tell
from glacier_purge.cli.waiting import NoWaitOption


def delete_vault(
    run_dir: Path,
    *,
    confirm_vault: Hyphened,
    even_the_last_vault: bool = False,
    no_wait: NoWaitOption = False,
    replica: Replica = ReplicaOptions(),
    hooks: Hooks = HookOptions(),
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Remove the vault itself, once a run is proven: finished, nothing failed, and an inventory that lists nothing.

    The service refuses as long as the vault counts as recently written to; it is asked every hour for up to three days.

    Parameters
    ----------
    run_dir
        The run folder, with the certificate that `verify` wrote.
    confirm_vault
        The vault's name, once more.
    even_the_last_vault
        Remove it even if it is the account's last one in the region: the account may never be able to make another.

    Examples
    --------
    glacier-purge delete-vault photos-run --confirm-vault photos
    """
    from glacier_purge.api.clients import Clients
    from glacier_purge.api.ending import removed
    from glacier_purge.api.news import news_of_run
    from glacier_purge.api.run_dirs import open_run
    from glacier_purge.api.telling import telling
    from glacier_purge.api.values import access
    from glacier_purge.cli.again import same_command
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.cli.waiting import settled, waiter
    from glacier_purge.plan.document import read_plan
    from glacier_purge.report.results.running import Removed

    configure_logs(logs)
    settings = source.load(aws, hooks=hooks, replica=replica.overrides())
    folder = open_run(run_dir)
    plan = read_plan(folder.plan_file)
    reached = access(settings, plan.endpoint_url, vault=plan.vault, id_rule=plan.snapshot.id_rule)

    async def work() -> int:
        async with (
            telling(settings, tell, same_command) as told,
            news_of_run(folder, plan, told) as news,
            Clients() as clients,
        ):
            answer = await removed(
                folder,
                plan,
                settings,
                clients,
                news.waiting(waiter(no_wait, reached)),
                tell,
                confirmed_name=confirm_vault,
                even_the_last=even_the_last_vault,
            )
            news.vault_deleted(answer.value)
        print_result(Removed(state="removed", answer=answer.value, vault=plan.vault.arn, run_dir=str(run_dir)), output)
        return ExitCode.DONE

    return in_event_loop(lambda: settled(work, output))
