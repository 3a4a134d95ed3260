"""How much of a service's limit does the pacer use, and what do the alternatives make of it?

Ten situations (A to J), a service that fails in ten ways, and an outage, in virtual time: nothing waits and nothing is
sent.  Run from the repository's root::

    python -m benchmarks.bench_pacer            # one seed, under a minute
    python -m benchmarks.bench_pacer --seeds 10
    python -m benchmarks.bench_pacer --ours     # without the alternatives: 10 s

Columns, all from 30 s after each change of the limit on: share of the limit used, share of requests throttled,
fastest second in limits; then the seconds until at least 95 % was used at no more than 2 % throttled ("-": never).
botocore's modes are botocore's own classes, driven by a virtual clock; on a real loop adaptive mode does better
(``bench_limit``), so its rows here are no claim about it.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import replace
from itertools import accumulate
from statistics import mean
from typing import TYPE_CHECKING, TypedDict

from benchmarks.pacing.controllers import Anchored, BotocoreAdaptive, BotocoreStandard, Fixed, WindowAimd
from benchmarks.pacing.measures import SETTLED_AFTER_SECONDS, jain, measure_one, run, used_between
from benchmarks.pacing.scenarios import FAULTS, OUTAGE, OUTAGE_ENDS_AT, OVERLOADED, SCENARIOS, steady
from benchmarks.tables import Table
from glacier_purge.deletion.pacer import PacerSettings, Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from benchmarks.pacing.measures import Measured
    from benchmarks.pacing.scenarios import Scenario
    from benchmarks.pacing.simulation import Client, Controller

STANDARD_WORKERS = 32
"""Without pacing every worker hammers: 256 of them would send 5,000/s, which says nothing new and takes long."""


class Row(TypedDict):
    """One controller in one scenario, averaged over seeds; ``settled_seconds`` are the worst, None: never."""

    used: float
    throttled: float
    peak: float
    settled_seconds: list[int | None]
    given_up: int


class FaultRow(TypedDict):
    """Ours in one situation with faults: shares of the limit and of requests, and the seconds to 500 deletes.

    ``while_overloaded`` is the share of faults then, None where the service is at no time overloaded.
    """

    used: float
    possible: float
    throttled: float
    faults: float
    while_overloaded: float | None
    first_500_seconds: int


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
    faults: dict[str, FaultRow]
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


def measure(*, seeds: int = 1, only: Sequence[str] = tuple(CONTROLLERS)) -> Results:
    """Run all situations; ``seeds`` runs of each, averaged, for ours and the controllers in ``only``."""
    return {
        "controllers": {
            name: {scenario.name: _row(_fitted(scenario, name), CONTROLLERS[name], seeds) for scenario in SCENARIOS}
            for name in only
        },
        "steady": {
            f"{rate:g}/s": _row(steady(rate, seconds=600 if rate < 30 else 150, workers=1000), ours, seeds)
            for rate in STEADY_RATES
        },
        "faults": {scenario.name: _fault_row(scenario, seeds) for scenario in FAULTS},
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


def _fault_row(scenario: Scenario, seeds: int) -> FaultRow:
    clients = [run(scenario, [ours], seed=seed)[0] for seed in range(1, seeds + 1)]
    settled, overloaded = slice(SETTLED_AFTER_SECONDS, scenario.seconds), slice(OVERLOADED[0] + 30, OVERLOADED[1])
    is_overloaded = scenario.model.served_at(OVERLOADED[0]) < math.inf
    middles = [second + 0.5 for second in range(settled.start, settled.stop)]
    allowed = sum(map(scenario.model.rate_at, middles))
    served = sum(
        min(scenario.model.rate_at(now) * (1.0 - scenario.model.fault_share_at(now)), scenario.model.served_at(now))
        for now in middles
    )
    return {
        "used": mean(sum(client.accepted[settled]) for client in clients) / allowed,
        "possible": served / allowed,
        "throttled": mean(sum(client.throttled[settled]) / sum(client.sent[settled]) for client in clients),
        "faults": mean(client.fault_share(settled) for client in clients),
        "while_overloaded": mean(client.fault_share(overloaded) for client in clients) if is_overloaded else None,
        "first_500_seconds": max(_first(client, 500) for client in clients),
    }


def _first(client: Client, deletes: int) -> int:
    return next((second for second, sum_ in enumerate(accumulate(client.accepted), 1) if sum_ >= deletes), -1)


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
    faults_about = (
        "Each fault uses up a part of the limit like any request; where the service is overloaded, it is from second "
        f"{OVERLOADED[0]} to {OVERLOADED[1]}, and faults then are counted from half a minute later on."
    )
    fault_columns = (
        "100/s",
        "used %",
        "possible %",
        "throttled %",
        "faults %",
        "while overloaded %",
        "first 500 after s",
    )
    fault_titles = {scenario.name: scenario.title for scenario in FAULTS}
    fault_rows = [_fault_cells(fault_titles[name], row) for name, row in results["faults"].items()]
    steady_rows = [_cells(rate, row) for rate, row in results["steady"].items()]
    return [
        *every,
        Table(title="Pacing in virtual time: steady limits", about=about, columns=columns, rows=steady_rows),
        Table(
            title="Pacing in virtual time: a service that fails",
            about=faults_about,
            columns=fault_columns,
            rows=fault_rows,
        ),
    ]


def _fault_cells(title: str, row: FaultRow) -> tuple[object, ...]:
    overloaded = row["while_overloaded"]
    return (
        title,
        round(100 * row["used"], 1),
        round(100 * row["possible"], 1),
        round(100 * row["throttled"], 2),
        round(100 * row["faults"], 1),
        "" if overloaded is None else round(100 * overloaded, 1),
        row["first_500_seconds"],
    )


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
    parser.add_argument("--ours", action="store_true", help="this project's pacer alone")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    asked = parser.parse_args()
    results = measure(seeds=asked.seeds, only=("glacier-purge",) if asked.ours else tuple(CONTROLLERS))
    print(json.dumps(results) if asked.output == "json" else "\n\n".join(table.text() for table in tables(results)))


if __name__ == "__main__":
    main()
