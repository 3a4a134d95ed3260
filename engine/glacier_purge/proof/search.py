"""Finds one archive in what a run left: in inventories, and in the records of the log that say something of it.

Both are read through in flat memory: some seconds a million records.  What is found is no better than the files it is
found in, so whoever tells it says whether they were checked.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from glacier_purge.archive import ANY_LENGTH, Archive
from glacier_purge.audit.record import Line, Note, Outcome, read_line
from glacier_purge.audit.segments import find_segments, log_read, read_lines
from glacier_purge.inventory.format.reading import HashedReading
from glacier_purge.storage.disk import FileDisk
from glacier_purge.storage.ownership import open_own

_CHUNK_BYTES = 1 << 20
_EVENT = re.compile(rb'"event":"(\w+)"')
_HEAD_BYTES = 80
_TOLD = frozenset({b"opened", b"approved", b"released", b"stopped"})
"""Events besides outcomes that can say something of an archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What an inventory says of an archive: ``archives`` has a record for each time that it is listed."""

    file: Path
    sha256: str
    date: str | None
    records: int
    archives: tuple[Archive, ...]


class Recorded(NamedTuple):
    """A record of the log, the file it stands in, and the byte where it begins in the plain form of that."""

    line: Line
    file: str
    offset_bytes: int


def inventory_in(folder: Path) -> Path | None:
    """The inventory that lies in a folder; None where there is none."""
    return next((folder / name for name in ("inventory.json", "inventory.csv") if (folder / name).exists()), None)


def search_inventory(file: Path, archive_id: str) -> Listed:
    """Read an inventory through for an archive. Raises ``InventoryDamaged``, ``NotOurs`` and ``OSError``."""
    reading = HashedReading(name=str(file), id_rule=ANY_LENGTH)
    found: list[Archive] = []
    with os.fdopen(open_own(file), "rb") as opened:
        for chunk in iter(partial(opened.read, _CHUNK_BYTES), b""):
            for batch in reading.take(chunk):
                found += [archive for archive in batch.archives if archive.archive_id == archive_id]
    for batch in reading.finish():
        found += [archive for archive in batch.archives if archive.archive_id == archive_id]
    return Listed(
        file=file,
        sha256=reading.sha256,
        date=reading.inventory_date,
        records=reading.records,
        archives=tuple(found),
    )


def search_log(folder: Path, archive_id: str, ordinals: frozenset[int]) -> Iterator[Recorded]:
    """Give the records of a run's log that say something of an archive, which has these ``ordinals`` in its plan.

    Raises ``AuditDamaged`` where the log can't be read on; lines that are none are passed over.
    """
    disk, needle = FileDisk(folder), json.dumps(archive_id).encode()
    segments = find_segments(disk)
    with log_read(disk, segments, "searching the audit log") as work:
        for segment in segments:
            offset = 0
            for lines in read_lines(disk, segment, work=work):
                for line in lines:
                    if (found := _about(line, needle, archive_id, ordinals)) is not None:
                        yield Recorded(found, segment.file, offset)
                    offset += len(line)


def _about(line: bytes, needle: bytes, archive_id: str, ordinals: frozenset[int]) -> Line | None:
    """The record, if it is one that says something of the archive."""
    event = _EVENT.search(line, 0, _HEAD_BYTES)
    if event is None or (needle not in line if event[1] == b"outcome" else event[1] not in _TOLD):
        return None
    try:
        said = read_line(line)
    except ValueError:
        return None
    match said.record:
        case Outcome() as outcome:
            return said if outcome.archive_id == archive_id else None
        case Note(event="released", facts=facts):
            return said if _releases(facts, archive_id, ordinals) else None
        case Note(event="stopped", facts=facts):
            unknown = facts.get("unknown")
            return said if isinstance(unknown, list) and any(ordinal in unknown for ordinal in ordinals) else None
    return said


def _releases(facts: dict[str, object], archive_id: str, ordinals: frozenset[int]) -> bool:
    ids = facts.get("ids")
    if isinstance(ids, dict):  # a script's log
        return archive_id in ids.values()
    first, last = facts.get("first"), facts.get("last")
    return isinstance(first, int) and isinstance(last, int) and any(first <= ordinal <= last for ordinal in ordinals)
