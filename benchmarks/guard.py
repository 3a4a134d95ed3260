"""Has anything become much slower? A handful of ratios that hold on any machine, checked in half a minute.

    make guard

Ratios within one run on one core, of CPU time, and with wide margins: a figure below its floor means that something
was broken and not that the machine was busy.  Absolute figures are no business of a guard; ``make bench`` has them.
Exit code 1 when a ratio is below its floor twice in a row.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import bench_audit, bench_parse
from benchmarks.tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable


def sdk_to_rest() -> float:
    """CPU per delete of the whole pipeline: over the SDK, to over our own connections."""
    command = [sys.executable, "-m", "glacier_purge", "bench", "--compare", "rest,sdk", "--archives", "4000", "--tls"]
    done = subprocess.run([*command, "--rounds", "2", "--output", "json"], check=True, capture_output=True)
    rest, sdk = json.loads(done.stdout)["results"]
    assert (rest["transport"], sdk["transport"]) == ("rest", "sdk")
    ratio: float = sdk["cpu_to_first"]
    return ratio


def json_load_to_ours() -> float:
    """CPU per record of an inventory: json.load, to ours with all its checks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for place in (folder, folder / "warm-up"):
            place.mkdir(exist_ok=True)
            bench_parse.generate(place, 40_000 if place == folder else 100)
        ratios = []
        for _ in range(3):
            ours, _ = bench_parse.in_own_process("ours, Glacier's layout", folder)
            theirs, _ = bench_parse.in_own_process("json.load", folder)
            ratios.append(ours / theirs)
        return median(ratios)


def structlog_to_journal() -> float:
    """CPU per audit record: a plain structlog JSONRenderer, to our line, chained and on disk."""
    return bench_audit.measure(records=30_000, rounds=3)["structlog_to_write"]


FLOORS: dict[str, tuple[Callable[[], float], float]] = {
    "a delete over the SDK / over our own connections": (sdk_to_rest, 8.0),
    "json.load / reading an inventory with its checks": (json_load_to_ours, 2.0),
    "structlog's JSON line / an audit line, chained and on disk": (structlog_to_journal, 1.5),
}


def main() -> int:
    rows: list[tuple[object, ...]] = []
    for name, (ratio_of, floor) in FLOORS.items():
        ratio = ratio_of()
        if ratio < floor:
            ratio = max(ratio, ratio_of())
        rows.append((name, ratio, floor, "ok" if ratio >= floor else "TOO LOW"))
    print(Table(title="Ratios of CPU time", columns=("ratio", "now", "at least", ""), rows=rows).text())
    return int(any(row[-1] != "ok" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
