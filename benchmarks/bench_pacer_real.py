"""Does the pacer keep its promises on a real event loop, over real HTTP, against a simulator in a process of its own?

    python -m benchmarks.bench_pacer_real [--long] [--only NAME,NAME] [--output json]

What ``bench_pacer`` shows in virtual time, once more as a user has it: the installed command's ``apply`` with default
pace, cold, and a simulator that throttles, seen from the server second by second.  All situations run at the same time,
so the short form takes some 150 s and the long one some 620 s; together they were seen to use 1.2 cores, so on fewer
than two, or beside other work, the figures are the machine's and not the pacer's.

Steady limits of 30 to 1,000 a second; a limit that goes 100, 30, 300; two clients on one limit; a minute in which every
request is answered with 500, and one in which every connection is reset.  "Used" and "throttled" count from 30 s after
a change of the limit; a limit counts as reached from the second on after which 10 s used 95 % of it with at most 2 %
throttled.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from benchmarks.pacing.measures import jain
from benchmarks.tables import Table
from glacier_purge.cli.simulated import started_simulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from glacier_purge.cli.simulated import StartedSimulator

COMMAND = (sys.executable, "-m", "glacier_purge")
SETTLING_SECONDS = 30
OUTAGE_SECONDS = 60
_WINDOW_SECONDS = 10
_DIRECT = build_opener(ProxyHandler({}))


class Row(TypedDict):
    """One situation. Shares are of the limit and of requests; ``jain`` is for two clients.

    ``reached_seconds`` has one figure for each change of the limit, None where it was never reached.
    """

    situation: str
    used: float
    throttled: float
    reached_seconds: list[int | None]
    jain: float | None
    failed: int


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What the service allows from which second on (``limits``), for how many clients; an outage by start and fault."""

    name: str
    limits: tuple[tuple[int, float], ...]
    seconds: int
    clients: int = 1
    outage: tuple[int, str] | None = None

    def limit_at(self, second: int) -> float:
        """Deletes a second allowed in this second."""
        return next(limit for begins, limit in reversed(self.limits) if begins <= second)

    @property
    def archives(self) -> int:
        """More than can be deleted in the time."""
        return int(1.1 * sum(map(self.limit_at, range(self.seconds + 15)))) + 500


@dataclass(frozen=True, kw_only=True)
class Second:
    """What the server had counted by the end of one second."""

    accepted: int
    throttled: int


def situations(*, long: bool) -> list[Situation]:
    """All of them; the long ones last ten minutes."""
    steady, steps = (600, (0, 200, 400)) if long else (110, (0, 35, 65))
    outage_at = 60 if long else 15
    after = outage_at + OUTAGE_SECONDS + 41
    return [
        *(
            Situation(name=f"steady {rate:g}/s", limits=((0, rate),), seconds=steady)
            for rate in (30.0, 100.0, 300.0, 1e3)
        ),
        Situation(name="100, 30, 300/s", limits=tuple(zip(steps, (100.0, 30.0, 300.0), strict=True)), seconds=steady),
        Situation(name="two clients on 100/s", limits=((0, 100.0),), seconds=steady, clients=2),
        Situation(name="60 s of 500s", limits=((0, 100.0),), seconds=after, outage=(outage_at, "internal-error")),
        Situation(name="60 s of resets", limits=((0, 100.0),), seconds=after, outage=(outage_at, "refuse")),
    ]


def measure(*, long: bool = False, only: Sequence[str] = ()) -> list[Row]:
    """Run every situation, all at once; a row each."""
    chosen = [each for each in situations(long=long) if not only or each.name in only]
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / str(number) for number in range(len(chosen))]
        with ThreadPoolExecutor(len(chosen)) as threads:
            return list(threads.map(live_through, chosen, folders))


def live_through(situation: Situation, folder: Path) -> Row:
    """Start a simulator and its clients, watch them for the situation's length, and work out what it came to."""
    first = situation.limit_at(0)
    options = ("--archives", str(situation.archives), "--rate", f"{first:g}", "--burst", f"{first:g}")
    with started_simulator(*options) as glacier:
        folders = [folder / str(number) for number in range(situation.clients)]
        with ExitStack() as stack:
            others = [stack.enter_context(_another_way_in(glacier.endpoint_url)) for _ in folders[1:]]
            plans = list(zip(folders, _planned(glacier, folders, [glacier.endpoint_url, *others]), strict=True))
            for path, digest in plans:
                stack.enter_context(_applying(path, digest))
            began, seconds = _watch(situation, glacier)
    return _row(situation, seconds, [_Log(path / "run" / "audit", began) for path in folders])


def _planned(glacier: StartedSimulator, folders: list[Path], ways_in: list[str]) -> list[str]:
    """Plan for each client its share of the vault; returns the digests."""
    digests = []
    folders[0].mkdir(parents=True)
    glacier.save_inventory(folders[0] / "whole.json")
    whole = json.loads((folders[0] / "whole.json").read_bytes())
    for number, (folder, endpoint_url) in enumerate(zip(folders, ways_in, strict=True)):
        folder.mkdir(exist_ok=True)
        part = whole | {"ArchiveList": whole["ArchiveList"][number :: len(folders)]}
        (folder / "inventory.json").write_text(json.dumps(part, separators=(",", ":")), "utf-8")
        command = [*COMMAND, "plan", glacier.vault, "--inventory", str(folder / "inventory.json")]
        command += ["--run-dir", str(folder / "run"), "--endpoint-url", endpoint_url, "--output", "json"]
        done = subprocess.run(command, env=_environment(folder), check=True, capture_output=True)
        digests.append(json.loads(done.stdout)["digest"])
    return digests


@contextmanager
def _another_way_in(endpoint_url: str) -> Iterator[str]:
    """Another address of the simulator, as of another host: one lets one process work on a vault at an address."""
    loop, port = asyncio.new_event_loop(), urlsplit(endpoint_url).port

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pass_on(reader, there_writer), pass_on(there_reader, writer))

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


@contextmanager
def _applying(folder: Path, digest: str) -> Iterator[None]:
    command = [*COMMAND, "apply", str(folder / "run"), "--confirm-digest", digest, "--max-in-flight", "512"]
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, env=_environment(folder), stdout=nowhere, stderr=nowhere) as process:
        try:
            yield
            assert process.poll() is None, f"the client in {folder.name} ended before it was measured"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _environment(folder: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GLACIER_PURGE_"))}
    keys = {"AWS_ACCESS_KEY_ID": "AKIDBENCHMARK", "AWS_SECRET_ACCESS_KEY": "benchmark"}
    return clean | keys | {"XDG_STATE_HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true"}


def _watch(situation: Situation, glacier: StartedSimulator) -> tuple[float, list[Second]]:
    """Count at the server, second by second from the first delete on, and change what the situation changes."""
    while glacier.ledger()["deletes_received"] == 0:
        time.sleep(0.02)
    wall, began = time.time(), time.monotonic()
    orders: dict[int, tuple[str, dict[str, Any]]] = {
        second: ("limits", {"rate": limit, "burst": max(100.0, limit)}) for second, limit in situation.limits[1:]
    }
    if situation.outage is not None:
        second, kind = situation.outage
        orders[second] = ("faults", {"rules": [{"kind": kind, "operation": "*"}]})
        orders[second + OUTAGE_SECONDS] = ("faults", {"rules": []})
    seconds = []
    for number in range(situation.seconds):
        if number in orders:
            _post(glacier, *orders[number])
        time.sleep(max(0.0, began + number + 1 - time.monotonic()))
        ledger = glacier.ledger()
        seconds.append(Second(accepted=situation.archives - ledger["archives_left"], throttled=ledger["throttled"]))
    return wall, seconds


def _post(glacier: StartedSimulator, page: str, order: dict[str, Any]) -> None:
    request = Request(f"{glacier.endpoint_url}/_simulator/{page}", json.dumps(order).encode(), method="POST")
    _DIRECT.open(request, timeout=30).close()


class _Log:
    """What one client wrote down: deletes recorded once settled, and failures."""

    def __init__(self, audit: Path, began: float) -> None:
        self.settled = self.failed = 0
        from_then_on = datetime.fromtimestamp(began + SETTLING_SECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        for segment in sorted(audit.glob("[0-9]*.jsonl")):
            for line in segment.read_bytes().splitlines():
                record = json.loads(line)
                if record["event"] == "outcome":
                    self.settled += record["outcome"] == "deleted" and record["ts"] >= from_then_on
                    self.failed += record["outcome"] == "failed"


def _row(situation: Situation, seconds: list[Second], logs: list[_Log]) -> Row:
    begins = [begin for begin, _ in situation.limits]
    ends = [*begins[1:], situation.seconds]
    phases = list(zip(begins, ends, strict=True))
    settled = [(begin + SETTLING_SECONDS, end) for begin, end in phases if end > begin + SETTLING_SECONDS]
    if situation.outage is not None:
        over = situation.outage[0] + OUTAGE_SECONDS
        settled = [(over + 20, over + 40)]
    return {
        "situation": situation.name,
        "used": round(_used(situation, seconds, settled), 4),
        "throttled": round(_throttled(seconds, settled), 5),
        "reached_seconds": [_reached(situation, seconds, begin, end) for begin, end in phases],
        "jain": round(jain([log.settled for log in logs]), 4) if len(logs) > 1 else None,
        "failed": sum(log.failed for log in logs),
    }


def _used(situation: Situation, seconds: list[Second], spans: list[tuple[int, int]]) -> float:
    allowed = sum(situation.limit_at(second) for begin, end in spans for second in range(begin, end))
    return sum(_between(seconds, begin, end).accepted for begin, end in spans) / allowed


def _throttled(seconds: list[Second], spans: list[tuple[int, int]]) -> float:
    counts = [_between(seconds, begin, end) for begin, end in spans]
    throttled = sum(count.throttled for count in counts)
    return throttled / max(1, throttled + sum(count.accepted for count in counts))


def _reached(situation: Situation, seconds: list[Second], begin: int, end: int) -> int | None:
    for second in range(begin, end - _WINDOW_SECONDS + 1):
        window = [(second, second + _WINDOW_SECONDS)]
        if _used(situation, seconds, window) >= 0.95 and _throttled(seconds, window) <= 0.02:
            return second - begin
    return None


def _between(seconds: list[Second], begin: int, end: int) -> Second:
    """Counts of the seconds from ``begin`` up to ``end``."""
    last, first = seconds[end - 1], seconds[begin - 1] if begin else Second(accepted=0, throttled=0)
    return Second(accepted=last.accepted - first.accepted, throttled=last.throttled - first.throttled)


def tables(rows: list[Row]) -> list[Table]:
    """The rows as a table."""
    return [
        Table(
            title="The pacer on a real event loop, against a simulator that throttles",
            about="Default pace, cold, seen from the server. Used and throttled from 30 s after each change of the "
            "limit, for outages from 20 s to 40 s after them. A limit is reached with the first 10 s that used 95 % "
            "of it (the bucket that the service saved up counts) with at most 2 % throttled.",
            columns=("situation", "used %", "throttled %", "limit reached after s", "Jain", "archives failed"),
            rows=[
                (
                    row["situation"],
                    round(100 * row["used"], 1),
                    round(100 * row["throttled"], 2),
                    " / ".join("-" if second is None else str(second) for second in row["reached_seconds"]),
                    row["jain"],
                    row["failed"],
                )
                for row in rows
            ],
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="ten minutes instead of two")
    parser.add_argument("--only", default="", help="names of situations, separated by commas")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    asked = parser.parse_args()
    rows = measure(long=asked.long, only=[name for name in asked.only.split(",") if name])
    print(json.dumps(rows) if asked.output == "json" else "\n\n".join(table.text() for table in tables(rows)))


if __name__ == "__main__":
    main()
