"""``plan``: choose what goes, write it down in a run folder, show it. Sends no delete."""

from __future__ import annotations

from pathlib import Path

from glacier_purge.cli.choice_options import ChoiceOptions, Which
from glacier_purge.cli.options import Aws, AwsOptions, Hyphened, Output, SettingsOptions, SettingsSource
from glacier_purge.cli.output import OutputFormat, print_result, print_text
from glacier_purge.cli.waiting import NoWait


def plan(
    vault: str,
    *,
    inventory: Hyphened,
    run_dir: Path | None = None,
    any_id_length: bool = False,
    set_aside_defects: bool = False,
    which: Which = ChoiceOptions(),
    no_wait: NoWait = False,
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Choose what goes, write it down in a new run folder, and print what would happen. Sends no delete.

    Parameters
    ----------
    vault
        Name of the vault.
    inventory
        Vault inventory, JSON or CSV, plain, gzip or zstd; - reads stdin.
    run_dir
        Run folder to make; otherwise runs/VAULT-TIME.
    any_id_length
        Accept archive ids of other lengths than 138 characters, as other emulators make.
    set_aside_defects
        Plan without invalid and repeated records instead of refusing the inventory.
    """
    from glacier_purge.cli.carrying import in_event_loop
    from glacier_purge.cli.plan_page import PlanView
    from glacier_purge.cli.waiting import patience, settled
    from glacier_purge.service.access import Access
    from glacier_purge.wiring import plan_in_new_folder, plan_prospects

    settings = source.load(aws, inventory={"any_id_length": any_id_length or None})

    async def make() -> int:
        folder, made = await plan_in_new_folder(
            vault,
            inventory,
            settings,
            which.choices(),
            run_dir=run_dir,
            set_aside_defects=set_aside_defects,
            patience=patience(no_wait, Access(endpoint_url=settings.aws.endpoint_url)),
        )
        estimate, calendar = plan_prospects(made, settings)
        view = PlanView(
            run_dir=str(folder.path),
            plan=made,
            retrievals_looked_at=folder.identity().retrievals_looked_at is True,
            estimate=estimate,
            calendar=calendar,
        )
        if output is OutputFormat.JSON:
            print_result(view.as_dict(), output)
        else:
            print_text(view.as_text())
        return 0

    return in_event_loop(lambda: settled(make, output))
