"""What does a vault that waits weigh: memory, CPU and time of a fleet until each of its vaults has a plan?

    python -m benchmarks.bench_fleet [--sizes 20,200,1000] [--output json]

The installed command carries fleets of each size, three archives a vault, against the simulator over plain HTTP at an
hour a second, from nothing to the moment at which all of them wait for an approval and it ends.  Memory is the most
that the kernel saw of that process, CPU all that it took (``wait4``), start-up included; what the simulator spends is
its own.  The account's limit is lifted, so what is measured is the client.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import urlsplit

from benchmarks.bench_pipeline import PYTHON
from benchmarks.machine import CLIENT_CORE, SERVER_CORE, pin, pinned, run
from benchmarks.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIZES = (20, 200, 1_000)
ARCHIVES_EACH = 3
TIME_SCALE = 3_600
_FIRST = "fleet-0000"
"""The simulator's own vault, one of the fleet: an account holds a thousand, and not one more."""
_PENDING = 75


class Row(TypedDict):
    """One fleet. ``cpu_seconds`` is user and system of the whole command, start-up included."""

    vaults: int
    peak_rss_mb: float
    cpu_seconds: float
    seconds: float


def measure(*, sizes: Sequence[int] = SIZES) -> list[Row]:
    """Carry a fleet of each size until all its vaults wait for an approval; a row each."""
    return [_carry(size) for size in sizes]


def _carry(vaults: int) -> Row:
    with tempfile.TemporaryDirectory() as name, _simulator() as endpoint_url:
        folder = Path(name)
        _stock(endpoint_url, vaults)
        fleet_file = folder / "fleet.toml"
        fleet_file.write_text('[[vaults]]\nname = "fleet-*"\n', "utf-8")
        command = [PYTHON, "-m", "glacier_purge", "fleet", str(fleet_file), "--run-dir", str(folder / "fleet")]
        with pinned(CLIENT_CORE):
            cost = run(
                [*command, "--endpoint-url", endpoint_url, "--output", "json"], _environment(folder), ends_with=_PENDING
            )
        told = json.loads(cost.output)
        assert {vault["phase"] for vault in told["vaults"]} == {"approval"}, "a vault has no plan"
        assert len(told["vaults"]) == vaults
    return {
        "vaults": vaults,
        "peak_rss_mb": round(cost.peak_rss_mb, 1),
        "cpu_seconds": round(cost.cpu_seconds, 2),
        "seconds": round(cost.seconds, 1),
    }


@contextmanager
def _simulator() -> Iterator[str]:
    options = {
        "rate": 0,
        "latency-ms": 1,
        "error-rate": 0,
        "time-scale": TIME_SCALE,
        "vault": _FIRST,
        "archives": ARCHIVES_EACH,
    }
    command = [PYTHON, "-m", "glacier_purge", "simulate", *(f"--{name}={value}" for name, value in options.items())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            pin(SERVER_CORE, process.pid)
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["endpoint_url"]
        finally:
            process.terminate()


def _stock(endpoint_url: str, vaults: int) -> None:
    """Make the other vaults, with their archives, over one connection."""
    connection = http.client.HTTPConnection(urlsplit(endpoint_url).netloc, timeout=60)

    def ask(method: str, path: str, body: bytes = b"") -> None:
        digest = hashlib.sha256(body).hexdigest()
        headers = {
            "x-amz-glacier-version": "2012-06-01",
            "x-amz-content-sha256": digest,
            "x-amz-sha256-tree-hash": digest,
            "Authorization": "AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/glacier/aws4_request, "
            "SignedHeaders=host, Signature=0",
        }
        connection.request(method, path, body or None, headers)
        with connection.getresponse() as reply:
            reply.read()
            assert reply.status in {201, 204}, f"{method} {path}: {reply.status}"

    for number in range(1, vaults):
        path = f"/-/vaults/fleet-{number:04}"
        ask("PUT", path)
        for archive in range(ARCHIVES_EACH):
            ask("POST", f"{path}/archives", f"{number} {archive}".encode())
    connection.close()


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GLACIER_PURGE_"))}
    ours = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_REGION": "us-east-1"}
    return {**kept, **ours, "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")}


def tables(rows: list[Row]) -> list[Table]:
    """The rows as a table."""
    return [
        Table(
            title="A fleet until every vault has a plan",
            about="Three archives a vault, an hour a second, plain HTTP; start-up included.",
            columns=("vaults", "peak MB", "MB a vault", "CPU s", "CPU s a vault", "s"),
            rows=[
                (
                    f"{row['vaults']:,}",
                    row["peak_rss_mb"],
                    row["peak_rss_mb"] / row["vaults"],
                    row["cpu_seconds"],
                    row["cpu_seconds"] / row["vaults"],
                    row["seconds"],
                )
                for row in rows
            ],
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--output", choices=["text", "json"], default="text")
    asked = parser.parse_args()
    rows = measure(sizes=[int(size) for size in asked.sizes.split(",")])
    print(json.dumps(rows) if asked.output == "json" else "\n\n".join(table.text() for table in tables(rows)))


if __name__ == "__main__":
    main()
