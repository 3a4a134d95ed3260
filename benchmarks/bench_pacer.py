"""How much of a service's limit does the pacer use, and what do the alternatives make of it?

Ten situations (A to J) and an outage, in virtual time: nothing waits and nothing is sent.  Run from
the repository's root::

    python -m benchmarks.bench_pacer            # one seed, under a minute
    python -m benchmarks.bench_pacer --seeds 10

Columns, all from 30 s after each change of the limit on: share of the limit used, share of requests throttled,
fastest second in limits; then the seconds until at least 95 % was used at no more than 2 % throttled ("-": never).
botocore's modes are botocore's own classes, driven by a virtual clock.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from statistics import mean
from typing import TYPE_CHECKING, TypedDict

from benchmarks.pacing.controllers import Anchored, BotocoreAdaptive, BotocoreStandard, Fixed, WindowAimd
from benchmarks.pacing.measures import jain, measure_one, run, used_between
from benchmarks.pacing.scenarios import OUTAGE, OUTAGE_ENDS_AT, SCENARIOS, steady
from benchmarks.tables import Table
from glacier_purge.deletion.pacer import PacerSettings, Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from benchmarks.pacing.measures import Measured
    from benchmarks.pacing.scenarios import Scenario
    from benchmarks.pacing.simulation import Controller

STANDARD_WORKERS = 32
"""Without pacing every worker hammers: 256 of them would send 5,000/s, which says nothing new and takes long."""


class Row(TypedDict):
    """One controller in one scenario, averaged over seeds; ``settled_seconds`` are the worst, None: never."""

    used: float
    throttled: float
    peak: float
    settled_seconds: list[int | None]
    given_up: int


class Company(TypedDict):
    """What only shows with more than one client, or after trouble."""

    two_jain: float
    two_used: float
    two_throttled: float
    outage_attempts: int
    used_20_s_after_outage: float


class Results(TypedDict):
    """Everything this benchmark finds out: scenarios by controller and name, and the cost of a request."""

    controllers: dict[str, dict[str, Row]]
    steady: dict[str, Row]
    company: Company
    take_and_reply_us: float


def ours(random: Random) -> Controller:
    return Anchored(PacerSettings(in_flight_max=1000), random.random)


CONTROLLERS: dict[str, Callable[[Random], Controller]] = {
    "glacier-purge": ours,
    "botocore adaptive": lambda random: BotocoreAdaptive(random.random),
    "botocore standard": lambda random: BotocoreStandard(random.random),
    "AIMD per second": lambda _random: WindowAimd(),
    "fixed 50/s": lambda _random: Fixed(50.0),
}
STEADY_RATES = (5.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


def measure(*, seeds: int = 1) -> Results:
    """Run everything; ``seeds`` runs of each, averaged."""
    return {
        "controllers": {
            name: {scenario.name: _row(_fitted(scenario, name), make, seeds) for scenario in SCENARIOS}
            for name, make in CONTROLLERS.items()
        },
        "steady": {
            f"{rate:g}/s": _row(steady(rate, seconds=600 if rate < 30 else 150, workers=1000), ours, seeds)
            for rate in STEADY_RATES
        },
        "company": _company(seeds),
        "take_and_reply_us": _cost_us(),
    }


def _fitted(scenario: Scenario, controller: str) -> Scenario:
    return replace(scenario, workers=STANDARD_WORKERS) if controller == "botocore standard" else scenario


def _row(scenario: Scenario, make: Callable[[Random], Controller], seeds: int) -> Row:
    runs: list[Measured] = [measure_one(scenario, make, seed=seed) for seed in range(1, seeds + 1)]
    return {
        "used": mean(each.used for each in runs),
        "throttled": mean(each.throttled for each in runs),
        "peak": max(each.peak for each in runs),
        "settled_seconds": [_worst(each) for each in zip(*(one.settled_seconds for one in runs), strict=True)],
        "given_up": round(mean(each.given_up for each in runs)),
    }


def _worst(seconds: Sequence[int | None]) -> int | None:
    known = [each for each in seconds if each is not None]
    return max(known) if len(known) == len(seconds) else None


def _company(seeds: int) -> Company:
    shared = steady(100.0)
    pairs = [run(shared, [ours, ours], seed=seed) for seed in range(1, seeds + 1)]
    shares = [[used_between(shared, client, 30, shared.seconds) for client in pair] for pair in pairs]
    outages = [run(OUTAGE, [ours], seed=seed)[0] for seed in range(1, seeds + 1)]
    again = (OUTAGE_ENDS_AT + 20, OUTAGE_ENDS_AT + 40)
    return {
        "two_jain": min(jain(pair) for pair in shares),
        "two_used": min(sum(pair) for pair in shares),
        "two_throttled": mean(
            sum(sum(client.throttled[30:]) for client in pair) / sum(sum(client.sent[30:]) for client in pair)
            for pair in pairs
        ),
        "outage_attempts": max(sum(client.sent[OUTAGE_ENDS_AT - 60 : OUTAGE_ENDS_AT]) for client in outages),
        "used_20_s_after_outage": min(used_between(OUTAGE, client, *again) for client in outages),
    }


def _cost_us(requests: int = 300_000) -> float:
    """Return what a request costs the pacer at 30,000/s: one ``take``, one ``replied``, the loop subtracted."""
    it = Anchored(PacerSettings(rate_per_second_first=1e6, in_flight_max=1000), lambda: 0.5).pacer
    nows = [step / 30_000 for step in range(requests)]
    begun = time.perf_counter()
    for _now in nows:
        pass
    empty = time.perf_counter() - begun
    begun = time.perf_counter()
    for now in nows:
        it.take(now)
        it.replied(now, now, Signal.ACCEPTED, 0.01)
    return (time.perf_counter() - begun - empty) / requests * 1e6


def tables(results: Results) -> list[Table]:
    """The results as tables: all controllers in all scenarios, then what only concerns ours."""
    titles = {scenario.name: scenario.title for scenario in SCENARIOS}
    columns = ("", "used %", "throttled %", "peak", "settled after s", "items given up")
    every = [
        Table(
            title=f"Pacing in virtual time: {name}",
            columns=columns,
            rows=[_cells(f"{scenario} {titles[scenario]}", row) for scenario, row in rows.items()],
        )
        for name, rows in results["controllers"].items()
    ]
    company = results["company"]
    about = (
        f"Two instances on 100/s: Jain {company['two_jain']:.3f}, {company['two_used']:.1%} used together, "
        f"{company['two_throttled']:.2%} throttled. Outage of 60 s: {company['outage_attempts']} attempts during it, "
        f"{company['used_20_s_after_outage']:.1%} of the limit used from 20 s after it on. "
        f"Take and reply: {results['take_and_reply_us']:.2f} us a request."
    )
    steady_rows = [_cells(rate, row) for rate, row in results["steady"].items()]
    return [
        *every,
        Table(title="Pacing in virtual time: steady limits", about=about, columns=columns, rows=steady_rows),
    ]


def _cells(title: str, row: Row) -> tuple[object, ...]:
    settled = " / ".join("-" if seconds is None else str(seconds) for seconds in row["settled_seconds"])
    return (
        title,
        round(100 * row["used"], 1),
        round(100 * row["throttled"], 2),
        round(row["peak"], 2),
        settled,
        row["given_up"],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="The pacer beside what others do, in virtual time.")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each, averaged (default: 1)")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    asked = parser.parse_args()
    results = measure(seeds=asked.seeds)
    print(json.dumps(results) if asked.output == "json" else "\n\n".join(table.text() for table in tables(results)))


if __name__ == "__main__":
    main()
