"""Which archive ids a log has seen, under which ordinal and with which outcome, in some 26 bytes of memory an id.

A plan speaks of positions in its inventory and needs no ids.  Where there is no inventory, ids come in any order and
come again after a crash, and each has to be found.  Kept of an id are 128 bits of its BLAKE2 hash, of which 16 choose
the shelf; a shelf is one run of bytes that is searched as text.  128 bits make two ids that look alike impossible in
practice (one in 10^22 for a hundred million of them), so a hash stands for its id here.

Rejected: a Python set (four times the memory), an index on disk (``plan.rows``: made once, then only asked).
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from glacier_purge.audit.chain import digest
from glacier_purge.audit.record import OUTCOMES, Line, Note, read_line
from glacier_purge.audit.segments import find_segments, read_lines
from glacier_purge.errors import AuditDamaged
from glacier_purge.storage.disk import FileDisk

_HASH_BYTES = 16
_SHELVES = 1 << 16
_SHELF_BYTES = 2
_WORDS = ("", *sorted(OUTCOMES))
_WORD_BITS = 3  # an ordinal and a word share 32 bits
_TEXT_MAX = 200

Place = tuple[bytearray, bytes]
"""A shelf, and the name on it that stands for an id."""


class GivenIds:
    """Maps ids to an ordinal and the word of an outcome; "" is an id that has none yet."""

    def __init__(self) -> None:
        self._shelves = [bytearray() for _ in range(_SHELVES)]

    def add(self, place: Place, ordinal: int, word: str = "") -> None:
        """Take in an id that is not there yet."""
        shelf, name = place
        shelf += name
        shelf += (ordinal << _WORD_BITS | _WORDS.index(word)).to_bytes(4, "little")

    def find(self, place: Place) -> tuple[int, str] | None:
        """Ordinal and word of an id; None when it is not there."""
        shelf, name = place
        at = shelf.find(name)
        if at < 0:
            return None
        packed = int.from_bytes(shelf[at + len(name) : at + len(name) + 4], "little")
        return packed >> _WORD_BITS, _WORDS[packed & (1 << _WORD_BITS) - 1]

    def place(self, archive_id: str) -> Place:
        """Where an id is, or would be: worked out once for looking and adding, as half of either's time goes there."""
        digest = blake2b(archive_id.encode("utf-8", "backslashreplace"), digest_size=_HASH_BYTES).digest()
        return self._shelves[int.from_bytes(digest[:_SHELF_BYTES], "little")], digest[_SHELF_BYTES:]


class History:
    """What earlier processes wrote into a log."""

    def __init__(self) -> None:
        self.given = GivenIds()
        """Ids with an outcome."""
        self.in_doubt: dict[str, int] = {}
        """Ordinals of ids that were released and have no outcome: what a crash left, and never many."""
        self.next_ordinal = 0

    def read(self, folder: Path, plan_digest: str) -> None:
        """Read the whole log, at some microseconds a line. Raises ``AuditDamaged`` where a line is not as written.

        A line counts here for an archive that is not sent again, so each is held against its hash, also where a
        checkpoint would vouch for it.
        """
        disk, prev = FileDisk(folder), plan_digest
        for segment in find_segments(disk):
            offset = 0
            for lines in read_lines(disk, segment):
                for raw in lines:
                    try:
                        line = read_line(raw)
                        if line.prev != prev:
                            raise ValueError("this record or the one before it was changed")
                        self._take(line)
                    except (ValueError, KeyError, TypeError, AttributeError) as bad:
                        raise AuditDamaged(
                            f"{bad}. Nothing was sent. Keep the folder and run `audit verify` on it.",
                            file=segment.file,
                            offset_bytes=offset,
                        ) from bad
                    prev = digest(raw)
                    offset += len(raw)

    def _take(self, line: Line) -> None:
        record = line.record
        if isinstance(record, Note):
            if record.event == "released":
                for ordinal, archive_id in record.facts["ids"].items():
                    self.in_doubt[archive_id] = int(ordinal)
                self.next_ordinal = max(self.next_ordinal, int(record.facts["last"]) + 1)
            return
        self.in_doubt.pop(record.archive_id, None)
        name = name_of(record.archive_id, is_id=record.outcome != "invalid")
        self.given.add(self.given.place(name), record.ordinal, record.outcome)
        self.next_ordinal = max(self.next_ordinal, record.ordinal + 1)


def cut(text: object) -> str:
    """As much of a text that is no archive id as is kept."""
    return str(text)[:_TEXT_MAX]


def name_of(text: str, *, is_id: bool) -> str:
    """Under which name an id is looked up; what is no archive id can't have the name of one."""
    return text if is_id else f":{cut(text)}"
