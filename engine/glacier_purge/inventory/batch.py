"""What comes out of an inventory: consecutive records, good and bad, in the order in which they stand there."""

from __future__ import annotations

import msgspec

from glacier_purge.archive import Archive  # noqa: TC001 - msgspec resolves the annotations at run time

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
