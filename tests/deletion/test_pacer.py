from __future__ import annotations

import copy
import dataclasses
import itertools
import json
import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_purge.deletion.pacer import Pacer, PacerSettings, PacerState, Signal
from glacier_purge.errors import UsageError
from tests.at_length import examples

ACCEPTED, THROTTLED, FAULT, OTHER = Signal.ACCEPTED, Signal.THROTTLED, Signal.FAULT, Signal.OTHER
ROUND_TRIP_SECONDS = 0.05


def pacer(
    first: float = 10.0,
    *,
    rate_max: float | None = None,
    in_flight: int = 1000,
    leave: float = 0.0,
    now: float = 0.0,
    resumed: PacerState | None = None,
) -> Pacer:
    chosen = PacerSettings(
        rate_per_second_first=first, rate_per_second_max=rate_max, in_flight_max=in_flight, leave_share=leave
    )
    return Pacer(chosen, now=now, random=lambda: 0.5, resumed=resumed)


def sends(
    it: Pacer, begin: float, end: float, signal: Signal | None = ACCEPTED, *, latency: float = ROUND_TRIP_SECONDS
) -> list[float]:
    """Send as fast as the pacer lets, each reply coming before the next send is asked for; return when was sent."""
    times, now = [], begin
    while now < end:
        wait_seconds = it.take(now)
        if wait_seconds > 0.0:
            now += wait_seconds
            continue
        times.append(now)
        if signal is not None:
            it.replied(now, now, signal, latency)
    return times


def settled(rate: float = 100.0) -> Pacer:
    """Return a pacer that sent at ``rate`` for two seconds and was throttled at t=2."""
    it = pacer(rate, rate_max=rate)
    sends(it, 0.0, 2.0)
    it.set_rate_max(None)
    it.replied(2.0, 2.0, THROTTLED, ROUND_TRIP_SECONDS)
    return it


# -- slots ----------------------------------------------------------------------------------------------------------


def test_requests_leave_evenly_spaced() -> None:
    gaps = [later - sooner for sooner, later in itertools.pairwise(sends(pacer(rate_max=10.0), 0.0, 10.0)[2:])]
    assert gaps == pytest.approx([0.1] * len(gaps))


def test_a_refused_take_takes_nothing() -> None:
    it = pacer(rate_max=10.0)
    sends(it, 0.0, 1.0)
    waits = [it.take(1.0) for _ in range(5)]
    assert waits[0] > 0.0
    assert len(set(waits)) == 1


@settings(deadline=None, max_examples=examples(200), derandomize=True)
@given(
    rate=st.sampled_from([0.5, 10.0, 400.0, 3000.0, 1e6]),
    gaps=st.lists(st.tuples(st.floats(0.0, 0.3), st.integers(1, 80)), min_size=1, max_size=40),
)
def test_slots_taken_together_are_those_taken_one_by_one(rate: float, gaps: list[tuple[float, int]]) -> None:
    it, now = pacer(rate, rate_max=rate), 0.0
    for gap, most in gaps:
        now += gap
        twin = copy.deepcopy(it)
        together = 1 + it.take_more(now, most - 1) if it.take(now) == 0.0 else 0
        one_by_one = 0
        while one_by_one < most and twin.take(now) == 0.0:
            one_by_one += 1
        assert abs(together - one_by_one) <= 1, "a slot that falls on this very moment is there or not by a rounding"


@settings(deadline=None, max_examples=examples(100), derandomize=True)
@given(batches=st.lists(st.lists(st.floats(0.0, 2.0), max_size=9), max_size=20))
def test_replies_learnt_from_together_teach_what_they_teach_one_by_one(batches: list[list[float]]) -> None:
    together, one_by_one, now = pacer(10.0), pacer(10.0), 0.0
    for latencies in batches:
        now += 0.03
        for it in (together, one_by_one):
            it.take(now)  # a slice that is over ends here, and not between two replies
        together.accepted(now, latencies)
        for latency in latencies:
            one_by_one.replied(now, now - latency, ACCEPTED, latency)
        assert together.latency_p99_seconds == pytest.approx(one_by_one.latency_p99_seconds)
        assert together.rate_per_second == one_by_one.rate_per_second
        assert together.accepted_per_second == pytest.approx(one_by_one.accepted_per_second)


@pytest.mark.parametrize("late_seconds", [0.0, 0.001, 0.005])
def test_late_timers_cost_no_throughput(late_seconds: float) -> None:
    it, now, sent = pacer(1000.0, rate_max=1000.0), 0.0, 0
    while now < 10.0:
        wait_seconds = it.take(now)
        if wait_seconds > 0.0:
            now += wait_seconds + late_seconds
        else:
            sent += 1
    assert sent == pytest.approx(10_000, rel=0.01)


def test_a_long_wait_is_cut_so_that_changes_are_noticed() -> None:
    it = pacer(rate_max=0.01)
    sends(it, 0.0, 0.5)
    assert it.take(0.5) == 1.0


@settings(deadline=None, max_examples=examples(60), derandomize=True)
@given(
    rate=st.floats(0.5, 3000.0),
    first=st.floats(0.5, 1e6),
    gaps=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=60),
    tries=st.integers(1, 300),
)
def test_never_more_than_the_cap_in_any_window(rate: float, first: float, gaps: list[float], tries: int) -> None:
    it, now, times = pacer(first, rate_max=rate), 0.0, []
    for gap in gaps:
        now += gap
        times += [now for _ in range(tries) if it.take(now) == 0.0]
    most_at_once = 1.0 + max(1.0, 0.02 * rate)
    for first_index, begin in enumerate(times):
        for last_index in range(first_index, len(times), 7):
            allowed = rate * (times[last_index] - begin) + most_at_once
            assert last_index - first_index + 1 <= allowed + 1e-6


@settings(deadline=None, max_examples=examples(60), derandomize=True)
@given(data=st.data())
def test_whatever_comes_back_the_answers_make_sense(data: st.DataObject) -> None:
    """Waits are never negative or NaN and at most a second, the rate stays positive."""
    it, now = pacer(data.draw(st.floats(0.1, 1e6)), in_flight=64), 0.0
    for _ in range(data.draw(st.integers(1, 80))):
        now += data.draw(st.sampled_from([0.0, 1e-6, 0.01, 0.1, 1.0, 20.0, 4000.0]))
        match data.draw(st.sampled_from(["take", "reply", "cap"])):
            case "take":
                wait_seconds = it.take(now)
                assert 0.0 <= wait_seconds <= 1.0
            case "reply":
                ago = data.draw(st.sampled_from([0.0, 0.04, 2.0, 60.0]))
                asked = data.draw(st.sampled_from([None, 0.0, 0.2, 5.0, -3.0, math.nan, math.inf]))
                it.replied(now, now - ago, data.draw(st.sampled_from(list(Signal))), ago, asked)
            case _:
                it.set_rate_max(data.draw(st.sampled_from([None, 0.2, 50.0])))
        assert 0.0 < it.rate_per_second < math.inf
        assert 4 <= it.in_flight_cap(now) <= 64
        assert it.limit_per_second is None or it.limit_per_second > 0.0
        assert it.why(now, in_flight=0).words


@pytest.mark.parametrize("origin", [-1e6, -5.0, 1e3, 1e7])
def test_only_differences_of_time_matter(origin: float) -> None:
    """So a clock that starts anywhere, and a wall clock that steps, cannot change the pace."""

    def sent(begin: float) -> int:
        it, count = pacer(now=begin), 0
        for step in range(400):
            now = begin + step * 0.0625  # exact in binary, also at 1e7
            if step in {60, 61, 62, 200}:
                it.replied(now, now, THROTTLED, 0.03125)
            while it.take(now) == 0.0:
                count += 1
                it.replied(now, now, ACCEPTED, 0.03125)
        return count

    assert sent(origin) == pytest.approx(sent(0.0), rel=0.01)


# -- growing and cutting ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [10.0, 1000.0])
def test_the_rate_doubles_every_second_until_the_first_throttle(first: float) -> None:
    it = pacer(first)
    sends(it, 0.0, 5.0)
    assert it.rate_per_second == pytest.approx(first * 2**5, rel=0.1)
    assert it.limit_per_second is None


def test_a_rate_of_one_a_second_grows_too() -> None:
    """Half a second without a send is no sign of idleness there."""
    it = pacer(1.0)
    sends(it, 0.0, 5.0)
    assert it.rate_per_second > 10.0


def test_a_throttle_holds_everything_back_for_a_moment() -> None:
    it = settled()
    assert it.take(2.0) == pytest.approx(0.06)
    assert it.take(2.05) == pytest.approx(0.01)
    assert it.take(2.0601) == 0.0


def test_throttles_of_requests_sent_before_the_cut_do_not_cut_again() -> None:
    it = settled()
    rate = it.rate_per_second
    for _ in range(50):
        it.replied(2.03, 1.99, THROTTLED, 0.04)
    assert it.rate_per_second == rate


def test_throttles_in_quick_succession_cut_deeper() -> None:
    it = pacer(
        100.0, rate_max=100.0, resumed=PacerState(rate_per_second=125.0, limit_per_second=100.0, recorded_at=0.0)
    )
    sends(it, 0.0, 2.0)
    rates = [it.rate_per_second]
    for now in (2.0, 2.1, 2.2):
        it.replied(now, now, THROTTLED, ROUND_TRIP_SECONDS)
        rates.append(it.rate_per_second)
    cuts = [1.0 - later / sooner for sooner, later in itertools.pairwise(rates)]
    assert cuts == pytest.approx([0.04, 0.08, 0.16], abs=0.005)


def test_cuts_stop_at_what_was_accepted_within_the_last_second() -> None:
    it = pacer(100.0, rate_max=100.0)
    sends(it, 0.0, 2.0)
    for step in range(3):
        it.replied(2.0 + 0.1 * step, 2.0 + 0.1 * step, THROTTLED, ROUND_TRIP_SECONDS)
    assert it.rate_per_second > 60.0
    sends(it, 2.3, 3.5, OTHER)
    for step in range(8):
        it.replied(3.5 + 0.1 * step, 3.5 + 0.1 * step, THROTTLED, ROUND_TRIP_SECONDS)
    assert it.rate_per_second < 20.0


def test_a_rate_never_reached_is_forgotten_at_the_first_throttle() -> None:
    it = pacer(1e6)
    for step in range(1000):  # 1,000/s is all that is fed in
        assert it.take(step * 0.001) == 0.0
        it.replied(step * 0.001, step * 0.001, ACCEPTED, 0.01)
    it.replied(1.0, 1.0, THROTTLED, 0.01)
    assert it.rate_per_second <= 1100.0


def test_the_rate_does_not_grow_while_something_else_limits_sending() -> None:
    it = pacer(100.0)
    for step in range(1000):
        it.take(step * 0.02)  # 50/s
    assert it.rate_per_second == pytest.approx(100.0)


def test_the_limit_found_is_what_was_accepted_from_throttle_to_throttle() -> None:
    it = settled()
    it.set_rate_max(80.0)
    sends(it, 2.06, 12.0)
    it.replied(12.0, 12.0, THROTTLED, ROUND_TRIP_SECONDS)
    assert it.limit_per_second == pytest.approx(80.0, rel=0.02)


def test_a_stalled_process_does_not_come_back_with_a_surge() -> None:
    it = settled()
    sends(it, 2.0, 6.0)
    before = it.rate_per_second
    assert sum(it.take(26.0) == 0.0 for _ in range(1000)) <= 3
    assert len(sends(it, 26.0, 27.0)) <= 1.05 * before


@pytest.mark.parametrize(("stalled_seconds", "quiet_spell_kept"), [(1.5, True), (3.0, False)])
def test_after_a_stall_the_quiet_spell_starts_anew(stalled_seconds: float, quiet_spell_kept: bool) -> None:
    it = settled()
    sends(it, 2.0, 9.5)
    assert "trying" in it.why(9.5, in_flight=0).words
    sends(it, 9.5 + stalled_seconds, 10.5 + stalled_seconds)
    assert ("trying" in it.why(10.5 + stalled_seconds, in_flight=0).words) is quiet_spell_kept


def test_the_pace_is_the_same_however_often_it_is_asked() -> None:
    asked_often, asked_seldom = pacer(50.0, rate_max=50.0), pacer(50.0, rate_max=50.0)
    often = sum(asked_often.take(step / 10_000) == 0.0 for step in range(100_000))
    assert often == pytest.approx(len(sends(asked_seldom, 0.0, 10.0)), abs=2)


# -- leaving a share to others --------------------------------------------------------------------------------------


def test_a_share_of_the_limit_is_left_once_the_probe_has_settled() -> None:
    it = pacer(100.0, leave=0.3, rate_max=150.0)
    sends(it, 0.0, 1.0)
    it.replied(1.0, 1.0, THROTTLED, ROUND_TRIP_SECONDS)
    sends(it, 1.0, 14.0)
    assert it.rate_per_second == pytest.approx(0.7 * (it.limit_per_second or 0.0))
    assert "leaving a share" in it.why(14.0, in_flight=0).words
    resting = len(sends(it, 20.0, 30.0))
    sends(it, 30.0, 140.0)
    assert len(sends(it, 140.0, 150.0)) > 1.3 * resting  # looks for the limit again


def test_a_throttle_while_resting_looks_for_the_new_limit_at_once() -> None:
    it = pacer(100.0, leave=0.3, rate_max=150.0)
    sends(it, 0.0, 1.0)
    it.replied(1.0, 1.0, THROTTLED, ROUND_TRIP_SECONDS)
    sends(it, 1.0, 20.0)
    resting = it.rate_per_second
    it.replied(20.0, 20.0, THROTTLED, ROUND_TRIP_SECONDS)
    sends(it, 20.0, 22.0)
    assert "leaving" not in it.why(22.0, in_flight=0).words
    assert it.rate_per_second > 0.9 * resting


# -- what the service asks for --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked_seconds", "free_after_seconds"),
    [(7.0, 7.0), (1e9, 300.0), (0.0, 0.0), (-5.0, 0.0), (math.nan, 0.0), (math.inf, 0.0)],
)
def test_retry_after_is_obeyed_and_nonsense_is_not(asked_seconds: float, free_after_seconds: float) -> None:
    it = pacer(rate_max=10.0)
    it.replied(0.0, 0.0, OTHER, ROUND_TRIP_SECONDS, asked_seconds)
    assert sends(it, 0.0, 400.0)[0] == pytest.approx(free_after_seconds)


def test_a_later_shorter_retry_after_does_not_end_an_earlier_one() -> None:
    it = pacer()
    it.replied(0.0, 0.0, THROTTLED, ROUND_TRIP_SECONDS, 10.0)
    it.replied(1.0, 0.0, FAULT, ROUND_TRIP_SECONDS, 0.5)
    assert sends(it, 1.0, 12.0)[0] == pytest.approx(10.0)


# -- faults -----------------------------------------------------------------------------------------------------------


def test_faults_slow_down_without_touching_the_limit_found() -> None:
    it = settled()
    sends(it, 2.0, 4.0)
    limit, before = it.limit_per_second, it.rate_per_second
    sends(it, 4.0, 9.0, FAULT)
    assert it.fault_factor == pytest.approx(0.1, abs=0.05)
    assert it.rate_per_second == pytest.approx(before * it.fault_factor, rel=0.05)
    assert "slowed to" in it.why(9.0, in_flight=0).words
    sends(it, 9.0, 19.0)
    assert it.fault_factor == 1.0
    assert it.rate_per_second == pytest.approx(before, rel=0.1)
    assert it.limit_per_second == limit


def test_a_few_faults_change_nothing() -> None:
    it, now = pacer(100.0, rate_max=100.0), 0.0
    for number in range(2000):
        while (wait_seconds := it.take(now)) > 0.0:
            now += wait_seconds
        it.replied(now, now, FAULT if number % 7 == 0 else ACCEPTED, ROUND_TRIP_SECONDS)
        assert it.fault_factor == 1.0


def test_what_is_neither_success_nor_fault_counts_for_neither_pace() -> None:
    it, now = pacer(100.0, rate_max=100.0), 0.0
    while it._faults.trial is None:
        sends(it, now, now + 0.1, FAULT)
        sends(it, now + 0.1, now + 0.2, ACCEPTED)
        now += 0.2
    trial = it._faults.trial
    counted = [trial.replies]
    for signal in (OTHER, THROTTLED, FAULT, ACCEPTED):
        it.replied(now, now, signal, 0.0)
        counted.append(trial.replies)
    assert [later - sooner for sooner, later in itertools.pairwise(counted)] == [0, 0, 1, 1]


def test_an_outage_leaves_one_probe_every_five_seconds() -> None:
    it = pacer(100.0, rate_max=100.0)
    sends(it, 0.0, 2.0)
    sends(it, 2.0, 13.0, FAULT)
    assert it.breaker_open
    probes = sends(it, 13.0, 3613.0, FAULT)
    gaps = [later - sooner for sooner, later in itertools.pairwise(probes)]
    assert min(gaps) >= 5.0 - 1e-9
    assert max(gaps) <= 6.0 + 1e-9
    assert "one probe" in it.why(3613.0, in_flight=0).words
    assert 1 / 6 <= it.rate_per_second <= 1 / 5


@pytest.mark.parametrize("answer", [ACCEPTED, THROTTLED, OTHER])
def test_any_answer_closes_the_breaker_and_the_rate_comes_back_within_seconds(answer: Signal) -> None:
    it = pacer(100.0, rate_max=100.0)
    sends(it, 0.0, 13.0, FAULT)
    assert it.breaker_open
    it.replied(14.0, 13.5, answer, 0.5)
    sends(it, 14.0, 14.5)
    assert not it.breaker_open
    assert it.fault_factor < 0.3
    sends(it, 14.5, 25.0)
    assert it.rate_per_second > 65.0


# -- capping, resuming -----------------------------------------------------------------------------------


def test_a_new_cap_counts_at_once() -> None:
    it = pacer(rate_max=0.1)
    sends(it, 0.0, 1.0)
    it.set_rate_max(100.0)
    assert it.take(1.0) <= 0.1
    it.set_rate_max(2.0)
    assert len(sends(it, 2.0, 12.0)) <= 22


def test_below_its_cap_the_pacer_says_so() -> None:
    it = pacer(rate_max=50.0)
    sends(it, 0.0, 10.0)
    assert it.rate_per_second == 50.0
    assert it.sent_per_second == pytest.approx(50.0, rel=0.05)
    assert it.accepted_per_second == pytest.approx(50.0, rel=0.05)
    assert it.why(10.0, in_flight=0).words == "capped at --max-rate 50/s"
    sends(it, 10.0, 11.2, OTHER)
    assert it.accepted_per_second == pytest.approx(0.0, abs=1.0)


def test_before_anything_was_sent_nothing_is_blamed() -> None:
    assert pacer().why(0.0, in_flight=0).words == "no limit met yet: at 10/s, doubling every second"


def test_the_state_survives_json_and_resumes_at_four_fifths() -> None:
    it = settled()
    state = PacerState(**json.loads(json.dumps(dataclasses.asdict(it.state(1_000.0)))))
    assert state.if_fresh(1_000.0) == state
    fresh = state.if_fresh(1_899.0)
    assert fresh == state
    resumed = pacer(resumed=fresh)
    assert resumed.rate_per_second == pytest.approx(0.8 * state.rate_per_second)
    assert resumed.limit_per_second == it.limit_per_second


@pytest.mark.parametrize("now_unix_seconds", [1_900.0, 1e9, 999.0])
def test_a_state_that_is_old_or_from_the_future_is_not_resumed(now_unix_seconds: float) -> None:
    assert (
        PacerState(rate_per_second=80.0, limit_per_second=100.0, recorded_at=1_000.0).if_fresh(now_unix_seconds) is None
    )
    assert pacer(resumed=None).rate_per_second == 10.0


# -- how many in flight -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "latency", "in_flight_max", "expected"),
    [(100.0, 0.1, 1000, 20), (100.0, 1.0, 1000, 200), (100.0, 1.0, 64, 64), (1.0, 0.1, 64, 4), (1.0, 0.1, 2, 2)],
)
def test_in_flight_is_capped_at_twice_what_rate_and_latency_need(
    rate: float, latency: float, in_flight_max: int, expected: int
) -> None:
    it = pacer(rate, rate_max=rate, in_flight=in_flight_max)
    sends(it, 0.0, 6000.0 / rate, latency=latency)
    assert it.in_flight_cap(6000.0 / rate) == pytest.approx(expected, rel=0.15)


def test_the_p99_is_of_the_right_size() -> None:
    random, it, latencies = Random(1), pacer(), []
    for _ in range(20_000):
        latencies.append(0.12 * math.exp(0.45 * random.gauss(0.0, 1.0)))
        it.replied(0.0, 0.0, ACCEPTED, latencies[-1])
    true_p99 = sorted(latencies)[-200]
    assert it.latency_p99_seconds == pytest.approx(true_p99, rel=0.35)


def test_the_p99_rises_again_after_a_long_time_of_no_latency_at_all() -> None:
    it = pacer(1000.0, rate_max=1000.0)
    sends(it, 0.0, 30.0, latency=0.0)
    assert it.in_flight_cap(30.0) == 4
    sends(it, 30.0, 40.0, latency=0.1)
    assert it.in_flight_cap(40.0) == pytest.approx(200, rel=0.15)


# -- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: PacerSettings(rate_per_second_first=0.0), "first rate"),
        (lambda: PacerSettings(rate_per_second_first=math.nan), "first rate"),
        (lambda: PacerSettings(rate_per_second_max=-1.0), "highest rate"),
        (lambda: PacerSettings(rate_per_second_max=math.inf), "highest rate"),
        (lambda: PacerSettings(in_flight_max=0), "in flight"),
        (lambda: PacerSettings(leave_share=0.95), "left to others"),
        (lambda: pacer().set_rate_max(0.0), "highest rate"),
    ],
)
def test_figures_that_make_no_sense_are_refused(make: object, names: str) -> None:
    assert callable(make)
    with pytest.raises(UsageError, match=names):
        make()
