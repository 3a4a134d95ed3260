"""``inventory fetch``: a vault's inventory from the service into a file, over hours and any number of stops."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.options import (
    Aws,
    AwsOptions,
    JobOptions,
    Jobs,
    LogOptions,
    Logs,
    Output,
    SettingsOptions,
    SettingsSource,
    Whole,
)
from glacier_purge.cli.output import OutputFormat, print_result, tell
from glacier_purge.cli.waiting import NoWaitOption
from glacier_purge.errors import UsageError


def fetch(
    vault: str,
    *,
    to: Path | None = None,
    run_dir: Path | None = None,
    no_wait: NoWaitOption = False,
    jobs: Jobs = JobOptions(),
    inventory_max_age: timedelta | None = None,
    chunk_mib: Whole = 16,
    any_id_length: bool = False,
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Fetch a vault's inventory: take the newest job that will do or ask for one, wait hours for it, download it.

    A job takes 3 to 5 hours. Stopped at any point, the same command goes on; nothing is downloaded twice. The file is
    put in place only after it was read to its end and held against what the service says of the vault.

    Parameters
    ----------
    vault
        Name of the vault.
    to
        File to write; otherwise VAULT-inventory.json here. What is under way stands in FILE.fetch meanwhile.
    run_dir
        Run folder to put the inventory into, instead of a file.
    inventory_max_age
        Take no job begun longer ago, as in 12h; otherwise any whose output can still be downloaded.
    chunk_mib
        MiB to download in one request.
    any_id_length
        Accept archive ids of other lengths than 138 characters, as other emulators make.

    Examples
    --------
    glacier-purge inventory fetch photos --to inventory.json
    # For cron: ask for it, end with 75, and come again.
    glacier-purge inventory fetch photos --to inventory.json --no-wait
    """
    from glacier_purge.api.clients import Clients
    from glacier_purge.api.fetching import Fetching
    from glacier_purge.api.values import access
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.cli.waiting import settled, waiter
    from glacier_purge.inventory.fetching.job_choice import ANY_JOB

    configure_logs(logs)
    if to is not None and run_dir is not None:
        raise UsageError("--to and --run-dir are two places for one inventory. Give one of them.")
    if chunk_mib < 1:
        raise UsageError("--chunk-mib is 1 at least.")
    wanted = jobs.wanted()
    if inventory_max_age is not None and wanted != ANY_JOB:
        raise UsageError("--job-id, --new-inventory and --inventory-max-age say three different things. Give one.")
    settings = source.load(aws, inventory={"any_id_length": any_id_length or None})

    async def work() -> int:
        async with Clients() as clients:
            fetching = Fetching(
                settings=settings,
                clients=clients,
                waiter=waiter(no_wait, access(settings, settings.aws.endpoint_url)),
                say=tell,
                wanted=wanted,
                age_max=inventory_max_age,
                chunk_bytes=chunk_mib << 20,
            )
            if run_dir is not None:
                fetched = await fetching.into_folder(vault, run_dir)
            else:
                target = to or Path(f"{vault.lstrip('.-') or 'vault'}-inventory.json")
                fetched = await fetching.to_file(vault, target)
        print_result(fetched, output)
        return ExitCode.DONE

    return in_event_loop(lambda: settled(work, output))
