from __future__ import annotations

from dataclasses import replace

import pytest

from glacier_purge.deletion.limit_search import SearchPhase
from glacier_purge.deletion.reason import Cause, Standing, reason

AT_PACE = Standing(
    breaker_open=False,
    trying_slower=False,
    fault_factor=1.0,
    fault_share_borne=0.0,
    hold_seconds=-1.0,
    presses=True,
    sent_per_second=96.0,
    rate_per_second=96.4,
    rate_per_second_max=None,
    limit_per_second=98.2,
    phase=SearchPhase.HOLDING,
    in_flight=10,
    in_flight_cap=20,
    in_flight_max=64,
)


@pytest.mark.parametrize(
    ("cause", "changes", "words"),
    [
        (Cause.AT_LIMIT, {}, "holding at 96/s, at the limit found"),
        (
            Cause.LOOKING_FOR_LIMIT,
            {"phase": SearchPhase.DOUBLING, "limit_per_second": None},
            "no limit met yet: at 96/s, doubling every second",
        ),
        (
            Cause.THROTTLED,
            {"phase": SearchPhase.REGAINING},
            "throttled just now: at 96/s, on the way back to the limit found, 98/s",
        ),
        (
            Cause.AT_LIMIT,
            {"phase": SearchPhase.TRYING},
            "at 96/s and not throttled: trying whether the limit has risen",
        ),
        (
            Cause.AT_LIMIT,
            {"phase": SearchPhase.RESTING},
            "at 96/s, leaving a share of the limit found, 98/s, to others",
        ),
        (Cause.AT_CAP, {"rate_per_second_max": 96.4}, "capped at --max-rate 96/s"),
        (Cause.AT_LIMIT, {"rate_per_second_max": 200.0}, "holding at 96/s, at the limit found"),
        (
            Cause.PROCESS,
            {"presses": False, "sent_per_second": 4.25, "rate_per_second": 12_345.0},
            "limited by this process: it sends as fast as it can, 4.2/s of 12,345/s allowed",
        ),
        (
            Cause.REPLIES,
            {"presses": False, "in_flight": 17, "sent_per_second": 40.0},
            "limited by how fast replies come: 17 in flight, 40/s of 96/s allowed",
        ),
        (
            Cause.REPLIES,
            {"presses": False, "in_flight": 60, "in_flight_cap": 64, "sent_per_second": 40.0},
            "limited by 64 in flight, 40/s of 96/s allowed",
        ),
        (Cause.THROTTLED, {"hold_seconds": 0.06}, "the service throttles: waiting 0.06 s"),
        (Cause.FAULTS, {"fault_factor": 0.25}, "the service is failing: slowed to 25% of the rate until it recovers"),
        (
            Cause.FAULTS,
            {"trying_slower": True, "fault_factor": 0.25},
            "many replies are faults: trying for a moment whether fewer are at a slower pace",
        ),
        (
            Cause.AT_LIMIT,
            {"fault_share_borne": 0.3},
            "holding at 96/s, at the limit found; 30% of replies are faults, and going slower would not change that",
        ),
        (Cause.AT_LIMIT, {"fault_share_borne": 0.05}, "holding at 96/s, at the limit found"),
        (Cause.FAULTS, {"breaker_open": True}, "the service is failing: one probe every 5 s until it answers"),
    ],
)
def test_the_most_urgent_cause_is_named(cause: Cause, changes: dict[str, object], words: str) -> None:
    assert reason(replace(AT_PACE, **changes)) == (cause, words)  # type: ignore[arg-type]  # a table of mixed fields
