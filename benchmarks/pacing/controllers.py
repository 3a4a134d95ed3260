"""The pacer and what it is held against, all behind ``simulation.Controller``.

``BotocoreAdaptive`` drives botocore's own classes (rate clocker, cubic calculator, token bucket, retry quota) with a
virtual clock; nothing of them is rewritten, and they are the same text in 1.40.61 and 1.44.5.  ``BotocoreStandard`` is
the retry mode without rate limiting that 1.44 made the default: only the quota and the back-off hold it.
``WindowAimd`` decides once per second as Lance does: halve after a throttle, else add 5/s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import CapacityNotAvailableError
from botocore.retries.adaptive import ClientRateLimiter, RateClocker
from botocore.retries.bucket import TokenBucket
from botocore.retries.quota import RetryQuota
from botocore.retries.throttling import CubicCalculator

from glacier_purge.deletion.pacer import Pacer, PacerSettings, Signal

if TYPE_CHECKING:
    from collections.abc import Callable

UNLIMITED = 1_000_000


class Anchored:
    """This project's pacer."""

    def __init__(self, settings: PacerSettings, random: Callable[[], float]) -> None:
        self.pacer = Pacer(settings, now=0.0, random=random)

    def take(self, now: float) -> float:
        return self.pacer.take(now)

    def replied(self, now: float, sent_at: float, signal: Signal, latency_seconds: float) -> None:
        self.pacer.replied(now, sent_at, signal, latency_seconds)

    def in_flight_max(self, now: float) -> int:
        return self.pacer.in_flight_cap(now)

    def back_off_seconds(self, _signal: Signal, _attempt: int) -> float | None:
        return 0.0


class Fixed:
    """A fixed rate, evenly spaced."""

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self._next_slot = 0.0

    def take(self, now: float) -> float:
        if self._next_slot > now:
            return self._next_slot - now
        self._next_slot = max(self._next_slot, now - 0.02) + 1.0 / self.per_second
        return 0.0

    def replied(self, now: float, sent_at: float, signal: Signal, latency_seconds: float) -> None:
        """Learn nothing."""

    def in_flight_max(self, _now: float) -> int:
        return UNLIMITED

    def back_off_seconds(self, _signal: Signal, _attempt: int) -> float | None:
        return 0.0


class WindowAimd(Fixed):
    """Additive increase, multiplicative decrease, one decision a second."""

    def __init__(self) -> None:
        super().__init__(10.0)
        self._window_ends_at = 1.0
        self._throttled = False

    def take(self, now: float) -> float:
        if now >= self._window_ends_at:
            changed = self.per_second * 0.5 if self._throttled else self.per_second + 5.0
            self.per_second = max(1.0, changed)
            self._throttled = False
            self._window_ends_at = now + 1.0
        return super().take(now)

    def replied(self, now: float, sent_at: float, signal: Signal, latency_seconds: float) -> None:
        self._throttled = self._throttled or signal is Signal.THROTTLED


class BotocoreStandard:
    """Retry mode "standard" of botocore 1.44: three attempts, full-jitter back-off in the worker, a retry quota."""

    attempts_max = 3
    _COSTS: ClassVar = {Signal.THROTTLED: 5, Signal.FAULT: 14}
    _BASE_SECONDS: ClassVar = {Signal.THROTTLED: 1.0, Signal.FAULT: 0.05}

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._quota: Any = RetryQuota()

    def take(self, _now: float) -> float:
        return 0.0

    def replied(self, _now: float, _sent_at: float, signal: Signal, _latency_seconds: float) -> None:
        if signal is Signal.ACCEPTED:
            self._quota.release(1)

    def in_flight_max(self, _now: float) -> int:
        return UNLIMITED

    def back_off_seconds(self, signal: Signal, attempt: int) -> float | None:
        if attempt >= self.attempts_max or not self._quota.acquire(self._COSTS[signal]):
            return None
        return self._random() * min(20.0, self._BASE_SECONDS[signal] * 2.0 ** (attempt - 1))


class BotocoreAdaptive(BotocoreStandard):
    """Retry mode "adaptive": standard, plus a client-side token bucket set by a cubic calculator."""

    def __init__(self, random: Callable[[], float]) -> None:
        super().__init__(random)
        self._clock = _VirtualClock()
        self._bucket: Any = TokenBucket(max_rate=1, clock=self._clock)
        self._limiter: Any = ClientRateLimiter(
            rate_adjustor=CubicCalculator(starting_max_rate=0, start_time=0.0),
            rate_clocker=RateClocker(self._clock),
            token_bucket=self._bucket,
            throttling_detector=_SignalDetector(),
            clock=self._clock,
        )

    def take(self, now: float) -> float:
        self._clock.now = now
        if not self._limiter._enabled:  # noqa: SLF001  # on_sending_request would block
            return 0.0
        try:
            self._bucket.acquire(block=False)
        except CapacityNotAvailableError:
            missing: float = 1.0 - self._bucket.available_capacity
            return missing / float(self._bucket.max_rate)
        return 0.0

    def replied(self, now: float, sent_at: float, signal: Signal, latency_seconds: float) -> None:
        super().replied(now, sent_at, signal, latency_seconds)
        self._clock.now = now
        self._limiter.on_receiving_response(signal=signal)


class _VirtualClock:
    """Stands in for botocore's Clock."""

    def __init__(self) -> None:
        self.now = 0.0

    def current_time(self) -> float:
        return self.now

    def sleep(self, _amount: float) -> None:
        raise AssertionError("botocore must not sleep in virtual time")


class _SignalDetector:
    """Stands in for botocore's ThrottlingErrorDetector."""

    def is_throttling_error(self, *, signal: Signal) -> bool:
        return signal is Signal.THROTTLED
