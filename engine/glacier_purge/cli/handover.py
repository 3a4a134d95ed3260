"""``handover``: stop in good order and have all of it in the bucket, so that another host can take it."""

from __future__ import annotations

from pathlib import Path

from glacier_purge.cli.options import (
    Aws,
    AwsOptions,
    LogOptions,
    Logs,
    Output,
    Replica,
    ReplicaOptions,
    SettingsOptions,
    SettingsSource,
)
from glacier_purge.cli.output import OutputFormat, print_result


def handover(
    run_dir: Path,
    *,
    replica: Replica = ReplicaOptions(),
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Stop who works on a run or lifecycle in good order, have all of it in its replica, and let the vault's lease go.

    Nothing is in doubt afterwards, and another host goes on at once with `take`. Works also where nobody is at work:
    what the last process could not write to the bucket is written now. A fleet has to be stopped before; all of its
    vaults are handed over with it.

    Parameters
    ----------
    run_dir
        The folder of the run, of the lifecycle or of the fleet.

    Examples
    --------
    glacier-purge handover photos-run --replica s3://purges/vaults
    """
    from glacier_purge.api.clients import Clients
    from glacier_purge.api.handing_over import fleet_handed_over, handed_over
    from glacier_purge.api.run_dirs import check_is_no_stream
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.fleet.roster import ROSTER_FILE
    from glacier_purge.report.results.replicas import HandedOverAnswer
    from glacier_purge.storage.folder import RunFolder

    configure_logs(logs)
    settings = source.load(aws, replica=replica.overrides())
    folder = RunFolder.open(run_dir)
    check_is_no_stream(folder)

    async def work() -> int:
        async with Clients() as clients:
            hand_over = fleet_handed_over if (run_dir / ROSTER_FILE).exists() else handed_over
            found = await hand_over(folder, settings, clients)
        answer = HandedOverAnswer(
            origin=found.origin,
            vault=found.vault,
            records=found.lines,
            was_at_work=found.was_at_work,
            then=f"glacier-purge take DIR --from {found.origin}",
            run_dir=str(run_dir),
        )
        print_result(answer, output)
        return 0

    return in_event_loop(work)
