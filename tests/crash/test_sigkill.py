"""kill -9 at random moments of a purge, resumed each time until it is done: I1 to I6 hold, and I5 has its bound.

By default six kills of a 6,000-archive run; the figures in benchmarks/README.md are of

    GLACIER_PURGE_KILLS=20 GLACIER_PURGE_KILL_ARCHIVES=20000 pytest -s tests/crash/test_sigkill.py
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess

    from tests.e2e.conftest import Bench

KILLS = int(os.environ.get("GLACIER_PURGE_KILLS", "6"))
ARCHIVES = int(os.environ.get("GLACIER_PURGE_KILL_ARCHIVES", "6000"))
SEED = int(os.environ.get("GLACIER_PURGE_KILL_SEED", "1"))
IN_FLIGHT_MAX = 64
COMMIT_SECONDS = 0.1


def kill_at_random(bench: Bench, process: subprocess.Popen[str], chance: random.Random) -> bool:
    """Kill a process that just started: one in three while it starts or resumes, the others after some deletes.

    Say whether it was still alive by then.
    """
    if chance.random() < 1 / 3:
        time.sleep(chance.uniform(0.0, 1.0))
    else:
        received = bench.simulator.ledger()["deletes_received"]
        bench.wait_for_deletes(received + chance.randrange(1, ARCHIVES // (KILLS + 1)), process)
        time.sleep(chance.uniform(0.0, 0.1))
    process.kill()
    _, err = process.communicate()
    assert process.returncode in {0, -signal.SIGKILL}, err
    return process.returncode != 0


def redeletes_allowed_per_kill(log: list[dict[str, Any]], commit_seconds: float) -> int:
    """I5: rate x (commit interval + p99 latency) + in flight, with the rate and latency the run itself wrote down."""
    deleted = [record for record in log if record["event"] == "outcome"]
    busiest = max(Counter(record["ts"][:19] for record in deleted).values())
    latencies_ms = sorted(float(record["ms"]) for record in deleted)
    p99_seconds = latencies_ms[len(latencies_ms) * 99 // 100] / 1000
    return round(busiest * (commit_seconds + p99_seconds) + IN_FLIGHT_MAX)


def longest_commit_seconds(log: list[dict[str, Any]]) -> float:
    """The longest time between two commits of outcomes: a busy machine's disk takes more than the 0.1 s asked for."""
    commits = sorted({(record["epoch"], record["ts"]) for record in log if record["event"] == "outcome"})
    gaps = [
        (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
        for (epoch, earlier), (next_epoch, later) in pairwise(commits)
        if epoch == next_epoch
    ]
    return max(COMMIT_SECONDS, *gaps)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("bench", [{"archives": ARCHIVES, "latency-ms": 10}], indirect=True)
def test_a_purge_killed_at_random_moments_accounts_for_every_archive_once(bench: Bench) -> None:
    # glacier-purge apply DIR --confirm-digest D, kill -9, glacier-purge apply DIR, kill -9, ...
    chance = random.Random(SEED)
    digest = bench.plan()["digest"]
    kills = 0
    for _ in range(KILLS):
        kills += kill_at_random(bench, bench.start(*bench.resume_arguments(digest), "--max-rate", "1500"), chance)
        bench.check_invariants(complete=False)
    assert kills > KILLS / 2
    result = bench.json(*bench.resume_arguments(digest))
    outcomes = bench.check_invariants()
    assert {record["outcome"] for record in outcomes.values()} == {"deleted"}
    assert (result["inventory"], result["deleted"], result["failed"]) == (ARCHIVES, ARCHIVES, 0)
    assert bench.json("audit", "verify", str(bench.run_dir))["verdict"] == "sound"
    ledger = bench.simulator.ledger()
    assert (ledger["archives_left"], ledger["distinct_ids"]) == (0, ARCHIVES)
    redeletes = ledger["deletes_received"] - ledger["distinct_ids"]
    log = bench.log()
    processes = log[-1]["epoch"]
    log = [record for record in log if record["epoch"] < processes]  # the last one was not killed
    allowed = kills * redeletes_allowed_per_kill(log, longest_commit_seconds(log))
    figures = {
        "kills": kills,
        "processes": processes,
        "redeletes": redeletes,
        "allowed_at_commits_of_100_ms": kills * redeletes_allowed_per_kill(log, COMMIT_SECONDS),
        "allowed_at_the_commits_there_were": allowed,
    }
    print(json.dumps(figures | result))  # noqa: T201 - figures for benchmarks/README.md, seen with -s
    assert redeletes <= allowed
    assert result["redeleted"] >= redeletes, "a second delete that the log does not tell of"
