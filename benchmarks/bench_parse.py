"""How fast is an inventory read, and in how much memory, next to ijson and to json.load?

    python -m benchmarks.bench_parse [--archives 100000] [--rounds 3] [--output json]

Every measurement is a process of its own, so that its peak memory is its own too.  Rounds are interleaved, and what
counts is the ratio within a round; the medians are printed.  Ours includes every check of every record (ids, sizes,
keys that stand twice); the others only read.  Time is the process's CPU time from opening the file to its end.
"""

from __future__ import annotations

import argparse
import base64
import gc
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TypedDict

from benchmarks.tables import Table
from glacier_purge.inventory.source import CHUNK_BYTES

DESCRIPTIONS = (
    "photo {0}.jpg",
    "<m><v>4</v><p>L2hvbWUvdXNlci9QaG90b3M{0}</p><lm>20140101T000000Z</lm></m>",
    '{{"Path":"backup/{0}.tar","UTCDateModified":"20140101T000000Z"}}',
    "",
)


def generate(folder: Path, archives: int) -> None:
    """Write one inventory as Glacier lays it out, as others space it, with a header for ijson only, and as CSV."""
    source = random.Random(1)
    header = '"VaultARN":"arn:aws:glacier:eu-west-1:012345678901:vaults/photos","InventoryDate":"2026-11-20T08:16:34Z"'
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


def ours(path: Path) -> int:
    from glacier_purge.inventory.csv_reader import CsvReader
    from glacier_purge.inventory.json_reader import JsonReader

    reader = CsvReader() if path.suffix == ".csv" else JsonReader()
    records = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            records += sum(len(batch.archives) for batch in reader.feed(chunk))
    return records + sum(len(batch.archives) for batch in reader.finish())


def with_ijson(path: Path) -> int:
    import ijson

    with path.open("rb") as file:
        return sum(1 for _ in ijson.items(file, "ArchiveList.item"))


def with_json_load(path: Path) -> int:
    with path.open("rb") as file:
        return len(json.load(file)["ArchiveList"])


CONTESTANTS = {
    "ours, Glacier's layout": (ours, "glacier.json"),
    "ours, white space": (ours, "spaced.json"),
    "ours, another layout": (ours, "other.json"),
    "ours, CSV": (ours, "inventory.csv"),
    "ijson items": (with_ijson, "glacier.json"),
    "json.load": (with_json_load, "glacier.json"),
}


class Row(TypedDict):
    """One reader: medians over rounds, the ratio to ijson within rounds."""

    reader: str
    records_per_second: float
    to_ijson: float
    peak_mib: float


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
            "peak_mib": median(one[name][1] for one in seen),
        }
        for name in CONTESTANTS
    ]


def in_own_process(name: str, folder: Path) -> tuple[float, float]:
    """Run one contestant in a fresh process; return records per CPU second and peak MiB."""
    command = [sys.executable, "-m", "benchmarks.bench_parse", "--contestant", name, "--folder", str(folder)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    per_second, peak_mib = map(float, output.split())
    return per_second, peak_mib


def compete(name: str, folder: Path) -> None:
    read, file = CONTESTANTS[name]
    read(folder / "warm-up" / file)
    gc.collect()
    begun = time.process_time()
    records = read(folder / file)
    seconds = time.process_time() - begun
    print(records / seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def tables(rows: list[Row]) -> list[Table]:
    """The rows as a table."""
    return [
        Table(
            title="Reading an inventory",
            about="Records per CPU second and peak memory of a process that only reads. Ours checks every record.",
            columns=("reader", "records/s", "of ijson", "peak MiB"),
            rows=[(row["reader"], row["records_per_second"], row["to_ijson"], row["peak_mib"]) for row in rows],
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archives", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", choices=["text", "json"], default="text")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contestant is not None:
        compete(arguments.contestant, arguments.folder)
        return
    rows = measure(archives=arguments.archives, rounds=arguments.rounds)
    print(json.dumps(rows) if arguments.output == "json" else "\n\n".join(table.text() for table in tables(rows)))


if __name__ == "__main__":
    main()
