"""Turns at two paces: what is counted where, and what the counts come to."""

from __future__ import annotations

import pytest

from glacier_purge.deletion.fault_trial import SLOW_PACE, FaultTrial, Verdict
from glacier_purge.deletion.traffic import Slice

FULL_PER_SECOND = 100.0


def tried(*shares: tuple[float, float], pace: float = SLOW_PACE, borne: float = 0.0) -> FaultTrial:
    """Let pairs of turns pass, each with its share of faults at the full and at the slow pace; replies take no time."""
    trial, now, pairs = FaultTrial(0.0, borne_share=borne), 0.0, list(shares)
    due, wrong = 0.0, 0.0
    while trial.verdict is None and pairs:
        slow = trial.is_slow
        due += 0.1 * FULL_PER_SECOND * (pace if slow else 1.0)
        sent, due = int(due), due % 1.0
        for _ in range(sent):
            wrong += pairs[0][slow]
            trial.reply(now, accepted=wrong < 1.0, faulted=wrong >= 1.0)
            wrong %= 1.0
        now += 0.1
        trial.go_on(now, Slice(0.1, sent, 0, 0, sent))
        if slow and not trial.is_slow:
            pairs.pop(0)
    return trial


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [
        ([(0.3, 0.3)] * 6, Verdict.STAYS),
        ([(0.6, 0.6)] * 6, Verdict.STAYS),
        ([(0.85, 0.85)] * 6, Verdict.STAYS),
        ([(0.3, 0.6)] * 6, Verdict.STAYS),
        ([(0.3, 0.0)] * 6, Verdict.FALLS),
        ([(0.6, 0.0)] * 6, Verdict.FALLS),
        ([(0.9, 0.6)] * 6, Verdict.FALLS),
        ([(0.05, 0.0)], Verdict.CEASED),
        ([(0.3, 0.0), (0.0, 0.0)], Verdict.CEASED),
        ([(0.6, 0.0), (0.6, 0.6)] * 3, Verdict.STAYS),
    ],
)
def test_a_share_that_falls_with_the_pace_is_told_from_one_that_stays(
    shares: list[tuple[float, float]], verdict: Verdict
) -> None:
    assert tried(*shares).verdict is verdict


def test_a_fall_has_to_be_seen_twice() -> None:
    assert tried((0.6, 0.0)).verdict is None


def test_faults_known_from_before_may_be_left_at_the_slow_pace() -> None:
    assert tried(*[(0.8, 0.4)] * 6, borne=0.4).verdict is Verdict.FALLS
    assert tried(*[(0.65, 0.4)] * 6, borne=0.4).verdict is Verdict.FALLS


def test_where_something_else_holds_sending_back_nothing_is_concluded_from_a_fall() -> None:
    assert tried(*[(0.6, 0.0)] * 6, pace=1.0).verdict is Verdict.STAYS


def test_what_it_amounts_to() -> None:
    trial = tried(*[(0.6, 0.0)] * 6)
    assert trial.served_share == pytest.approx(0.4, abs=0.02)
    assert trial.slow_fault_share == 0.0
    assert 0.0 < trial.fault_share < 0.6
    assert trial.seconds(3.0) == 3.0


def test_a_reply_counts_in_the_turn_its_request_left_in() -> None:
    """Faults that take five seconds would else make the slow turn look clean, and the next fast one bad."""
    trial, now = FaultTrial(0.0, borne_share=0.0), 0.0
    sent_at: list[tuple[float, bool]] = []
    while now < 30.0 and trial.verdict is None:
        sent = 2 if trial.is_slow else 10
        sent_at += [(now, number % 2 == 0) for number in range(sent)]
        now += 0.1
        back = [(at, bad) for at, bad in sent_at if at + (5.0 if bad else 0.1) <= now]
        sent_at = [each for each in sent_at if each not in back]
        for at, bad in back:
            trial.reply(at, accepted=not bad, faulted=bad)
        trial.go_on(now, Slice(0.1, sent, 0, 0, len(back)))
    assert trial.verdict is Verdict.STAYS
    assert trial.fault_share == pytest.approx(0.5, abs=0.1)


def test_requests_that_are_lost_are_not_waited_for_for_ever() -> None:
    trial, now = FaultTrial(0.0, borne_share=0.0), 0.0
    while trial.verdict is None:
        trial.go_on(now := now + 0.1, Slice(0.1, 5, 0, 0, 0))
        assert now < 600.0
    assert trial.verdict is Verdict.CEASED
