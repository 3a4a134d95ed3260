"""What a purge costs and saves, estimated from a plan, the day it is asked for, and a price table: the user's file, or
the one that ships beside the profiles.

Every figure is an estimate: prices are those of a table with a date on it, and AWS's bill is what counts.
DeleteArchive itself is free of charge (Amazon Glacier pricing, requests); what costs is deleting archives younger than
90 days, and CloudTrail where an account keeps more than its first trail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from math import inf
from pathlib import Path

import msgspec

from glacier_purge.errors import ConfigurationFailed
from glacier_purge.plan.census import FEE_DAYS, Uploads
from glacier_purge.plan.document import Plan
from glacier_purge.storage.given_file import GivenFileWrong, parsed_toml, read_text

OVERHEAD_BYTES = 32 * 1024
"""Billed for each archive besides its bytes, at the same price (S3 User Guide, "object archival": Glacier's part)."""
NO_PRICE = "the price table has none for {region}; put one in: estimate.prices_file"
_GB_BYTES = 1 << 30
_FEE_MONTH_DAYS = 30
_TRAIL_EVENTS = 100_000


class PriceTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices as of a date. ``storage_gb_month`` is by region; ``other`` is for whichever the table does not have."""

    as_of: str
    currency: str
    storage_gb_month: dict[str, float]
    trail_per_100000_events: float

    def __post_init__(self) -> None:
        prices = self.storage_gb_month | {"trail_per_100000_events": self.trail_per_100000_events}
        for name, price in prices.items():
            if not 0 <= price < inf:
                raise ValueError(f"the price of {name} is {price}, and a price is 0 or more")

    def storage_per_month(self, region: str, billed_bytes: int) -> float | None:
        """What keeping so many bytes costs a month, overhead among them; None where the region has no price here."""
        price = self.storage_gb_month.get(region, self.storage_gb_month.get("other"))
        return None if price is None else billed_bytes / _GB_BYTES * price

    def trail(self, events: int) -> float:
        """What so many events cost in each CloudTrail trail beyond an account's first."""
        return events / _TRAIL_EVENTS * self.trail_per_100000_events


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Money in ``currency``; sizes in bytes. ``early_deletion_fee`` is for the ``young_archives`` under 90 days.

    What storage costs is None for a region that the table has no price for.
    """

    prices_as_of: str
    currency: str
    storage_freed_bytes: int
    storage_freed_per_month: float | None
    young_archives: int
    young_bytes: int
    early_deletion_fee: float | None
    trail_events: int
    trail_cost_per_trail: float


def read_price_table(file: str | None) -> PriceTable:
    """Read the table in ``file``, or the shipped one. Raises ``ConfigurationFailed``."""
    if file is None:
        shipped = resources.files("glacier_purge_profiles") / "prices" / "prices.toml"
        return read_prices(shipped.read_text("utf-8"), "shipped with glacier-purge")
    try:
        return read_prices(read_text(Path(file)), file)
    except GivenFileWrong as error:
        raise ConfigurationFailed(f"price table {file}: {error}.") from error


def read_prices(toml: str, name: str) -> PriceTable:
    """Read a price table; ``name`` is what errors call it. Raises ``ConfigurationFailed``."""
    try:
        return msgspec.convert(parsed_toml(toml), PriceTable)
    except (GivenFileWrong, msgspec.ValidationError) as error:
        raise ConfigurationFailed(f"price table {name}: {error}.") from error


def estimate(plan: Plan, prices: PriceTable, today: date) -> Estimate:
    """Estimate what the plan costs when it is carried out ``today`` (UTC)."""
    return estimate_listed(plan.counts.selected, plan.selected_bytes, plan.last_days, plan.region, prices, today)


def estimate_listed(
    archives: int, archive_bytes: int, last_days: Sequence[Uploads], region: str, prices: PriceTable, today: date
) -> Estimate:
    """Estimate what it costs to delete archives ``today`` (UTC), by a census of them."""
    freed_bytes = archive_bytes + archives * OVERHEAD_BYTES
    young = [(uploads, days) for uploads in last_days if (days := _days_left(uploads.when, today))]
    billed_byte_days = sum(_billed_bytes(uploads) * days for uploads, days in young)
    fee = prices.storage_per_month(region, billed_byte_days)
    return Estimate(
        prices_as_of=prices.as_of,
        currency=prices.currency,
        storage_freed_bytes=freed_bytes,
        storage_freed_per_month=prices.storage_per_month(region, freed_bytes),
        young_archives=sum(uploads.archives for uploads, _ in young),
        young_bytes=sum(uploads.bytes for uploads, _ in young),
        early_deletion_fee=None if fee is None else fee / _FEE_MONTH_DAYS,
        trail_events=archives,
        trail_cost_per_trail=prices.trail(archives),
    )


def fee_between(
    billed_bytes: int, made: date, last_inventory: date, region: str, prices: PriceTable, today: date
) -> tuple[float, float] | None:
    """The least and the most that early deletion can cost for a vault of which only counts are known; None: no price.

    What its last inventory counted is no younger than that inventory, and no older than the vault itself.
    """
    per_month = prices.storage_per_month(region, billed_bytes)
    if per_month is None:
        return None
    least, most = (per_month * _days_left(day.isoformat(), today) / _FEE_MONTH_DAYS for day in (made, last_inventory))
    return min(least, most), most


def _days_left(uploaded: str, today: date) -> int:
    """Days of the 90 that archives of one day still have to go; as many at most, whatever the clocks say."""
    age_days = max(0, (today - date.fromisoformat(uploaded)).days)
    return max(0, FEE_DAYS - age_days)


def _billed_bytes(uploads: Uploads) -> int:
    return uploads.bytes + uploads.archives * OVERHEAD_BYTES
