"""What became of each record, by ordinal, read from the audit log: a bit each for deleted, failed and kept.

The ledger knows which records have an outcome; holding a later inventory against the run needs to know which one.  At
100 million records the three bitmaps are 38 MB.
"""

from __future__ import annotations

from pathlib import Path

from glacier_purge.audit.record import Outcome, read_line
from glacier_purge.audit.segments import find_segments, log_read, read_lines
from glacier_purge.storage.disk import FileDisk


class Outcomes:
    """Bits by ordinal. Kept is what the plan let be; nothing is set for what was invalid or a duplicate."""

    def __init__(self, records: int) -> None:
        self._bits = {outcome: bytearray((records + 7) // 8) for outcome in ("deleted", "failed", "skipped")}
        self.deleted_count = 0
        self.failed_count = 0

    def note(self, ordinal: int, outcome: str) -> None:
        """Take in one outcome."""
        bits = self._bits.get(outcome)
        if bits is not None:
            bits[ordinal >> 3] |= 1 << (ordinal & 7)
            self.deleted_count += outcome == "deleted"
            self.failed_count += outcome == "failed"

    def deleted(self, ordinal: int) -> bool:
        """Tell whether the archive was recorded as deleted."""
        return bool(self._bits["deleted"][ordinal >> 3] & (1 << (ordinal & 7)))

    def failed(self, ordinal: int) -> bool:
        """Tell whether the archive was recorded as failed."""
        return bool(self._bits["failed"][ordinal >> 3] & (1 << (ordinal & 7)))

    def kept(self, ordinal: int) -> bool:
        """Tell whether the plan let the archive be."""
        return bool(self._bits["skipped"][ordinal >> 3] & (1 << (ordinal & 7)))

    def any_kept(self, first_ordinal: int, records: int) -> bool:
        """Tell whether one of these records may be kept: at once for many, and wrong only by looking too far."""
        return any(self._bits["skipped"][first_ordinal >> 3 : (first_ordinal + records + 7) >> 3])


def read_outcomes(folder: Path, records: int) -> Outcomes:
    """Read the outcomes of a run whose log was found sound, in flat memory."""
    outcomes = Outcomes(records)
    disk = FileDisk(folder)
    segments = find_segments(disk)
    with log_read(disk, segments) as work:
        for segment in segments:
            for lines in read_lines(disk, segment, work=work):
                for line in lines:
                    record = read_line(line).record
                    if isinstance(record, Outcome):
                        outcomes.note(record.ordinal, record.outcome)
    return outcomes
