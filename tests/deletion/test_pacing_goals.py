"""The published goals, held in virtual time against a service that limits by rejecting (benchmarks/pacing)."""

from __future__ import annotations

import statistics
from dataclasses import replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import pytest

from benchmarks.pacing.controllers import Anchored, BotocoreAdaptive, BotocoreStandard, Fixed, WindowAimd
from benchmarks.pacing.measures import jain, measure_one, run, used_between
from benchmarks.pacing.scenarios import FAULTS, OUTAGE, OUTAGE_ENDS_AT, OVERLOADED, SCENARIOS, steady, steps
from benchmarks.pacing.server_model import Server
from benchmarks.pacing.simulation import Client, Simulation
from glacier_purge.deletion.pacer import PacerSettings, Signal

if TYPE_CHECKING:
    from benchmarks.pacing.simulation import Controller

BY_NAME = {scenario.name: scenario for scenario in (*SCENARIOS, *FAULTS)}
STEADY, CHANGING, DEEP_BUCKET, SLOW, WINDOWED = (BY_NAME[name] for name in "ABDFG")


def ours(random: Random, settings: PacerSettings | None = None) -> Anchored:
    return Anchored(settings or PacerSettings(in_flight_max=1000), random.random)


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("rate_per_second", "throttled_max", "cold_seconds_max"),
    [(5.0, 0.02, 30), (10.0, 0.01, 20), (30.0, 0.005, 10), (100.0, 0.005, 10), (300.0, 0.005, 10), (1000.0, 0.005, 10)],
)
def test_a_steady_limit_is_used_and_hardly_ever_exceeded(
    rate_per_second: float, throttled_max: float, cold_seconds_max: int, seed: int
) -> None:
    seconds = 600 if rate_per_second < 30 else 60 if rate_per_second > 300 else 180
    measured = measure_one(steady(rate_per_second, seconds=seconds, workers=1000), ours, seed=seed)
    assert measured.used >= 0.97
    assert measured.throttled <= throttled_max
    assert measured.peak <= (1.15 if rate_per_second >= 10 else 1.2)  # at 5/s one request is a fifth of a second's
    assert measured.settled_seconds[0] is not None
    assert measured.settled_seconds[0] <= cold_seconds_max


@pytest.mark.at_length(one_in=4)
@pytest.mark.parametrize("seed", range(4))
def test_it_follows_a_drop_within_5_s_and_a_tenfold_rise_within_25(seed: int) -> None:
    cold, drop, rise = measure_one(CHANGING, ours, seed=seed).settled_seconds
    assert cold is not None
    assert drop is not None
    assert rise is not None
    assert cold <= 10
    assert drop <= 5
    assert rise <= 25


@pytest.mark.parametrize("scenario", [DEEP_BUCKET, SLOW, WINDOWED], ids=lambda scenario: scenario.title)
def test_other_limiters_and_latencies_make_no_difference(scenario: object) -> None:
    measured = measure_one(scenario, ours)  # type: ignore[arg-type]  # parametrize's ids are typed object
    assert measured.used >= 0.97
    assert measured.throttled <= 0.005
    assert measured.peak <= 1.15


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize("seed", [1, 2])
def test_two_instances_share_a_limit_fairly(seed: int) -> None:
    clients = run(STEADY, [ours, ours], seed=seed)
    shares = [used_between(STEADY, client, 30, STEADY.seconds) for client in clients]
    assert jain(shares) >= 0.95
    assert sum(shares) >= 0.98


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize(("apart_seconds", "median", "least"), [(0.7, 0.98, 0.9), (5.0, 0.97, 0.7), (30.0, 0.97, 0.7)])
def test_whoever_comes_later_gets_its_share(apart_seconds: float, median: float, least: float) -> None:
    """Chance decides who is throttled first, and what it did wears off: looked at from half a minute on, for 100 s."""
    begin = round(apart_seconds) + 30
    shared = steady(100.0, seconds=begin + 100, workers=1000)
    indices = []
    for seed in range(9):
        clients = run(shared, [ours, ours], seed=seed, apart_seconds=apart_seconds)
        indices.append(jain([used_between(shared, client, begin, shared.seconds) for client in clients]))
    assert statistics.median(indices) >= median
    assert min(indices) >= least


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize("seed", [1, 2])
def test_after_an_outage_of_a_minute_the_limit_is_used_again_within_20_s(seed: int) -> None:
    (client,) = run(OUTAGE, [ours], seed=seed)
    assert used_between(OUTAGE, client, OUTAGE_ENDS_AT + 20, OUTAGE_ENDS_AT + 40) >= 0.95
    assert client.given_up == 0


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("name", "used_min"), [("3%", 0.95), ("10%", 0.87), ("30%", 0.67), ("60%", 0.38), ("slow", 0.6), ("gusts", 0.8)]
)
def test_faults_that_do_not_come_of_the_rate_do_not_lower_it(name: str, used_min: float, seed: int) -> None:
    """Each uses up a part of the limit like any other request: with 30 % of them, 70 % is all there is."""
    measured = measure_one(BY_NAME[name], ours, seed=seed)
    assert measured.used >= used_min
    assert measured.throttled <= 0.005


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("name", "served_per_second", "served_min", "faults_max"),
    [("overload 70/s", 70, 0.95, 0.15), ("overload 40/s", 40, 0.95, 0.15), ("slow overload 40/s", 40, 0.6, 0.3)],
)
def test_an_overloaded_service_is_sent_what_it_serves(
    name: str, served_per_second: int, served_min: float, faults_max: float, seed: int
) -> None:
    (client,) = run(BY_NAME[name], [ours], seed=seed)
    settled = slice(OVERLOADED[0] + 30, OVERLOADED[1])
    accepted, sent = sum(client.accepted[settled]), sum(client.sent[settled])
    assert accepted >= served_min * served_per_second * (settled.stop - settled.start)
    assert accepted >= (1.0 - faults_max) * sent
    assert used_between(BY_NAME[name], client, OVERLOADED[1] + 30, 300) >= 0.95


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_two_that_meet_faults_share_a_limit_fairly(share: float) -> None:
    clients = run(BY_NAME[f"{share:.0%}"], [ours, ours])
    shares = [used_between(STEADY, client, 30, 300) for client in clients]
    assert jain(shares) >= 0.95
    assert sum(shares) >= 0.95 * (1.0 - share)


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_cold_start_among_faults_takes_seconds(share: float) -> None:
    (client,) = run(BY_NAME[f"{share:.0%}"], [ours])
    assert sum(client.accepted[12:20]) >= 0.85 * 8 * 100 * (1.0 - share)


def test_an_outage_after_faults_that_were_borne_opens_the_breaker_and_leaves_the_limit_alone() -> None:
    shares = steps((0, 0.6), (100, 1.0), (400, 0.003))
    failing = replace(STEADY, model=replace(STEADY.model, fault_share_at=shares), seconds=460)
    (client,) = run(failing, [ours])
    assert sum(client.sent[120:400]) <= 280 / 5 + 1
    assert max(client.sent[400:]) <= 140
    assert used_between(failing, client, 420, 460) >= 0.95


def test_without_a_limit_full_speed_is_reached_and_the_rate_does_not_run_away() -> None:
    """64 workers at 120 ms can send about 480/s, however much is allowed."""
    (client,) = run(steady(1e6, seconds=40, workers=64), [ours])
    assert isinstance(client.controller, Anchored)
    assert client.sent[12] >= 0.9 * client.sent[38]
    assert client.controller.pacer.rate_per_second <= 2.0 * client.sent[38]
    assert client.throttled == [0] * len(client.throttled)


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize("first", [1_000.0, 30_000.0])
def test_a_bold_first_rate_finds_a_low_limit_within_seconds(first: float) -> None:
    bold = partial(ours, settings=PacerSettings(rate_per_second_first=first, in_flight_max=1000))
    measured = measure_one(steady(100.0, seconds=60), bold)
    assert measured.settled_seconds[0] is not None
    assert measured.settled_seconds[0] <= 5
    assert measured.used >= 0.97


def test_a_share_left_to_others_is_left() -> None:
    modest = partial(ours, settings=PacerSettings(in_flight_max=1000, leave_share=0.3))
    (client,) = run(steady(100.0, seconds=130), [modest])
    assert used_between(steady(100.0), client, 30, 130) == pytest.approx(0.7, abs=0.05)


def test_a_process_stopped_for_20_s_comes_back_without_a_surge() -> None:
    random = Random(1)
    client = Client(ours(random), seconds=130, stall=(100.0, 120.0))
    Simulation(Server(STEADY.model, random), [client], seconds=130, random=random).run()
    assert sum(client.sent[101:119]) == 0
    assert max(client.sent[120:125]) <= 115


@pytest.mark.parametrize(
    ("make", "used_max"),
    [
        (lambda _random: Fixed(50.0), 0.51),
        (lambda _random: WindowAimd(), 0.9),
        (lambda random: BotocoreAdaptive(random.random), 0.8),
    ],
    ids=["fixed 50/s", "AIMD", "botocore adaptive"],
)
def test_what_others_do_uses_less(make: object, used_max: float) -> None:
    """Guards the harness too: a model on which everything does well proves nothing."""
    assert callable(make)
    assert measure_one(STEADY, make).used <= used_max


def test_botocore_standard_throttles_itself_and_gives_items_up() -> None:
    def standard(random: Random) -> Controller:
        return BotocoreStandard(random.random)

    measured = measure_one(steady(100.0, seconds=40, workers=32), standard)
    assert measured.throttled >= 0.5
    assert measured.given_up > 0


def test_a_limiter_that_charges_for_rejects_is_not_kept_empty() -> None:
    assert measure_one(BY_NAME["H"], ours).used >= 0.97


def test_faults_reach_the_client_as_faults() -> None:
    random = Random(1)
    server = Server(OUTAGE.model, random)
    assert {server.answer(110.0 + step)[0] for step in range(20)} == {Signal.FAULT}
