"""Ctrl-C, SIGTERM and their like: nothing new is sent, what is known is written down, the run goes on later (I17)."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess

    from tests.e2e.conftest import Bench

pytestmark = [pytest.mark.slow, pytest.mark.in_process]

EXIT_SECONDS = 10
"""I17: how long a signalled process may take to end."""

ARCHIVES = 600
PACED = ("--max-rate", "500", "--max-in-flight", "8")


def started(bench: Bench, *, deletes: int) -> subprocess.Popen[str]:
    """A run that is going on, of which the server has received some deletes."""
    digest = bench.plan()["digest"]
    process = bench.start(*bench.apply_arguments(digest, *PACED, "--output", "json"))
    bench.wait_for_deletes(deletes, process)
    assert process.poll() is None
    return process


def stopped(bench: Bench) -> dict[str, Any]:
    """The last word of the process in the log."""
    last = bench.log()[-1]
    assert last["event"] == "stopped"
    return last


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize("bench", [{"archives": ARCHIVES, "latency-ms": 20}], indirect=True)
@pytest.mark.parametrize(
    ("number", "exit_code", "name"),
    [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 3, "SIGTERM"), (signal.SIGHUP, 3, "SIGHUP")],
)
def test_one_signal_lets_requests_in_flight_settle(bench: Bench, number: int, exit_code: int, name: str) -> None:
    # glacier-purge apply DIR, and a signal in the middle
    process = started(bench, deletes=60)
    process.send_signal(number)
    out, err = process.communicate(timeout=EXIT_SECONDS)
    assert process.returncode == exit_code, err
    assert f"{name}: nothing new is sent, requests in flight settle" in err
    assert f"Go on with: glacier-purge apply {bench.run_dir}" in err
    assert "Traceback" not in err
    received = bench.simulator.ledger()["deletes_received"]
    assert received < ARCHIVES
    assert len(bench.check_invariants(complete=False)) == received, "a reply in flight was not waited for"
    assert (stopped(bench)["reason"], stopped(bench)["unknown"]) == (name, [])
    assert f'"deleted": {received}' in out
    result = bench.json("apply", str(bench.run_dir))
    assert (result["deleted"], result["redeleted"]) == (ARCHIVES, 0)
    bench.check_invariants()
    assert bench.simulator.ledger()["deletes_received"] == ARCHIVES


@pytest.mark.at_length(one_in=2)
@pytest.mark.parametrize("bench", [{"archives": ARCHIVES, "latency-ms": 20}], indirect=True)
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 3)])
def test_a_second_signal_does_not_wait_and_names_what_is_in_doubt(bench: Bench, number: int, exit_code: int) -> None:
    # glacier-purge apply DIR, no replies any more, and a signal twice
    process = started(bench, deletes=60)
    bench.simulator.post("faults", rules=[{"kind": "no-reply"}])
    bench.wait_for_faults(8, process)
    process.send_signal(number)
    assert process.stderr is not None
    while "requests in flight settle" not in (line := process.stderr.readline()):
        assert line, "the signal was not heard of"
    process.send_signal(number)
    _, err = process.communicate(timeout=EXIT_SECONDS)
    assert process.returncode == exit_code, err
    assert "again: stopping at once" in err
    assert "Traceback" not in err
    bench.simulator.post("faults", rules=[])
    received, recorded = bench.simulator.ledger()["deletes_received"], bench.check_invariants(complete=False)
    unknown = stopped(bench)["unknown"]
    assert len(unknown) == 8
    assert received == len(recorded) + len(unknown)
    result = bench.json("apply", str(bench.run_dir))
    assert (result["deleted"], result["redeleted"]) == (ARCHIVES, 8)
    outcomes = bench.check_invariants()
    assert {ordinal for ordinal, record in outcomes.items() if record.get("redelete")} == set(unknown)
    ledger = bench.simulator.ledger()
    assert ledger["deletes_received"] - ledger["distinct_ids"] == 8


@pytest.mark.parametrize("bench", [{"archives": ARCHIVES, "latency-ms": 20}], indirect=True)
def test_readers_of_our_output_that_go_away_stop_nothing(bench: Bench) -> None:
    # glacier-purge apply DIR 2>&1 | head -1
    bench.variables["GLACIER_PURGE_REPORT__PROGRESS_SECONDS"] = "0.05"
    process = started(bench, deletes=10)
    assert process.stderr is not None
    assert process.stdout is not None
    process.stderr.close()
    process.stdout.close()
    assert process.wait(timeout=30) == 0
    bench.check_invariants()


def test_descriptors_closed_at_the_start_stop_nothing(bench: Bench) -> None:
    # glacier-purge apply DIR 0<&- 1>&- 2>&-
    digest = bench.plan()["digest"]
    bench.run(*bench.apply_arguments(digest), under=("sh", "-c", '"$@" 0<&- 1>&- 2>&-', "sh"))
    bench.check_invariants()
    assert bench.json("audit", "verify", str(bench.run_dir))["verdict"] == "sound"


def test_without_a_standard_input_nobody_said_yes(bench: Bench) -> None:
    # glacier-purge apply DIR 0<&-
    digest = bench.plan()["digest"]
    before = bench.simulator.ledger()["requests"]
    no_input = ("sh", "-c", '"$@" 0<&-', "sh")
    told = bench.run("apply", str(bench.run_dir), exit_code=2, under=no_input).stderr
    assert "no terminal to ask on. Nothing was sent. If the plan above is what you want, run: " in told
    assert digest in told
    assert bench.simulator.ledger()["requests"] == before
