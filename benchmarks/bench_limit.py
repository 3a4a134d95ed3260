"""How much of the service's limit is used, and how many requests are wasted finding it?

    python -m benchmarks.bench_limit [--rate 100] [--seconds 60] [--steps] [--output json]

One simulator with a limit, clients after each other, each counted by the *server* from 30 s after its start: the
installed command (`glacier-purge apply`), and boto3 with 32 threads in each of its retry modes, as of this environment
and as of the witness's (`make witness`), whose botocore has the retries that AWS made the default in November 2026.
With ``--steps`` the limit falls to 30 % for the middle third, and 2 % of all deletes are answered with 500.  The cold
start is left out on purpose, as a purge runs for days.
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
from urllib.request import ProxyHandler, Request, build_opener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMMAND = (sys.executable, "-m", "glacier_purge")
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDBENCHMARK", "AWS_SECRET_ACCESS_KEY": "benchmark", "AWS_DEFAULT_REGION": "us-east-1"}
WITNESS = Path(__file__).parents[1] / ".venv-witness/bin/python"
BOTO3 = Path(__file__).parent / "clients/boto3_retries.py"
MODES = ("default", "standard", "adaptive")
SETTLING_SECONDS = 30.0
_DIRECT = build_opener(ProxyHandler({}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--steps", action="store_true", help="a limit that falls and rises, and 2 %% of 500s")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    arguments = parser.parse_args()
    rows = measure(arguments.rate, arguments.seconds, steps=arguments.steps)
    if arguments.output == "json":
        print(json.dumps(rows))
        return
    print(f"limit {arguments.rate:g}/s, {arguments.seconds:g} s each, from {SETTLING_SECONDS:g} s after the start\n")
    print(f"{'client':<28}{'used %':>8}{'throttled %':>13}{'accepted/s':>12}{'requests/s':>12}{'given up':>10}")
    for row in rows:
        print(
            f"{row['client']:<28}{row['used_percent']:>8.1f}{row['throttled_percent']:>13.2f}"
            f"{row['accepted_per_second']:>12.1f}{row['requests_per_second']:>12.1f}{row['given_up']:>10}"
        )


def measure(rate: float, seconds: float, *, steps: bool = False) -> list[dict[str, Any]]:
    """Measure all clients against one simulator; a row each."""
    limits = [(0.0, rate), (seconds / 3, 0.3 * rate), (2 * seconds / 3, rate)] if steps else [(0.0, rate)]
    others = [(python, mode) for python in (sys.executable, WITNESS) if Path(python).exists() for mode in MODES]
    each = int(rate * (seconds + SETTLING_SECONDS + 15))
    with tempfile.TemporaryDirectory() as name, simulator(rate, each * (1 + len(others))) as url:
        folder, inventory = Path(name), Path(name) / "inventory.json"
        inventory.write_bytes(get(f"{url}/_simulator/vaults/photos/inventory?format=json"))
        ids = [record["ArchiveId"] for record in json.loads(inventory.read_bytes())["ArchiveList"]]
        row, _ = watch(planned(url, inventory, folder), folder, lambda: observe(url, limits, seconds))
        rows = [{"client": "glacier-purge apply"} | row | {"given_up": 0}]
        for number, (python, mode) in enumerate(others, 1):
            (folder / "ids").write_text("\n".join(ids[number * each : (number + 1) * each]), "ascii")
            command = [str(python), str(BOTO3), url, str(folder / "ids"), mode]
            row, said = watch(command, folder, lambda: observe(url, limits, seconds))
            done = json.loads(said)
            rows.append({"client": f"boto3 {done['botocore']}, {mode}"} | row | {"given_up": done["given_up"]})
    return rows


def observe(url: str, limits: list[tuple[float, float]], seconds: float) -> dict[str, Any]:
    """Count at the server what a client that was just started does, once it has settled, while ``limits`` change."""
    faults = [{"kind": "internal-error", "operation": "DeleteArchive", "share": 0.02}] if len(limits) > 1 else []
    post(url, "faults", {"rules": faults})
    time.sleep(SETTLING_SECONDS)
    before, began = ledger(url), time.monotonic()
    allowed = 0.0
    for (begins, limit), (ends, _) in zip(limits, [*limits[1:], (seconds, 0.0)], strict=True):
        post(url, "limits", {"rate": limit, "burst": limits[0][1]})
        allowed += limit * (ends - begins)
        time.sleep(max(0.0, began + ends - time.monotonic()))
    after, took = ledger(url), time.monotonic() - began
    accepted = after["deletes_received"] - before["deletes_received"]
    throttled = after["throttled"] - before["throttled"]
    return {
        "limit_per_second": round(allowed / seconds, 2),
        "accepted_per_second": round(accepted / took, 2),
        "requests_per_second": round((accepted + throttled) / took, 2),
        "used_percent": round(100 * accepted / allowed, 2),
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


def planned(url: str, inventory: Path, folder: Path) -> list[str]:
    """Plan the whole vault; return the command that applies it."""
    run_dir = str(folder / "run")
    planning = [*COMMAND, "plan", "photos", "--inventory", str(inventory), "--run-dir", run_dir]
    planning += ["--endpoint-url", url, "--output", "json"]
    done = subprocess.run(planning, env=environment(folder), check=True, capture_output=True)
    return [*COMMAND, "apply", run_dir, "--confirm-digest", json.loads(done.stdout)["digest"]]


def environment(folder: Path) -> dict[str, str]:
    return os.environ | KEYS | {"XDG_STATE_HOME": str(folder)}


def watch(command: list[str], folder: Path, observed: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], bytes]:
    """Observe a client while it works, then stop it; return what was observed and what it said."""
    process = subprocess.Popen(command, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        row = observed()
        assert process.poll() is None, f"{command} ended before it was measured"
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    return row, said


def ledger(url: str) -> dict[str, int]:
    found: dict[str, int] = json.loads(get(f"{url}/_simulator/ledger"))
    return found


def post(url: str, page: str, order: dict[str, Any]) -> None:
    request = Request(f"{url}/_simulator/{page}", json.dumps(order).encode(), method="POST")
    _DIRECT.open(request, timeout=30).close()


def get(url: str) -> bytes:
    with _DIRECT.open(url) as reply:
        content: bytes = reply.read()
        return content


if __name__ == "__main__":
    main()
