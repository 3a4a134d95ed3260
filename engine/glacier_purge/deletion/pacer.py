"""When the next request may leave: at the rate the service takes, found by asking and not by being told.

Glacier throttles by rejecting (HTTP 400), not by slowing down, and names no limit.  So the pacer spaces requests
evenly at a rate it searches for (``limit_search``), slows down by a factor of its own while the service fails, opens
a circuit breaker in an outage (``fault_factor``), and keeps out of the way otherwise.  Every attempt, first or
retry, takes a slot here; with requests spaced evenly the service's own bucket stays full, so a throttle means what
it says.  The evidence, with botocore's adaptive mode, AIMD and fixed rates beside it: benchmarks/bench_pacer.py.  Each
figure below was halved and doubled in its scenarios (letters), and what came of it is said as in ``limit_search``.

Time is handed in (monotonic seconds) and moves only with the calls: growth, faults and the breaker are worked out
lazily about ten times a second inside ``take`` and ``replied``.  A waiting sender therefore asks again at least once
a second.  The pacer never waits, never reads a clock, holds no task and no lock (one event loop), and its work
per request does not grow with the rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from glacier_purge.deletion.fault_factor import FaultFactor
from glacier_purge.deletion.limit_search import LimitSearch
from glacier_purge.deletion.pace import PacerSettings, PacerState, Signal, check_rate_max
from glacier_purge.deletion.reason import Reason, Standing, reason
from glacier_purge.deletion.traffic import SLICE_SECONDS, Slice, Traffic
from glacier_purge.glacier.reply import RETRY_AFTER_SECONDS_MAX

__all__ = ["Pacer", "PacerSettings", "PacerState", "Signal"]

RESUMED_SHARE = 0.8  # no scenario resumes: below the limit that was found, which is a quarter of an hour old at most
LONGEST_WAIT_SECONDS = 1.0  # no matter
"""``take`` never asks for a longer wait, so that a changed rate or a closed breaker is noticed."""
_SAVED_SLOTS_MIN = 1.0  # no matter; in virtual time no timer is late
_SAVED_SLOTS_SECONDS = 0.02  # likewise
"""Slots missed by a late timer may be caught up: one, or 20 ms' worth. More would be a burst."""
_HOLD_SECONDS = 0.06  # G: 0.6 % more used at half of it, but settled after 11 instead of 3 s; 0.7 % less at twice
_HOLD_SLOTS = 2.0  # E settles after 24 instead of 17 s when doubled; no matter when halved
_STALL_SECONDS = 2.0  # no scenario stalls; longer than any wait that is asked for here
"""Nobody asked for a slot for so long: the process was stopped, and the service's bucket has filled up."""
_PRESSING_SHARE = 0.7  # no matter when halved; at 1.4 nothing ever grows, and A uses 10 %
_PRESSING_SECONDS = 0.5  # B's rise settles after 15 instead of 9 s when halved; no matter when doubled
_PRESSING_SENDS = 5.0  # no matter when halved; E settles after 21 instead of 17 s when doubled
_ACCEPTED_SECONDS = 1.0  # I: 0.2 % more throttled when doubled; no matter when halved
_ACCEPTED_SENDS = 10.0  # no matter when halved; E settles after 22 instead of 17 s when doubled
_FAULTS_SHOWN_SECONDS = 5.0  # for people
_IN_FLIGHT_MIN = 4  # no matter: it counts below 4/s or so
_LATENCY_SECONDS_FIRST = 0.5  # no matter: gone with the first replies
_P99_STEP = 0.1  # no matter
_P99_UP = 1.0 + 0.99 * _P99_STEP
_P99_DOWN = 1.0 - 0.01 * _P99_STEP
_P99_SECONDS_MIN = 0.001  # no matter
"""It moves by shares of itself, so from nothing it would never rise again."""
_MEAN_WEIGHT = 0.2  # no matter


class Pacer:
    """Says when to send, learns from what comes back.

    All times are seconds of one monotonic clock, all rates are attempts per second.
    """

    __slots__ = (
        "_accepted",
        "_accepted_in_all",
        "_answered",
        "_fault_latency_sum",
        "_fault_seconds",
        "_faulted",
        "_faults",
        "_hold_until",
        "_in_flight_cap",
        "_interval",
        "_latency_sum",
        "_next_slot",
        "_p99",
        "_rate",
        "_rate_max",
        "_round_trip",
        "_search",
        "_sent",
        "_settings",
        "_tick_due",
        "_ticked_at",
        "_tolerance",
        "_traffic",
    )

    def __init__(
        self,
        settings: PacerSettings,
        *,
        now: float,
        random: Callable[[], float],
        resumed: PacerState | None = None,
    ) -> None:
        first = settings.rate_per_second_first if resumed is None else RESUMED_SHARE * resumed.rate_per_second
        self._settings = settings
        self._rate_max = settings.rate_per_second_max
        self._search = LimitSearch(
            rate_per_second=first,
            limit_per_second=None if resumed is None else resumed.limit_per_second,
            leave_share=settings.leave_share,
        )
        self._faults = FaultFactor(random)
        self._traffic = Traffic()
        self._sent = self._accepted = self._faulted = self._answered = 0
        self._accepted_in_all = 0
        self._latency_sum = self._fault_latency_sum = 0.0
        self._fault_seconds = 0.0
        """What the faults among the replies took, spread over all replies."""
        self._round_trip = self._p99 = _LATENCY_SECONDS_FIRST
        self._next_slot = self._hold_until = self._ticked_at = now
        self._set_pace(now)

    def take(self, now: float) -> float:
        """Take a slot: 0.0 means send now; otherwise nothing was taken, ask again in that many seconds."""
        if now >= self._tick_due:
            self._tick(now)
        slot = self._next_slot
        if slot > now:
            return min(slot - now, LONGEST_WAIT_SECONDS)
        earliest = now - self._tolerance
        self._next_slot = max(earliest, slot) + self._interval
        self._sent += 1
        return 0.0

    def take_more(self, now: float, most: int) -> int:
        """Take further slots that are due already, up to ``most``, right after ``take`` gave one; say how many."""
        if most <= 0 or self._next_slot > now:
            return 0
        taken = min(most, int((now - self._next_slot) / self._interval) + 1)
        self._next_slot += taken * self._interval
        self._sent += taken
        return taken

    def accepted(self, now: float, latencies_seconds: Sequence[float]) -> None:
        """Learn from deletes that were accepted, by how long each took."""
        replies = len(latencies_seconds)
        self._answered += replies
        self._accepted += replies
        self._latency_sum += sum(latencies_seconds)
        p99 = self._p99
        for latency_seconds in latencies_seconds:
            p99 *= _P99_UP if latency_seconds > p99 else _P99_DOWN
        self._p99 = p99
        if (trial := self._faults.trial) is not None:
            for latency_seconds in latencies_seconds:
                trial.reply(now - latency_seconds, accepted=True, faulted=False)
        if now >= self._tick_due:
            self._tick(now)

    def replied(
        self,
        now: float,
        sent_at: float,
        signal: Signal,
        latency_seconds: float,
        retry_after_seconds: float | None = None,
    ) -> None:
        """Learn from one reply, of whatever kind, to a request that left at ``sent_at``."""
        if signal is Signal.ACCEPTED:
            self.accepted(now, (latency_seconds,))
        else:
            self._answered += 1
            if (trial := self._faults.trial) is not None:
                trial.reply(sent_at, accepted=False, faulted=signal is Signal.FAULT)
        if signal is Signal.THROTTLED and sent_at >= self._search.cut_at:
            self._cut(now)
        elif signal is Signal.FAULT:
            self._faulted += 1
            self._fault_latency_sum += latency_seconds
        if retry_after_seconds is not None:
            self._obey(now, retry_after_seconds)
        if now >= self._tick_due:
            self._tick(now)

    def set_rate_max(self, rate_per_second: float | None) -> None:
        """Change the cap while running; None lifts it. Raises ``UsageError`` unless it is above 0."""
        check_rate_max(rate_per_second)
        self._rate_max = rate_per_second
        self._tick_due = -math.inf

    def in_flight_cap(self, now: float) -> int:
        """Say how many requests may be under way: twice what the rate and the slow replies need, at least 4."""
        if now >= self._tick_due:
            self._tick(now)
        return self._in_flight_cap

    @property
    def rate_per_second(self) -> float:
        """The rate asked for now, after cap, faults and breaker."""
        return self._rate

    @property
    def rate_per_second_max(self) -> float | None:
        """The cap in force; None where there is none."""
        return self._rate_max

    @property
    def limit_per_second(self) -> float | None:
        """The limit believed in; None as long as nothing was throttled."""
        return self._search.limit

    @property
    def sent_per_second(self) -> float:
        """Attempts per second over the last second."""
        return self._traffic.over(1.0).sent_per_second

    @property
    def accepted_per_second(self) -> float:
        """Deletes per second the service took over the last second."""
        return self._traffic.over(1.0).accepted_per_second

    @property
    def latency_p99_seconds(self) -> float:
        """An estimate of the 99th percentile of the latency of accepted requests."""
        return self._p99

    @property
    def fault_factor(self) -> float:
        """The part of the pace that faults leave, 0.1 to 1."""
        return self._faults.factor

    @property
    def breaker_open(self) -> bool:
        """Whether only probes leave, because nothing but faults came back for ten seconds."""
        return self._faults.breaker_open

    def state(self, now_unix_seconds: float) -> PacerState:
        """Give what a later process can resume from."""
        return PacerState(
            rate_per_second=self._search.rate,
            limit_per_second=self._search.limit,
            recorded_at=now_unix_seconds,
        )

    def why(self, now: float, *, in_flight: int) -> Reason:
        """Say what sets the pace, with ``in_flight`` requests under way."""
        recent = self._traffic.over(self._pressing_window_seconds())
        faults = self._traffic.over(_FAULTS_SHOWN_SECONDS).fault_share
        return reason(
            Standing(
                breaker_open=self._faults.breaker_open,
                trying_slower=self._faults.trial is not None,
                fault_share_borne=faults if self._faults.bears else 0.0,
                fault_factor=self._faults.factor,
                hold_seconds=self._hold_until - now,
                presses=recent.seconds == 0.0 or self._presses(recent),
                sent_per_second=recent.sent_per_second,
                rate_per_second=self._rate,
                rate_per_second_max=self._rate_max,
                limit_per_second=self.limit_per_second,
                phase=self._search.phase(now),
                in_flight=in_flight,
                in_flight_cap=self._in_flight_cap,
                in_flight_max=self._settings.in_flight_max,
            )
        )

    def _tick(self, now: float) -> None:
        """Work out everything that depends on time passing; about ten times a second."""
        seconds = now - self._ticked_at
        if seconds > 0.0:
            self._close_slice(now, seconds)
            if self._faults.factor < 1.0 or seconds > _STALL_SECONDS:
                self._search.doubt()
            elif self._may_grow():
                self._search.grow(now, seconds)
        self._set_pace(now)

    def _close_slice(self, now: float, seconds: float) -> None:
        newest = Slice(seconds, self._sent, self._accepted, self._faulted, self._answered)
        self._traffic.close(newest)
        self._faults.judge(now, newest, self._traffic, self._full_rate(now))
        self._accepted_in_all += self._accepted
        if self._accepted:
            self._p99 = max(self._p99, _P99_SECONDS_MIN)
            self._round_trip += _MEAN_WEIGHT * (self._latency_sum / self._accepted - self._round_trip)
        if self._answered:
            self._fault_seconds += _MEAN_WEIGHT * (self._fault_latency_sum / self._answered - self._fault_seconds)
        self._sent = self._accepted = self._faulted = self._answered = 0
        self._latency_sum = self._fault_latency_sum = 0.0
        self._ticked_at = now

    def _may_grow(self) -> bool:
        if self._rate_max is not None and self._search.rate >= self._rate_max:
            return False
        return self._presses(self._traffic.over(self._pressing_window_seconds()))

    def _pressing_window_seconds(self) -> float:
        return max(_PRESSING_SECONDS, _PRESSING_SENDS / self._rate)

    def _presses(self, recent: Slice) -> bool:
        """Tell whether the pace is what holds sending back, and not workers, the disk or the feed."""
        return recent.sent_per_second >= _PRESSING_SHARE * self._rate

    def _cut(self, now: float) -> None:
        if now > self._ticked_at:
            self._close_slice(now, now - self._ticked_at)
        window_seconds = max(_ACCEPTED_SECONDS, _ACCEPTED_SENDS / self._rate)
        self._search.cut(
            now,
            fastest_per_second=self._traffic.fastest_sent_per_second(window_seconds) / self._faults.factor,
            accepted_per_second=self._traffic.over(window_seconds).accepted_per_second,
            accepted_in_all=self._accepted_in_all,
            round_trip_seconds=self._round_trip,
        )
        self._hold_until = max(self._hold_until, now + max(_HOLD_SECONDS, _HOLD_SLOTS / self._search.rate))
        self._set_pace(now)

    def _obey(self, now: float, retry_after_seconds: float) -> None:
        if 0.0 < retry_after_seconds < math.inf:
            self._hold_until = max(self._hold_until, now + min(retry_after_seconds, RETRY_AFTER_SECONDS_MAX))
            self._next_slot = max(self._next_slot, self._hold_until)

    def _full_rate(self, now: float) -> float:
        rate = self._search.asked_per_second(now)
        return rate if self._rate_max is None else min(rate, self._rate_max)

    def _set_pace(self, now: float) -> None:
        if self._faults.breaker_open:
            self._interval = self._faults.probe_interval_seconds()
            self._rate = 1.0 / self._interval
            self._tolerance = 0.0
        else:
            self._rate = self._full_rate(now) * self._faults.factor
            self._interval = 1.0 / self._rate
            self._tolerance = self._interval * max(_SAVED_SLOTS_MIN, _SAVED_SLOTS_SECONDS * self._rate)
        # A slot set at a slower rate is brought forward, but never before the end of a hold.
        self._next_slot = max(self._hold_until, min(self._next_slot, now + self._interval))
        self._in_flight_cap = self._cap_in_flight()
        self._tick_due = now + SLICE_SECONDS

    def _cap_in_flight(self) -> int:
        needed = 2.0 * self._rate * (self._p99 + self._fault_seconds)
        most = self._settings.in_flight_max
        return most if needed >= most else min(most, max(_IN_FLIGHT_MIN, math.ceil(needed)))
