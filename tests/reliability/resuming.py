"""Opens a run's log and inventory as `apply` does when it goes on, and says what that took: for the campaign `scale`.

A process of its own, because what is measured is the most memory that a process ever held.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from pathlib import Path

from glacier_purge.storage.bound_file import bound
from glacier_purge.storage.disk import FileDisk
from tests.audit.logs import open_journal


async def go_on(folder: Path, records: int, asked: list[int]) -> dict[str, object]:
    """Open both; the time is the log's alone, the memory that of both and of all that was imported."""
    with bound(folder / "inventory", hashlib.sha256()):
        began_seconds, began_cpu_seconds = time.monotonic(), time.process_time()
        ledger = (await open_journal(FileDisk(folder), records=records)).ledger
        seconds, cpu_seconds = time.monotonic() - began_seconds, time.process_time() - began_cpu_seconds
        peak_rss_mb = _peak_rss_mb()
    return {
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu_seconds, 3),
        "peak_rss_mb": peak_rss_mb,
        "deleted": ledger.counts["deleted"],
        "done": [ordinal for ordinal in asked if ledger.done(ordinal)],
    }


def _peak_rss_mb() -> float:
    """Of this process alone: what `getrusage` says would begin with what its parent had."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text("ascii").splitlines())
    return round(int(status["VmHWM"].split()[0]) * 1024 / 1e6, 1)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(go_on(Path(sys.argv[1]), int(sys.argv[2]), json.load(sys.stdin)))))
