"""What comes out of an inventory: consecutive records in the order in which they stand there, and the bad ones among
them, each with where it is and what is wrong with it.
"""

from __future__ import annotations

import msgspec

from glacier_purge.archive import Archive

EXCERPT_CHARACTERS_MAX = 120


class Defect(msgspec.Struct):
    """One record that must not become a request.

    ``offset_bytes`` is where the record begins in the decompressed inventory; ``text`` is a short piece of it, escaped
    to printable ASCII and at most ``EXCERPT_CHARACTERS_MAX`` long.
    """

    ordinal: int
    offset_bytes: int
    reason: str
    text: str


class Batch(msgspec.Struct):
    """The records ``first_ordinal`` to ``first_ordinal + records - 1``, each either an archive or a defect.

    Both lists are in ordinal order; together they have ``records`` entries.
    """

    first_ordinal: int
    records: int
    archives: list[Archive]
    defects: list[Defect]


class WrongRecord(Exception):
    """What is wrong with one record, in words; the record next to it may be fine."""


def defect(raw: bytes, reason: str, *, ordinal: int, offset_bytes: int) -> Defect:
    """Describe a bad record; of its bytes a short escaped piece is kept, safe to print and to log."""
    escaped = "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in raw[:EXCERPT_CHARACTERS_MAX])
    return Defect(ordinal=ordinal, offset_bytes=offset_bytes, reason=reason, text=escaped[:EXCERPT_CHARACTERS_MAX])


class Duplicate(msgspec.Struct):
    """A record that repeats the archive id of an earlier one."""

    ordinal: int
    first_ordinal: int
