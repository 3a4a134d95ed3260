"""A checkpoint: where the log stood and what it said by then, so that a resumed run replays only the tail.

It is a cache.  It is written after the log it speaks of is fsynced, so it never claims an outcome the log lacks; if
it is missing, damaged or of another run, a start costs the time of replaying from the beginning and nothing else (I9).
The file is one JSON line, the done-bitmap (12.5 MB at 100 million archives) but for the zeros at its end, and a CRC-32
of both: a log that may take millions is no large file before it has.  It is written beside, fsynced, and renamed
over; the one before is kept as ``checkpoint.previous``.
"""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from glacier_purge.audit.ledger import LedgerState
from glacier_purge.audit.record import OUTCOMES
from glacier_purge.storage.disk import Disk
from glacier_purge.storage.documents import DocumentUnreadable, decoded

NEWEST = "checkpoint"
PREVIOUS = "checkpoint.previous"
_TEMPORARY = "checkpoint.tmp"
_ZEROS = bytes(1 << 12)
_CRC_BYTES = 10  # newline, eight hex digits, newline


class Position(msgspec.Struct, frozen=True):
    """A place in the log between two records.

    ``segment`` is the number of the segment it lies in (0: there is none yet), ``offset`` counts that segment's plain
    bytes, ``first_seq`` is the number of its first record, ``seq`` that of the next record, ``last_hash`` what the
    next record has to carry as ``prev``, ``ts`` the stamp of the last commit.
    """

    segment: int
    offset: int
    first_seq: int
    seq: int
    last_hash: str
    ts: str


class Checkpoint(msgspec.Struct, frozen=True):
    """The head of a checkpoint file; ``pacer`` is whatever the run wanted kept."""

    run: str
    plan_digest: str
    records: int
    position: Position
    ledger: LedgerState
    pacer: dict[str, Any]
    format: int = 1


def encode_head(checkpoint: Checkpoint) -> bytes:
    """Freeze what is to be written, while the ledger goes on."""
    return msgspec.json.encode(checkpoint) + b"\n"


def write_checkpoint(disk: Disk, head: bytes, bitmap: bytes) -> None:
    """Write a checkpoint durably; a crash leaves the old ones or the new one."""
    bitmap = _without_end(bitmap)
    crc = zlib.crc32(bitmap, zlib.crc32(head))
    if disk.size(_TEMPORARY) is not None:
        disk.remove(_TEMPORARY)
    disk.create(_TEMPORARY)
    for part in (head, bitmap, b"\n%08x\n" % crc):  # one after the other: joined, the bitmap would be there twice
        disk.append(_TEMPORARY, part)
    disk.sync(_TEMPORARY)
    if disk.size(NEWEST) is not None:
        disk.rename(NEWEST, PREVIOUS)
    disk.rename(_TEMPORARY, NEWEST)
    disk.sync_folder(".")


def read_checkpoint(disk: Disk, name: str) -> tuple[Checkpoint, bytes] | None:
    """Read a checkpoint and its bitmap (zeros at its end may be left off); None if missing or not to be believed."""
    if disk.size(name) is None:
        return None
    data = disk.read(name)
    content = memoryview(data)[:-_CRC_BYTES]
    if data[-_CRC_BYTES:] != b"\n%08x\n" % zlib.crc32(content):
        return None
    head_bytes = data.find(b"\n")
    try:
        checkpoint = decoded(content[:head_bytes], Checkpoint)
    except DocumentUnreadable:
        return None
    bitmap = bytes(content[head_bytes + 1 :])
    if checkpoint.format != 1 or len(bitmap) > (checkpoint.records + 7) // 8 or not _makes_sense(checkpoint):
        return None
    return checkpoint, bitmap


def _without_end(bitmap: bytes) -> bytes:
    """Leave off blocks of zeros at the end: by blocks, as ``rstrip`` takes 20 ms for a log of 67 million."""
    end = len(bitmap)
    while end and bitmap[max(0, end - len(_ZEROS)) : end] == _ZEROS[:end]:
        end = max(0, end - len(_ZEROS))
    return bitmap[:end]


def _makes_sense(checkpoint: Checkpoint) -> bool:
    """Tell whether it is of a place that a log can have, and counts what a log counts."""
    at = checkpoint.position
    is_place = at.segment > 0 and at.offset > 0 and 0 <= at.first_seq < at.seq
    return (is_place or at.seq == 0) and checkpoint.ledger.counts.keys() == OUTCOMES
