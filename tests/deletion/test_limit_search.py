from __future__ import annotations

import pytest

from glacier_purge.deletion.limit_search import LimitSearch, SearchPhase

TICK_SECONDS = 0.1


def search(rate: float = 100.0, limit: float | None = 100.0) -> LimitSearch:
    return LimitSearch(rate_per_second=rate, limit_per_second=limit, leave_share=0.0)


def cut(it: LimitSearch, now: float, *, accepted: float = 0.0, fastest: float = 1e9) -> None:
    it.cut(
        now,
        fastest_per_second=fastest,
        accepted_per_second=accepted,
        accepted_in_all=round(now * 100.0),
        round_trip_seconds=0.1,
    )


def grow(it: LimitSearch, begin: float, seconds: float) -> None:
    for tick in range(round(seconds / TICK_SECONDS)):
        it.grow(begin + tick * TICK_SECONDS, TICK_SECONDS)


def test_before_the_first_throttle_the_rate_doubles_every_second() -> None:
    it = search(10.0, None)
    grow(it, 0.0, 3.0)
    assert it.rate == pytest.approx(80.0)
    assert it.phase(3.0) is SearchPhase.DOUBLING


def test_the_first_cut_is_deep() -> None:
    it = search(200.0, None)
    cut(it, 0.0)
    assert it.rate == pytest.approx(140.0)


def test_a_single_throttle_costs_four_per_cent() -> None:
    it = search()
    cut(it, 0.0)
    assert it.rate == pytest.approx(96.0)
    cut(it, 10.0)
    assert it.rate == pytest.approx(96.0 * 0.96)


def test_successive_cuts_deepen_to_thirty_per_cent_and_no_more() -> None:
    it, rates = search(1000.0, 1000.0), [1000.0]
    for number in range(6):
        cut(it, number * 0.2)
        rates.append(it.rate)
    cuts = [1.0 - rates[i + 1] / rates[i] for i in range(6)]
    assert cuts == pytest.approx([0.04, 0.08, 0.16, 0.3, 0.3, 0.3])


@pytest.mark.parametrize(("later_seconds", "cut_share"), [(0.9, 0.08), (1.1, 0.04), (2.5, 0.04)])
def test_a_throttle_a_second_later_is_new_trouble(later_seconds: float, cut_share: float) -> None:
    it = search(1000.0)
    cut(it, 0.0)
    before = it.rate
    cut(it, later_seconds)
    assert it.rate == pytest.approx(before * (1.0 - cut_share))


@pytest.mark.parametrize(("later_seconds", "cut_share"), [(5.9, 0.08), (6.1, 0.04)])
def test_on_slow_round_trips_trouble_lasts_three_of_them(later_seconds: float, cut_share: float) -> None:
    it = search(1000.0)
    cut(it, 0.0)
    before = it.rate
    it.cut(later_seconds, fastest_per_second=1e9, accepted_per_second=0.0, accepted_in_all=0, round_trip_seconds=2.0)
    assert it.rate == pytest.approx(before * (1.0 - cut_share))


def test_a_cut_stops_at_what_was_just_accepted() -> None:
    it = search(1000.0, None)
    cut(it, 0.0, accepted=900.0)
    assert it.rate == pytest.approx(765.0)


def test_a_cut_never_raises_the_rate_and_never_goes_below_the_least() -> None:
    it = search(10.0)
    cut(it, 0.0, accepted=500.0)
    assert it.rate == pytest.approx(10.0)
    for number in range(1, 100):
        cut(it, number * 0.2)
    assert it.rate == 0.5


def test_after_a_deep_cut_the_rate_returns_to_just_under_the_limit() -> None:
    it = search(140.0, 140.0)
    cut(it, 0.0)
    it.rate = 50.0
    assert it.phase(0.0) is SearchPhase.REGAINING
    grow(it, 0.0, 1.0)
    assert it.rate == pytest.approx(64.0, rel=0.01)  # by a quarter a second, compounded ten times
    grow(it, 1.0, 7.5)
    assert it.rate == pytest.approx(0.97 * 140.0, rel=0.02)


def test_at_the_limit_it_creeps_for_the_quiet_spell_and_then_tries_ever_faster() -> None:
    it = search(300.0, 300.0)
    grow(it, 0.0, 5.0)
    assert it.rate == pytest.approx(303.0, rel=0.002)
    assert it.phase(5.0) is SearchPhase.HOLDING
    grow(it, 5.0, 12.0)
    assert it.phase(17.0) is SearchPhase.TRYING
    before = it.rate
    grow(it, 17.0, 1.0)
    assert it.rate == pytest.approx(2.0 * before, rel=0.02)


@pytest.mark.parametrize(("rate", "quiet_seconds"), [(5.0, 10.0), (30.0, 10.0), (40.0, 7.5), (100.0, 5.0), (1e4, 5.0)])
def test_the_slower_the_rate_the_longer_the_quiet_spell(rate: float, quiet_seconds: float) -> None:
    it = search(rate, rate)
    grow(it, 0.0, 0.85 * quiet_seconds)  # the creep shortens the spell a little
    assert it.phase(quiet_seconds) is SearchPhase.HOLDING
    grow(it, quiet_seconds, 0.2 * quiet_seconds)
    assert it.phase(2 * quiet_seconds) is SearchPhase.TRYING


@pytest.mark.parametrize(
    ("rate", "share_a_second"), [(5.0, 0.0037), (30.0, 0.00365), (50.0, 0.00283), (100.0, 0.002), (1e4, 0.002)]
)
def test_whoever_has_less_creeps_faster_for_its_size(rate: float, share_a_second: float) -> None:
    it = search(rate, rate)
    grow(it, 0.0, 1.0)
    assert it.rate == pytest.approx(rate * (1.0 + share_a_second), rel=1e-4)


def test_doubt_starts_the_quiet_spell_anew() -> None:
    it = search()
    grow(it, 0.0, 10.0)
    assert it.phase(10.0) is SearchPhase.TRYING
    it.doubt()
    assert it.phase(10.0) is SearchPhase.HOLDING


def test_the_limit_believed_rises_with_a_rate_that_is_far_above_it() -> None:
    it = search()
    cut(it, 0.0)
    assert it.limit == pytest.approx(100.0)
    it.rate = 110.0
    assert it.limit == pytest.approx(100.0)
    it.rate = 300.0
    assert it.limit == pytest.approx(300.0)


def test_the_limit_is_measured_between_throttles_two_seconds_apart() -> None:
    it = search(130.0, None)
    cut(it, 0.0)
    cut(it, 1.0, fastest=100.0)
    assert it.limit == pytest.approx(130.0)
    it.rate = 105.0
    cut(it, 2.5)
    assert it.limit == pytest.approx(100.0, rel=0.02)  # 100/s came through, though 105/s were sent


def test_who_leaves_a_part_to_others_does_not_grow_while_it_rests() -> None:
    it = LimitSearch(rate_per_second=100.0, limit_per_second=100.0, leave_share=0.3)
    cut(it, 0.0)
    cut(it, 1.0)  # the rest that is planned stays as it is
    rates = []
    for second in range(2, 400):
        before = it.rate
        it.grow(float(second), 1.0)
        rates.append(it.rate - before)
    resting = [step for step in rates if step == 0.0]
    assert 0 < len(resting) < len(rates)
    assert rates[-1] > 0.0
