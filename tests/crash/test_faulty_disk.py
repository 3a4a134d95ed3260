"""A disk that fails under a run: at the Nth call by strace's fault injection, and by being full.

What is demanded: exit 3 and a message that says what to do (or death by SIGKILL, where that is what is injected), not
one delete after the failed commit but those that were under way, and after the disk is mended the same command ends
the run with every invariant.  By default a handful of places; ``GLACIER_PURGE_DISK_POINTS=N`` tries the first N calls
of every kind, as SQLite's tests do, until a run gets through untouched.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Bench

pytestmark = pytest.mark.in_process

POINTS = int(os.environ.get("GLACIER_PURGE_DISK_POINTS", "0"))
IN_FLIGHT_MAX = 4
RATE = 300
UNDER_WAY_MAX = RATE * 0.1 * 4 + IN_FLIGHT_MAX
"""Deletes that a commit interval of 100 ms may leave unrecorded at this rate, on a machine four times too slow."""

SYSTEM_CALLS = {
    "fdatasync": "fdatasync",
    "fsync": "fsync",
    "write": "write,writev,pwrite64",
    "rename": "?rename,?renameat,?renameat2",
    "truncate": "?ftruncate,?truncate",
}
"""What is traced under each name; libraries and architectures choose among them ("?": where there is such a call)."""


def unavailable(reason: str) -> None:
    """Skip loudly, except where the tests have to be complete."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def strace() -> str:
    program = shutil.which("strace")
    if program is None:
        unavailable("strace is missing, so no disk is made to fail. On Debian and Ubuntu: apt-get install strace")
    assert program is not None
    tried = subprocess.run([program, "-qq", "-e", "trace=none", "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        unavailable(f"strace may not trace here, so no disk is made to fail: {tried.stderr.strip()}")
    return program


def failing(strace: str, bench: Bench, call: str, effect: str, when: str) -> tuple[str, ...]:
    """A command line before the command's own, under which calls about the run's files fail."""
    calls = SYSTEM_CALLS[call]
    watched: list[str] = []
    if call == "write":  # only those to the log: the others are requests, progress, and strace would count them too
        watched = ["-P", str(bench.run_dir / "audit" / "000001.jsonl")]
    faster = [] if "KILL" in effect else ["--seccomp-bpf"]  # with it, signals are not sent (strace 6.1)
    return (
        *(strace, "-f", "-qq", "-o", str(bench.folder / "strace"), *faster, *watched),
        *("-e", f"trace={calls}", "-e", f"inject={calls}:{effect}:when={when}"),
    )


DEFAULT_POINTS = [
    ("fdatasync", "error=EIO", 1),
    ("fdatasync", "error=EIO", 2),
    ("fdatasync", "error=EIO", 5),
    ("write", "error=ENOSPC", 4),
    ("rename", "error=EIO", 1),
    ("fdatasync", "signal=KILL", 4),
    ("write", "signal=KILL", 3),
    ("rename", "signal=KILL", 2),
]
ALL_KINDS = [(call, effect) for call in SYSTEM_CALLS for effect in ("error=EIO", "error=ENOSPC", "signal=KILL")]
EVERY_POINT = [(call, effect, nth) for call, effect in ALL_KINDS for nth in range(1, POINTS + 1)]


@pytest.mark.slow
@pytest.mark.parametrize("bench", [{"archives": 250, "latency-ms": 4}], indirect=True)
@pytest.mark.parametrize(("call", "effect", "nth"), EVERY_POINT or DEFAULT_POINTS)
def test_a_disk_that_fails_stops_the_run_and_it_can_be_resumed(
    bench: Bench, strace: str, call: str, effect: str, nth: int
) -> None:
    # strace -f -e inject=CALL:error=EIO:when=N glacier-purge apply DIR; glacier-purge apply DIR
    bench.variables["GLACIER_PURGE_AUDIT__CHECKPOINT_SECONDS"] = "0.2"
    digest = bench.plan()["digest"]
    paced = ("--max-rate", str(RATE), "--max-in-flight", str(IN_FLIGHT_MAX))
    process = bench.start(*bench.apply_arguments(digest, *paced), under=failing(strace, bench, call, effect, str(nth)))
    _, err = process.communicate(timeout=60)
    if process.returncode == -signal.SIGKILL:
        assert "KILL" in effect, err
    elif "INJECTED" not in (bench.folder / "strace").read_text():
        assert POINTS, f"there was no {call} number {nth}"
    elif process.returncode != 0:  # what fails behind the last record spoils nothing
        assert process.returncode == 3, err
        assert re.search("Free or mend the disk, then start the same command|Mend the disk and start again", err), err
        assert "Traceback" not in err
    received = bench.simulator.ledger()["deletes_received"]
    recorded = len(bench.check_invariants(complete=False))
    assert received - recorded <= UNDER_WAY_MAX, "sent on after the commit that failed"
    result = bench.json(*bench.resume_arguments(digest))
    assert (result["deleted"], result["failed"]) == (250, 0)
    bench.check_invariants()
    assert bench.json("audit", "verify", str(bench.run_dir))["verdict"] == "sound"


@pytest.mark.slow
@pytest.mark.parametrize("bench", [{"archives": 250, "latency-ms": 4}], indirect=True)
def test_a_full_disk_stops_the_run_and_more_room_lets_it_go_on(bench: Bench) -> None:
    # unshare -rm; mount -t tmpfs -o size=200k; glacier-purge apply DIR; mount -o remount,size=8m; and apply DIR again
    digest = bench.plan()["digest"]
    disk = bench.folder / "disk"
    disk.mkdir()
    inside = (
        f"mount -t tmpfs -o mode=700,size=200k none {disk} || exit 77; cp -rp {bench.run_dir} {disk}/run || exit 78; "
        f'"$@"; first=$?; cp -rp {disk}/run {bench.folder}/full; mount -o remount,size=8m {disk}; '
        f'"$@"; second=$?; cp -rp {disk}/run {bench.folder}/mended; exit $((first * 10 + second))'
    )
    process = bench.start(
        *("apply", str(disk / "run"), "--confirm-digest", digest, "--max-rate", str(RATE)),
        *("--max-in-flight", str(IN_FLIGHT_MAX)),
        under=("unshare", "-rm", "sh", "-c", inside, "sh"),
    )
    _, err = process.communicate(timeout=60)
    if process.returncode in {1, 77}:
        unavailable(f"no disk can be mounted here, so none gets full: {err}")
    assert process.returncode == 30, err  # 3, then 0
    assert "No space left on device" in err
    assert "Free or mend the disk, then start the same command" in err
    shutil.rmtree(bench.run_dir)
    (bench.folder / "full").rename(bench.run_dir)
    recorded = len([record for record in bench.log() if record["event"] == "outcome"])
    assert 0 < recorded < 250
    bench.run_dir.rename(bench.folder / "full")
    (bench.folder / "mended").rename(bench.run_dir)
    bench.check_invariants()
    ledger = bench.simulator.ledger()
    assert ledger["deletes_received"] - ledger["distinct_ids"] <= UNDER_WAY_MAX
    assert bench.json("audit", "verify", str(bench.run_dir))["verdict"] == "sound"


@pytest.mark.slow
def test_a_disk_too_small_for_the_plan_is_refused_and_nothing_left(bench: Bench) -> None:
    # unshare -rm; mount -t tmpfs -o size=100k; glacier-purge plan
    inventory = bench.simulator.inventory(bench.folder / "inventory.json")
    disk = bench.folder / "disk"
    disk.mkdir()
    inside = f'mount -t tmpfs -o mode=700,size=SIZE none {disk} || exit 77; "$@"; code=$?; ls -A {disk}; exit $code'
    for size in ("100k", "188k"):  # too small for the snapshot, and for what is written after it
        process = bench.start(
            *("plan", "photos", "--inventory", str(inventory), "--run-dir", str(disk / "run")),
            *("--endpoint-url", bench.simulator.endpoint_url),
            under=("unshare", "-rm", "sh", "-c", inside.replace("SIZE", size), "sh"),
        )
        out, err = process.communicate(timeout=60)
        if process.returncode in {1, 77}:
            unavailable(f"no disk can be mounted here, so none gets full: {err}")
        assert (process.returncode, out) == (3, ""), err
        assert "No space left on device" in err
    assert bench.simulator.ledger()["requests"] == 1  # the inventory
