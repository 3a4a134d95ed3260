"""The search for the rate the service allows, without being told and without being a nuisance.

The service rejects what is too much; it does not slow down.  So latency says nothing, and the one good measurement is
what it *accepted* while it rejected.  The rate doubles every second until the first throttle.  From then on it
returns quickly to just under the rate that was too much, creeps on from there (at 100/s by 0.2 % a second), and only
after a quiet spell tries faster and faster.  A throttle cuts by 4 %, throttles in quick succession by 8, 16, 30 %,
never below 85 % of what was just accepted.

Where a figure below comes from, stands beside it.  Letters are the scenarios of benchmarks/pacing/scenarios.py: each
figure was halved and doubled in all ten, in an outage and with two clients, one seed.  "No matter" is one by which no
scenario's share used moved by 0.3 %, nor its share throttled by a tenth of a per cent; of chance's doing are some
tenths in C, whose faults fall differently, and in I, whose limit never stands still.

Clients that share a limit draw level, though none knows of another: whoever sends more is throttled more often, and
whoever sends less creeps faster for its size and is never quiet for long.

What it never does: cut twice for one burst (throttles of requests sent before the last cut are not brought here),
grow while something else holds sending back, or look at a clock.
"""

from __future__ import annotations

import math
from enum import Enum

RATE_PER_SECOND_MIN = 0.5  # botocore's least; no matter: no scenario comes near it
_CUT_FIRST = 0.04  # H: at 2 % a third less is throttled, but E (5/s) 3.5 instead of 1.8 %; at 8 % G uses 0.6 % less
_CUT_MAX = 0.3  # doubling overshoots by up to two; at 15 % J settles after 9 s, at 60 % B's rise after 14, not 5 and 9
_SAME_TROUBLE_SECONDS = 1.0  # I: halved or doubled, 0.2 % more is throttled; E settles after 21 s when halved, not 17
_SAME_TROUBLE_ROUND_TRIPS = 3.0  # no matter; F's round trips of 0.6 s stay the longest tried
_ACCEPTED_FLOOR = 0.85  # no matter when halved; at 1.7 cuts stop cutting, and 14 % is throttled in A
_SENT_CEILING = 1.1  # no matter when doubled; at 0.55 every cut is too deep, and A uses 9 % less, G 18 %
"""A cut starts from what was really sent, and a tenth: a rate never reached says nothing about the limit."""
_REGAIN_BELOW = 0.96  # D: at 0.48 0.9 instead of 0.2 % is throttled; at 1.92 it never creeps, and I uses 33 % less
_REGAIN_TO = 0.97  # just above where regaining ends, or it never does: A, at 0.485, uses 42 % less; no matter doubled
_REGAIN_SECONDS = 2.0  # G settles after 11 s when halved, F is throttled by 0.1 % more when doubled
_REGAIN_PER_SECOND_MAX = 0.25  # no matter
_CREEP_AT_ONE = 0.02  # B's rise settles after 15 instead of 9 s when halved; no matter when doubled
_CREEP_PER_SECOND_MIN, _CREEP_PER_SECOND_MAX = 0.002, 0.0037  # E: twice the latter throttles 3.4 instead of 1.8 %
"""The share of the rate gained a second falls with its square root between 30/s and 100/s, and is the same outside.

With the greater halved, or the lesser doubled, B's rise settles after 15 or 16 instead of 9 s.
"""
_QUIET_REQUESTS = 300.0  # I: doubled it follows more slowly, 0.4 % less used and 0.25 % more throttled
_QUIET_SECONDS_MIN = 5.0  # B's rise: after 14 instead of 9 s when halved; I: as above when doubled
_QUIET_SECONDS_MAX = 10.0  # E: half of it throttles 2.6 instead of 1.8 %; no matter when doubled
"""Quiet for as long as so many requests take, between 30/s and 60/s, before more than the creep is tried."""
_LOG_2 = math.log(2.0)  # twice the rate every second is the most there is
_SEEN_FROM_ABOVE = 1.2  # only what people are told, and a share left to others: with 30 % left A and I move by 0.8 %
_ESTIMATE_SECONDS_MIN = 2.0  # as above: with 30 % left A moves by 1 % when halved, I by 2.7 % when doubled
_PROBE_SETTLES_SECONDS = 12.0  # with 30 % left: half as long A uses 74.9 instead of 76.0 %, twice as long 73.3
_REST_SECONDS = (
    120.0  # with 30 % left: A uses 78.1 % (60 s), 76.0, 73.3 (240 s); 70 was asked for, and probes take more
)


class SearchPhase(Enum):
    """Where the search stands."""

    DOUBLING = "doubling"
    """No throttle yet: twice the rate every second."""
    REGAINING = "regaining"
    """On the way back to just under the limit found."""
    HOLDING = "holding"
    """Just under or at the limit found, creeping."""
    TRYING = "trying"
    """Long without a throttle: the limit may have risen, so ever faster upwards."""
    RESTING = "resting"
    """Below the limit on purpose, to leave a share to others."""


class LimitSearch:
    """The rate to ask for, and the limit believed in.

    ``leave_share`` (0 to below 1) is the part of the limit left to others.  A rate kept below the limit cannot see
    it move, so the limit is looked for again every two minutes.
    """

    __slots__ = (
        "_ceiling",
        "_cut",
        "_cut_at",
        "_leave_share",
        "_limit",
        "_measured_from",
        "_quiet_seconds",
        "_rest_from",
        "_rest_until",
        "rate",
    )

    def __init__(self, *, rate_per_second: float, limit_per_second: float | None, leave_share: float) -> None:
        self.rate = max(rate_per_second, RATE_PER_SECOND_MIN)
        self._ceiling = limit_per_second
        """The rate that was too much when last throttled: where the search returns to."""
        self._limit = limit_per_second
        """What the service really took between throttles: what people and other users are told."""
        self._measured_from: tuple[float, int] | None = None
        self._leave_share = leave_share
        self._cut = _CUT_FIRST
        self._cut_at = -math.inf
        self._quiet_seconds = 0.0
        self._rest_from = math.inf
        self._rest_until = math.inf

    @property
    def limit(self) -> float | None:
        """The limit believed in, per second; None as long as nothing was throttled."""
        if self._limit is None or self.rate < _SEEN_FROM_ABOVE * self._limit:
            return self._limit
        return self.rate

    @property
    def cut_at(self) -> float:
        """When the rate was last cut: throttles of requests sent before concern the rate before."""
        return self._cut_at

    def asked_per_second(self, now: float) -> float:
        """Say at what rate to send now."""
        limit = self.limit
        if limit is not None and self._rest_from <= now < self._rest_until:
            return min(self.rate, max(RATE_PER_SECOND_MIN, limit * (1.0 - self._leave_share)))
        return self.rate

    def phase(self, now: float) -> SearchPhase:
        """Say where the search stands, for people."""
        if self._ceiling is None:
            return SearchPhase.DOUBLING
        if self._rest_from <= now < self._rest_until:
            return SearchPhase.RESTING
        if self.rate < _REGAIN_BELOW * self._ceiling:
            return SearchPhase.REGAINING
        return SearchPhase.TRYING if self._quiet_seconds > self._quiet_needed_seconds() else SearchPhase.HOLDING

    def cut(
        self,
        now: float,
        *,
        fastest_per_second: float,
        accepted_per_second: float,
        accepted_in_all: int,
        round_trip_seconds: float,
    ) -> None:
        """Lower the rate: a request sent after the last cut was throttled.

        ``fastest_per_second`` is the fastest that was really sent lately, ``accepted_in_all`` counts since the start.
        """
        same_trouble_seconds = max(_SAME_TROUBLE_SECONDS, _SAME_TROUBLE_ROUND_TRIPS * round_trip_seconds)
        again = now - self._cut_at < same_trouble_seconds
        if self._ceiling is None:
            self._cut = _CUT_MAX  # doubling overshoots by up to two: no point in feeling the way down
        else:
            self._cut = min(_CUT_MAX, 2.0 * self._cut) if again else _CUT_FIRST
        before = min(self.rate, max(RATE_PER_SECOND_MIN, _SENT_CEILING * fastest_per_second))
        floor = min(before, _ACCEPTED_FLOOR * accepted_per_second)
        self._ceiling = before
        self.rate = max(before * (1.0 - self._cut), floor, RATE_PER_SECOND_MIN)
        self._cut_at = now
        self._quiet_seconds = 0.0
        self._measure_limit(now, accepted_in_all)
        self._plan_rest(now)

    def grow(self, now: float, seconds: float) -> None:
        """Raise the rate for ``seconds`` of sending at full pace without a throttle."""
        if self._rest_from <= now:
            if now < self._rest_until:
                return
            self._end_rest()
        self._quiet_seconds += seconds
        if self._ceiling is None:
            self.rate *= 2.0**seconds
        elif self.rate < _REGAIN_BELOW * self._ceiling:
            missing = _REGAIN_TO * self._ceiling - self.rate
            step = missing * -math.expm1(-seconds / _REGAIN_SECONDS)
            self.rate += min(step, self.rate * _REGAIN_PER_SECOND_MAX * seconds)
        else:
            over_seconds = max(0.0, self._quiet_seconds - self._quiet_needed_seconds())
            creep = max(_CREEP_PER_SECOND_MIN, min(_CREEP_PER_SECOND_MAX, _CREEP_AT_ONE / math.sqrt(self.rate)))
            speed = min(_LOG_2, creep * 2.0 ** min(over_seconds, 60.0))
            self.rate *= math.exp(speed * seconds)

    def doubt(self) -> None:
        """Start the quiet spell anew: what was learnt before trouble of another kind may no longer hold."""
        self._quiet_seconds = 0.0

    def _quiet_needed_seconds(self) -> float:
        # Long enough for the service to have felt the creep; longer, and whoever has a small share would keep it.
        return min(_QUIET_SECONDS_MAX, max(_QUIET_SECONDS_MIN, _QUIET_REQUESTS / self.rate))

    def _measure_limit(self, now: float, accepted_in_all: int) -> None:
        """Take what was accepted from one throttle to another as the limit.

        The service's bucket is empty at both ends, so its depth cancels out; the rate at the moment of a throttle
        would be too high by as much as it took to drain the bucket.
        """
        assert self._ceiling is not None
        if self._measured_from is None:
            self._measured_from = (now, accepted_in_all)
            self._limit = self._ceiling
            return
        begun_at, accepted_then = self._measured_from
        if now - begun_at >= _ESTIMATE_SECONDS_MIN:
            accepted_per_second = (accepted_in_all - accepted_then) / (now - begun_at)
            self._limit = min(self._ceiling, max(accepted_per_second, _ACCEPTED_FLOOR * self.rate))
            self._measured_from = (now, accepted_in_all)

    def _plan_rest(self, now: float) -> None:
        if self._leave_share == 0.0:
            return
        if self._rest_from <= now:  # throttled while resting: the limit has moved, look for it at once
            self._end_rest()
        if self._rest_from == math.inf:
            self._rest_from = now + _PROBE_SETTLES_SECONDS
            self._rest_until = self._rest_from + _REST_SECONDS

    def _end_rest(self) -> None:
        self._rest_from = self._rest_until = math.inf
        self._measured_from = None  # the service's bucket has filled up meanwhile
