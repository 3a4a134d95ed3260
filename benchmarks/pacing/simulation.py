"""Clients with an endless backlog against one server, in virtual time: a heap of events, nothing waits.

A client has workers and a controller that says when the next request may leave.  A rejected item goes back to the
backlog without holding its worker, unless the controller is one that sleeps in the worker, as SDKs do.  Timers fire
up to a millisecond late, as they do on an event loop.
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING, Protocol

from glacier_purge.deletion.pacer import Signal

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from benchmarks.pacing.server_model import Server

TIMER_LATE_SECONDS_MAX = 0.001
ASK_AGAIN_SECONDS_MIN = 1e-6


class Controller(Protocol):
    """When the next request may leave."""

    def take(self, now: float) -> float:
        """0.0: send now. Otherwise: ask again in that many seconds."""

    def replied(self, now: float, sent_at: float, signal: Signal, latency_seconds: float) -> None:
        """Learn from a reply."""

    def in_flight_max(self, now: float) -> int:
        """How many requests may be under way."""

    def back_off_seconds(self, signal: Signal, attempt: int) -> float | None:
        """How long a worker sleeps with its item; 0.0: not at all; None: the item is given up."""


class Client:
    """One process: workers, a controller, and what happened per second of virtual time."""

    def __init__(
        self,
        controller: Controller,
        *,
        seconds: int,
        workers: int = 256,
        starts_at: float = 0.0,
        stall: tuple[float, float] | None = None,
    ) -> None:
        self.controller = controller
        self.workers = workers
        self.starts_at = starts_at
        self.stall = stall
        self.busy = 0
        self.retries_due: list[int] = []
        self.wake_at: float | None = None
        self.given_up = 0
        self.sent = [0] * (seconds + 1)
        self.accepted = [0] * (seconds + 1)
        self.throttled = [0] * (seconds + 1)

    def record(self, now: float, signal: Signal) -> None:
        """Count a request that left ``now`` and its fate, by the second it left in."""
        second = int(now)
        self.sent[second] += 1
        if signal is Signal.ACCEPTED:
            self.accepted[second] += 1
        elif signal is Signal.THROTTLED:
            self.throttled[second] += 1

    def fault_share(self, seconds: slice) -> float:
        """The share of faults among what left in these seconds."""
        sent = sum(self.sent[seconds])
        return (sent - sum(self.accepted[seconds]) - sum(self.throttled[seconds])) / max(1, sent)


class Simulation:
    """The event loop of virtual time."""

    def __init__(self, server: Server, clients: list[Client], *, seconds: int, random: Random) -> None:
        self._server = server
        self._seconds = float(seconds)
        self._random = random
        self._ties = count()
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        for client in clients:
            self._wake(client, client.starts_at)

    def run(self) -> None:
        """Let the time pass."""
        events = self._events
        while events:
            now, _, act = heapq.heappop(events)
            if now >= self._seconds:
                return
            act(now)

    def _at(self, client: Client, when: float, act: Callable[[float], None]) -> None:
        if client.stall is not None and client.stall[0] <= when < client.stall[1]:
            when = client.stall[1]
        heapq.heappush(self._events, (when, next(self._ties), act))

    def _wake(self, client: Client, when: float) -> None:
        if client.wake_at is not None and client.wake_at <= when:
            return
        client.wake_at = when

        def woken(now: float) -> None:
            if client.wake_at == when:
                client.wake_at = None
            self._dispatch(client, now)

        self._at(client, when, woken)

    def _dispatch(self, client: Client, now: float) -> None:
        controller = client.controller
        while client.busy < client.workers and client.busy < controller.in_flight_max(now):
            wait_seconds = controller.take(now)
            if wait_seconds > 0.0:
                late_seconds = self._random.random() * TIMER_LATE_SECONDS_MAX
                self._wake(client, now + max(wait_seconds, ASK_AGAIN_SECONDS_MIN) + late_seconds)
                return
            client.busy += 1
            self._send(client, now, client.retries_due.pop() if client.retries_due else 1)

    def _send(self, client: Client, sent_at: float, attempt: int) -> None:
        signal, latency_seconds = self._server.answer(sent_at)
        client.record(sent_at, signal)

        def replied(now: float) -> None:
            client.controller.replied(now, sent_at, signal, now - sent_at)
            back_off_seconds: float | None = 0.0
            if signal is not Signal.ACCEPTED:
                back_off_seconds = client.controller.back_off_seconds(signal, attempt)
            if back_off_seconds is None:
                client.given_up += 1
            elif back_off_seconds > 0.0:
                self._at(client, now + back_off_seconds, slept)
                return
            client.busy -= 1
            self._dispatch(client, now)

        def slept(now: float) -> None:
            client.retries_due.append(attempt + 1)
            client.busy -= 1
            self._dispatch(client, now)

        self._at(client, sent_at + latency_seconds, replied)
