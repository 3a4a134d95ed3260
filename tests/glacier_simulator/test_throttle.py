from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_simulator.throttle import Limit, LimitKind, Throttle


def admitted(throttle: Throttle, times: list[float]) -> int:
    return sum(throttle.admits(now) for now in times)


def test_no_limit_admits_all() -> None:
    assert admitted(Throttle(None), [0.0] * 1000) == 1000


def test_a_bucket_admits_its_burst_and_then_its_rate() -> None:
    throttle = Throttle(Limit(10, 20))
    assert admitted(throttle, [0.0] * 100) == 20
    assert admitted(throttle, [1.0] * 100) == 10
    assert admitted(throttle, [1000.0] * 100) == 20


def test_a_window_is_counted_afresh() -> None:
    throttle = Throttle(Limit(10, 20, kind="window"))
    assert admitted(throttle, [0.0] * 100) == 20
    assert admitted(throttle, [1.9] * 100) == 0
    assert admitted(throttle, [2.0] * 100) == 20
    assert admitted(throttle, [7.9] * 100) == 20
    assert admitted(throttle, [8.0] * 100) == 20


def test_charging_refused_requests_punishes_hammering_but_not_for_ever() -> None:
    throttle = Throttle(Limit(10, 10, charges_refused=True))
    assert admitted(throttle, [0.0] * 1000) == 10
    assert admitted(throttle, [0.9]) == 0
    assert admitted(throttle, [3.0] * 100) == 10


def test_the_rate_steps_while_running() -> None:
    throttle = Throttle(Limit(100, 100))
    assert admitted(throttle, [0.0] * 200) == 100
    throttle.change(Limit(30, 30), 0.0)
    assert admitted(throttle, [1.0] * 200) == 30
    throttle.change(Limit(300, 300), 1.0)
    assert admitted(throttle, [1.1] * 200) == 30
    throttle.change(None, 1.1)
    assert throttle.limit is None
    assert admitted(throttle, [1.1] * 200) == 200
    throttle.change(Limit(5, 5), 2.0)
    assert admitted(throttle, [2.0] * 200) == 5


def test_a_lower_burst_takes_tokens_away() -> None:
    throttle = Throttle(Limit(1, 100))
    throttle.change(Limit(1, 10), 5.0)
    assert admitted(throttle, [5.0] * 100) == 10


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0), (1, 0.5)])
def test_a_limit_that_admits_nothing_is_refused(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="rate above 0"):
        Limit(rate, burst)


@given(
    gaps=st.lists(st.floats(0, 0.3), max_size=150),
    kind=st.sampled_from(["bucket", "window"]),
    charges=st.booleans(),
)
def test_no_stretch_of_time_sees_more_than_allowed(gaps: list[float], kind: LimitKind, charges: bool) -> None:
    throttle = Throttle(Limit(10, 5, kind=kind, charges_refused=charges))
    now, times = 0.0, []
    for gap in gaps:
        now += gap
        if throttle.admits(now):
            times.append(now)
    allowance = 5 if kind == "bucket" else 10
    for first, start in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= allowance + 10 * (times[last] - start) + 1e-6
