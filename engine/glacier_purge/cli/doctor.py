"""``doctor``: what could go wrong with a purge of a vault, before anything is asked for that matters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.options import Aws, AwsOptions, LogOptions, Logs, Output, SettingsOptions, SettingsSource
from glacier_purge.cli.output import OutputFormat, print_page, print_result
from glacier_purge.report.findings import as_lines, as_result

if TYPE_CHECKING:
    from glacier_purge.guard.findings import Finding
    from glacier_purge.settings import Settings


def doctor(
    vault: str,
    *,
    run_dir: Path | None = None,
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Look at everything that could go wrong with a purge of the vault. Reads only.

    Parameters
    ----------
    vault
        Name of the vault.
    run_dir
        Where the run folder would be, for the room on that disk; otherwise here.

    Examples
    --------
    glacier-purge doctor photos --region us-east-1
    """
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.guard.findings import Weight
    from glacier_purge.report.results.planning import Diagnosed

    configure_logs(logs)
    settings = source.load(aws)
    found: list[Finding] = []

    async def look() -> int:
        found.extend(await _examined(vault, settings, run_dir or Path()))
        return ExitCode.DONE

    in_event_loop(look)
    weights = [finding.weight for finding in found]
    if output is OutputFormat.JSON:
        counts = {weight.value: weights.count(weight) for weight in Weight}
        print_result(Diagnosed(vault=vault, **counts, findings=[as_result(finding) for finding in found]), output)
    else:
        print_page("\n".join(line for finding in found for line in as_lines(finding)))
    return ExitCode.USAGE if Weight.BLOCKING in weights else ExitCode.DONE


async def _examined(name: str, settings: Settings, place: Path) -> list[Finding]:
    """Open the client without the check that keeps the wrong caller out: here the wrong caller is a finding."""
    from glacier_purge.api import values
    from glacier_purge.api.addresses import vault_by_name
    from glacier_purge.api.clients import Clients
    from glacier_purge.api.examining import examined
    from glacier_purge.cli.waiting import waiter
    from glacier_purge.glacier.service_clock import OnServiceTime

    async with Clients() as clients:
        vault = await vault_by_name(name, settings, clients)
        access = values.access(settings, values.endpoint(settings, vault.region), vault=vault)
        control = await clients.control_for_anybody(vault, access)
        time = OnServiceTime(waiter(True, access), clients.clock, lambda _: None)  # the clock is a finding here
        return await examined(control, clients, access, place, settings, time.now)
