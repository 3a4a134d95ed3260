"""``estimate``: what emptying vaults would save, cost and take."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from glacier_purge.cli.listing import TableFormat, TableOutput, print_table
from glacier_purge.cli.options import (
    Aws,
    AwsOptions,
    Hyphened,
    LogOptions,
    Logs,
    PlaceOptions,
    Places,
    SettingsOptions,
    SettingsSource,
)
from glacier_purge.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from glacier_purge.report.estimates import Estimates
    from glacier_purge.settings import Settings


def estimate(
    *vault: str,
    all_vaults: Annotated[bool, Parameter(name="--all")] = False,
    inventory: Hyphened | None = None,
    run_dir: Path | None = None,
    rate: float | None = None,
    any_id_length: bool = False,
    places: Places = PlaceOptions(),
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: TableOutput = TableFormat.TEXT,
) -> int:
    """Say what emptying vaults would save, cost and take, and when it would be over. Reads only.

    By the service's counts it is a range what early deletion costs: they do not say how old archives are, and a vault
    that its lock, access policy or tags forbid to purge is shown and in no sum. An inventory or a plan says how old
    archives are, and then the service is not asked.

    Parameters
    ----------
    vault
        Names of vaults.
    all_vaults
        All vaults there are.
    inventory
        Go by this inventory of the one vault: JSON or CSV, plain, gzip or zstd; - reads stdin.
    run_dir
        Go by the plan in this folder: only what goes is counted.
    rate
        Deletes a second to reckon with; otherwise the account's limit that the last run here met, or what is usual.
    any_id_length
        Accept archive ids of other lengths than 138 characters, as other emulators make.

    Examples
    --------
    glacier-purge estimate photos films --region eu-west-1
    glacier-purge estimate --all --regions all --output csv
    glacier-purge estimate --all --accounts-from fleet.toml
    glacier-purge estimate --inventory inventory.json
    """
    from glacier_purge.api.clients import Clients
    from glacier_purge.api.estimating import (
        Assumptions,
        counted,
        estimated_by_counts,
        estimated_by_inventory,
        estimated_by_plan,
        vault_counted,
    )
    from glacier_purge.api.surveying import listed, protected
    from glacier_purge.archive import id_rule_for
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.cli.waiting import service_now
    from glacier_purge.clock import utc_now
    from glacier_purge.deletion.pace import check_rate_max
    from glacier_purge.plan.cost import read_price_table
    from glacier_purge.report.estimates import ESTIMATED
    from glacier_purge.report.plan_shown import planned
    from glacier_purge.storage.folder import RunFolder

    configure_logs(logs)
    if sum((bool(vault) and inventory is None, all_vaults, inventory is not None, run_dir is not None)) != 1:
        raise UsageError("name vaults, or give one of --all, --inventory FILE and --run-dir DIR.")
    check_rate_max(rate)

    @cache  # a company has hundreds of accounts and regions, and asks for each twice
    def settings_for(profile: str | None, region: str | None, account_id: str | None) -> Settings:
        return source.load(aws.at(profile, region, account_id))

    settings = settings_for(None, None, None)
    prices, highest = read_price_table(settings.estimate.prices_file), settings.pace.max_rate

    def assuming(now: datetime) -> Assumptions:
        return Assumptions(now=now, prices=prices, per_second=rate, per_second_max=highest)

    async def by_counts() -> Estimates:
        asked = places.asked(settings_for)
        async with Clients.for_many_vaults() as clients:
            found = await listed(asked, vault, clients)
            seen = await protected(found, clients)
            return estimated_by_counts(seen, found.unread, assuming(service_now(asked[0].access, clients)))

    async def by_file(file: str) -> Estimates:
        found = counted(file, id_rule_for(any_length=any_id_length))
        async with Clients() as clients:
            return estimated_by_inventory(
                await vault_counted(found, vault, settings, clients), found, assuming(utc_now())
            )

    async def work() -> int:
        if run_dir is not None:
            shown = estimated_by_plan(planned(RunFolder.look(run_dir))[1], assuming(utc_now()))
        else:
            shown = await (by_counts() if inventory is None else by_file(inventory))
        return print_table(shown, ESTIMATED, output)

    return in_event_loop(work)
