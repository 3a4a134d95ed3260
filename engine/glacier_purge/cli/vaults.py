"""``vaults``: the vaults of accounts and regions, and what is around each of them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from glacier_purge.cli.listing import TableFormat, TableOutput, print_table
from glacier_purge.cli.options import (
    Aws,
    AwsOptions,
    LogOptions,
    Logs,
    PlaceOptions,
    Places,
    SettingsOptions,
    SettingsSource,
)

if TYPE_CHECKING:
    from glacier_purge.settings import Settings


def vaults(
    *,
    places: Places = PlaceOptions(),
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: TableOutput = TableFormat.TEXT,
) -> int:
    """List vaults: archives, bytes, last inventory, monthly cost, lock, tags, who may write. Reads only.

    What can't be read is named and never shown as "none"; the exit code is then that of the worst of it.

    Examples
    --------
    glacier-purge vaults
    glacier-purge vaults --profiles archive,backup --regions eu-west-1,us-east-1
    glacier-purge vaults --regions all --output csv
    # Every account of a company, as the roles that its fleet file names.
    glacier-purge vaults --accounts-from fleet.toml --regions all
    """
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.logs import configure_logs

    configure_logs(logs)

    @cache  # a company has hundreds of accounts and regions, and asks for each twice
    def settings_for(profile: str | None, region: str | None, account_id: str | None) -> Settings:
        return source.load(aws.at(profile, region, account_id))

    async def work() -> int:
        from glacier_purge.api.clients import Clients
        from glacier_purge.api.surveying import listed, surveyed
        from glacier_purge.cli.waiting import service_now
        from glacier_purge.plan.cost import read_price_table
        from glacier_purge.report.survey import SURVEYED, Survey

        prices = read_price_table(settings_for(None, None, None).estimate.prices_file)
        asked = places.asked(settings_for)
        async with Clients.for_many_vaults() as clients:
            found = await listed(asked, (), clients)
            seen = await surveyed(found, clients)
            now = service_now(asked[0].access, clients)
            survey = Survey(now=now, prices=prices, vaults=seen, empty=found.empty, unread=found.unread)
        return print_table(survey, SURVEYED, output)

    return in_event_loop(work)
