"""``plan``: choose what goes, write it down in a run folder, show it. Sends no delete."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.cli.options import Aws, AwsOptions, Output, SettingsOptions, SettingsSource
from glacier_purge.cli.output import OutputFormat, print_result

if TYPE_CHECKING:
    from glacier_purge.plan.document import Plan
    from glacier_purge.run.folder import RunFolder


def plan(
    vault: str,
    *,
    inventory: str,
    run_dir: Path | None = None,
    any_id_length: bool = False,
    set_aside_defects: bool = False,
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
    from glacier_purge.wiring import plan_in_new_folder

    settings = source.load(aws, inventory={"any_id_length": any_id_length or None})

    async def make() -> int:
        folder, made = await plan_in_new_folder(
            vault, inventory, settings, run_dir=run_dir, set_aside_defects=set_aside_defects
        )
        print_result(described(folder, made), output)
        return 0

    return in_event_loop(make)


def described(folder: RunFolder, plan: Plan) -> dict[str, object]:
    """The plan as a result: what goes, what stays, and the digest an approval quotes."""
    return {
        "run_dir": str(folder.path),
        "vault": plan.vault_name,
        "account_id": plan.account_id,
        "region": plan.region,
        "endpoint_url": plan.endpoint_url,
        "inventory_date": plan.snapshot.inventory_date,
        "inventory": plan.counts.inventory,
        "selected": plan.counts.selected,
        "skipped": plan.counts.skipped,
        "invalid": plan.counts.invalid,
        "duplicates": plan.counts.duplicates,
        "count": plan.counts.selected,
        "bytes": plan.selected_bytes,
        "oldest": plan.oldest,
        "newest": plan.newest,
        "digest": plan.digest,
    }
