"""Does memory stay flat, and the cost of an archive the same, from ten thousand archives to ten million?

    python -m benchmarks.bench_memory [--sizes 10000,100000,1000000] [--full] [--output json]

The installed command plans and applies vaults of each size against nginx over TLS, certificates checked, 64 in flight,
audit log on disk, and verifies the log.  Peak memory is what the kernel saw (``wait4``), for each of the three.
``--full`` goes to ten million: about 12 GB of disk in the temporary folder and ten minutes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from benchmarks import inventories
from benchmarks.bench_pipeline import PYTHON, Arena
from benchmarks.machine import CLIENT_CORE, pinned, run
from benchmarks.servers import tls_server
from benchmarks.tables import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZES = (10_000, 100_000, 1_000_000)
FULL = (*SIZES, 10_000_000)
BYTES_EACH = 1_250
"""Disk for one archive: inventory, its copy in the run folder, decision, audit line; rounded up."""


class Row(TypedDict):
    """One size of vault. CPU is user and system of the whole ``apply``, start-up included."""

    archives: int
    plan_peak_rss_mb: float
    plan_seconds: float
    apply_peak_rss_mb: float
    apply_seconds: float
    apply_cpu_us_each: float
    verify_peak_rss_mb: float
    verify_seconds: float


def measure(*, sizes: Sequence[int] = SIZES) -> list[Row]:
    """Purge a vault of each size; a row each. Sizes the disk can't take are left out, with a word about it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        arena = Arena(folder, stack.enter_context(tls_server(folder)))
        stack.enter_context(pinned(CLIENT_CORE))
        return [_purge(arena, archives) for archives in sizes if _fits(folder, archives)]


def _fits(folder: Path, archives: int) -> bool:
    fits = shutil.disk_usage(folder).free > archives * BYTES_EACH * 1.2
    if not fits:
        print(f"LEFT OUT: {archives:,} archives, for want of disk", file=sys.stderr)
    return fits


def _purge(arena: Arena, archives: int) -> Row:
    environment = arena.environment(  # no search for a limit, since no server here has one
        GLACIER_PURGE_PACE__FIRST_PER_SECOND="1000000", GLACIER_PURGE_AWS__TRANSPORT="rest"
    )
    folder = arena.new_folder()
    inventory = inventories.write(folder / "inventory.json", archives)
    command, run_dir = [PYTHON, "-m", "glacier_purge"], str(folder / "run")
    planning = [*command, "plan", inventories.VAULT, "--inventory", str(inventory), "--run-dir", run_dir]
    plan = run([*planning, "--endpoint-url", arena.server.url, "--output", "json"], environment)
    inventory.unlink()
    applying = [*command, "apply", run_dir, "--confirm-digest", json.loads(plan.output)["digest"], "--output", "json"]
    apply = run(applying, environment)
    assert json.loads(apply.output)["deleted"] == archives
    verify = run([*command, "audit", "verify", run_dir, "--output", "json"], environment)
    shutil.rmtree(folder)
    return {
        "archives": archives,
        "plan_peak_rss_mb": round(plan.peak_rss_mb, 1),
        "plan_seconds": round(plan.seconds, 2),
        "apply_peak_rss_mb": round(apply.peak_rss_mb, 1),
        "apply_seconds": round(apply.seconds, 2),
        "apply_cpu_us_each": round(apply.cpu_seconds / archives * 1e6, 1),
        "verify_peak_rss_mb": round(verify.peak_rss_mb, 1),
        "verify_seconds": round(verify.seconds, 2),
    }


def tables(rows: list[Row]) -> list[Table]:
    """The rows as a table."""
    return [
        Table(
            title="Memory and time by size of vault",
            about="One whole plan, apply and audit verify each, start-up included, TLS, 64 in flight.",
            columns=(
                *("archives", "plan MB", "plan s", "apply MB", "apply s", "apply CPU us/archive"),
                *("verify MB", "verify s"),
            ),
            rows=[
                (
                    f"{row['archives']:,}",
                    row["plan_peak_rss_mb"],
                    row["plan_seconds"],
                    row["apply_peak_rss_mb"],
                    row["apply_seconds"],
                    row["apply_cpu_us_each"],
                    row["verify_peak_rss_mb"],
                    row["verify_seconds"],
                )
                for row in rows
            ],
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--full", action="store_true", help="up to ten million")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    asked = parser.parse_args()
    rows = measure(sizes=FULL if asked.full else [int(size) for size in asked.sizes.split(",")])
    print(json.dumps(rows) if asked.output == "json" else "\n\n".join(table.text() for table in tables(rows)))


if __name__ == "__main__":
    main()
