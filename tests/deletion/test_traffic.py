from __future__ import annotations

import math

from glacier_purge.deletion.traffic import Slice, Traffic


def traffic(*slices: tuple[float, int, int]) -> Traffic:
    """Return traffic of slices of (seconds, sent, accepted)."""
    it = Traffic()
    for seconds, sent, accepted in slices:
        it.close(Slice(seconds, sent, accepted, 0, accepted))
    return it


def test_rates_are_over_the_time_the_slices_took() -> None:
    recent = traffic((0.1, 999, 999), (0.5, 10, 5), (0.5, 20, 10)).over(1.0)
    assert recent.sent_per_second == 30.0
    assert recent.accepted_per_second == 15.0


def test_less_comes_back_where_there_is_no_more() -> None:
    assert traffic((0.1, 3, 3)).over(5.0).sent_per_second == 30.0


def test_nothing_yet_is_zero_and_the_fastest_is_unknown() -> None:
    nothing = Traffic().over(1.0)
    assert (nothing.sent_per_second, nothing.accepted_per_second, nothing.fault_share) == (0.0, 0.0, 0.0)
    assert Traffic().fastest_sent_per_second(1.0) == math.inf


def test_enough_replies_end_the_look_back() -> None:
    recent = traffic((0.1, 40, 40), (0.1, 40, 40), (0.1, 40, 40)).over(5.0, replies_max=50)
    assert recent.answered == 80


def test_the_fastest_slice_is_found_among_gusts() -> None:
    assert traffic((0.1, 500, 0), (0.1, 30, 0), (0.9, 0, 0)).fastest_sent_per_second(1.0) == 300.0


def test_memory_does_not_grow_with_the_rate_or_the_time() -> None:
    it = Traffic()
    for _ in range(10_000):
        it.close(Slice(0.1, 3_000, 3_000, 0, 3_000))
    assert it.over(math.inf).seconds < 30.0
