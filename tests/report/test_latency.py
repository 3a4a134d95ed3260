from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_purge.report.latency import percentiles_ms, since_due, with_requests_not_sent

LATENCIES = st.lists(st.floats(0, 10), min_size=1, max_size=50)


def test_percentiles_are_latencies_that_were_measured() -> None:
    assert percentiles_ms([number / 1000 for number in range(1000, 0, -1)]) == {
        "p50": 500.0,
        "p90": 900.0,
        "p99": 990.0,
        "p99_9": 999.0,
        "max": 1000.0,
    }


def test_one_latency_is_every_percentile() -> None:
    assert set((percentiles_ms([0.25]) or {}).values()) == {250.0}


def test_nothing_measured_has_no_percentiles() -> None:
    assert percentiles_ms([]) is None


@given(LATENCIES)
def test_percentiles_rise(latencies: list[float]) -> None:
    found = list((percentiles_ms(latencies) or {}).values())
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("latency", "interval", "corrected"),
    [
        (0.010, 0.010, [0.010]),
        (0.019, 0.010, [0.019]),
        (1.0, 0.25, [1.0, 0.75, 0.5, 0.25]),
    ],
)
def test_a_stall_stands_for_the_requests_it_kept_back(latency: float, interval: float, corrected: list[float]) -> None:
    assert with_requests_not_sent([latency], interval) == pytest.approx(corrected)


def test_a_stall_of_a_second_shows_in_the_corrected_median_and_not_in_the_raw_one() -> None:
    latencies = [0.001] * 1000 + [10.0]
    raw, corrected = percentiles_ms(latencies), percentiles_ms(with_requests_not_sent(latencies, 0.001))
    assert raw is not None
    assert corrected is not None
    assert (raw["p50"], raw["p99"]) == (1.0, 1.0)
    assert corrected["p50"] > 4000


def test_intervals_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="not 0 s apart"):
        with_requests_not_sent([1.0], 0)


def test_at_a_fixed_rate_latency_counts_from_when_a_request_was_due() -> None:
    # Ten a second; the third left 0.3 s late, which is the client's doing and the user's wait.
    assert since_due([5.0, 5.1, 5.5], [0.01, 0.01, 0.01], 10) == pytest.approx([0.01, 0.01, 0.31])


def test_a_request_that_left_early_counts_as_sent() -> None:
    assert since_due([5.0, 5.0], [0.01, 0.02], 10) == pytest.approx([0.01, 0.02])


@given(LATENCIES, st.floats(0.1, 1000))
def test_no_correction_makes_a_latency_shorter(latencies: list[float], per_second: float) -> None:
    sent_at = [number * 0.37 for number in range(len(latencies))]
    assert all(due >= raw for due, raw in zip(since_due(sent_at, latencies, per_second), latencies, strict=True))


@given(LATENCIES)
def test_the_order_of_replies_does_not_matter(latencies: list[float]) -> None:
    sent_at = [number * 0.37 for number in range(len(latencies))]
    assert since_due(sent_at, latencies, 2) == since_due(sent_at[::-1], latencies[::-1], 2)
