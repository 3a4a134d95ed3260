"""The decisions of a plan on disk: one byte a record in ``decisions``, and in ``duplicates`` what repeats what.

Read in step with the snapshot, so that a plan of 100 million records needs no memory to apply.  Both files count into
the plan's digest through one hash, and are held against it before anything is sent.
"""

from __future__ import annotations

import hashlib
import os
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from glacier_purge.errors import PlanRefused
from glacier_purge.plan.selection import DELETE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from glacier_purge.archive import Archive
    from glacier_purge.inventory.batch import Batch, Defect

DECISIONS_FILE = "decisions"
DUPLICATES_FILE = "duplicates"

_PAIR = struct.Struct("<QQ")
"""A record's ordinal and the ordinal of the first record with the same id."""
_CHUNK_BYTES = 1 << 20
_SELECTED_AS_DIGIT = bytes(ord("1") if decision == DELETE else ord("0") for decision in range(256))


@dataclass(slots=True)
class Decided:
    """Consecutive records with what the plan decided about them.

    ``decisions`` has one byte a record from ``first_ordinal`` on; ``duplicates`` maps the ordinals decided as
    duplicates to the first ordinal with the same id.
    """

    first_ordinal: int
    archives: list[Archive]
    defects: list[Defect]
    decisions: bytes
    duplicates: dict[int, int]


class DecisionsWriter:
    """Writes decisions in ordinal order. Use as ``with writing(folder) as writer``."""

    def __init__(self, decisions: BinaryIO, duplicates: BinaryIO) -> None:
        self._decisions = decisions
        self._duplicates = duplicates

    def write(self, decisions: bytes, duplicates: dict[int, int]) -> None:
        """Append the decisions of one batch."""
        self._decisions.write(decisions)
        for pair in sorted(duplicates.items()):
            self._duplicates.write(_PAIR.pack(*pair))


@contextmanager
def writing(folder: Path) -> Iterator[DecisionsWriter]:
    """Open both files anew; on leaving without an error they are durable."""
    with _new(folder / DECISIONS_FILE) as decisions, _new(folder / DUPLICATES_FILE) as duplicates:
        yield DecisionsWriter(decisions, duplicates)
        for file in (decisions, duplicates):
            file.flush()
            os.fsync(file.fileno())


def decisions_sha256(folder: Path) -> str:
    """SHA-256 (hex) over the bytes of both files, decisions first."""
    digest = hashlib.sha256()
    for name in (DECISIONS_FILE, DUPLICATES_FILE):
        with (folder / name).open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


def check_decisions(folder: Path, sha256: str) -> None:
    """Raise ``PlanRefused`` unless the decisions on disk are the ones that were hashed into the plan."""
    try:
        found = decisions_sha256(folder)
    except OSError as error:
        raise PlanRefused(f"{error.filename}: {error.strerror}. The plan is not whole: plan again.") from error
    if found != sha256:
        raise PlanRefused(
            f"{folder / DECISIONS_FILE} was changed after planning (hash {found[:16]}..., planned {sha256[:16]}...). "
            "Plan again; nothing was sent."
        )


def selected_bitmap(folder: Path) -> bytes:
    """One bit a record, bit ``ordinal & 7`` of byte ``ordinal >> 3``: set where the plan sends a delete."""
    bitmap = bytearray()
    with (folder / DECISIONS_FILE).open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            bits = chunk.translate(_SELECTED_AS_DIGIT)[::-1]  # the last record is an integer's first binary digit
            bitmap += int(bits, 2).to_bytes((len(chunk) + 7) // 8, "little")
    return bytes(bitmap)


def decided(folder: Path, batches: Iterable[Batch]) -> Iterator[Decided]:
    """Read the decisions in step with the snapshot's ``batches``."""
    with (folder / DECISIONS_FILE).open("rb") as file, (folder / DUPLICATES_FILE).open("rb") as pairs:
        waiting = _next_pair(pairs)
        for batch in batches:
            decisions = file.read(batch.records)
            if len(decisions) != batch.records:
                raise PlanRefused(f"{file.name} ends before the snapshot does: plan again.")
            duplicates = {}
            while waiting is not None and waiting[0] < batch.first_ordinal + batch.records:
                duplicates[waiting[0]] = waiting[1]
                waiting = _next_pair(pairs)
            yield Decided(batch.first_ordinal, batch.archives, batch.defects, decisions, duplicates)


def merged(stream: Iterable[Decided], records_least: int) -> Iterator[Decided]:
    """Put consecutive batches together until each has ``records_least`` records or more; the last may have fewer."""
    whole: Decided | None = None
    for batch in stream:
        if whole is None:
            whole = batch
        else:
            whole.archives += batch.archives
            whole.defects += batch.defects
            whole.decisions += batch.decisions
            whole.duplicates |= batch.duplicates
        if len(whole.decisions) >= records_least:
            yield whole
            whole = None
    if whole is not None:
        yield whole


def _next_pair(file: BinaryIO) -> tuple[int, int] | None:
    content = file.read(_PAIR.size)
    if len(content) < _PAIR.size:
        return None
    ordinal, first = _PAIR.unpack(content)
    return ordinal, first


def _new(path: Path) -> BinaryIO:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    return os.fdopen(handle, "wb")
