"""Audit logs for tests: small, whole, made by the journal itself, in virtual time."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import zstandard

from glacier_purge.audit.journal import Journal
from glacier_purge.audit.record import Outcome
from glacier_purge.audit.segments import seal, unsealed
from glacier_purge.storage.pretend_disk import PretendDisk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from glacier_purge.storage.disk import Disk

RUN = "photos-2026-11-22T15-14-03Z"
PLAN = hashlib.sha256(b"a plan").hexdigest()


class Clock:
    """A wall clock that moves 40 ms at each look."""

    def __init__(self, now: float = 1_795_360_443.0) -> None:
        self.now = now

    def __call__(self) -> float:
        self.now += 0.04
        return self.now


def archive_id(ordinal: int) -> str:
    return f"{ordinal:-<138}"


def outcome(ordinal: int, word: str = "deleted", **facts: object) -> Outcome:
    sent = {"attempts": 1, "http_status": 204, "request_id": "R" * 48, "ms": 41.25} if word == "deleted" else {}
    always = {"ordinal": ordinal, "archive_id": archive_id(ordinal), "size": 1000 + ordinal, "outcome": word}
    return Outcome(**(always | sent | facts))  # type: ignore[arg-type]  # each of its field's type


async def open_journal(
    disk: Disk,
    *,
    records: int,
    clock: Callable[[], float] | None = None,
    segment_records: int = 1000,
    run: str = RUN,
    plan_digest: str = PLAN,
) -> Journal:
    return await Journal.open(
        disk,
        run=run,
        plan_digest=plan_digest,
        records=records,
        wall_clock=clock or Clock(),
        segment_records=segment_records,
    )


async def commit(journal: Journal, ordinals: Iterable[int], word: str = "deleted") -> None:
    journal.record([outcome(ordinal, word) for ordinal in ordinals])
    await journal.durable()


async def finished_run(
    disk: Disk,
    *,
    records: int = 60,
    segment_records: int = 25,
    run: str = RUN,
    plan_digest: str = PLAN,
    word: str = "deleted",
) -> str:
    """Write a whole run: 10 records a commit, two segments sealed at 60; return its last anchor."""
    journal = await open_journal(
        disk, records=records, segment_records=segment_records, run=run, plan_digest=plan_digest
    )
    journal.note("opened", tool_version="1.0")
    for first in range(0, records, 10):
        last = min(first + 9, records - 1)
        journal.note("released", first=first, last=last)
        await commit(journal, range(first, last + 1), word)
    journal.note("finished", counts=journal.ledger.counts, attempts=records, active_seconds=2.5)
    await journal.aclose()
    for number in unsealed(disk):
        seal(disk, number)
    assert journal.anchor is not None
    return journal.anchor


def plain_segments(files: dict[str, bytes]) -> dict[str, bytes]:
    """The plain bytes of every segment by plain name, in order."""
    unpack = zstandard.ZstdDecompressor()
    found: dict[str, bytes] = {}
    segments = {name: data for name, data in files.items() if name.rpartition("/")[2][:1].isdigit()}
    for name, data in sorted(segments.items(), reverse=True):
        if name.endswith(".jsonl.zst"):
            found[name.removesuffix(".zst")] = unpack.decompressobj(read_across_frames=True).decompress(data)
        elif name.endswith(".jsonl"):
            found[name] = data
    # Sorted backwards, a plain file comes after its compressed form and wins.
    return dict(sorted(found.items()))


def rechained(lines: list[bytes], first_prev: str = PLAN) -> list[bytes]:
    """What someone does who recomputes every number and hash."""
    prev, chained = first_prev, []
    for seq, line in enumerate(lines):
        said = json.loads(line) | {"seq": seq, "prev": prev}
        chained.append(json.dumps(said, separators=(",", ":")).encode() + b"\n")
        prev = hashlib.sha256(chained[-1]).hexdigest()
    return chained


def log_bytes(files: dict[str, bytes]) -> bytes:
    return b"".join(plain_segments(files).values())


def dump(files: dict[str, bytes], folder: Path) -> Path:
    """Write files to a real folder, for what reads real folders."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def events(files: dict[str, bytes]) -> list[str]:
    return [json.loads(line)["event"] for line in log_bytes(files).splitlines()]


def copy_of(disk: PretendDisk) -> PretendDisk:
    return PretendDisk(disk.contents())
