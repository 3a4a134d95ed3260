from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_purge.deletion.tally import Latencies, Tally
from glacier_purge.glacier.reply import Meaning


def test_nothing_counted_has_no_percentile() -> None:
    assert Latencies().percentile_seconds(0.99) is None


@given(seconds=st.lists(st.floats(0.0006, 250), min_size=1, max_size=50), share=st.sampled_from([0.01, 0.5, 0.99, 1.0]))
def test_a_percentile_is_right_to_a_tenth(seconds: list[float], share: float) -> None:
    latencies = Latencies()
    latencies.add(seconds)
    ordered = sorted(seconds)
    exact = next(value for rank, value in enumerate(ordered, 1) if rank >= share * len(ordered))
    told = latencies.percentile_seconds(share)
    assert told is not None
    assert exact / 1.0001 <= told <= exact * 1.1001


@pytest.mark.parametrize("seconds", [0.0, 0.0001, 0.0005, 300.0, 1e6])
def test_no_latency_is_too_short_or_too_long(seconds: float) -> None:
    latencies = Latencies()
    latencies.add([seconds])
    assert latencies.percentile_seconds(0.5) is not None


def test_an_interval_begins_with_nothing() -> None:
    latencies = Latencies()
    latencies.add([1.0])
    latencies.clear()
    assert latencies.percentile_seconds(0.5) is None


def test_replies_are_counted_by_kind() -> None:
    tally = Tally()
    tally.accept([0.1, 0.1, 0.1])
    for meaning in (Meaning.THROTTLED, Meaning.UNKNOWN, *Meaning):
        tally.refuse(meaning, 0.1)
    assert (tally.accepted, tally.throttled) == (3, 2)
    assert tally.faults == 4  # a fault of the service, a lost reply, refused credentials, a wrong clock
