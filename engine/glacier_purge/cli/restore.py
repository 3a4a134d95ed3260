"""``restore``: make a folder again that was lost with its disk, from what a bucket keeps of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from glacier_purge.cli.options import Aws, AwsOptions, LogOptions, Logs, Output, SettingsOptions, SettingsSource
from glacier_purge.cli.output import OutputFormat, print_result

if TYPE_CHECKING:
    from glacier_purge.api.restoring import RestoredFolder
    from glacier_purge.report.results.replicas import RestoredAnswer

Origin = Annotated[str, Parameter(name="--from")]


def restore(
    run_dir: Path,
    *,
    origin: Origin,
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Make the folder of a run, of a lifecycle or of a whole fleet again from its replica; sends nothing.

    What comes back is checked as `audit verify` does. Up to which archive the lost host may have sent is known and
    noted in the log: `apply` or `run` goes on and sends those again.

    Parameters
    ----------
    run_dir
        The folder to make; it must be new.
    origin
        Where the replica lies, as the lost host said: s3://bucket/prefix/... A prefix will do that has only one below.

    Examples
    --------
    glacier-purge restore photos-run --from s3://purges/vaults
    """
    from glacier_purge.api.clients import Clients
    from glacier_purge.api.restoring import restored_folder
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.logs import configure_logs

    configure_logs(logs)
    settings = source.load(aws)

    async def work() -> int:
        async with Clients() as clients:
            print_result(answered(await restored_folder(origin, run_dir, settings, clients)), output)
        return 0

    return in_event_loop(work)


def answered(restored: RestoredFolder) -> RestoredAnswer:
    """What was restored, for people and programs, with what goes on with it."""
    from glacier_purge.fleet.roster import FLEET_FILE
    from glacier_purge.report.results.replicas import RestoredAnswer

    logs, path = restored.found.logs, restored.folder.path
    names = [vault.name for vault in restored.vaults]
    goes_on = {
        "run": f"apply {path}",
        "lifecycle": f"run {names[0]} --run-dir {path}",
        "fleet": f"fleet {path / FLEET_FILE} --run-dir {path}",
    }[restored.kind]
    replica = restored.settings.replica.url
    return RestoredAnswer(
        origin=restored.origin,
        vault=names[0] if restored.kind != "fleet" else f"{len(names):,} vaults",
        files=restored.found.files,
        records=sum(log.records for log in logs),
        last_record=logs[-1].last_ts if logs else None,
        in_doubt=sum(log.in_doubt for log in logs),
        then=f"glacier-purge {goes_on}" + ("" if replica is None else f" --replica {replica}"),
        run_dir=str(path),
    )
