"""``purge``: plan, confirm and apply in one go."""

from __future__ import annotations

from pathlib import Path

from glacier_purge.cli.choice_options import ChoiceOptions, Which
from glacier_purge.cli.options import (
    Aws,
    AwsOptions,
    Hyphened,
    LogOptions,
    Logs,
    Output,
    SettingsOptions,
    SettingsSource,
)
from glacier_purge.cli.output import OutputFormat
from glacier_purge.cli.pace_options import Pace, PaceOptions
from glacier_purge.cli.safety_options import Safety, SafetyOptions
from glacier_purge.cli.waiting import NoWait


def purge(
    vault: str,
    *,
    inventory: Hyphened,
    run_dir: Path | None = None,
    confirm_digest: str | None = None,
    any_id_length: bool = False,
    set_aside_defects: bool = False,
    which: Which = ChoiceOptions(),
    no_wait: NoWait = False,
    pace: Pace = PaceOptions(),
    safety: Safety = SafetyOptions(),
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Plan, confirm and apply in one go: delete the archives the inventory lists, or those of them that are chosen.

    The same inventory and the same choices give the same digest whoever plans, so --confirm-digest can quote a `plan`
    made before; an age counts from now, so write the moment that `plan` made of it instead.

    Parameters
    ----------
    vault
        Name of the vault.
    inventory
        Vault inventory, JSON or CSV, plain, gzip or zstd; - reads stdin.
    run_dir
        Run folder to make; otherwise runs/VAULT-TIME.
    confirm_digest
        The plan's digest, all 64 characters.
    any_id_length
        Accept archive ids of other lengths than 138 characters, as other emulators make.
    set_aside_defects
        Plan without invalid and repeated records instead of refusing the inventory.
    """
    from glacier_purge.cli.apply import apply_plan
    from glacier_purge.cli.carrying import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.cli.waiting import patience, settled
    from glacier_purge.service.access import Access
    from glacier_purge.wiring import plan_in_new_folder

    configure_logs(logs)
    settings = source.load(
        aws,
        pace=pace.overrides(),
        safety=safety.overrides(),
        inventory={"any_id_length": any_id_length or None},
    )

    async def plan_and_carry_out() -> int:
        folder, plan = await plan_in_new_folder(
            vault,
            inventory,
            settings,
            which.choices(),
            run_dir=run_dir,
            set_aside_defects=set_aside_defects,
            patience=patience(no_wait, Access(endpoint_url=settings.aws.endpoint_url)),
        )
        return await apply_plan(folder, plan, settings, confirm_digest=confirm_digest, output=output)

    return in_event_loop(lambda: settled(plan_and_carry_out, output))
