"""What emptying vaults would save, cost and take: put together from the service's counts, an inventory or a plan."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from glacier_purge.api.addresses import vault_by_name
from glacier_purge.api.values import endpoint
from glacier_purge.archive import Vault
from glacier_purge.errors import UsageError
from glacier_purge.inventory.dates import creation_time
from glacier_purge.inventory.format.reading import Reading
from glacier_purge.inventory.source import Source
from glacier_purge.plan.census import Census
from glacier_purge.plan.cost import estimate, estimate_listed, fee_between
from glacier_purge.plan.forecast import forecast
from glacier_purge.report.estimates import Estimates, KnownBy, Prospect
from glacier_purge.run.limits import known_rate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from glacier_purge.api.clients import Clients
    from glacier_purge.archive import IdRule
    from glacier_purge.plan.cost import Estimate, PriceTable
    from glacier_purge.plan.document import Plan
    from glacier_purge.plan.forecast import Forecast
    from glacier_purge.report.survey import Found, Protected, Unread
    from glacier_purge.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What estimates go by. ``per_second`` is a rate somebody named, ``per_second_max`` the settings' highest."""

    now: datetime
    prices: PriceTable
    per_second: float | None
    per_second_max: float | None

    def forecast(self, archives: int, vault: Vault, endpoint_url: str, *, has_inventory: bool) -> Forecast:
        """How long it takes to empty ``vault`` of so many archives."""
        return forecast(
            archives,
            self.now,
            known=known_rate(vault, endpoint_url),
            per_second=self.per_second,
            per_second_max=self.per_second_max,
            has_inventory=has_inventory,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """An inventory's archives, counted. ``invalid`` records are in no figure."""

    vault_arn: str | None
    taken: datetime | None
    archives: int
    invalid: int
    census: Census


def counted(file: str, id_rule: IdRule) -> Counted:
    """Read an inventory once. Raises ``UsageError`` and ``InventoryDamaged``."""
    census, archives, invalid = Census(), 0, 0
    with Source(file) as source:
        reading = Reading(name=source.name, id_rule=id_rule)
        for batches in chain(map(reading.take, source), (reading.finish() for _ in range(1))):
            for batch in batches:
                census.add([one.created for one in batch.archives], [one.size_bytes for one in batch.archives])
                archives, invalid = archives + len(batch.archives), invalid + len(batch.defects)
    return Counted(
        vault_arn=reading.vault_arn,
        taken=creation_time(reading.inventory_date or ""),
        archives=archives,
        invalid=invalid,
        census=census,
    )


def estimated_by_counts(seen: Sequence[Protected], unread: Sequence[Unread], by: Assumptions) -> Estimates:
    """By the service's counts, as of each vault's last inventory, and what forbids to purge it."""
    prospects = [
        replace(
            _by_counts(one.found, by),
            held=one.protection.held(one.found.described, by.now),
            unread=one.unread,
        )
        for one in seen
    ]
    return _together(prospects, unread, by)


def estimated_by_inventory(there: tuple[Vault, str], listed: Counted, by: Assumptions) -> Estimates:
    """By an inventory of a vault, which is there with its endpoint."""
    vault, endpoint_url = there
    census = listed.census
    found = estimate_listed(listed.archives, census.bytes, census.last_days(), vault.region, by.prices, by.now.date())
    prospect = _by_each(vault, endpoint_url, "inventory", listed.taken, found, by)
    return _together([replace(prospect, invalid_records=listed.invalid)], [], by)


def estimated_by_plan(plan: Plan, by: Assumptions) -> Estimates:
    """By a plan, for the archives that go."""
    found = estimate(plan, by.prices, by.now.date())
    taken = creation_time(plan.snapshot.inventory_date or "")
    return _together([_by_each(plan.vault, plan.endpoint_url, "plan", taken, found, by)], [], by)


async def vault_counted(
    counted: Counted, names: Sequence[str], settings: Settings, clients: Clients
) -> tuple[Vault, str]:
    """Which vault an inventory is of, and its endpoint. The service is asked where neither it nor the settings say.

    Raises ``UsageError`` for another vault's name, for none where the inventory has none either, and for several.
    """
    said = None if counted.vault_arn is None else Vault.from_arn(counted.vault_arn)
    if len(names) > 1 or not (names or said):
        raise UsageError("an inventory is of one vault: give its name, which a CSV does not say.")
    if names and said and names[0] != said.name:
        raise UsageError(f"the inventory is of vault {said.name}, not of {names[0]}.")
    vault = said or await vault_by_name(names[0], settings, clients)
    return vault, endpoint(settings, vault.region)


def _together(prospects: Sequence[Prospect], unread: Sequence[Unread], by: Assumptions) -> Estimates:
    """All of them. Those of one account and region are deleted at one limit, one after another."""
    sharing = defaultdict[tuple[str, str, str], list[Prospect]](list)
    for one in prospects:
        if one.archives is not None and not one.held.whole:
            sharing[one.vault.account_id, one.vault.region, one.endpoint_url].append(one)
    ends = [
        by.forecast(
            sum(one.archives or 0 for one in together),
            together[0].vault,
            together[0].endpoint_url,
            has_inventory=all(one.known_by != "counts" for one in together),
        )
        .steps[-1]
        .ends
        for together in sharing.values()
    ]
    over = (max(end[0] for end in ends), max(end[1] for end in ends), max(end[2] for end in ends)) if ends else None
    return Estimates(prices=by.prices, prospects=prospects, over=over, unread=unread)


def _by_counts(found: Found, by: Assumptions) -> Prospect:
    """What the service's counts say of a vault; nothing before its first inventory."""
    vault, described, prices = found.vault, found.described, by.prices
    archives, billed_bytes, last = described.archives, described.size_bytes, described.last_inventory
    uncounted = Prospect(
        vault=vault, profile=found.profile, endpoint_url=found.endpoint_url, known_by="counts", as_of=last
    )
    if archives is None or billed_bytes is None or last is None:
        return uncounted
    made = described.created or last
    return replace(
        uncounted,
        archives=archives,
        billed_bytes=billed_bytes,
        saved_per_month=prices.storage_per_month(vault.region, billed_bytes),
        fee=fee_between(billed_bytes, made.date(), last.date(), vault.region, prices, by.now.date()),
        trail_cost=prices.trail(archives),
        forecast=by.forecast(archives, vault, found.endpoint_url, has_inventory=False),
    )


def _by_each(
    vault: Vault, endpoint_url: str, known_by: KnownBy, as_of: datetime | None, found: Estimate, by: Assumptions
) -> Prospect:
    fee = found.early_deletion_fee
    return Prospect(
        vault=vault,
        profile=None,
        endpoint_url=endpoint_url,
        known_by=known_by,
        as_of=as_of,
        archives=found.trail_events,
        billed_bytes=found.storage_freed_bytes,
        saved_per_month=found.storage_freed_per_month,
        fee=None if fee is None else (fee, fee),
        trail_cost=found.trail_cost_per_trail,
        forecast=by.forecast(found.trail_events, vault, endpoint_url, has_inventory=True),
    )
