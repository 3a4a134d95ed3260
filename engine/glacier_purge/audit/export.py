"""The outcomes as a table for people: CSV that a spreadsheet can open without running anything in it.

Ids, codes and request ids come from outside.  A cell that begins with ``= + - @``, a tab or a carriage return is a
formula to a spreadsheet even when quoted (CWE-1236), and archive ids may begin with ``-``; so every cell is quoted and
every cell of foreign text gets an apostrophe in front.  What does not follow the line before is no row of it; the
whole check is ``verification``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO

from msgspec.structs import replace

from glacier_purge.audit.chain import digest
from glacier_purge.audit.checkpoint import Position
from glacier_purge.audit.record import Line, Outcome, read_line
from glacier_purge.audit.recovery import believable, check_reached, read_log_identity
from glacier_purge.audit.segments import find_segments, read_lines
from glacier_purge.errors import AuditDamaged
from glacier_purge.storage.disk import FileDisk

COLUMNS = (
    "ordinal",
    "archive_id",
    "size_bytes",
    "outcome",
    "attempts",
    "http_status",
    "code",
    "request_id",
    "ms",
    "redelete",
    "committed",
)


def export_csv(folder: Path, target: IO[str]) -> int:
    """Write a run's outcomes to ``target`` (opened with ``newline=""``), in the log's order; return how many.

    Raises ``AuditDamaged`` at a line that can't be read, and where the log was cut back; the rows before are written.
    """
    writer = csv.writer(target, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    rows = 0
    for line in _whole_lines(folder):
        if isinstance(line.record, Outcome):
            writer.writerow(_row(line.record, line.ts))
            rows += 1
    return rows


def _whole_lines(folder: Path) -> Iterator[Line]:
    """Read every line; one cut off at the end is left out.

    Raises ``AuditDamaged`` at the first that is none, and at the end where a checkpoint vouches for more.
    """
    disk = FileDisk(folder)
    identity = read_log_identity(disk)
    checkpoints = [] if identity is None else believable(disk, identity)  # before the log: a run only adds to it
    end = Position(segment=0, offset=0, first_seq=0, seq=0, last_hash="", ts="")
    for segment in find_segments(disk):
        end = replace(end, segment=segment.number, offset=0)
        for line in chain.from_iterable(read_lines(disk, segment)):
            if not line.endswith(b"\n"):
                break
            try:
                said = read_line(line)
            except ValueError as bad:
                raise AuditDamaged(str(bad), file=segment.file, offset_bytes=end.offset, record=end.seq) from bad
            if said.seq != end.seq or end.last_hash not in {"", said.prev}:
                reason = "this record does not follow the one before it; one of the two was changed"
                raise AuditDamaged(reason, file=segment.file, offset_bytes=end.offset, record=end.seq)
            yield said
            end = replace(end, offset=end.offset + len(line), seq=end.seq + 1, last_hash=digest(line))
    check_reached(checkpoints, end)


def _row(outcome: Outcome, ts: str) -> list[object]:
    return [
        outcome.ordinal,
        _inert(outcome.archive_id),
        outcome.size,
        outcome.outcome,
        outcome.attempts,
        outcome.http_status,
        _inert(outcome.code),
        _inert(outcome.request_id),
        outcome.ms,
        "yes" if outcome.redelete else "",
        ts,
    ]


def _inert(text: str | None) -> str | None:
    """Foreign text that no spreadsheet takes for a formula and no terminal for a command."""
    if not text:
        return text
    return "'" + "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
