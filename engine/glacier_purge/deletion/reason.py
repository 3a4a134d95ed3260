"""What sets the pace just now: a word that stays the same, and a sentence for people. Changes and decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from glacier_purge.deletion.limit_search import SearchPhase

_NEARLY = 0.8
"""A moment is not an average: this much of a cap counts as all of it."""
_FAULT_SHARE_SAID = 0.1
"""Fewer faults that are borne are not worth a word."""


class Cause(Enum):
    """What holds the next delete back, as a word: logs, charts and metrics go by it, whatever the sentences become."""

    CHECKING = "checking"
    FIRST_DELETE = "first_delete"
    LOOKING_FOR_LIMIT = "looking_for_limit"
    AT_LIMIT = "at_limit"
    AT_CAP = "at_cap"
    REPLIES = "replies"
    """Replies that are slow, or as many requests in flight as may be."""
    PROCESS = "process"
    """This process, or its disk: it could send more."""
    THROTTLED = "throttled"
    FAULTS = "faults"
    """The service fails: slower, or a probe now and then."""
    OPERATOR = "operator"
    HOLD = "hold"
    LEASE = "lease"
    """Which host may send is not known any more: the bucket that says so is away."""
    REPLICA = "replica"
    """A replica that lacks more of the log than a lost disk may cost."""
    WINDOW = "window"
    CREDENTIALS = "credentials"
    STOPPING = "stopping"


class Reason(NamedTuple):
    """The most urgent cause, and one sentence about it for people."""

    cause: Cause
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a pacer stands. ``presses``: the pace, and nothing else, holds sending back."""

    breaker_open: bool
    trying_slower: bool
    fault_factor: float
    fault_share_borne: float
    hold_seconds: float
    presses: bool
    sent_per_second: float
    rate_per_second: float
    rate_per_second_max: float | None
    limit_per_second: float | None
    phase: SearchPhase
    in_flight: int
    in_flight_cap: int
    in_flight_max: int


def reason(standing: Standing) -> Reason:
    """Name what holds the next request back: the most urgent cause only."""
    if standing.breaker_open:
        return Reason(Cause.FAULTS, "the service is failing: one probe every 5 s until it answers")
    if standing.trying_slower:
        return Reason(Cause.FAULTS, "many replies are faults: trying for a moment whether fewer are at a slower pace")
    if standing.fault_factor < 1.0:
        slowed = f"slowed to {standing.fault_factor:.0%} of the rate until it recovers"
        return Reason(Cause.FAULTS, f"the service is failing: {slowed}")
    found = _without_faults(standing)
    if standing.fault_share_borne < _FAULT_SHARE_SAID:
        return found
    share = f"{standing.fault_share_borne:.0%} of replies are faults, and going slower would not change that"
    return Reason(found.cause, f"{found.words}; {share}")


def _without_faults(standing: Standing) -> Reason:
    if standing.hold_seconds > 0.0:
        return Reason(Cause.THROTTLED, f"the service throttles: waiting {standing.hold_seconds:.2f} s")
    if not standing.presses:
        return _below_pace(standing)
    if standing.rate_per_second_max is not None and standing.rate_per_second >= standing.rate_per_second_max:
        return Reason(Cause.AT_CAP, f"capped at --max-rate {_figure(standing.rate_per_second_max)}/s")
    return _at_pace(standing)


def _below_pace(standing: Standing) -> Reason:
    sent, allowed = _figure(standing.sent_per_second), _figure(standing.rate_per_second)
    cause, what = Cause.REPLIES, f"how fast replies come: {standing.in_flight} in flight"
    if standing.in_flight >= _NEARLY * standing.in_flight_max:
        what = f"{standing.in_flight_max} in flight"
    elif standing.in_flight < _NEARLY * standing.in_flight_cap:
        cause, what = Cause.PROCESS, "this process: it sends as fast as it can"
    return Reason(cause, f"limited by {what}, {sent}/s of {allowed}/s allowed")


def _at_pace(standing: Standing) -> Reason:
    rate, limit = _figure(standing.rate_per_second), _figure(standing.limit_per_second or 0.0)
    match standing.phase:
        case SearchPhase.DOUBLING:
            return Reason(Cause.LOOKING_FOR_LIMIT, f"no limit met yet: at {rate}/s, doubling every second")
        case SearchPhase.REGAINING:
            words = f"throttled just now: at {rate}/s, on the way back to the limit found, {limit}/s"
            return Reason(Cause.THROTTLED, words)
        case SearchPhase.HOLDING:
            return Reason(Cause.AT_LIMIT, f"holding at {rate}/s, at the limit found")
        case SearchPhase.TRYING:
            return Reason(Cause.AT_LIMIT, f"at {rate}/s and not throttled: trying whether the limit has risen")
        case SearchPhase.RESTING:
            words = f"at {rate}/s, leaving a share of the limit found, {limit}/s, to others"
            return Reason(Cause.AT_LIMIT, words)


def _figure(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:.1f}"
