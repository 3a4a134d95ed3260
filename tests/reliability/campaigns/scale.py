"""Goes on with a run of a vault so large that nothing may grow with it: a million records, at night a hundred million.

The log is written by the journal itself, its outcomes all over the inventory, so that the checkpoint's bitmap is of
full length; behind the checkpoint stand as many records as a minute brings at 2,000 a second, and what a crash leaves.
Another process opens it.  It also holds an inventory of that size open as a run does, bound block by block: a file
that is nothing but a hole, since only its length counts for what is kept of it.  Reading that through, which every
start does, takes as long as the disk takes, and is not part of the two seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from glacier_purge.storage.disk import FileDisk
from tests.audit.logs import commit, open_journal
from tests.reliability.campaign import Campaign
from tests.reliability.schedule import NIGHTS_BEGIN

if TYPE_CHECKING:
    from pathlib import Path

RECORDS, RECORDS_AT_NIGHT = 1_000_000, 100_000_000
INVENTORY_BYTES_EACH = 350
BEFORE, BEHIND = 2_000, 20_000
BEHIND_AT_NIGHT = 120_000
CPU_SECONDS_MAX = 2.0
PEAK_RSS_MB_MAX = 300.0


async def write_log(folder: Path, records: int, ordinals: list[int]) -> None:
    """A run that was killed: its first outcomes are under its two checkpoints, the others stand behind them."""
    journal = await open_journal(FileDisk(folder), records=records, segment_records=1_000_000)
    journal.note("opened", tool_version="1.0")
    journal.note("released", first=0, last=records - 1)
    half = BEFORE // 2
    for first, end in ((0, half), (half, BEFORE)):
        await commit(journal, ordinals[first:end])
        await journal.checkpoint({"rate": 2_000.0})
    for first in range(BEFORE, len(ordinals), 1_000):
        await commit(journal, ordinals[first : first + 1_000])


def go_on(seed: int, folder: Path) -> Counter[str]:
    """Write a log, leave it as a crash does, and open it in another process."""
    rng, is_night = random.Random(seed), seed >= NIGHTS_BEGIN
    records, behind = (RECORDS_AT_NIGHT, BEHIND_AT_NIGHT) if is_night else (RECORDS, BEHIND)
    ordinals = rng.sample(range(records - 1), BEFORE + behind - 1)
    ordinals.insert(0, records - 1)  # the bitmap has its last bit, and so its full length
    asyncio.run(write_log(folder, records, ordinals))
    kind = ("as it was", "a torn tail", "the newest checkpoint lost")[seed % 3]
    log, newest = folder / "audit/000001.jsonl", folder / "checkpoint"
    if kind == "a torn tail":
        os.truncate(log, log.stat().st_size - rng.randint(1, 300))  # a line has 500 bytes
        ordinals.pop()
    elif kind == "the newest checkpoint lost":
        newest.unlink()
    with (folder / "inventory").open("wb") as file:
        file.truncate(records * INVENTORY_BYTES_EACH)
    done = set(ordinals)
    asked = [*ordinals[:100], *ordinals[-100:], *(ordinal for ordinal in range(100) if ordinal not in done)]
    opened = _open(folder, records, asked)
    assert opened["deleted"] == len(ordinals)
    assert opened["done"] == asked[:200]
    assert opened["cpu_seconds"] <= CPU_SECONDS_MAX, opened
    assert opened["peak_rss_mb"] <= PEAK_RSS_MB_MAX, opened
    print({name: opened[name] for name in ("seconds", "cpu_seconds", "peak_rss_mb")}, flush=True)
    return Counter({f"{records:,} records, {kind}": 1})


def _open(folder: Path, records: int, asked: list[int]) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.reliability.resuming", str(folder), str(records)]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


CAMPAIGN = Campaign(
    name="scale",
    asks="A run of a million archives, at night a hundred million, goes on after a crash: from its checkpoint in 2 "
    "seconds of processor time and 300 MB, with every outcome that was on disk and no other.",
    programme=("T17",),
    invariants=("I5", "I9", "I15"),
    unit="resumed runs",
    wanted=6,
    try_seed=go_on,
    night_share=0.1,
    alone=True,
    limit_seconds=1800.0,  # at night 35 GB are hashed
)
