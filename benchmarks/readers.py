"""The readers that ``bench_parse`` compares, one to a process: ``python -m benchmarks.readers NAME FOLDER``.

What is imported here counts as the reader's memory, so it is as little as can be.
"""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path


def ours(path: Path) -> int:
    from glacier_purge.inventory.format.csv_reader import CsvReader
    from glacier_purge.inventory.format.json_reader import JsonReader
    from glacier_purge.inventory.source import CHUNK_BYTES

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
    import json

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


def main() -> None:
    """Read once to warm up, once to be measured; print records per CPU second, and the most memory held, in MB."""
    read, file = CONTESTANTS[sys.argv[1]]
    folder = Path(sys.argv[2])
    read(folder / "warm-up" / file)
    gc.collect()
    begun = time.process_time()
    records = read(folder / file)
    seconds = time.process_time() - begun
    print(records / seconds, peak_mb())


def peak_mb() -> float:
    """The most memory this process has held. Linux keeps ru_maxrss over exec, so its own account goes first."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:"))
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


if __name__ == "__main__":
    main()
