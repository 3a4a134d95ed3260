"""What must hold before the first delete, whoever approved: nothing protected is in the plan, and it is no larger than
was allowed.  Checked when planning, when applying and when resuming, against the settings of that moment, so that a
vault or an archive that was put on a deny list yesterday is safe from a plan of last week.

A plan can be approved for seven days; then what it says of the vault is too old to be said yes to.  A run that was
approved in time may go on for as long as it takes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from glacier_purge.archive import Vault
from glacier_purge.errors import PlanOutdated, PlanRefused
from glacier_purge.glacier.port import VaultDescription
from glacier_purge.inventory.dates import creation_time
from glacier_purge.long_work import counted
from glacier_purge.plan.document import Plan
from glacier_purge.plan.files import PlanFiles
from glacier_purge.plan.id_lists import read_ids
from glacier_purge.plan.reasons import DELETE
from glacier_purge.text import duration, size

PLAN_VALID = timedelta(days=7)
_CLOCKS_DIFFER = timedelta(hours=1)
_CHOOSE_AGAIN = (
    "Choose less, for example with --limit, or allow more; a lifecycle or a fleet has settled both and begins again in "
    "another --run-dir. Nothing was sent."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is never deleted from, and how much at most. ``deny_vaults`` are globs for a vault's name or ARN."""

    deny_vaults: tuple[str, ...] = ()
    deny_accounts: tuple[str, ...] = ()
    deny_id_files: tuple[str, ...] = ()
    max_archives: int | None = None
    max_bytes: int | None = None
    inventory_age_seconds_max: float | None = 7 * 86_400.0
    """How old an inventory may be that the service has a newer one of; None is any age."""


def check_place(vault: Vault, rules: Rules) -> None:
    """Raise ``PlanRefused`` for a vault or an account that must never be purged."""
    for pattern in rules.deny_vaults:
        if fnmatchcase(vault.name, pattern) or fnmatchcase(vault.arn, pattern):
            raise PlanRefused(
                f"{vault.arn} is protected: safety.deny_vaults in the settings has {pattern!r}. Nothing was sent."
            )
    if vault.account_id in rules.deny_accounts:
        raise PlanRefused(
            f"{vault.arn} is protected: safety.deny_accounts in the settings has its account. Nothing was sent."
        )


def check_plan(plan: Plan, rules: Rules) -> None:
    """Raise ``PlanRefused`` for a protected place and for a plan that is larger than allowed."""
    check_place(plan.vault, rules)
    if rules.max_archives is not None and plan.counts.selected > rules.max_archives:
        raise PlanRefused(
            f"the plan would delete {plan.counts.selected:,} archives, more than the {rules.max_archives:,} of "
            f"--max-archives. {_CHOOSE_AGAIN}"
        )
    if rules.max_bytes is not None and plan.selected_bytes > rules.max_bytes:
        raise PlanRefused(
            f"the plan would delete {size(plan.selected_bytes)} ({plan.selected_bytes:,} bytes), more than the "
            f"{rules.max_bytes:,} bytes of --max-bytes. {_CHOOSE_AGAIN}"
        )


def check_archives(files: PlanFiles, rules: Rules, is_done: Callable[[int], bool]) -> None:
    """Raise ``PlanOutdated`` when an archive that is still to be sent stands on a deny list.

    Reads the whole plan, so only where there is a list.  The list is read once, now, and the archives are those that
    will be sent, since ``files`` give no others later.  Raises ``UsageError`` for a list that cannot be read.
    """
    if not rules.deny_id_files:
        return
    id_rule = files.plan.snapshot.id_rule
    with ExitStack() as opened:
        denied = read_ids(rules.deny_id_files, files.path, opened, id_rule)
        assert denied is not None
        what = "checking deny lists"
        total = files.plan.counts.inventory
        for batch in counted(what, files.decided(), lambda batch: len(batch.decisions), total=total):
            for archive in batch.archives:
                if batch.decisions[archive.ordinal - batch.first_ordinal] != DELETE or is_done(archive.ordinal):
                    continue
                if denied.holds(archive.archive_id):
                    raise PlanOutdated(
                        f"record {archive.ordinal:,} of the plan, {archive.archive_id}, stands on a deny list "
                        "(safety.deny_id_files in the settings). Plan again, and it stays. Nothing was sent."
                    )


def is_aged(inventory_date: str | None, rules: Rules, now: datetime) -> bool:
    """Whether an inventory is so old that the service has to be asked for its last one.

    An inventory without a date, as every CSV is, tells nothing about its age and is never called old.
    """
    taken = creation_time(inventory_date or "")
    most = rules.inventory_age_seconds_max
    return taken is not None and most is not None and now - taken > timedelta(seconds=most)


def check_inventory(
    inventory_date: str | None, rules: Rules, now: datetime, described: VaultDescription | None, why_unknown: str = ""
) -> None:
    """Raise ``PlanOutdated`` for an inventory that is too old at ``now``.

    The service makes no new inventory of a vault that did not change, so one that is years old and still the vault's
    last (LastInventoryDate) is as good as new.  ``described`` is None where the service could not be asked, because of
    ``why_unknown``.
    """
    taken = creation_time(inventory_date or "")
    if taken is None or not is_aged(inventory_date, rules, now):
        return
    last = None if described is None else described.last_inventory
    if last is not None and last.replace(microsecond=0) <= taken:  # the two are written with and without milliseconds
        return
    if last is not None:
        told = f"the service has a newer one, of {last:%Y-%m-%dT%H:%M:%SZ}"
    else:
        told = (
            f"nobody can tell whether the vault changed since ({why_unknown or 'the service knows no inventory of it'})"
        )
    raise PlanOutdated(
        f"the inventory is {duration((now - taken).total_seconds())} old (of {inventory_date}), and {told}. Fetch a "
        "new one (glacier-purge inventory fetch) and plan with that; or, knowing what you do, allow an old one with "
        "--inventory-max-age. Nothing was sent."
    )


def check_fresh(created: str, now: datetime) -> None:
    """Raise ``PlanOutdated`` for a plan made too long ago to be approved at ``now``, ``PlanRefused`` for one of the
    future.
    """
    made = creation_time(created)
    if made is None:
        raise PlanRefused(f"run.json does not say when the plan was made ({created!r}). Plan again; nothing was sent.")
    age = now.astimezone(UTC) - made
    if age > PLAN_VALID:
        raise PlanOutdated(
            f"the plan was made {duration(age.total_seconds())} ago, at {created}. A plan can be approved for "
            f"{PLAN_VALID.days} days. Plan again with a new inventory; nothing was sent."
        )
    if age < -_CLOCKS_DIFFER:
        raise PlanRefused(
            f"the plan was made in the future, at {created}: a clock is wrong, here or where it was made. "
            "Put it right, or plan again. Nothing was sent."
        )
