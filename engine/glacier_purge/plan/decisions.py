"""The decisions of a plan on disk: one byte a record in ``decisions``, and in ``duplicates`` what repeats what.

Read in step with the snapshot, so that a plan of 100 million records needs no memory to apply.  Both files count into
the plan's digest through one hash, are held against it before anything is sent, and give no other bytes from then on.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from glacier_purge.archive import Archive
from glacier_purge.errors import NotAsApproved, PlanRefused
from glacier_purge.inventory.batch import Batch, Defect
from glacier_purge.plan.document import Plan
from glacier_purge.plan.reasons import DELETE, DUPLICATE, INVALID
from glacier_purge.storage.bound_file import BoundFile, Pieces, bound
from glacier_purge.storage.disk import FolderFiles
from glacier_purge.storage.documents import new_file
from glacier_purge.storage.ownership import open_own

DECISIONS_FILE = "decisions"
DUPLICATES_FILE = "duplicates"

_PAIR = struct.Struct("<QQ")
"""A record's ordinal and the ordinal of the first record with the same id."""
_CHUNK_BYTES = 1 << 20
_SELECTED_AS_DIGIT = bytes(ord("1") if decision == DELETE else ord("0") for decision in range(256))


@dataclass(slots=True)
class DecidedBatch:
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
    files = FolderFiles(folder)
    with new_file(files, DECISIONS_FILE) as decisions, new_file(files, DUPLICATES_FILE) as duplicates:
        yield DecisionsWriter(decisions, duplicates)


def decisions_sha256(folder: Path) -> str:
    """SHA-256 (hex) over the bytes of both files, decisions first."""
    digest = hashlib.sha256()
    with bound(folder / DECISIONS_FILE, digest), bound(folder / DUPLICATES_FILE, digest):
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class BoundDecisions:
    """Both files, held open, giving the bytes that were hashed into the plan and no others."""

    decisions: BoundFile
    duplicates: BoundFile


@contextmanager
def bound_decisions(folder: Path, sha256: str) -> Iterator[BoundDecisions]:
    """Hold the decisions open. Raises ``PlanRefused`` unless they are the ones that were hashed into the plan."""
    digest = hashlib.sha256()
    with ExitStack() as opened:
        try:
            files = BoundDecisions(
                opened.enter_context(bound(folder / DECISIONS_FILE, digest)),
                opened.enter_context(bound(folder / DUPLICATES_FILE, digest)),
            )
        except OSError as error:
            raise PlanRefused(f"{error.filename}: {error.strerror}. The plan is not whole: plan again.") from error
        if (found := digest.hexdigest()) != sha256:
            raise PlanRefused(
                f"{folder / DECISIONS_FILE} was changed after planning (hash {found[:16]}..., planned "
                f"{sha256[:16]}...). Plan again; nothing was sent."
            )
        yield files


def check_decisions(folder: Path, sha256: str) -> None:
    """Raise ``PlanRefused`` unless the decisions on disk are the ones that were hashed into the plan."""
    with bound_decisions(folder, sha256):
        pass


def check_counts(files: BoundDecisions, plan: Plan) -> None:
    """Raise ``PlanRefused`` unless there are as many decisions of each kind as the plan tells whoever approves it."""
    counts = plan.counts
    found = {reason.decision: 0 for reason in plan.reasons}
    for block in files.decisions.blocks():
        for decision in found:
            found[decision] += block.count(decision)
    told = {reason.decision: reason.records for reason in plan.reasons}
    kinds = {DELETE: counts.selected, INVALID: counts.invalid, DUPLICATE: counts.duplicates}
    if (
        found != told
        or sum(told.values()) != counts.inventory
        or files.decisions.size_bytes != counts.inventory
        or files.duplicates.size_bytes != counts.duplicates * _PAIR.size
        or any(found.get(decision, 0) != records for decision, records in kinds.items())
    ):
        raise PlanRefused(
            f"the plan says {counts.selected:,} of {counts.inventory:,} records go, its decisions say "
            f"{found.get(DELETE, 0):,} of {files.decisions.size_bytes:,}, or differ in why the others stay. Plan "
            "again; nothing was sent."
        )


def selected_bitmap(folder: Path) -> bytes:
    """One bit a record, bit ``ordinal & 7`` of byte ``ordinal >> 3``: set where the plan sends a delete."""
    bitmap = bytearray()
    with os.fdopen(open_own(folder / DECISIONS_FILE), "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            bits = chunk.translate(_SELECTED_AS_DIGIT)[::-1]  # the last record is an integer's first binary digit
            bitmap += int(bits, 2).to_bytes((len(chunk) + 7) // 8, "little")
    return bytes(bitmap)


def decided(files: BoundDecisions, batches: Iterable[Batch]) -> Iterator[DecidedBatch]:
    """Read the decisions in step with the snapshot's ``batches``, to the end of both.

    Raises ``NotAsApproved`` where they don't fit each other, and ``FileChanged``.
    """
    bytes_of_decisions, pairs = Pieces(files.decisions), Pieces(files.duplicates)
    waiting = _next_pair(pairs)
    for batch in batches:
        decisions = bytes_of_decisions.take(batch.records)
        duplicates = {}
        while waiting is not None and waiting[0] < batch.first_ordinal + batch.records:
            duplicates[waiting[0]] = waiting[1]
            waiting = _next_pair(pairs)
        _check_fit(batch, decisions, duplicates)
        yield DecidedBatch(batch.first_ordinal, batch.archives, batch.defects, decisions, duplicates)
    if bytes_of_decisions.take(1) or waiting is not None:
        raise NotAsApproved(f"{DECISIONS_FILE} goes on where the inventory ends. Nothing more is sent; plan again.")


def _check_fit(batch: Batch, decisions: bytes, duplicates: dict[int, int]) -> None:
    """Every record has a decision; defects, and they alone, are invalid; duplicates, and they alone, have a first."""
    first = batch.first_ordinal
    if (
        len(decisions) != batch.records
        or decisions.count(INVALID) != len(batch.defects)
        or decisions.count(DUPLICATE) != len(duplicates)
        or any(decisions[defect.ordinal - first] != INVALID for defect in batch.defects)
        or any(ordinal < first or decisions[ordinal - first] != DUPLICATE for ordinal in duplicates)
    ):
        raise NotAsApproved(
            f"{DECISIONS_FILE} does not fit the inventory at records {first:,} to {first + batch.records - 1:,}. "
            "Nothing of them was sent, and nothing more is; plan again."
        )


def merged_batches(stream: Iterable[DecidedBatch], records_least: int) -> Iterator[DecidedBatch]:
    """Put consecutive batches together until each has ``records_least`` records or more; the last may have fewer."""
    whole: DecidedBatch | None = None
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


def _next_pair(pairs: Pieces) -> tuple[int, int] | None:
    content = pairs.take(_PAIR.size)
    if len(content) < _PAIR.size:
        return None
    ordinal, first = _PAIR.unpack(content)
    return ordinal, first
