"""How much of the pace is left while the service fails: a factor for faults, a circuit breaker for an outage.

Faults (5xx, timeouts, broken connections) say nothing about the rate the service allows, so they must not touch the
limit that was found: letting them cut the same rate cost half the throughput where 2 % of all replies are 5xx.  They
get a factor of their own, and what moves it is whether going slower helps.  When more than a fifth of the recent
replies are faults, a trial finds out whether fewer come at a slower pace (``fault_trial``).

- They do: the service is overloaded.  No more is sent than was served, a tenth a second more is tried from there, and
  a tenth of faults is enough to be cut again.
- They don't: going slower would only cost, and these faults are borne, until they become more.
- Next to nothing is served: nothing to try.  The factor halves every second, and when nothing but faults came for ten
  seconds, the breaker opens: one probe every five seconds or so asks whether the service is back, and the first answer
  of any other kind closes it.

What a trial found holds for a minute or more and is then tried anew.  What no trial sees is an overload of which this
client is a small part.

Where a figure comes from, stands beside it: each was halved and doubled in C, the outage and the scenarios of a service
that fails (benchmarks/pacing/scenarios.py, two seeds).  "No matter": no share moved by more than chance moves it, one
per cent of the limit and two of faults.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from glacier_purge.deletion.fault_trial import CEASED_SHARE, SLOW_PACE, FaultTrial, Verdict
from glacier_purge.deletion.traffic import Slice, Traffic

FACTOR_MIN = 0.1  # attempts in the outage: 176 at half of it, 213, 301 at twice
_SHARE_MAX = 0.2  # overload 70/s: 30 % of faults when doubled, not 10; halved, everyday shares are tried too
_HOPELESS_SHARE = 0.95  # at 0.9 a service that fails 80 % is now and then taken for one that is down
_HOPELESS_REPLIES_MIN = 20  # no matter
_REPLIES_MIN = 10  # overload 40/s: 20 % of faults when doubled, not 12; no matter when halved
_FAULTS_MIN = 4  # overload 40/s: 18 % of faults when halved; both at once: 6 % less used when doubled
_REPLIES_MAX = 100  # attempts in the outage: 277 at half of it, 213, 399 at twice
_LOOK_BACK_SECONDS = 20.0  # 10 % of faults at 5/s: 6 % less used at 5 s, 2 % at 10 s
"""So many of the last replies are looked at, but none from before; and the very last few have to agree with them."""
_REGAINED_PER_SECOND = 2.0  # its root or its square: no matter
_TRIED_PER_SECOND = 1.1  # overload 70/s: 19 % of faults at twice the step; gusts use 3 % less at half
_TRIED_UP_TO = 2.0  # slow overload: 32 % of faults when halved, not 22; gusts use 1 % less when doubled
"""Of what was cut to: from there on the overload counts as over. Faults may be slow to come."""
_KNOWN_SECONDS = 60.0  # overload 70/s: 1 % less used when halved; doubled, a change is seen later
_KNOWN_TRIALS = 10.0  # slow: 2 % less used when halved; gusts: 3 % less when doubled
"""What was found holds for ten times as long as finding it took: where little is sent, trials take long."""
_MORE_SIGMAS = 3.0  # slow: 9 % less used when halved; both at once: 66 % of faults when doubled, not 50
_OUTAGE_SECONDS = 10.0  # attempts in the outage: 164 at 5 s, 213, 313 at 20 s
_OUTAGE_FAULTS_MIN = 5  # no matter: it counts where hardly anything is sent
"""Two faults with a stalled process between them are not an outage."""
_PROBE_SECONDS = 5.0  # attempts in the outage: 223 at 2.5 s, 213, 209 at 10 s
_PROBE_JITTER = 0.2  # no matter: it is for many clients, and the scenarios have one
"""Probes are 5 to 6 s apart: never less than 5, and many clients do not probe in step."""


@dataclass(frozen=True, slots=True)
class _Borne:
    """A share of faults that slowing down does not change, as counted in so many replies."""

    share: float
    replies: int
    until: float

    def explains(self, recent: Slice) -> bool:
        """Tell whether the faults of late are these, and no more than chance would add."""
        variance = self.share * (1.0 - self.share) * (1.0 / self.replies + 1.0 / recent.answered)
        return recent.fault_share <= self.share + _MORE_SIGMAS * math.sqrt(variance)


class FaultFactor:
    """The part of the pace (0.1 to 1) that faults leave, and whether the breaker is open.

    ``trial`` is under way or None; it has to be told of each reply.
    """

    __slots__ = (
        "_borne",
        "_cut_to",
        "_faults_in_a_row",
        "_full",
        "_has_helped",
        "_known_since",
        "_outage_since",
        "_overloaded_until",
        "_random",
        "breaker_open",
        "factor",
        "trial",
    )

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._faults_in_a_row = 0
        self._outage_since = 0.0
        self._known_since = -math.inf
        """Replies from before belong to another pace."""
        self._cut_to = 1.0
        self._full = 1.0
        """The factor a trial began with."""
        self._overloaded_until = -math.inf
        self._has_helped = False
        """Whether fewer faults came after the last cut."""
        self._borne: _Borne | None = None
        self.trial: FaultTrial | None = None
        self.factor = 1.0
        self.breaker_open = False

    @property
    def bears(self) -> bool:
        """Whether faults are borne, because going slower would not change their share."""
        return self._borne is not None

    def judge(self, now: float, newest: Slice, traffic: Traffic, full_per_second: float) -> None:
        """Take in the newest slice, already part of ``traffic``, which ended ``now``.

        ``full_per_second`` is the pace without the factor.
        """
        self._follow_outage(now, newest)
        if self.breaker_open:
            return
        if self._borne is not None and now >= self._borne.until:
            self._borne = None
        look_back_seconds = min(_LOOK_BACK_SECONDS, now - self._known_since)
        recent = traffic.over(look_back_seconds, replies_max=_REPLIES_MAX)
        share = min(recent.fault_share, traffic.over(look_back_seconds, replies_max=_REPLIES_MIN).fault_share)
        is_overloaded = now < self._overloaded_until
        is_enough = recent.answered >= _REPLIES_MIN and recent.faulted >= _FAULTS_MIN
        is_failing = is_enough and share > (CEASED_SHARE if is_overloaded else _SHARE_MAX)
        is_failing = is_failing and not (self._borne and self._borne.explains(recent))
        if recent.answered >= _HOPELESS_REPLIES_MIN and share > _HOPELESS_SHARE:
            self.trial = None
            self._change(0.5, newest)
        elif self.trial is not None:
            self._try_on(now, newest, self.trial, full_per_second)
        elif is_failing and is_overloaded and self._has_helped:
            self._cut(now, 1.0 - recent.fault_share)
        elif is_failing:
            self.trial = FaultTrial(now, borne_share=self._borne_share)
            self._full = self.factor = max(self.factor, 2.0 * FACTOR_MIN)
        else:
            self._has_helped |= recent.answered >= _REPLIES_MIN and not is_failing
            is_near = is_overloaded and self.factor < _TRIED_UP_TO * self._cut_to
            self._change(_TRIED_PER_SECOND if is_near else _REGAINED_PER_SECOND, newest)

    def probe_interval_seconds(self) -> float:
        """Say how long after one probe the next may leave."""
        return _PROBE_SECONDS * (1.0 + _PROBE_JITTER * self._random())

    def _change(self, per_second: float, newest: Slice) -> None:
        self.factor = min(1.0, max(FACTOR_MIN, self.factor * per_second ** min(newest.seconds, 1.0)))

    @property
    def _borne_share(self) -> float:
        return 0.0 if self._borne is None else self._borne.share

    def _cut(self, now: float, served_share: float) -> None:
        """Send no more than was served, of what can be served."""
        self.factor = max(FACTOR_MIN, self.factor * min(1.0, served_share / (1.0 - self._borne_share)))
        self._cut_to = self.factor
        self._known_since = now
        self._has_helped = False

    def _try_on(self, now: float, newest: Slice, trial: FaultTrial, full_per_second: float) -> None:
        trial.go_on(now, newest)
        self.factor = self._full
        if trial.is_slow:  # of what was really sent: something else may have held sending back
            self.factor = min(self._full, max(FACTOR_MIN, trial.fast_per_second / full_per_second))
        if trial.verdict is None:
            self.factor *= SLOW_PACE if trial.is_slow else 1.0
            return
        self.trial, self._known_since = None, now
        known_seconds = _KNOWN_TRIALS * trial.seconds(now)
        if trial.verdict is not Verdict.CEASED:
            known_seconds = max(_KNOWN_SECONDS, known_seconds)
        if trial.verdict is Verdict.FALLS:
            self._overloaded_until = now + known_seconds
            if trial.slow_fault_share < CEASED_SHARE:
                self._borne = None
            self._cut(now, trial.served_share)
            return
        self.factor = self._full
        self._borne = _Borne(min(_HOPELESS_SHARE, trial.fault_share), max(1, trial.replies), now + known_seconds)
        if self._full == 1.0:
            self._overloaded_until = now

    def _follow_outage(self, now: float, newest: Slice) -> None:
        if newest.answered > newest.faulted:
            self._faults_in_a_row = 0
            if self.breaker_open:
                self.breaker_open = False
                self._known_since = now
        elif newest.faulted:
            if self._faults_in_a_row == 0:
                self._outage_since = now
            self._faults_in_a_row += newest.faulted
            lasted_seconds = now - self._outage_since
            if lasted_seconds >= _OUTAGE_SECONDS and self._faults_in_a_row >= _OUTAGE_FAULTS_MIN:
                self.breaker_open = True
                self.factor = FACTOR_MIN
                self.trial = self._borne = None
                self._overloaded_until = now
