"""A run is steered from another terminal while it goes on, by the installed command."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.e2e.conftest import Bench

SLOW = {"archives": 3000, "rate": 0, "latency-ms": 5}


def eventually(what: Callable[[], bool]) -> None:
    """Wait for real processes; a failure is one after a minute."""
    for _ in range(1200):
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within a minute")


def begun(bench: Bench, *options: str, deletes: int = 20) -> subprocess.Popen[str]:
    """A process that has sent some deletes at 100 a second."""
    process = bench.start(*bench.apply_arguments(bench.plan()["digest"], "--max-rate", "100", *options))
    bench.wait_for_deletes(deletes, process)
    return process


def status(bench: Bench) -> dict[str, Any]:
    return bench.json("status", str(bench.run_dir))


@pytest.mark.parametrize("bench", [SLOW], indirect=True)
def test_a_run_is_paused_resumed_and_hurried(bench: Bench) -> None:
    # glacier-purge pause DIR; glacier-purge status DIR; glacier-purge resume DIR; glacier-purge rate DIR none
    process = begun(bench)
    paused = bench.json("pause", str(bench.run_dir))
    assert (paused["order"], paused["state"]) == ("pause", "paused")
    eventually(lambda: status(bench)["deleted"] == bench.simulator.ledger()["deletes_received"])
    sent = bench.simulator.ledger()["deletes_received"]
    shown = status(bench)
    assert (shown["state"], shown["as_of"], shown["until"]) == ("paused", "now", None)
    assert shown["why"].startswith("paused by ")
    assert bench.simulator.ledger()["deletes_received"] == sent
    assert bench.json("resume", str(bench.run_dir))["state"] == "running"
    assert bench.json("rate", str(bench.run_dir), "none")["max_per_second"] is None
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.startswith("inventory ")
    assert [line["order"] for line in bench.log() if line["event"] == "ordered"] == ["pause", "resume", "rate"]
    assert "run.ordered" in err
    assert not (bench.run_dir / "control").exists()
    bench.check_invariants()


@pytest.mark.parametrize("bench", [SLOW], indirect=True)
def test_a_run_is_stopped_and_goes_on(bench: Bench) -> None:
    # glacier-purge stop DIR; glacier-purge apply DIR
    process = begun(bench)
    bench.json("pause", str(bench.run_dir))
    assert bench.json("stop", str(bench.run_dir))["state"] == "stopping"
    _, err = process.communicate(timeout=30)
    assert process.returncode == 3, err
    rest = status(bench)
    assert rest["state"] == "stopped, resumable with apply"
    assert rest["stopped_because"].startswith("stop ordered by ")
    assert rest["pause"] == "ended with its process: apply goes on sending"
    result = bench.json("apply", str(bench.run_dir))
    assert (result["deleted"], result["redeleted"]) == (3000, 0)
    assert "pause" not in status(bench)
    bench.check_invariants()


@pytest.mark.parametrize("verb", [("pause",), ("resume",), ("stop",), ("rate", "50")])
def test_there_is_nothing_to_steer_where_nobody_works(bench: Bench, verb: tuple[str, ...]) -> None:
    bench.plan()
    answer = bench.run(verb[0], str(bench.run_dir), *verb[1:], exit_code=2)
    assert f"nobody works on the run in {bench.run_dir}" in answer.stderr
    assert "glacier-purge apply" in answer.stderr
    assert answer.stdout == ""


@pytest.mark.parametrize("bench", [SLOW], indirect=True)
def test_what_a_killed_process_leaves_behind_is_in_nobodys_way(bench: Bench) -> None:
    process = begun(bench)
    process.kill()
    process.communicate()
    assert (bench.run_dir / "control").is_socket()
    assert "nobody works on the run" in bench.run("pause", str(bench.run_dir), exit_code=2).stderr
    process = bench.start("apply", str(bench.run_dir), "--max-rate", "100")
    eventually(lambda: status(bench).get("as_of") == "now")
    bench.json("rate", str(bench.run_dir), "none")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    bench.check_invariants()


@pytest.mark.parametrize("bench", [SLOW], indirect=True)
def test_a_rate_that_is_none_is_wrong_usage(bench: Bench) -> None:
    process = begun(bench)
    for rate in ("0", "nan", "inf", "fast"):
        bench.run("rate", str(bench.run_dir), rate, exit_code=2)
    assert not any(line["event"] == "ordered" for line in bench.log())
    process.kill()


def test_outside_of_its_hours_a_run_sends_nothing_and_says_until_when(bench: Bench) -> None:
    # glacier-purge apply DIR --window 'HH:00-HH:30 UTC'
    later = (time.gmtime().tm_hour + 12) % 24
    windows = ("--window", f"{later:02}:00-{later:02}:30 UTC", "--window", f"{later:02}:10-{later:02}:40 UTC")
    process = bench.start(*bench.apply_arguments(bench.plan()["digest"], *windows))
    eventually(lambda: status(bench).get("as_of") == "now")
    shown = status(bench)
    assert shown["state"] == "paused"
    assert shown["until"].endswith(f"T{later:02}:00:00Z")
    assert f"nothing is sent until {shown['until']}" in shown["why"]
    assert bench.simulator.ledger()["deletes_received"] == 0
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 3, err


@pytest.mark.parametrize("bench", [SLOW], indirect=True)
@pytest.mark.parametrize("transport", ["rest", "sdk"])
def test_a_stop_while_the_service_never_answers_ends_and_names_what_is_in_doubt(bench: Bench, transport: str) -> None:
    # kill -TERM while every request disappears
    process = begun(bench, "--transport", transport)
    bench.simulator.post("faults", rules=[{"kind": "no-reply"}])
    eventually(lambda: status(bench)["in_flight"] >= 4)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(
        timeout=20
    )  # ten seconds, exact in tests/run/test_purge.py, and a busy machine's share
    assert process.returncode == 3, err
    stopped = bench.log()[-1]
    assert stopped["event"] == "stopped"
    assert len(stopped["unknown"]) >= 4
    received = bench.simulator.ledger()["distinct_ids"]
    outcomes = bench.check_invariants(complete=False)
    assert received <= len(outcomes) + len(stopped["unknown"])
