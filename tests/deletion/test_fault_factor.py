"""What is left of the pace, given what comes back at each pace: a service that answers at once, a tenth a time."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_purge.deletion.fault_factor import FACTOR_MIN, FaultFactor
from glacier_purge.deletion.traffic import Slice, Traffic
from tests.at_length import examples

if TYPE_CHECKING:
    from collections.abc import Callable

FULL_PER_SECOND = 100.0


class Weather:
    """A fault factor fed with slices of a tenth of a second, 100 requests a second at the full pace."""

    def __init__(self, *, seed: int = 1) -> None:
        self.faults = FaultFactor(lambda: 1.0)
        self.factors: list[float] = []
        self._traffic = Traffic()
        self._random = Random(seed)
        self._now = 0.0
        self._due = 0.0

    def blow(self, seconds: float, fault_share: Callable[[float], float]) -> FaultFactor:
        """Let replies come back; ``fault_share`` is a function of requests a second."""
        for _ in range(round(seconds * 10)):
            per_second = 0.2 if self.faults.breaker_open else FULL_PER_SECOND * self.faults.factor
            self._due += 0.1 * per_second
            sent, self._due = int(self._due), self._due % 1.0
            share = fault_share(per_second)
            self._end_slice(sent, sum(self._random.random() < share for _ in range(sent)))
        return self.faults

    def replies(self, seconds: float, *, answered: int, faulted: int) -> FaultFactor:
        """Let so many replies come back in each slice, whatever was sent."""
        for _ in range(round(seconds * 10)):
            self._end_slice(answered, faulted)
        return self.faults

    def _end_slice(self, answered: int, faulted: int) -> None:
        for number in range(answered):
            if self.faults.trial is not None:
                self.faults.trial.reply(self._now, accepted=number >= faulted, faulted=number < faulted)
        self._now += 0.1
        newest = Slice(0.1, answered, answered - faulted, faulted, answered)
        self._traffic.close(newest)
        self.faults.judge(self._now, newest, self._traffic, FULL_PER_SECOND)
        self.factors.append(self.faults.factor)


def always(share: float) -> Callable[[float], float]:
    return lambda _per_second: share


def serves(most_per_second: float) -> Callable[[float], float]:
    return lambda per_second: 0.003 if per_second <= most_per_second else 1.0 - most_per_second / per_second


@pytest.mark.parametrize("share", [0.003, 0.03, 0.08])
def test_everyday_faults_are_not_worth_a_trial(share: float) -> None:
    weather = Weather()
    weather.blow(120.0, always(share))
    assert set(weather.factors) == {1.0}


@pytest.mark.at_length(one_in=5)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.15, 0.2, 0.25, 0.3, 0.45, 0.6, 0.75])
def test_faults_that_come_at_any_pace_are_borne_and_tried_anew_now_and_then(share: float, seed: int) -> None:
    weather = Weather(seed=seed)
    faults = weather.blow(300.0, always(share))
    settled = weather.factors[300:]
    assert sum(settled) / len(settled) > 0.85
    assert not faults.breaker_open
    if share > 0.25:
        trials = sum(later < sooner for sooner, later in zip(weather.factors, weather.factors[1:], strict=False))
        assert 3 <= trials <= 40


@pytest.mark.at_length(one_in=5)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("most_per_second", [70.0, 50.0, 30.0, 15.0])
def test_an_overloaded_service_is_sent_little_more_than_it_serves(most_per_second: float, seed: int) -> None:
    weather = Weather(seed=seed)
    weather.blow(20.0, always(0.003))
    weather.blow(100.0, serves(most_per_second))
    settled = weather.factors[400:]
    per_second = FULL_PER_SECOND * sum(settled) / len(settled)
    assert 0.8 * most_per_second < per_second < 1.25 * most_per_second
    weather.blow(30.0, always(0.003))
    assert weather.factors[-1] == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_more_faults_than_those_borne_are_tried_anew_at_once(seed: int) -> None:
    weather = Weather(seed=seed)
    weather.blow(30.0, always(0.3))
    assert weather.faults.bears
    weather.blow(20.0, serves(25.0))
    assert weather.factors[-1] < 0.5


def test_faults_borne_are_forgotten_when_they_are_gone() -> None:
    weather = Weather()
    weather.blow(30.0, always(0.3))
    assert weather.faults.bears
    assert not weather.blow(120.0, always(0.0)).bears


def test_where_next_to_nothing_is_served_the_factor_halves_every_second_down_to_a_tenth() -> None:
    weather = Weather()
    weather.blow(10.0, always(0.0))
    weather.blow(2.0, always(1.0))
    assert weather.faults.factor < 0.5
    assert weather.blow(6.0, always(1.0)).factor == FACTOR_MIN


@pytest.mark.parametrize("lasts_seconds", [2.0, 6.0])
def test_when_they_cease_the_factor_doubles_back_to_one(lasts_seconds: float) -> None:
    weather = Weather()
    weather.blow(10.0, always(0.0))
    weather.blow(lasts_seconds, always(1.0))
    assert weather.blow(6.0, always(0.0)).factor == 1.0


def test_a_few_replies_prove_nothing() -> None:
    weather = Weather()
    assert weather.replies(0.9, answered=1, faulted=1).factor == 1.0
    assert weather.faults.trial is None
    assert not weather.faults.breaker_open


def test_ten_seconds_of_nothing_but_faults_open_the_breaker() -> None:
    weather = Weather()
    assert not weather.replies(9.9, answered=1, faulted=1).breaker_open
    assert weather.replies(0.3, answered=1, faulted=1).breaker_open
    assert weather.replies(600.0, answered=0, faulted=0).breaker_open
    assert weather.faults.probe_interval_seconds() == 6.0


def test_also_where_faults_were_borne_before() -> None:
    weather = Weather()
    weather.blow(30.0, always(0.6))
    assert weather.blow(11.0, always(1.0)).breaker_open
    assert (weather.faults.factor, weather.faults.bears, weather.faults.trial) == (FACTOR_MIN, False, None)


def test_one_good_answer_in_between_keeps_it_closed() -> None:
    weather = Weather()
    weather.replies(9.0, answered=1, faulted=1)
    weather.replies(0.1, answered=2, faulted=1)
    assert not weather.replies(9.0, answered=1, faulted=1).breaker_open


def test_one_good_answer_closes_it_and_the_factor_starts_at_a_tenth() -> None:
    weather = Weather()
    weather.replies(11.0, answered=1, faulted=1)
    faults = weather.replies(0.1, answered=1, faulted=0)
    assert not faults.breaker_open
    assert faults.factor == pytest.approx(FACTOR_MIN, rel=0.1)


def test_two_faults_with_a_long_silence_between_are_not_an_outage() -> None:
    weather = Weather()
    weather.replies(0.1, answered=1, faulted=1)
    weather.replies(60.0, answered=0, faulted=0)
    assert not weather.replies(0.1, answered=1, faulted=1).breaker_open


@settings(deadline=None, max_examples=examples(60), derandomize=True)
@given(
    weathers=st.lists(
        st.tuples(st.sampled_from([0.2, 3.0, 25.0]), st.floats(0.0, 1.0), st.floats(1.0, 200.0)), min_size=1, max_size=8
    ),
    seed=st.integers(0, 99),
)
def test_whatever_the_weather_the_pace_comes_back_when_it_is_over(
    weathers: list[tuple[float, float, float]], seed: int
) -> None:
    weather = Weather(seed=seed)
    for seconds, share, most_per_second in weathers:
        weather.blow(seconds, lambda per_second, a=share, b=most_per_second: max(a, serves(b)(per_second)))  # type: ignore[misc]  # bound now
    assert all(0.0 < factor <= 1.0 for factor in weather.factors)
    assert weather.blow(90.0, always(0.0)).factor == 1.0


@settings(deadline=None, max_examples=examples(30), derandomize=True)
@given(most_per_second=st.floats(12.0, 70.0), seed=st.integers(0, 999))
def test_whatever_is_served_no_more_than_a_third_more_is_sent_in_the_end(most_per_second: float, seed: int) -> None:
    weather = Weather(seed=seed)
    weather.blow(150.0, serves(most_per_second))
    settled = weather.factors[500:]
    assert FULL_PER_SECOND * sum(settled) / len(settled) < 1.34 * most_per_second


@settings(deadline=None, max_examples=examples(30), derandomize=True)
@given(share=st.floats(0.0, 0.75), seed=st.integers(0, 999))
def test_whatever_share_comes_at_any_pace_most_of_the_pace_is_kept(share: float, seed: int) -> None:
    weather = Weather(seed=seed)
    weather.blow(100.0, always(share))
    settled = weather.factors[200:]
    assert sum(settled) / len(settled) > 0.75
