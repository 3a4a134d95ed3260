"""One budget for all vaults of an account and region: the service limits those together, so they share one pacer.

Each run has a lane of its own.  A lane takes its slots from the one pacer, whose search for the limit sees every
reply, and may have a cap of its own below it.  Requests under way are counted over all lanes: the pacer's cap is what
the service is trusted with, however many vaults there are.  A lane with nothing under way may always have one request
there, so that none waits for a reply that only another one gets.

Like the pacer it is pure, has no lock (one event loop), and never waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeAlias

from glacier_purge.deletion.pace import PacerSettings, PacerState, Signal, check_rate_max
from glacier_purge.deletion.pacer import LONGEST_WAIT_SECONDS, Pacer
from glacier_purge.deletion.reason import Cause, Reason

_LATE_SECONDS, _EARLY_SECONDS = 0.005, 0.001
"""How near to its time a lane is expected to ask: timers count in milliseconds and are late by one or two."""


class Pacing(Protocol):
    """When the next request may leave: what a ``Pacer`` and a ``Lane`` have in common."""

    @property
    def rate_per_second(self) -> float:
        """The rate asked for now."""

    @property
    def rate_per_second_max(self) -> float | None:
        """The cap in force; None where there is none."""

    @property
    def limit_per_second(self) -> float | None:
        """The service's limit as far as it is believed in."""

    def take(self, now: float) -> float:
        """Take a slot: 0.0 means send now; otherwise ask again in that many seconds."""

    def take_more(self, now: float, most: int) -> int:
        """Take further slots that are due already, up to ``most``, right after ``take`` gave one; say how many."""

    def accepted(self, now: float, latencies_seconds: Sequence[float]) -> None:
        """Learn from deletes that were accepted, by how long each took."""

    def replied(
        self,
        now: float,
        sent_at: float,
        signal: Signal,
        latency_seconds: float,
        retry_after_seconds: float | None = None,
    ) -> None:
        """Learn from one reply, of whatever kind, to a request that left at ``sent_at``."""

    def in_flight_cap(self, now: float) -> int:
        """Say how many requests may be under way."""

    def set_rate_max(self, rate_per_second: float | None) -> None:
        """Change the cap; None lifts it. Raises ``UsageError`` unless it is above 0."""

    def state(self, now_unix_seconds: float) -> PacerState:
        """Give what a later process can resume from."""

    def why(self, now: float, *, in_flight: int) -> Reason:
        """Say what sets the pace."""


PacerFor: TypeAlias = "Callable[[float, PacerState | None], Pacing]"
"""Gives the pace to a run that begins at a time (monotonic seconds), with what an earlier process left of it."""


class Budget:
    """The pace of one account, region and endpoint. ``settings`` are the budget's; lanes may have lower caps."""

    def __init__(self, settings: PacerSettings, random: Callable[[], float]) -> None:
        self._settings = settings
        self._random = random
        self._pacer: Pacer | None = None
        self._lanes: list[Lane] = []
        self._refused: dict[Lane, float] = {}

    @contextmanager
    def lane(self, rate_per_second_max: float | None = None) -> Iterator[Lane]:
        """A lane for one run, never faster than ``rate_per_second_max``; whatever it had under way ends with it."""
        lane = Lane(self, rate_per_second_max)
        try:
            yield lane
        finally:
            self._lanes = [other for other in self._lanes if other is not lane]
            self._refused.pop(lane, None)

    @property
    def in_flight(self) -> int:
        """Requests under way in all lanes."""
        return sum(lane.in_flight for lane in self._lanes)

    def enter(self, lane: Lane, now: float, resumed: PacerState | None) -> Pacer:
        """The pacer for a lane that begins to send: a new one where nobody else sends, limits belong to their hour."""
        if self._pacer is None or not self._lanes:
            self._pacer = Pacer(self._settings, now=now, random=self._random, resumed=resumed)
        self._lanes.append(lane)
        return self._pacer

    def refused(self, lane: Lane, again_at: float) -> None:
        """Know that a lane found no slot and asks again at ``again_at``; whoever was refused first keeps its place."""
        self._refused[lane] = again_at

    def served(self, lane: Lane) -> None:
        """Know that a lane got its slot."""
        self._refused.pop(lane, None)

    def is_another_ones_turn(self, lane: Lane, now: float) -> bool:
        """Tell whether another lane was refused before this one and is due to ask about now.

        Otherwise whoever's timer was set first would win each slot, and the runs would fall into step.  A lane that
        does not come, because it was stopped or has nothing left to send, gives its place up after a moment.
        """
        for other, again_at in self._refused.items():
            if other is lane:
                return False
            if now - _LATE_SECONDS <= again_at <= now + _EARLY_SECONDS:
                return True
        return False


class Lane:
    """One run's part of a budget. Does nothing before ``begin``."""

    def __init__(self, budget: Budget, rate_per_second_max: float | None) -> None:
        check_rate_max(rate_per_second_max)
        self._budget = budget
        self._rate_max = rate_per_second_max
        self._pacer: Pacer | None = None
        self._next_slot = 0.0
        self.in_flight = 0

    def begin(self, now: float, resumed: PacerState | None) -> Lane:
        """Begin to send, with what an earlier process of this run knew of the pace."""
        self._pacer = self._budget.enter(self, now, resumed)
        self._next_slot = now
        return self

    @property
    def rate_per_second(self) -> float:
        """The rate asked for now: the budget's, or this lane's cap."""
        rate = self._shared.rate_per_second
        return rate if self._rate_max is None else min(rate, self._rate_max)

    @property
    def rate_per_second_max(self) -> float | None:
        """The lower one of this lane's cap and the budget's."""
        caps = [cap for cap in (self._rate_max, self._shared.rate_per_second_max) if cap is not None]
        return min(caps, default=None)

    @property
    def limit_per_second(self) -> float | None:
        """The service's limit, which is the budget's."""
        return self._shared.limit_per_second

    def take(self, now: float) -> float:
        """Take a slot of the budget, unless this lane's own cap says later."""
        if self._rate_max is not None and self._next_slot > now:
            return min(self._next_slot - now, LONGEST_WAIT_SECONDS)
        if self._budget.is_another_ones_turn(self, now):
            seconds = min(1.0 / self._shared.rate_per_second, LONGEST_WAIT_SECONDS)
        else:
            seconds = self._shared.take(now)
        if seconds > 0.0:
            self._budget.refused(self, now + seconds)
            return seconds
        self._budget.served(self)
        self.in_flight += 1
        if self._rate_max is not None:
            interval = 1.0 / self._rate_max
            self._next_slot = max(self._next_slot, now - interval) + interval
        return 0.0

    def take_more(self, now: float, most: int) -> int:
        """Take further slots, each as ``take`` does."""
        taken = 0
        while taken < most and self.take(now) == 0.0:
            taken += 1
        return taken

    def accepted(self, now: float, latencies_seconds: Sequence[float]) -> None:
        """Let the budget learn from deletes that were accepted."""
        self.in_flight -= len(latencies_seconds)
        self._shared.accepted(now, latencies_seconds)

    def replied(
        self,
        now: float,
        sent_at: float,
        signal: Signal,
        latency_seconds: float,
        retry_after_seconds: float | None = None,
    ) -> None:
        """Let the budget learn from one reply."""
        self.in_flight -= 1
        self._shared.replied(now, sent_at, signal, latency_seconds, retry_after_seconds)

    def in_flight_cap(self, now: float) -> int:
        """Say how many requests this lane may have under way: what the others leave of the budget's, at least 1."""
        others = self._budget.in_flight - self.in_flight
        return max(1, self._shared.in_flight_cap(now) - others)

    def set_rate_max(self, rate_per_second: float | None) -> None:
        """Change this lane's cap, and no other's; None lifts it. Raises ``UsageError`` unless it is above 0."""
        check_rate_max(rate_per_second)
        self._rate_max = rate_per_second

    def state(self, now_unix_seconds: float) -> PacerState:
        """Give what a later process can resume from: the budget's."""
        return self._shared.state(now_unix_seconds)

    def why(self, now: float, *, in_flight: int) -> Reason:
        """Say what sets the pace."""
        shared = self._shared
        others = self._budget.in_flight - self.in_flight
        if self._rate_max is not None and self._rate_max < shared.rate_per_second:
            return Reason(Cause.AT_CAP, f"at this vault's own cap of {self._rate_max:,.1f}/s")
        why = shared.why(now, in_flight=in_flight + others)
        return why._replace(words=f"{why.words}; shared with other vaults of the account") if others else why

    @property
    def _shared(self) -> Pacer:
        assert self._pacer is not None, "begin comes first"
        return self._pacer
