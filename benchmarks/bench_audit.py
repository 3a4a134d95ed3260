"""What does an audit record cost: to write, chained and durable, and to verify?

Written: the journal as a run uses it (structlog batch, encode, chain, group commit with fdatasync), beside the same
lines rendered by a plain structlog JSONRenderer chain, one event each, without a hash and without a disk.  Verified:
the whole check of ``audit verify``, beside bare SHA-256 over the same lines, which no check can undercut.  Rounds are
interleaved and each figure is the median over them, of CPU time; read the ratios, the microseconds are this machine's.

    python -m benchmarks.bench_audit [--records 100000] [--rounds 5] [--output json]
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import anyio
import structlog

from benchmarks.tables import Table
from glacier_purge.audit.journal import Journal
from glacier_purge.audit.record import Outcome
from glacier_purge.audit.recovery import replay
from glacier_purge.audit.verification import verify
from glacier_purge.storage.disk import FileDisk

if TYPE_CHECKING:
    from collections.abc import Callable

PLAN = hashlib.sha256(b"benchmark").hexdigest()
RUN = "photos-2026-11-22T15-14-03Z"
BATCH = 64


def outcomes(records: int) -> list[Outcome]:
    return [
        Outcome(ordinal, f"{ordinal:-<138}", 123_456, "deleted", 1, 204, None, f"{ordinal:R<48}", 41.25)
        for ordinal in range(records)
    ]


async def write(folder: Path, taken: list[Outcome]) -> None:
    """Write a run as the worker pool would: released ranges of 1,000, batches of 64, back-pressure."""
    journal = await Journal.open(FileDisk(folder), run=RUN, plan_digest=PLAN, records=len(taken), wall_clock=time.time)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.run)
        for first in range(0, len(taken), BATCH):
            if first % 1024 == 0:
                journal.note("released", first=first, last=min(first + 1023, len(taken) - 1))
            journal.record(taken[first : first + BATCH])
            await journal.room()
        await journal.durable()
        journal.note("finished", counts=journal.ledger.counts)
        await journal.aclose()


def plain_structlog(taken: list[Outcome]) -> None:
    """The usual way: one event a record, time stamp, level, JSON, written to memory."""
    lines: list[str] = []

    class Sink:
        def info(self, line: str) -> None:
            lines.append(line)

    logger: Any = structlog.wrap_logger(
        Sink(),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        cache_logger_on_first_use=True,
    ).bind(run=RUN)
    for outcome in taken:
        logger.info(
            "outcome",
            ordinal=outcome.ordinal,
            archive_id=outcome.archive_id,
            size=outcome.size,
            outcome=outcome.outcome,
            attempts=outcome.attempts,
            http_status=outcome.http_status,
            code=outcome.code,
            request_id=outcome.request_id,
            ms=outcome.ms,
        )


def bare_hashes(lines: list[bytes]) -> None:
    sha256 = hashlib.sha256
    for line in lines:
        sha256(line).digest()


def cpu_us(work: Callable[[], object], records: int) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) / records * 1e6


def one_round(folder: Path, taken: list[Outcome]) -> dict[str, float]:
    records = len(taken)
    figures = {
        "write": cpu_us(lambda: asyncio.run(write(folder, taken)), records),
        "structlog": cpu_us(lambda: plain_structlog(taken), records),
    }
    lines = (folder / "audit" / "000001.jsonl").read_bytes().splitlines(keepends=True)
    figures["verify"] = cpu_us(lambda: verify(folder), len(lines))
    figures["sha256"] = cpu_us(lambda: bare_hashes(lines), len(lines))
    figures["resume"] = cpu_us(lambda: replay(folder), records)
    (folder / "checkpoint").unlink()
    figures["replay"] = cpu_us(lambda: replay(folder), records)
    return figures


class Results(TypedDict):
    """Median CPU microseconds a record by what was done, and ratios within rounds."""

    records: int
    cpu_us: dict[str, float]
    structlog_to_write: float
    verify_to_sha256: float
    verify_per_second: int


def measure(*, records: int = 100_000, rounds: int = 5) -> Results:
    """Write, verify and replay in interleaved rounds."""
    taken = outcomes(records)
    seen = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            seen.append(one_round(Path(folder), taken))
    cpu_us = {name: statistics.median(figures[name] for figures in seen) for name in seen[0]}
    return {
        "records": records,
        "cpu_us": cpu_us,
        "structlog_to_write": statistics.median(figures["structlog"] / figures["write"] for figures in seen),
        "verify_to_sha256": statistics.median(figures["verify"] / figures["sha256"] for figures in seen),
        "verify_per_second": round(1e6 / cpu_us["verify"]),
    }


def tables(results: Results) -> list[Table]:
    """The results as a table."""
    told = {
        "write": f"chained and durable; plain structlog takes {results['structlog_to_write']:.1f} x",
        "structlog": "plain JSONRenderer, no chain, no disk",
        "verify": f"{results['verify_per_second']:,}/s a core; {results['verify_to_sha256']:.1f} x bare SHA-256",
        "sha256": "bare SHA-256 of the lines",
        "replay": "a start without checkpoint",
        "resume": "a start from the last checkpoint",
    }
    return [
        Table(
            title="The audit log",
            about=f"CPU time a record, {results['records']:,} records, medians of interleaved rounds.",
            columns=("what", "CPU us", "meaning"),
            rows=[(name, round(results["cpu_us"][name], 2), meaning) for name, meaning in told.items()],
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", choices=["text", "json"], default="text")
    asked = parser.parse_args()
    results = measure(records=asked.records, rounds=asked.rounds)
    print(json.dumps(results) if asked.output == "json" else "\n\n".join(table.text() for table in tables(results)))


if __name__ == "__main__":
    main()
