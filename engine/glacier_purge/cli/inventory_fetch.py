"""``inventory fetch``: a vault's inventory from the service into a file, over hours and any number of stops."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.options import (
    Aws,
    AwsOptions,
    Hyphened,
    LogOptions,
    Logs,
    Output,
    SettingsOptions,
    SettingsSource,
    Whole,
)
from glacier_purge.cli.output import OutputFormat, print_result
from glacier_purge.cli.waiting import NoWaitOption
from glacier_purge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from glacier_purge.inventory.fetching.job_choice import Wanted
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder


def fetch(
    vault: str,
    *,
    to: Path | None = None,
    run_dir: Path | None = None,
    no_wait: NoWaitOption = False,
    new_inventory: bool = False,
    inventory_max_age: timedelta | None = None,
    job_id: Hyphened | None = None,
    chunk_mib: Whole = 16,
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
    new_inventory
        Ask for a new job even where a finished one would do. It serves the service's last inventory all the same,
        which is made about once a day.
    inventory_max_age
        Take no job begun longer ago, as in 12h; otherwise any whose output can still be downloaded.
    job_id
        Take this job and no other.
    chunk_mib
        MiB to download in one request.
    """
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.cli.waiting import settled
    from glacier_purge.inventory.fetching.job_choice import Wanted
    from glacier_purge.report.results.planning import Fetched
    from glacier_purge.storage.folder import RunFolder

    configure_logs(logs)
    if to is not None and run_dir is not None:
        raise UsageError("--to and --run-dir are two places for one inventory. Give one of them.")
    if chunk_mib < 1:
        raise UsageError("--chunk-mib is 1 at least.")
    if sum((job_id is not None, new_inventory, inventory_max_age is not None)) > 1:
        raise UsageError("--job-id, --new-inventory and --inventory-max-age say three different things. Give one.")
    youngest_for = timedelta(0) if new_inventory else inventory_max_age

    def wanted(now: datetime) -> Wanted:
        return Wanted(created_from=None if youngest_for is None else now - youngest_for, job_id=job_id)

    settings = source.load(aws)
    target = None if run_dir is not None else to or Path(f"{vault.lstrip('.-') or 'vault'}-inventory.json")
    if target is not None and target.exists():
        raise UsageError(f"{target} exists already. Give another file with --to.")
    place = run_dir if run_dir is not None else Path(f"{target}.fetch")

    async def work() -> int:
        folder = RunFolder.open_or_create(place)
        with folder.held():
            result = await _fetch(vault, folder, wanted, settings, no_wait=no_wait, chunk_bytes=chunk_mib << 20)
            if target is not None:
                _put_in_place(folder, target)
        print_result(Fetched(file=str(target or folder.path / "inventory.json"), **result), output)
        return ExitCode.DONE

    return in_event_loop(lambda: settled(work, output))


async def _fetch(
    vault: str,
    folder: RunFolder,
    wanted: Callable[[datetime], Wanted],
    settings: Settings,
    *,
    no_wait: bool,
    chunk_bytes: int,
) -> dict[str, Any]:
    from glacier_purge.api import values
    from glacier_purge.api.addresses import vault_by_name
    from glacier_purge.api.clients import Clients
    from glacier_purge.cli.waiting import waiter
    from glacier_purge.inventory.fetching.retrieval import Retrieval, RetrievalSettings

    id_rule = settings.inventory.id_rule
    how = RetrievalSettings(chunk_bytes=chunk_bytes, id_rule=id_rule)
    async with Clients() as clients:
        address = await vault_by_name(vault, settings, clients)
        access = values.access(settings, values.endpoint(settings, address.region), id_rule=id_rule)
        waits = waiter(no_wait, access)
        control = await clients.control(address, access)
        snapshot, job_id = await Retrieval(control, folder.path, wanted(waits.now()), waits, how).fetch()
    return {
        "vault": address.name,
        "account_id": address.account_id,
        "region": address.region,
        "job_id": job_id,
        "inventory_date": snapshot.inventory_date,
        "records": snapshot.records,
        "bytes": snapshot.size_bytes,
        "sha256": snapshot.sha256,
    }


def _put_in_place(folder: RunFolder, target: Path) -> None:
    """Give the inventory its own name, and take the folder it was fetched in away."""
    import shutil

    from glacier_purge.inventory.fetching.retrieval import INVENTORY_FILE

    (folder.path / INVENTORY_FILE).rename(target)
    shutil.rmtree(folder.path)
