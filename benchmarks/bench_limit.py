"""How much of the service's limit is used, and how many requests are wasted finding it?

    python -m benchmarks.bench_limit [--rate 100] [--seconds 60] [--output json]

One simulator with a limit, two clients after each other, each counted by the *server* from 30 s after its start: the
installed command (`glacier-purge apply`), and the SDK's own answer to throttling, botocore's adaptive mode, with 32
workers.  The cold start is left out on purpose (30 s), as a purge runs for days.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, build_opener

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = (sys.executable, "-m", "glacier_purge")
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDBENCHMARK", "AWS_SECRET_ACCESS_KEY": "benchmark", "AWS_DEFAULT_REGION": "us-east-1"}
SETTLING_SECONDS = 30.0
_DIRECT = build_opener(ProxyHandler({}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--output", choices=["text", "json"], default="text")
    arguments = parser.parse_args()
    rows = measure(arguments.rate, arguments.seconds)
    if arguments.output == "json":
        print(json.dumps(rows))
        return
    print(f"limit {arguments.rate:g}/s, {arguments.seconds:g} s each, from {SETTLING_SECONDS:g} s after the start\n")
    print(f"{'client':<24}{'used %':>8}{'throttled %':>13}{'accepted/s':>12}{'requests/s':>12}")
    for row in rows:
        print(
            f"{row['client']:<24}{row['used_percent']:>8.1f}{row['throttled_percent']:>13.2f}"
            f"{row['accepted_per_second']:>12.1f}{row['requests_per_second']:>12.1f}"
        )


def measure(rate: float, seconds: float) -> list[dict[str, Any]]:
    """Measure both clients against one simulator; a row each."""
    archives = int(rate * (seconds + SETTLING_SECONDS + 15) * 3)
    with tempfile.TemporaryDirectory() as folder, simulator(rate, archives) as url:
        inventory = Path(folder) / "inventory.json"
        inventory.write_bytes(get(f"{url}/_simulator/vaults/photos/inventory?format=json"))
        with ours(url, inventory, Path(folder)):
            first = observe(url, "glacier-purge apply", rate, seconds)
        ids = [record["ArchiveId"] for record in json.loads(inventory.read_bytes())["ArchiveList"]]
        rest = ids[len(ids) // 2 :]
        (Path(folder) / "ids").write_text("\n".join(rest), "ascii")
        with adaptive(url, Path(folder) / "ids"):
            second = observe(url, "botocore adaptive", rate, seconds)
    return [first, second]


def observe(url: str, client: str, rate: float, seconds: float) -> dict[str, Any]:
    """Count at the server what a client that was just started does, once it has settled."""
    time.sleep(SETTLING_SECONDS)
    before, began = ledger(url), time.monotonic()
    time.sleep(seconds)
    after, took = ledger(url), time.monotonic() - began
    accepted = after["deletes_received"] - before["deletes_received"]
    throttled = after["throttled"] - before["throttled"]
    return {
        "client": client,
        "limit_per_second": rate,
        "accepted_per_second": round(accepted / took, 2),
        "requests_per_second": round((accepted + throttled) / took, 2),
        "used_percent": round(100 * accepted / took / rate, 2),
        "throttled_percent": round(100 * throttled / max(1, accepted + throttled), 3),
    }


@contextmanager
def simulator(rate: float, archives: int) -> Iterator[str]:
    command = [*COMMAND, "simulate", "--rate", f"{rate:g}", "--burst", f"{rate:g}", "--archives", str(archives)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["endpoint_url"]
        finally:
            process.terminate()


@contextmanager
def ours(url: str, inventory: Path, folder: Path) -> Iterator[None]:
    environment = os.environ | KEYS | {"XDG_STATE_HOME": str(folder)}
    run_dir = str(folder / "run")
    planning = [*COMMAND, "plan", "photos", "--inventory", str(inventory), "--run-dir", run_dir]
    planned = subprocess.run(
        [*planning, "--endpoint-url", url, "--output", "json"], env=environment, check=True, capture_output=True
    )
    applying = [*COMMAND, "apply", run_dir, "--confirm-digest", json.loads(planned.stdout)["digest"]]
    with running(applying, environment):
        yield


@contextmanager
def adaptive(url: str, ids: Path) -> Iterator[None]:
    with running([sys.executable, "-m", "benchmarks.bench_limit_adaptive", url, str(ids)], os.environ | KEYS):
        yield


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
            assert process.poll() is None, f"{command} ended before it was measured"
        finally:
            process.send_signal(signal.SIGTERM)


def ledger(url: str) -> dict[str, int]:
    found: dict[str, int] = json.loads(get(f"{url}/_simulator/ledger"))
    return found


def get(url: str) -> bytes:
    with _DIRECT.open(url) as reply:
        content: bytes = reply.read()
        return content


if __name__ == "__main__":
    main()
