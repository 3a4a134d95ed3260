"""A log read from beginning to end, for whoever copies out of it: each line follows the one before, or none comes.

That is not the whole check (``verification``); it is what costs a copy next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from glacier_purge.audit.chain import digest
from glacier_purge.audit.checkpoint import Position
from glacier_purge.audit.record import Line, read_line
from glacier_purge.audit.recovery import believable, check_reached, read_log_identity
from glacier_purge.audit.segments import find_segments, log_read, read_lines
from glacier_purge.errors import AuditDamaged
from glacier_purge.storage.disk import FileDisk


def whole_lines(folder: Path) -> Iterator[Line]:
    """Read every line; one cut off at the end is left out.

    Raises ``AuditDamaged`` at the first that is none, and at the end where a checkpoint vouches for more.
    """
    disk = FileDisk(folder)
    identity = read_log_identity(disk)
    checkpoints = [] if identity is None else believable(disk, identity)  # before the log: a run only adds to it
    number = offset = seq = 0
    last_hash = ts = ""
    segments = find_segments(disk)
    with log_read(disk, segments) as work:
        for segment in segments:
            number, offset = segment.number, 0
            for line in chain.from_iterable(read_lines(disk, segment, work=work)):
                if not line.endswith(b"\n"):
                    break
                try:
                    said = read_line(line)
                except ValueError as bad:
                    raise AuditDamaged(str(bad), file=segment.file, offset_bytes=offset, record=seq) from bad
                if said.seq != seq or last_hash not in {"", said.prev}:
                    reason = "this record does not follow the one before it; one of the two was changed"
                    raise AuditDamaged(reason, file=segment.file, offset_bytes=offset, record=seq)
                yield said
                offset, seq, last_hash, ts = offset + len(line), seq + 1, digest(line), said.ts
    check_reached(checkpoints, Position(number, offset, 0, seq, last_hash, ts))
