"""How fast is an inventory read, and in how much memory, next to ijson and to json.load?

    python -m benchmarks.bench_parse [--archives 100000] [--rounds 3] [--output json]

Every measurement is a process of its own (``readers``) that imports nothing else, so that its peak memory is its own.
Rounds are interleaved, and what counts is the ratio within a round; the medians are printed.  Ours includes every
check of every record (ids, sizes, keys that stand twice); the others only read.  Time is the process's CPU time from
opening the file to its end.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TypedDict

from benchmarks import inventories
from benchmarks.readers import CONTESTANTS
from benchmarks.tables import Table

DESCRIPTIONS = (
    "photo {0}.jpg",
    "<m><v>4</v><p>L2hvbWUvdXNlci9QaG90b3M{0}</p><lm>20140101T000000Z</lm></m>",
    '{{"Path":"backup/{0}.tar","UTCDateModified":"20140101T000000Z"}}',
    "",
)


def generate(folder: Path, archives: int) -> None:
    """Write one inventory as Glacier lays it out, as others space it, with a header for ijson only, and as CSV."""
    source = random.Random(1)
    vault = "arn:aws:glacier:eu-west-1:012345678901:vaults/photos"
    header = f'"VaultARN":"{vault}","InventoryDate":"{inventories.now()}"'
    with (
        (folder / "glacier.json").open("w") as compact,
        (folder / "spaced.json").open("w") as spaced,
        (folder / "other.json").open("w") as other,
        (folder / "inventory.csv").open("w") as csv,
    ):
        compact.write("{" + header + ',"ArchiveList":[')
        other.write('{"Format":"JSON",' + header + ',"ArchiveList":[')
        spaced.write("{ " + header + ', "ArchiveList": [')
        csv.write("ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash\n")
        for number in range(archives):
            text = DESCRIPTIONS[number % len(DESCRIPTIONS)].format(number)
            record = {
                "ArchiveId": base64.urlsafe_b64encode(source.randbytes(105)).decode()[:138],
                "ArchiveDescription": text,
                "CreationDate": f"2017-08-{number % 28 + 1:02}T08:16:{number % 60:02}Z",
                "Size": source.randrange(10**9),
                "SHA256TreeHash": source.randbytes(32).hex(),
            }
            compact.write(("," if number else "") + json.dumps(record, separators=(",", ":")))
            other.write(("," if number else "") + json.dumps(record, separators=(",", ":")))
            spaced.write((", " if number else "") + json.dumps(record))
            quoted = '"' + text.replace('"', '\\"') + '"' if '"' in text or "," in text else text
            csv.write(",".join(map(str, {**record, "ArchiveDescription": quoted}.values())) + "\n")
        for file in (compact, spaced, other):
            file.write("]}")


class Row(TypedDict):
    """One reader: medians over rounds, the ratio to ijson within rounds."""

    reader: str
    records_per_second: float
    to_ijson: float
    peak_mb: float


def measure(*, archives: int = 100_000, rounds: int = 3) -> list[Row]:
    """Let every reader read the same inventory in interleaved rounds; a row each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder, archives)
        (folder / "warm-up").mkdir()
        generate(folder / "warm-up", 100)
        seen = [{name: in_own_process(name, folder) for name in CONTESTANTS} for _ in range(rounds)]
    return [
        {
            "reader": name,
            "records_per_second": median(one[name][0] for one in seen),
            "to_ijson": median(one[name][0] / one["ijson items"][0] for one in seen),
            "peak_mb": median(one[name][1] for one in seen),
        }
        for name in CONTESTANTS
    ]


def in_own_process(name: str, folder: Path) -> tuple[float, float]:
    """Run one contestant in a fresh process; return records per CPU second and peak MB."""
    command = [sys.executable, "-m", "benchmarks.readers", name, str(folder)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    per_second, peak_mb = map(float, output.split())
    return per_second, peak_mb


def tables(rows: list[Row]) -> list[Table]:
    """The rows as a table."""
    return [
        Table(
            title="Reading an inventory",
            about="Records per CPU second and peak memory of a process that only reads. Ours checks every record.",
            columns=("reader", "records/s", "of ijson", "peak MB"),
            rows=[(row["reader"], row["records_per_second"], row["to_ijson"], row["peak_mb"]) for row in rows],
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archives", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", choices=["text", "json"], default="text")
    arguments = parser.parse_args()
    rows = measure(archives=arguments.archives, rounds=arguments.rounds)
    print(json.dumps(rows) if arguments.output == "json" else "\n\n".join(table.text() for table in tables(rows)))


if __name__ == "__main__":
    main()
