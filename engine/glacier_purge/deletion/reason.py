"""What sets the pace just now, in one sentence for people. Changes nothing and decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from glacier_purge.deletion.limit_search import SearchPhase

_NEARLY = 0.8
"""A moment is not an average: this much of a cap counts as all of it."""
_FAULT_SHARE_SAID = 0.1
"""Fewer faults that are borne are not worth a word."""


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


def reason(standing: Standing) -> str:
    """Name what holds the next request back: the most urgent cause only."""
    if standing.breaker_open:
        return "the service is failing: one probe every 5 s until it answers"
    if standing.trying_slower:
        return "many replies are faults: trying for a moment whether fewer are at a slower pace"
    if standing.fault_factor < 1.0:
        return f"the service is failing: slowed to {standing.fault_factor:.0%} of the rate until it recovers"
    if standing.fault_share_borne < _FAULT_SHARE_SAID:
        return _without_faults(standing)
    share = f"{standing.fault_share_borne:.0%} of replies are faults, and going slower would not change that"
    return f"{_without_faults(standing)}; {share}"


def _without_faults(standing: Standing) -> str:
    if standing.hold_seconds > 0.0:
        return f"the service throttles: waiting {standing.hold_seconds:.2f} s"
    if not standing.presses:
        return _below_pace(standing)
    if standing.rate_per_second_max is not None and standing.rate_per_second >= standing.rate_per_second_max:
        return f"capped at --max-rate {_figure(standing.rate_per_second_max)}/s"
    return _at_pace(standing)


def _below_pace(standing: Standing) -> str:
    sent, allowed = _figure(standing.sent_per_second), _figure(standing.rate_per_second)
    what = "this process: it sends as fast as it can"
    if standing.in_flight >= _NEARLY * standing.in_flight_max:
        what = f"{standing.in_flight_max} in flight"
    elif standing.in_flight >= _NEARLY * standing.in_flight_cap:
        what = f"how fast replies come: {standing.in_flight} in flight"
    return f"limited by {what}, {sent}/s of {allowed}/s allowed"


def _at_pace(standing: Standing) -> str:
    rate, limit = _figure(standing.rate_per_second), _figure(standing.limit_per_second or 0.0)
    match standing.phase:
        case SearchPhase.DOUBLING:
            return f"no limit met yet: at {rate}/s, doubling every second"
        case SearchPhase.REGAINING:
            return f"throttled just now: at {rate}/s, on the way back to the limit found, {limit}/s"
        case SearchPhase.HOLDING:
            return f"holding at {rate}/s, at the limit found"
        case SearchPhase.TRYING:
            return f"at {rate}/s and not throttled: trying whether the limit has risen"
        case SearchPhase.RESTING:
            return f"at {rate}/s, leaving a share of the limit found, {limit}/s, to others"


def _figure(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:.1f}"
