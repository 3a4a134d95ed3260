"""What a simulated run amounts to: share of the limit used, share throttled, time to settle, peaks, fairness."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from benchmarks.pacing.server_model import Server
from benchmarks.pacing.simulation import Client, Simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.pacing.scenarios import Scenario
    from benchmarks.pacing.simulation import Controller

SETTLED_AFTER_SECONDS = 30
_SETTLED_USED = 0.95
_SETTLED_THROTTLED = 0.02
_SETTLED_OVER_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One controller in one scenario.

    ``used`` and ``throttled`` are shares, ``peak`` is the fastest second in limits, all once settled.
    ``settled_seconds`` has one figure per change of the limit: None where it never settled.
    """

    used: float
    throttled: float
    peak: float
    settled_seconds: tuple[int | None, ...]
    given_up: int
    attempts: int


def run(
    scenario: Scenario,
    controllers: Sequence[Callable[[Random], Controller]],
    *,
    seed: int = 1,
    apart_seconds: float = 0.0,
) -> list[Client]:
    """Let controllers share one server for the scenario's length; return what each did.

    One begins at once, each next one ``apart_seconds`` later.
    """
    random = Random(seed)
    clients = [
        Client(make(random), seconds=scenario.seconds, workers=scenario.workers, starts_at=number * apart_seconds)
        for number, make in enumerate(controllers)
    ]
    server = Server(scenario.model, random)
    Simulation(server, clients, seconds=scenario.seconds, random=random).run()
    return clients


def measure_one(scenario: Scenario, make: Callable[[Random], Controller], *, seed: int = 1) -> Measured:
    """Run one controller alone through a scenario."""
    (client,) = run(scenario, [make], seed=seed)
    seconds = _settled_seconds(scenario)
    allowed = [scenario.model.rate_at(second + 0.5) for second in range(scenario.seconds)]
    sent = sum(client.sent[second] for second in seconds)
    return Measured(
        used=sum(client.accepted[second] for second in seconds) / sum(allowed[second] for second in seconds),
        throttled=sum(client.throttled[second] for second in seconds) / max(1, sent),
        peak=max(client.sent[second] / allowed[second] for second in seconds),
        settled_seconds=tuple(_settles_after(scenario, client, allowed, begin) for begin in scenario.changes_at),
        given_up=client.given_up,
        attempts=sum(client.sent),
    )


def used_between(scenario: Scenario, client: Client, begin: int, end: int) -> float:
    """Return the share of the limit used from second ``begin`` to ``end``."""
    allowed = sum(scenario.model.rate_at(second + 0.5) for second in range(begin, end))
    return sum(client.accepted[begin:end]) / allowed


def jain(shares: Sequence[float]) -> float:
    """Return Jain's index of fairness: 1 when all are equal, 1/n when one has everything."""
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))


def _phases(scenario: Scenario) -> list[tuple[int, int]]:
    return list(zip(scenario.changes_at, (*scenario.changes_at[1:], scenario.seconds), strict=True))


def _settled_seconds(scenario: Scenario) -> list[int]:
    return [second for begin, end in _phases(scenario) for second in range(begin + SETTLED_AFTER_SECONDS, end)]


def _settles_after(scenario: Scenario, client: Client, allowed: list[float], begin: int) -> int | None:
    end = next(end for start, end in _phases(scenario) if start == begin)
    for second in range(begin, end - _SETTLED_OVER_SECONDS):
        window = slice(second, second + _SETTLED_OVER_SECONDS)
        used = sum(client.accepted[window]) / sum(allowed[window])
        throttled = sum(client.throttled[window]) / max(1, sum(client.sent[window]))
        if used >= _SETTLED_USED and throttled <= _SETTLED_THROTTLED:
            return second - begin
    return None
