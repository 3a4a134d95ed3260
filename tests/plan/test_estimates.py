"""Census, cost and forecast: what a plan looks like, costs and takes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from glacier_purge.aws.endpoints import REGIONS
from glacier_purge.errors import ConfigurationFailed
from glacier_purge.plan.census import SIZE_EDGES_BYTES, Census, SizeClass, Uploads
from glacier_purge.plan.cost import OVERHEAD_BYTES, PriceTable, estimate, fee_between, read_price_table, read_prices
from glacier_purge.plan.document import Counts, Plan, SnapshotFacts
from glacier_purge.plan.forecast import KnownRate, forecast

NOW = datetime(2026, 11, 23, tzinfo=UTC)
GB = 1 << 30
PRICES = PriceTable(
    as_of="2021-11", currency="USD", storage_gb_month={"other": 1.0, "eu-west-1": 0.004}, trail_per_100000_events=2.0
)


def census(*archives: tuple[str, int]) -> Census:
    counted = Census()
    counted.add([created for created, _ in archives], [size for _, size in archives])
    return counted


@given(
    archives=st.lists(
        st.tuples(
            st.dates(date(2012, 1, 1), date(2099, 12, 31)).map(lambda day: f"{day}T00:00:00Z") | st.text(max_size=12),
            st.integers(0, 1 << 63),
        )
    ),
    cut=st.integers(0, 10),
)
@settings(deadline=None, derandomize=True)
def test_every_archive_is_counted_once_by_month_and_once_by_size(archives: list[tuple[str, int]], cut: int) -> None:
    counted = Census()
    for part in (archives[:cut], archives[cut:]):
        counted.add([created for created, _ in part], [size for _, size in part])
    total = (len(archives), sum(size for _, size in archives))
    for bars in (counted.months(), counted.sizes()):
        assert (sum(bar.archives for bar in bars), sum(bar.bytes for bar in bars)) == total
    assert counted.bytes == total[1]


def test_sizes_are_classed_by_powers_of_two() -> None:
    sizes = census(*[("2020-01-01", size) for size in (0, 1023, 1024, 1 << 35)]).sizes()
    assert sizes[0] == SizeClass(1024, 2, 1023)
    assert sizes[1] == SizeClass(1 << 15, 1, 1024)
    assert sizes[-1] == SizeClass(None, 1, 1 << 35)
    assert len(sizes) == len(SIZE_EDGES_BYTES) + 1


@pytest.mark.parametrize("created", ["", "1999-01-01T00:00:00Z", "2020-13-01", "2020-W01-1T", "20200101", "2100-01-01"])
def test_what_is_no_upload_date_is_counted_apart(created: str) -> None:
    counted = census((created, 7))
    assert counted.months() == [Uploads("unknown", 1, 7)]
    assert counted.last_days() == []


def test_days_are_kept_for_as_long_as_a_fee_is_asked_for() -> None:
    counted = census(("2020-03-31T01:00:00Z", 1), ("2020-01-01T00:00:00Z", 2), ("2019-12-31T00:00:00Z", 4))
    assert counted.last_days() == [Uploads("2020-01-01", 1, 2), Uploads("2020-03-31", 1, 1)]
    assert [uploads.when for uploads in counted.months()] == ["2019-12", "2020-01", "2020-03"]


def plan(last_days: list[Uploads], region: str = "eu-west-1", selected: int = 100_000) -> Plan:
    return Plan(
        format=1,
        tool_version="1",
        account_id="123456789012",
        region=region,
        vault_name="photos",
        endpoint_url="https://glacier.eu-west-1.amazonaws.com",
        snapshot=SnapshotFacts(
            file="inventory.json", format="json", sha256="", size_bytes=1, inventory_date=None, any_id_length=False
        ),
        decisions_sha256="",
        reasons=[],
        findings=[],
        counts=Counts(inventory=selected, selected=selected, skipped=0, invalid=0, duplicates=0),
        selected_bytes=100 * GB,
        oldest=None,
        newest=None,
        uploads=[],
        last_days=last_days,
        sizes=[],
        samples=[],
    )


@pytest.mark.parametrize(("age_days", "fee"), [(0, 0.012), (30, 0.008), (60, 0.004), (89, 0.004 / 30), (90, 0.0)])
def test_the_early_deletion_fee_is_that_of_awss_own_example(age_days: int, fee: float) -> None:
    """1 GB at 0.004: 0.012 if deleted at once, 0.008 after a month, 0.004 after two; the archive is overhead only."""
    uploaded = (NOW - timedelta(days=age_days)).date().isoformat()
    found = estimate(plan([Uploads(uploaded, 1, GB - OVERHEAD_BYTES)]), PRICES, NOW.date())
    assert found.early_deletion_fee == pytest.approx(fee)
    assert found.young_archives == (1 if fee else 0)


def test_an_upload_in_the_future_is_charged_no_more_than_a_new_one() -> None:
    found = estimate(plan([Uploads("2027-11-23", 1, GB - OVERHEAD_BYTES)]), PRICES, NOW.date())
    assert found.early_deletion_fee == pytest.approx(0.012)


def test_storage_counts_the_overhead_and_the_price_of_the_region() -> None:
    found = estimate(plan([]), PRICES, NOW.date())
    assert found.storage_freed_bytes == 100 * GB + 100_000 * 32 * 1024
    assert found.storage_freed_per_month == pytest.approx(found.storage_freed_bytes / GB * 0.004)
    assert found.trail_cost_per_trail == pytest.approx(2.0)
    elsewhere = estimate(plan([], "sa-east-1"), PRICES, NOW.date())
    assert elsewhere.storage_freed_per_month == pytest.approx(found.storage_freed_bytes / GB)


def test_a_region_without_a_price_is_said_and_not_guessed() -> None:
    prices = replace(PRICES, storage_gb_month={"eu-west-1": 0.004})
    found = estimate(plan([Uploads("2026-11-20", 1, GB)], "ap-southeast-3"), prices, NOW.date())
    assert (found.storage_freed_per_month, found.early_deletion_fee) == (None, None)
    assert found.young_archives == 1
    assert found.trail_cost_per_trail == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("vault_days", "inventory_days", "least", "most"),
    [
        (1_000, 90, 0.0, 0.0),  # nothing was uploaded since, and what is there is older
        (1_000, 60, 0.0, 0.004),
        (1_000, 0, 0.0, 0.012),
        (60, 0, 0.004, 0.012),  # nothing in it is older than the vault
        (30, 30, 0.008, 0.008),
        (0, 1, 0.01187, 0.01187),  # dates that can't be: no vault is younger than its inventory
    ],
)
def test_counts_bound_the_fee_by_the_ages_of_vault_and_inventory(
    vault_days: int, inventory_days: int, least: float, most: float
) -> None:
    today = NOW.date()
    made, last = (today - timedelta(days=days) for days in (vault_days, inventory_days))
    found = fee_between(GB, made, last, "eu-west-1", PRICES, today)
    assert found == pytest.approx((least, most), abs=5e-5)
    priced_by_region = replace(PRICES, storage_gb_month={"eu-west-1": 0.004})
    assert fee_between(GB, made, last, "ap-southeast-3", priced_by_region, today) is None


def test_the_shipped_price_table_says_as_of_when_it_is() -> None:
    table = read_price_table(None)
    assert table.as_of == "2021-11"
    assert table.storage_gb_month["us-east-1"] == 0.004
    assert set(table.storage_gb_month) == REGIONS - {"ap-southeast-3", "cn-north-1", "cn-northwest-1"}, "no source"


@pytest.mark.parametrize("text", ["as_of = ", "as_of = '2021'", "surprise = 1", "storage_gb_month = 3"])
def test_a_price_table_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationFailed, match=r"price table mine\.toml"):
        read_prices(text, "mine.toml")


def test_a_price_for_other_regions_is_whose_table_it_is_to_give() -> None:
    text = 'as_of = "1"\ncurrency = "EUR"\ntrail_per_100000_events = 2.0\n[storage_gb_month]\n'
    assert read_prices(text, "mine.toml").storage_per_month("eu-west-1", GB) is None
    assert read_prices(text + "other = 0.1\n", "mine.toml").storage_per_month("eu-west-1", GB) == pytest.approx(0.1)


@pytest.mark.parametrize("price", ["nan", "inf", "-0.1", "1e999"])
def test_what_nothing_can_cost_is_no_price(price: str) -> None:
    good = 'as_of = "1"\ncurrency = "EUR"\ntrail_per_100000_events = 2.0\n[storage_gb_month]\nother = 0.1\n'
    for text in (good.replace("0.1", price), good.replace("2.0", price)):
        with pytest.raises(ConfigurationFailed, match=r"mine\.toml: the price of .* a price is 0 or more"):
            read_prices(text, "mine.toml")


def test_the_forecast_goes_on_from_step_to_step() -> None:
    known = KnownRate(per_second=100.0, is_limit=True, seen=NOW)
    ahead = forecast(360_000, NOW, known=known, per_second_max=None, has_inventory=False)
    assert [step.name for step in ahead.steps] == ["inventory", "deletes", "next inventory", "delete vault"]
    assert "100.0 deletes a second, the limit met in the last run, 2026-11-23" in ahead.assumed
    likely = [step.ends[1] for step in ahead.steps]
    assert likely[0] == NOW + timedelta(hours=4)
    assert likely[1] == NOW + timedelta(hours=5)
    assert likely[3] == NOW + timedelta(hours=29, minutes=1)
    for step in ahead.steps:
        assert step.ends[0] <= step.ends[1] <= step.ends[2]


def test_a_rate_that_somebody_asks_about_is_taken_at_its_word() -> None:
    known = KnownRate(per_second=100.0, is_limit=True, seen=NOW)
    ahead = forecast(3_600, NOW, known=known, per_second_max=None, has_inventory=True, per_second=1.0)
    assert (ahead.steps[0].seconds, ahead.assumed) == ((3_600.0,) * 3, "1.0 deletes a second, as asked for")


def test_a_rate_nobody_has_met_is_taken_from_field_reports_and_capped_by_the_settings() -> None:
    unknown = forecast(1, NOW, known=None, per_second_max=None, has_inventory=True)
    assert unknown.assumed.startswith("no run has met")
    assert unknown.steps[0].name == "deletes"
    capped = forecast(36_000, NOW, known=None, per_second_max=10.0, has_inventory=True)
    assert capped.steps[0].seconds == (3_600.0, 3_600.0, 3_600.0)
    assert "at most 10.0 by the settings" in capped.assumed


def test_a_forecast_that_leaves_the_calendar_stays_in_it() -> None:
    slow = forecast(10**15, NOW, known=None, per_second_max=0.001, has_inventory=True)
    assert slow.steps[-1].ends[2].year == 9999
