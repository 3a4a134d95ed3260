"""``abandon``: end a lifecycle before its end, in good order: uploads are allowed again, and nothing more is sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.options import (
    Aws,
    AwsOptions,
    Hyphened,
    LogOptions,
    Logs,
    Output,
    Replica,
    ReplicaOptions,
    SettingsOptions,
    SettingsSource,
)
from glacier_purge.cli.output import OutputFormat, print_result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier_purge.archive import Vault
    from glacier_purge.lifecycle.steps_file import LifecycleFile
    from glacier_purge.lifecycle.terms import Terms
    from glacier_purge.storage.folder import RunFolder


def abandon(
    run_dir: Path,
    *,
    confirm_vault: Hyphened | None = None,
    replica: Replica = ReplicaOptions(),
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """End a lifecycle that `run` or `fleet` began, for good: allow uploads again, note it, and send nothing more.

    What was deleted stays deleted and on record. Afterwards `run` and `apply` refuse to go on with it, and so does
    `take` on another host, where a bucket keeps the lifecycle.

    Parameters
    ----------
    run_dir
        The folder of the lifecycle; of a fleet, that of one of its vaults.
    confirm_vault
        The vault's name, once more, where there is no terminal.

    Examples
    --------
    glacier-purge abandon runs/photos
    glacier-purge abandon runs/photos --confirm-vault photos
    """
    from glacier_purge.api import values
    from glacier_purge.api.clients import Clients
    from glacier_purge.api.ending import abandoned
    from glacier_purge.api.run_dirs import check_is_no_stream
    from glacier_purge.archive import Vault
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.cli.naming import confirm_by_name
    from glacier_purge.cli.waiting import waiter
    from glacier_purge.report.results.lifecycles import Abandoned
    from glacier_purge.storage.folder import RunFolder

    configure_logs(logs)
    settings = source.load(aws, replica=replica.overrides())
    folder = RunFolder.open(run_dir)
    check_is_no_stream(folder)
    terms = _terms(folder)
    vault, id_rule = Vault.from_arn(terms.vault_arn), settings.inventory.id_rule
    access = values.access(settings, terms.endpoint_url, vault=vault, id_rule=id_rule)

    async def confirm(vault: Vault, lifecycle: LifecycleFile) -> None:
        await confirm_by_name(vault.name, confirm_vault, _shown(folder, vault, lifecycle))

    async def work() -> int:
        async with Clients() as clients:
            step, still_denied_by = await abandoned(folder, terms, settings, clients, waiter(True, access), confirm)
        print_result(
            Abandoned(
                state="abandoned",
                vault=terms.vault_arn,
                at=step.at,
                by=step.facts["by"],
                phase=step.phase.value,
                uploads="as before" if not still_denied_by else f"still denied by {', '.join(still_denied_by)}",
                run_dir=str(folder.path),
            ),
            output,
        )
        return ExitCode.DONE

    return in_event_loop(work)


def _terms(folder: RunFolder) -> Terms:
    """What the lifecycle was begun with. Raises ``UsageError`` for a folder that is no lifecycle's."""
    from glacier_purge.errors import UsageError
    from glacier_purge.fleet.roster import ROSTER_FILE
    from glacier_purge.lifecycle.terms import read_terms

    if (folder.path / ROSTER_FILE).exists():
        raise UsageError(
            f"{folder.path} is a fleet's. Abandon its vaults one by one: glacier-purge abandon "
            f"{folder.path}/ACCOUNT-REGION-VAULT. Nothing was sent."
        )
    terms = read_terms(folder.path)
    if terms is None:
        raise UsageError(
            f"{folder.path} is not the folder of a lifecycle (no terms.json): there is nothing to abandon. A run of "
            "`plan` and `apply` is simply not gone on with. Nothing was sent."
        )
    return terms


def _shown(folder: RunFolder, vault: Vault, lifecycle: LifecycleFile) -> Iterator[str]:
    from glacier_purge.lifecycle.state import denial

    yield f"About to end the lifecycle in {folder.path} for good:"
    yield f"  vault  {vault.name} in {vault.region}, account {vault.account_id}"
    yield f"  phase  {lifecycle.phase.value} of round {lifecycle.round}"
    denied = denial(folder.path)
    if denied is not None:
        yield f"  {denied}"
    yield "What was deleted stays deleted; nothing more is sent for it, ever."
