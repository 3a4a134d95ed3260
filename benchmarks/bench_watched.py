"""What does being watched cost a delete: the live page, somebody who looks at it, and metrics in a file?

    python -m benchmarks.bench_watched [--pairs 10] [--deletes 60000] [--rate 500] [--output json]

The installed ``apply`` empties the same planned vault, watched (``--page``, a client that follows its events in a
process of its own, ``--metrics-textfile``) and unwatched, in turn, who comes first changing from pair to pair; against
nginx on the other core.  Each runs twice, with few deletes and with many, and what is reported is what the kernel
booked (``wait4``) for the deletes that the longer run did more: start-up, imports and the report at the end do not
count.  Looking costs by the second and not by the delete, so the share is larger the slower it goes: ``--rate`` paces.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict
from urllib.request import ProxyHandler, build_opener

from benchmarks import inventories
from benchmarks.bench_pipeline import Arena, settled
from benchmarks.machine import CLIENT_CORE, pinned, run
from benchmarks.servers import tls_server
from benchmarks.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = str(Path(sys.executable).with_name("glacier-purge"))
IN_FLIGHT = 64
FEW = settled(IN_FLIGHT)


class Row(TypedDict):
    """CPU time a delete, microseconds: medians over pairs and the least; ``ratio`` is the median of those of pairs."""

    per_second: float | None
    deletes: int
    pairs: int
    unwatched_us: float
    watched_us: float
    unwatched_least_us: float
    watched_least_us: float
    ratio: float
    ratio_of_leasts: float
    events: int


class Purges:
    """Vaults that were planned once, of which each purge empties a copy."""

    def __init__(self, arena: Arena, per_second: float | None) -> None:
        self._arena = arena
        self._pace = [] if per_second is None else ["--max-rate", str(per_second)]
        self._planned: dict[int, tuple[Path, str]] = {}
        self.events = 0

    def cpu_seconds(self, deletes: int, *, watched: bool) -> float:
        """What a purge of so many took, from its start to its end."""
        planned, digest = self._planned.get(deletes) or self._plan(deletes)
        place = self._arena.new_folder() / "run"
        shutil.copytree(planned, place)
        watching = ["--page", "any", "--metrics-textfile", str(place.with_suffix(".prom"))] if watched else []
        command = [COMMAND, "apply", str(place), "--confirm-digest", digest, "--max-in-flight", str(IN_FLIGHT)]
        try:
            with self._looked_at(place) if watched else _nobody(), pinned(CLIENT_CORE):
                return run([*command, *self._pace, *watching], self._environment).cpu_seconds
        finally:
            shutil.rmtree(place.parent)

    @property
    def _environment(self) -> dict[str, str]:
        return self._arena.environment(GLACIER_PURGE_PACE__FIRST_PER_SECOND="100000")

    def _plan(self, deletes: int) -> tuple[Path, str]:
        place = self._arena.new_folder() / "run"
        command = [COMMAND, "plan", inventories.VAULT, "--inventory", str(self._arena.inventory(deletes))]
        command += ["--run-dir", str(place), "--endpoint-url", self._arena.server.url, "--output", "json"]
        planned = run([*command, "--account-id", inventories.ACCOUNT], self._environment)
        self._planned[deletes] = place, json.loads(planned.output)["digest"]
        return self._planned[deletes]

    @contextmanager
    def _looked_at(self, place: Path) -> Iterator[None]:
        """Follow the page's events as a browser does, once there is one."""
        over = threading.Event()
        looking = threading.Thread(target=self._look, args=(place / "page.json", over))
        looking.start()
        try:
            yield
        finally:
            over.set()
            looking.join()

    def _look(self, where: Path, over: threading.Event) -> None:
        while not where.exists() and not over.wait(0.05):
            pass
        if over.is_set():
            return
        page = json.loads(where.read_bytes())
        address = f"http://127.0.0.1:{page['port']}/{page['secret']}/"
        asking = build_opener(ProxyHandler({}))
        with asking.open(address, timeout=30) as html, asking.open(f"{address}events", timeout=30) as events:
            html.read()
            for line in events:
                self.events += line.startswith(b"data: ")


@contextmanager
def _nobody() -> Iterator[None]:
    yield


def measure(*, pairs: int, deletes: int, per_second: float | None) -> Row:
    """Purge in turn, watched and unwatched."""
    seen: list[dict[bool, float]] = []
    with tempfile.TemporaryDirectory(prefix="glacier-purge-watched-") as place:
        folder = Path(place)
        with tls_server(folder) as server:
            purges = Purges(Arena(folder=folder, server=server), per_second)
            for number in range(pairs):
                seen.append({})
                for watched in (False, True) if number % 2 else (True, False):
                    few, many = (purges.cpu_seconds(count, watched=watched) for count in (FEW, FEW + deletes))
                    seen[-1][watched] = (many - few) / deletes * 1e6
                print(f"{time.strftime('%H:%M:%S')} {seen[-1][False]:.1f} {seen[-1][True]:.1f} us", file=sys.stderr)
    least = {watched: min(pair[watched] for pair in seen) for watched in (False, True)}
    return {
        "per_second": per_second,
        "deletes": deletes,
        "pairs": pairs,
        "unwatched_us": round(statistics.median(pair[False] for pair in seen), 2),
        "watched_us": round(statistics.median(pair[True] for pair in seen), 2),
        "unwatched_least_us": round(least[False], 2),
        "watched_least_us": round(least[True], 2),
        "ratio": round(statistics.median(pair[True] / pair[False] for pair in seen), 4),
        "ratio_of_leasts": round(least[True] / least[False], 4),
        "events": purges.events,
    }


def tables(row: Row) -> list[Table]:
    """The figures as a table."""
    columns = ("pace", "unwatched, us", "watched, us", "least", "least, watched", "ratio", "ratio of the least")
    pace = "as fast as it goes" if row["per_second"] is None else f"{row['per_second']:g}/s"
    cells = (pace, *(row[name] for name in ("unwatched_us", "watched_us", "unwatched_least_us", "watched_least_us")))
    return [
        Table(
            title="Watched",
            about=f"CPU time of a delete, medians and least of {row['pairs']} interleaved pairs of {row['deletes']:,}.",
            columns=columns,
            rows=[(*cells, row["ratio"], row["ratio_of_leasts"])],
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--deletes", type=int, default=60_000)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--output", choices=["text", "json"], default="text")
    asked = parser.parse_args()
    row = measure(pairs=asked.pairs, deletes=asked.deletes, per_second=asked.rate)
    print(json.dumps(row) if asked.output == "json" else "\n\n".join(table.text() for table in tables(row)))


if __name__ == "__main__":
    main()
