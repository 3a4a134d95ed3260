"""A run is steered from another terminal while it goes on, by the installed command."""

from __future__ import annotations

import signal
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import Here
from tests.e2e.desk import asked
from tests.e2e.simulator import simulating

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.e2e.conftest import Bench

pytestmark = pytest.mark.in_process

SLOW = {"archives": 3000, "rate": 0, "latency-ms": 5}
FEWER = SLOW | {"archives": 1000}


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


def has_in_flight(bench: Bench, requests: int) -> bool:
    in_flight: int = status(bench)["in_flight"]
    return in_flight >= requests


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
    bench.json("resume", str(bench.run_dir))
    eventually(lambda: status(bench)["state"] == "running")  # once it has looked at what holds the vault
    assert bench.json("rate", str(bench.run_dir), "none")["max_rate"] is None
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
def test_a_stop_while_the_service_never_answers_ends_and_names_what_is_in_doubt(bench: Bench) -> None:
    # kill -TERM while every request disappears; over both transports at once, since each takes its whole time for it
    (bench.folder / "sdk").mkdir()
    with simulating(archives=3000, latency_ms=5) as other:
        benches = {"rest": bench, "sdk": Here(bench.folder / "sdk", other, bench.started)}
        processes = {name: begun(one, "--transport", name) for name, one in benches.items()}
        for name, one in benches.items():
            one.simulator.post("faults", rules=[{"kind": "no-reply"}])
            eventually(partial(has_in_flight, one, 4))
            processes[name].send_signal(signal.SIGTERM)
        for name, one in benches.items():
            # ten seconds, exact in tests/run/test_purge.py, and a busy machine's share
            _, err = processes[name].communicate(timeout=20)
            assert processes[name].returncode == 3, err
            stopped = one.log()[-1]
            assert stopped["event"] == "stopped"
            assert len(stopped["unknown"]) >= 4
            received = one.simulator.ledger()["distinct_ids"]
            outcomes = one.check_invariants(complete=False)
            assert received <= len(outcomes) + len(stopped["unknown"])


@pytest.mark.parametrize("bench", [FEWER], indirect=True)
def test_a_hold_set_while_a_run_sends_stops_it_and_is_nobodys_to_lift_but_its_owners(bench: Bench) -> None:
    # glacier-purge apply DIR; aws glacier add-tags-to-vault; glacier-purge resume DIR; glacier-purge stop DIR
    bench.variables["GLACIER_PURGE_SAFETY__PROTECTION_INTERVAL_SECONDS"] = "0.5"
    process = begun(bench, deletes=112)
    asked(bench.simulator, "POST", "photos/tags?operation=add", {"Tags": {"purge:deny": "case 7"}})
    eventually(lambda: status(bench)["state"] == "paused")
    eventually(lambda: status(bench)["deleted"] == bench.simulator.ledger()["deletes_received"])
    assert bench.json("resume", str(bench.run_dir))["state"] == "paused"
    shown = status(bench)
    assert shown["why"].startswith("held since ")
    assert "tags: tagged purge:deny=case 7" in shown["why"]
    sent = bench.simulator.ledger()["deletes_received"]
    assert sent < 1000
    bench.json("stop", str(bench.run_dir))
    _, err = process.communicate(timeout=30)
    assert process.returncode == 3, err
    assert "hold.found" in err
    assert "tagged purge:deny=case 7" in status(bench)["hold"]
    assert "Nothing was sent" in bench.run("apply", str(bench.run_dir), exit_code=2).stderr
    assert bench.simulator.ledger()["deletes_received"] == sent
    asked(bench.simulator, "POST", "photos/tags?operation=remove", {"TagKeys": ["purge:deny"]})
    assert bench.json("apply", str(bench.run_dir))["deleted"] == 1000
    assert [line["answered"] for line in bench.log() if line["event"] == "held"] == [True]
    bench.check_invariants()


@pytest.mark.parametrize("bench", [FEWER], indirect=True)
def test_a_run_whose_looks_get_a_login_page_holds_until_they_are_answered(bench: Bench) -> None:
    bench.variables["GLACIER_PURGE_SAFETY__PROTECTION_INTERVAL_SECONDS"] = "0.5"
    process = begun(bench, deletes=112)
    bench.simulator.post("faults", rules=[{"kind": "captive-portal", "operation": "GetVaultLock"}])
    eventually(lambda: "could not be read" in status(bench)["why"])
    sent = bench.simulator.ledger()["deletes_received"]
    assert sent < 1000
    bench.simulator.post("faults", rules=[])
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    events = [line["event"] for line in bench.log() if line["event"] in {"held", "hold_lifted"}]
    assert events == ["held", "hold_lifted"]
    bench.check_invariants()
