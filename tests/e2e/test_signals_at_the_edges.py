"""Signals where nobody expects them: ignored from the start, again at the very end, and while a command only waits."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import COMMAND

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Bench

pytestmark = [pytest.mark.slow, pytest.mark.in_process]

PACED = ("--max-rate", "400", "--max-in-flight", "8")
SLOW = [{"archives": 400, "latency-ms": 10}]


def until_said(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr is not None
    while words not in (line := process.stderr.readline()):
        assert line, f"it ended without {words!r}"


@pytest.mark.parametrize("bench", SLOW, indirect=True)
def test_what_nohup_ignores_stays_ignored(bench: Bench) -> None:
    # nohup glacier-purge apply DIR, and the terminal is closed
    digest = bench.plan()["digest"]
    ignoring = ("sh", "-c", 'trap "" HUP; exec "$@"', "sh")
    process = bench.start(*bench.apply_arguments(digest, *PACED), under=ignoring)
    bench.wait_for_deletes(40, process)
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "SIGHUP" not in err
    bench.check_invariants()


@pytest.mark.parametrize("bench", SLOW, indirect=True)
def test_ctrl_c_does_not_reach_what_runs_in_the_background(bench: Bench) -> None:
    # sh -c 'glacier-purge apply DIR &', whose shell lets it ignore SIGINT; SIGTERM it obeys
    digest = bench.plan()["digest"]
    ignoring = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
    process = bench.start(*bench.apply_arguments(digest, *PACED), under=ignoring)
    bench.wait_for_deletes(40, process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 3, err
    assert "Ctrl-C" not in err


@pytest.mark.parametrize("bench", SLOW, indirect=True)
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 3), (signal.SIGHUP, 3)])
def test_signals_without_end_change_no_exit_code(bench: Bench, number: int, exit_code: int) -> None:
    # glacier-purge apply DIR, and the same signal every 3 ms until it has ended
    digest = bench.plan()["digest"]
    process = bench.start(*bench.apply_arguments(digest, *PACED))
    bench.wait_for_deletes(40, process)
    while process.poll() is None:
        process.send_signal(number)
        time.sleep(0.003)
    _, err = process.communicate()
    assert process.returncode == exit_code, err
    assert "Traceback" not in err
    bench.check_invariants(complete=False)
    assert bench.json("apply", str(bench.run_dir))["deleted"] == 400


@pytest.mark.parametrize("bench", [{"archives": 5}], indirect=True)
@pytest.mark.parametrize(
    ("number", "name", "exit_code", "needs"),
    [
        (signal.SIGTERM, "SIGTERM", 3, "time"),
        (signal.SIGHUP, "SIGHUP", 3, "time"),
        (signal.SIGINT, "Ctrl-C", 130, "operator"),
    ],
)
def test_a_command_that_only_waits_ends_in_good_order(
    bench: Bench, number: signal.Signals, name: str, exit_code: int, needs: str
) -> None:
    # glacier-purge run photos, which waits for its inventory, and kill PID
    at = ("--endpoint-url", bench.simulator.endpoint_url, "--region", "us-east-1")
    process = bench.start("run", "photos", "--run-dir", str(bench.run_dir), "--output", "json", *at)
    until_said(process, "waiting for")
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert process.returncode == exit_code, err
    assert f"stopped by {name}. The same command goes on." in err
    assert f'"needs": "{needs}"' in out
    assert "Traceback" not in err


def test_at_a_prompt_a_signal_is_heard(bench: Bench) -> None:
    # glacier-purge apply DIR, nobody types, and kill PID
    bench.plan()
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [*COMMAND, "apply", str(bench.run_dir)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=bench.environment(),
    )
    bench.started.append(process)
    until_said(process, "About to delete")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=10)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 3, err
    assert bench.simulator.ledger()["deletes_received"] == 0


def test_a_simulator_in_the_background_ignores_what_its_shell_does(tmp_path: Path) -> None:
    # sh -c 'glacier-purge simulate &'
    process = subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *COMMAND, "simulate", "--archives", "5"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    process.communicate()
