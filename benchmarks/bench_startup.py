"""How long until the command answers, and what do its imports cost, beside Python itself and the AWS CLI?

    python -m benchmarks.bench_startup [--rounds 7] [--output json]

Wall-clock and CPU seconds of whole processes, from start to exit; rounds are interleaved and medians shown.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import TypedDict

from benchmarks.machine import CLIENT_CORE, pinned, run
from benchmarks.tables import Table

COMMAND = str(Path(sys.executable).with_name("glacier-purge"))
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "glacier-purge --version": [COMMAND, "--version"],
    "glacier-purge --help": [COMMAND, "--help"],
    "glacier-purge apply --help": [COMMAND, "apply", "--help"],
    "import glacier_purge": [sys.executable, "-c", "import glacier_purge"],
    "import glacier_purge.api.planning": [sys.executable, "-c", "import glacier_purge.api.planning"],
    "import aioboto3": [sys.executable, "-c", "import aioboto3"],
}
AWS = Path(__file__).parents[1] / ".venv-witness/bin/aws"


class Row(TypedDict):
    """One command, medians over rounds; ``ratio`` is its wall-clock time to that of Python doing nothing."""

    command: str
    seconds: float
    cpu_seconds: float
    ratio: float


def measure(*, rounds: int = 7) -> list[Row]:
    """Start every command in interleaved rounds; a row each."""
    commands = COMMANDS | ({"aws --version": [str(AWS), "--version"]} if AWS.exists() else {})
    with pinned(CLIENT_CORE):
        for command in commands.values():
            run(command)  # once unmeasured: byte code and the page cache
        seen = [{name: run(command) for name, command in commands.items()} for _ in range(rounds)]
    return [
        {
            "command": name,
            "seconds": round(statistics.median(one[name].seconds for one in seen), 3),
            "cpu_seconds": round(statistics.median(one[name].cpu_seconds for one in seen), 3),
            "ratio": round(statistics.median(one[name].seconds / one["python -c pass"].seconds for one in seen), 1),
        }
        for name in commands
    ]


def tables(rows: list[Row]) -> list[Table]:
    """The rows as a table."""
    return [
        Table(
            title="Start-up",
            about="Whole processes, medians of interleaved rounds. The ratio is to Python doing nothing.",
            columns=("command", "seconds", "CPU seconds", "ratio"),
            rows=[(row["command"], row["seconds"], row["cpu_seconds"], row["ratio"]) for row in rows],
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", choices=["text", "json"], default="text")
    asked = parser.parse_args()
    rows = measure(rounds=asked.rounds)
    print(json.dumps(rows) if asked.output == "json" else "\n\n".join(table.text() for table in tables(rows)))


if __name__ == "__main__":
    main()
