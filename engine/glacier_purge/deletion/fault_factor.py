"""How much of the pace is left while the service fails: a factor for faults, a circuit breaker for an outage.

Faults (5xx, timeouts, broken connections) say nothing about the rate the service allows, so they must not touch the
limit that was found: letting them cut the same rate cost half the throughput where 2 % of all replies are 5xx.  They
get a factor of their own, which halves every second while more than a fifth of the recent replies are faults and
doubles back when they are not.  When nothing but faults came for ten seconds, the breaker opens and one probe every
five seconds or so asks whether the service is back; the first answer of any other kind closes it.

C and the outage are scenarios of benchmarks/pacing/scenarios.py; each figure was halved and doubled in them.
"""

from __future__ import annotations

from collections.abc import Callable

from glacier_purge.deletion.traffic import Slice, Traffic

FACTOR_MIN = 0.1  # attempts in the outage: 208 at half of it, 239, 314 at twice; C uses 0.3 % less, 1.3 % more
_SHARE_MAX = 0.2  # above C's 2 % of everyday and below its storm of 40 %, at which it lets go; halved no matter
_REPLIES_MIN = 10  # no matter: it counts where hardly anything is sent
_REPLIES_MAX = 50  # C, either way: 0.5 to 0.7 % more used, of chance's doing
_LOOK_BACK_SECONDS = 5.0  # C: 0.4 % more used when halved; doubled no matter, since 50 replies come sooner
_OUTAGE_SECONDS = 10.0  # attempts in the outage: 190 at 5 s, 239, 341 at 20 s
_OUTAGE_FAULTS_MIN = 5  # no matter at C's rate; it counts where hardly anything is sent
"""Two faults with a stalled process between them are not an outage."""
_PROBE_SECONDS = 5.0  # attempts in the outage: 249 at 2.5 s, 239, 235 at 10 s
_PROBE_JITTER = 0.2  # no matter: it is for many clients, and the scenarios have one
"""Probes are 5 to 6 s apart: never less than 5, and many clients do not probe in step."""


class FaultFactor:
    """The part of the pace (0.1 to 1) that faults leave, and whether the breaker is open."""

    __slots__ = ("_faults_in_a_row", "_outage_since", "_random", "breaker_open", "factor")

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._faults_in_a_row = 0
        self._outage_since = 0.0
        self.factor = 1.0
        self.breaker_open = False

    def judge(self, now: float, newest: Slice, traffic: Traffic) -> None:
        """Take in the newest slice, already part of ``traffic``, which ended ``now``."""
        self._follow_outage(now, newest)
        if self.breaker_open:
            return
        recent = traffic.over(_LOOK_BACK_SECONDS, replies_max=_REPLIES_MAX)
        failing = recent.answered >= _REPLIES_MIN and recent.fault_share > _SHARE_MAX
        change = (0.5 if failing else 2.0) ** min(newest.seconds, 1.0)
        self.factor = min(1.0, max(FACTOR_MIN, self.factor * change))

    def probe_interval_seconds(self) -> float:
        """Say how long after one probe the next may leave."""
        return _PROBE_SECONDS * (1.0 + _PROBE_JITTER * self._random())

    def _follow_outage(self, now: float, newest: Slice) -> None:
        if newest.answered > newest.faulted:
            self._faults_in_a_row = 0
            if self.breaker_open:
                self.breaker_open = False
                self.factor = FACTOR_MIN
        elif newest.faulted:
            if self._faults_in_a_row == 0:
                self._outage_since = now
            self._faults_in_a_row += newest.faulted
            lasted_seconds = now - self._outage_since
            if lasted_seconds >= _OUTAGE_SECONDS and self._faults_in_a_row >= _OUTAGE_FAULTS_MIN:
                self.breaker_open = True
