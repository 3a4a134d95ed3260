"""How fast a run goes, as it is told: of the last seconds, and no more than that says."""

from __future__ import annotations

import pytest

from glacier_purge.run.telemetry import RecentRate


def after(accepted_each_second: list[int]) -> tuple[RecentRate, float, int]:
    """A rate sampled once a second, and the time and the count at the last sample."""
    recent, accepted = RecentRate(), 0
    recent.sample(0.0, 0)
    for second, more in enumerate(accepted_each_second, 1):
        accepted += more
        recent.sample(float(second), accepted)
    return recent, float(len(accepted_each_second)), accepted


@pytest.mark.parametrize(
    ("accepted_each_second", "per_second", "is_steady"),
    [
        ([], None, False),
        ([60] * 4, 60.0, False),  # too early to say anything of the rest
        ([60] * 10, 60.0, True),
        ([700] * 20 + [60] * 10, 60.0, True),
        ([2**second for second in range(10)], None, False),  # still doubling
        ([1, 0, 1, 0, 0, 1, 1, 0, 1, 1], None, True),  # one every other second varies by itself
        ([0] * 10, 0.0, True),
    ],
)
def test_the_rate_is_of_the_last_seconds_and_steady_once_it_grows_no_more(
    accepted_each_second: list[int], per_second: float | None, is_steady: bool
) -> None:
    recent, now, accepted = after(accepted_each_second)
    assert recent.is_steady is is_steady
    if per_second is not None or not accepted_each_second:
        assert recent.per_second(now, accepted) == per_second


def test_a_stall_shows_although_nothing_is_sampled_meanwhile() -> None:
    recent, now, accepted = after([60] * 10)
    assert recent.per_second(now + 60, accepted) == pytest.approx(60 * 4 / 64)


def test_what_was_before_an_order_or_a_pause_is_forgotten() -> None:
    recent, now, accepted = after([700] * 20)
    recent.begin_anew()
    assert (recent.per_second(now, accepted), recent.is_steady) == (None, False)
