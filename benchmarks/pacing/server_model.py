"""A service that limits rates by rejecting, in virtual time: what the pacers are tried against.

A limiter (token bucket or fixed window) whose rate may change over time, faults, and latencies drawn once per
request.  The real limiter of Amazon Glacier is not documented: this is a model, with the shapes that occur in AWS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from glacier_purge.deletion.pacer import Signal

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

LATENCY_SIGMA = 0.45
REJECT_SECONDS = 0.036
REJECT_SPREAD_SECONDS = 0.03
QUEUE_SECONDS = 0.2
"""An overloaded service lets so much work wait and fails the rest."""


class Limiter(Enum):
    """How the service counts."""

    TOKEN_BUCKET = "token bucket"
    TOKEN_BUCKET_CHARGING_REJECTS = "token bucket, rejects cost too"
    FIXED_WINDOW = "fixed window of a second"


@dataclass(frozen=True, kw_only=True)
class ServiceModel:
    """What the service allows; what ends in ``_at`` is a function of virtual seconds.

    ``fault_share_at`` are faults that come whatever the rate.  ``served_at`` is what the service has the strength for,
    a second: of what it admits beyond that, each request is a fault.
    """

    rate_at: Callable[[float], float]
    burst: float
    fault_share_at: Callable[[float], float] = lambda _now: 0.003
    served_at: Callable[[float], float] = lambda _now: math.inf
    latency_median_seconds: float = 0.12
    fault_latency_median_seconds: float = 0.12
    limiter: Limiter = Limiter.TOKEN_BUCKET


class Server:
    """Answers requests according to a model; one instance is one account's limit, shared by all its clients."""

    def __init__(self, model: ServiceModel, random: Random) -> None:
        self._model = model
        self._random = random
        self._tokens = model.burst
        self._filled_at = 0.0
        self._window = -1
        self._in_window = 0
        self._busy_until = 0.0

    def answer(self, now: float) -> tuple[Signal, float]:
        """Say how a request that arrives ``now`` is answered, and after how many seconds."""
        if not self._admits(now):
            return Signal.THROTTLED, REJECT_SECONDS + self._random.random() * REJECT_SPREAD_SECONDS
        spread = math.exp(LATENCY_SIGMA * self._random.gauss(0.0, 1.0))
        if self._random.random() < self._model.fault_share_at(now) or not self._serves(now):
            return Signal.FAULT, spread * self._model.fault_latency_median_seconds
        return Signal.ACCEPTED, spread * self._model.latency_median_seconds

    def _serves(self, now: float) -> bool:
        if self._busy_until > now + QUEUE_SECONDS:
            return False
        self._busy_until = max(now, self._busy_until) + 1.0 / self._model.served_at(now)
        return True

    def _admits(self, now: float) -> bool:
        if self._model.fault_share_at(now) >= 1.0:  # nothing gets as far as the limiter in an outage
            return True
        if self._model.limiter is Limiter.FIXED_WINDOW:
            return self._window_admits(now)
        return self._bucket_admits(now)

    def _bucket_admits(self, now: float) -> bool:
        self._tokens = min(self._model.burst, self._tokens + (now - self._filled_at) * self._model.rate_at(now))
        self._filled_at = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return True
        if self._model.limiter is Limiter.TOKEN_BUCKET_CHARGING_REJECTS:
            self._tokens = 0.0
        return False

    def _window_admits(self, now: float) -> bool:
        window = math.floor(now)
        if window != self._window:
            self._window, self._in_window = window, 0
        self._in_window += 1
        return self._in_window <= self._model.rate_at(now)
