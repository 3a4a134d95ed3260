"""How much CPU does one delete cost the client, through the SDK and over our own connections?

    python benchmarks/bench_transport.py [--seconds 1] [--rounds 3] [--output json]

Client and server are pinned to a core each; the server is ``sink.py``, which answers before it has thought.  Rounds are
interleaved and the median is shown: CPU per delete is the figure to trust, deletes per second depend on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import trustme
import uvloop

from glacier_purge.api.clients import Clients
from glacier_purge.archive import ArchiveId, Vault
from glacier_purge.aws.access import Access, StaticCredentials
from glacier_purge.glacier.reply import Meaning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from glacier_purge.api.transport import Transport
    from glacier_purge.glacier.port import Glacier, Later
    from glacier_purge.glacier.reply import Reply

VAULT = Vault(account_id="123456789012", region="us-east-1", name="photos")
KEYS = StaticCredentials(access_key_id="AKIDBENCHMARK", secret_access_key="s" * 40)
TRANSPORTS: tuple[Transport, ...] = ("sdk", "rest")
IN_FLIGHT = (64, 1_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", choices=["text", "json"], default="text")
    arguments = parser.parse_args()
    pin(0)
    with tempfile.TemporaryDirectory() as folder:
        certificate, authority = certificates(Path(folder))
        with sink(None) as plain, sink(certificate) as tls:
            endpoints = {"plain": f"http://127.0.0.1:{plain}", "TLS": f"https://127.0.0.1:{tls}"}
            rows = measure_all(endpoints, authority, arguments.rounds, arguments.seconds)
    if arguments.output == "json":
        print(json.dumps([asdict(row) for row in rows]))
        return
    print(f"{'transport':<10}{'wire':<7}{'in flight':>10}{'CPU us/delete':>15}{'deletes/s':>12}")
    for row in rows:
        print(f"{row.transport:<10}{row.wire:<7}{row.in_flight:>10,}{row.cpu_us:>15.1f}{row.per_second:>12,.0f}")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; ``cpu_us`` is CPU microseconds of the client per delete, user and system."""

    transport: str
    wire: str
    in_flight: int
    cpu_us: float
    per_second: float


def measure_all(endpoints: dict[str, str], authority: Path, rounds: int, seconds: float) -> list[Row]:
    cases = [(name, wire, many) for many in IN_FLIGHT for wire in endpoints for name in TRANSPORTS]
    figures: dict[tuple[Transport, str, int], list[tuple[float, float]]] = {case: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            name, wire, many = case
            access = Access(endpoint_url=endpoints[wire], credentials=KEYS, max_in_flight=many, ca_bundle=authority)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                figures[case].append(runner.run(measure(name, access, seconds)))
    return [
        Row(
            *case,
            cpu_us=statistics.median(cpu for cpu, _ in figures[case]),
            per_second=statistics.median(rate for _, rate in figures[case]),
        )
        for case in cases
    ]


async def measure(name: Transport, access: Access, seconds: float) -> tuple[float, float]:
    """Return CPU microseconds per delete and deletes per second, connections already open."""
    async with (
        Clients() as clients,
        clients.service_over(name, VAULT, access) as glacier,
        asyncio.TaskGroup() as tasks,
    ):
        sender = Sender(glacier, access.max_in_flight, tasks)
        await sender.send_until(time.perf_counter())
        started, cpu = time.perf_counter(), cpu_seconds()
        done = await sender.send_until(started + seconds)
        return (cpu_seconds() - cpu) / done * 1e6, done / (time.perf_counter() - started)


class Numbered:
    """An archive that nobody has stored."""

    def __init__(self, number: int) -> None:
        self.archive_id = ArchiveId(f"{number:0138}")


class Sender:
    """Keeps as many deletes under way as it is told."""

    def __init__(self, glacier: Glacier, in_flight: int, tasks: asyncio.TaskGroup) -> None:
        self._glacier = glacier
        self._in_flight = in_flight
        self._tasks = tasks
        self._numbers = count()
        self._end = 0.0
        self._done = 0
        self._idle = asyncio.Semaphore(0)
        glacier.deliver_to(self._settle)

    async def send_until(self, end: float) -> int:
        """Send until the end, as many as may be under way at least; return how many were done."""
        self._end, self._done = end, 0
        self._send(self._in_flight)
        for _ in range(self._in_flight):
            await self._idle.acquire()
        return self._done

    def _send(self, most: int) -> None:
        for later in self._glacier.delete_archives([Numbered(next(self._numbers)) for _ in range(most)]):
            self._tasks.create_task(awaited(later))

    def _settle(self, replies: Sequence[tuple[Numbered, Reply]]) -> None:
        assert all(reply.meaning is Meaning.DELETED for _, reply in replies), replies
        self._done += len(replies)
        if time.perf_counter() < self._end:
            self._send(len(replies))
        else:
            for _ in replies:
                self._idle.release()


async def awaited(later: Later) -> None:
    await later()


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def pin(core: int, process_id: int = 0) -> None:
    """Keep a process (0: this one) to one core, where there is another for the other and the system can do so."""
    if (os.cpu_count() or 1) > 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process_id, {core})


def certificates(folder: Path) -> tuple[Path, Path]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    return folder / "server.pem", folder / "authority.pem"


@contextmanager
def sink(certificate: Path | None) -> Iterator[int]:
    """Run the sink on the other core; yields its port."""
    program = [sys.executable, str(Path(__file__).with_name("sink.py")), *([str(certificate)] if certificate else [])]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        pin(1, server.pid)
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
