from __future__ import annotations

import pytest

from glacier_purge.deletion.fault_factor import FACTOR_MIN, FaultFactor
from glacier_purge.deletion.traffic import Slice, Traffic


class Weather:
    """A fault factor fed with slices of a tenth of a second."""

    def __init__(self) -> None:
        self.faults = FaultFactor(lambda: 1.0)
        self._traffic = Traffic()
        self._now = 0.0

    def blow(self, seconds: float, *, answered: int, faulted: int) -> FaultFactor:
        for _ in range(round(seconds * 10)):
            self._now += 0.1
            newest = Slice(0.1, answered, answered - faulted, faulted, answered)
            self._traffic.close(newest)
            self.faults.judge(self._now, newest, self._traffic)
        return self.faults


def test_a_fifth_of_faults_is_borne() -> None:
    assert Weather().blow(20.0, answered=10, faulted=2).factor == 1.0


def test_more_halves_the_factor_every_second_down_to_a_tenth() -> None:
    weather = Weather()
    assert weather.blow(1.0, answered=10, faulted=4).factor == pytest.approx(0.5)
    assert weather.blow(9.0, answered=10, faulted=4).factor == FACTOR_MIN


def test_when_faults_cease_the_factor_doubles_back_to_one() -> None:
    weather = Weather()
    weather.blow(10.0, answered=10, faulted=4)
    assert weather.blow(2.0, answered=10, faulted=0).factor == pytest.approx(0.4, abs=0.2)
    assert weather.blow(3.0, answered=10, faulted=0).factor == 1.0


def test_a_few_replies_prove_nothing() -> None:
    weather = Weather()
    assert weather.blow(0.9, answered=1, faulted=1).factor == 1.0
    assert not weather.faults.breaker_open


def test_ten_seconds_of_nothing_but_faults_open_the_breaker() -> None:
    weather = Weather()
    assert not weather.blow(9.9, answered=1, faulted=1).breaker_open
    assert weather.blow(0.3, answered=1, faulted=1).breaker_open
    assert weather.blow(600.0, answered=0, faulted=0).breaker_open
    assert weather.faults.probe_interval_seconds() == 6.0


def test_one_good_answer_in_between_keeps_it_closed() -> None:
    weather = Weather()
    weather.blow(9.0, answered=1, faulted=1)
    weather.blow(0.1, answered=2, faulted=1)
    assert not weather.blow(9.0, answered=1, faulted=1).breaker_open


def test_one_good_answer_closes_it_and_the_factor_starts_at_a_tenth() -> None:
    weather = Weather()
    weather.blow(11.0, answered=1, faulted=1)
    faults = weather.blow(0.1, answered=1, faulted=0)
    assert not faults.breaker_open
    assert faults.factor == pytest.approx(FACTOR_MIN, rel=0.1)


def test_two_faults_with_a_long_silence_between_are_not_an_outage() -> None:
    weather = Weather()
    weather.blow(0.1, answered=1, faulted=1)
    weather.blow(60.0, answered=0, faulted=0)
    assert not weather.blow(0.1, answered=1, faulted=1).breaker_open
