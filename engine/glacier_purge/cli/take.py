"""``take``: go on here with what another host handed over or was lost with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.cli.options import (
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
from glacier_purge.cli.restore import Origin, answered
from glacier_purge.cli.waiting import NoWaitOption

if TYPE_CHECKING:
    from glacier_purge.api.restoring import RestoredFolder


def take(
    run_dir: Path,
    *,
    origin: Origin,
    no_wait: NoWaitOption = False,
    confirm_digest: str | None = None,
    freeze: bool = False,
    delete_vault: str | None = None,
    even_the_last_vault: bool = False,
    pace: Pace = PaceOptions(),
    safety: Safety = SafetyOptions(),
    proof: Proof = ProofOptions(),
    replica: Replica = ReplicaOptions(),
    hooks: Hooks = HookOptions(),
    watch: Watch = WatchOptions(),
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Restore a run, a lifecycle or a whole fleet from its replica, take the leases, and go on with it.

    After `handover` it goes on at once. After a host was lost it waits until that one's lease has run out. While the
    other host still works, it ends with 75 and nothing is sent; the folder stays behind then and is no longer the
    newest state: give a new one the next time.

    Parameters
    ----------
    run_dir
        The folder to make; it must be new.
    origin
        Where the replica lies: s3://bucket/prefix/... A prefix will do that has only one below.
    confirm_digest
        Digest of the plan that may be carried out, where nobody approved it before.
    freeze
        Of a lifecycle: deny uploads while it is purged. Give what the other host was given.
    delete_vault
        Of a lifecycle: remove the vault itself in the end. Give what the other host was given.
    even_the_last_vault
        Remove it even if it is the account's last vault, after which the account may never make another.

    Examples
    --------
    glacier-purge take photos-run --from s3://purges/vaults
    """
    from glacier_purge.api.clients import Clients
    from glacier_purge.api.restoring import restored_folder
    from glacier_purge.cli.apply import apply_plan
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.fleet import fleet
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.cli.run import run
    from glacier_purge.fleet.roster import FLEET_FILE
    from glacier_purge.plan.document import read_plan

    configure_logs(logs)
    settings = source.load(
        aws,
        hooks=hooks,
        pace=pace.overrides(),
        audit=proof.overrides(),
        replica=replica.overrides(),
        report=watch.overrides(),
        safety=safety.overrides(),
    )

    others: list[RestoredFolder] = []

    async def work() -> int:
        async with Clients() as clients:
            found = await restored_folder(origin, run_dir, settings, clients)
        there = answered(found)
        tell(
            f"{there.run_dir} is here, whole and checked, from {there.origin}: {there.records:,} records, the last of "
            f"{there.last_record or '-'}; {there.in_doubt:,} archives may have been sent without a record of it "
            "and are sent again."
        )
        if found.kind != "run":
            others.append(found)
            return 0
        plan = read_plan(found.folder.plan_file)
        return await apply_plan(found.folder, plan, found.settings, confirm_digest=confirm_digest, output=output)

    exit_code = in_event_loop(work)
    if not others:
        return exit_code
    found = others[0]
    going_on = replace(replica, replica=found.settings.replica.url)
    if found.kind == "fleet":
        return fleet(
            run_dir / FLEET_FILE,
            run_dir=run_dir,
            no_wait=no_wait,
            confirm_digest=None if confirm_digest is None else [confirm_digest],
            pace=pace,
            proof=proof,
            replica=going_on,
            hooks=hooks,
            watch=watch,
            aws=aws,
            source=source,
            logs=logs,
            output=output,
        )
    vault = found.vaults[0]
    return run(
        vault.name,
        run_dir=run_dir,
        no_wait=no_wait,
        confirm_digest=confirm_digest,
        freeze=freeze,
        delete_vault=delete_vault,
        even_the_last_vault=even_the_last_vault,
        pace=pace,
        safety=safety,
        proof=proof,
        replica=going_on,
        hooks=hooks,
        watch=watch,
        aws=aws,
        source=source,
        logs=logs,
        output=output,
    )
