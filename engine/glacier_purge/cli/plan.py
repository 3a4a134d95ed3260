"""``plan``: choose what goes, write it down in a run folder, show it. Sends no delete."""

from __future__ import annotations

import sys

from glacier_purge.cli.choice_options import ChoiceOptions, From, RecordOptions, Records, Which
from glacier_purge.cli.options import Aws, AwsOptions, LogOptions, Logs, Output, SettingsOptions, SettingsSource
from glacier_purge.cli.output import OutputFormat, print_page, print_result
from glacier_purge.cli.waiting import NoWaitOption


def plan(
    vault: str,
    *,
    planned_from: From,
    records: Records = RecordOptions(),
    inventory_max_age: str | None = None,
    which: Which = ChoiceOptions(),
    no_wait: NoWaitOption = False,
    sign_key: str | None = None,
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Choose what goes, write it down in a new run folder, and print what would happen. Sends no delete.

    Parameters
    ----------
    vault
        Name of the vault.
    inventory_max_age
        Take an older inventory than this only if it is still the vault's last: 7d (the default), 12h; none takes any.
    sign_key
        Say with this SSH key who made the plan: a private one without a passphrase, or the .pub of one that an agent
        has. Then others can be wanted to approve it (--not-the-planner).

    Examples
    --------
    glacier-purge plan photos --inventory inventory.json --run-dir photos-run
    # A part of the vault.
    glacier-purge plan photos --inventory inventory.json --older-than 90d
    """
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.options import age_seconds
    from glacier_purge.cli.waiting import settled
    from glacier_purge.report.bars import bar_on
    from glacier_purge.report.plan_view import PlanView, to_delete

    settings = source.load(
        aws,
        audit={"sign_key": sign_key},
        inventory=records.overrides(),
        safety={"inventory_max_age_seconds": age_seconds(inventory_max_age)},
    )

    async def make() -> int:
        folder, made = await planned_from.plan(
            vault,
            which.choices(),
            settings,
            set_aside_defects=records.set_aside_defects,
            no_wait=no_wait,
        )
        view = PlanView.of(folder, made, settings)
        if output is OutputFormat.JSON:
            print_result(view.as_result(), output)
        else:
            print_page(view.as_text(to_delete(folder), bar=bar_on(sys.stdout)))
        return 0

    return in_event_loop(lambda: settled(make, output))
