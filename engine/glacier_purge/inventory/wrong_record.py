"""The verdict on one bad record, on its way to becoming a ``Defect``."""

from __future__ import annotations

from glacier_purge.inventory.batch import EXCERPT_CHARACTERS_MAX, Defect


class WrongRecord(Exception):
    """What is wrong with one record, in words; the record next to it may be fine."""


def defect(raw: bytes, reason: str, *, ordinal: int, offset_bytes: int) -> Defect:
    """Describe a bad record; of its bytes a short escaped piece is kept, safe to print and to log."""
    escaped = "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in raw[:EXCERPT_CHARACTERS_MAX])
    return Defect(ordinal=ordinal, offset_bytes=offset_bytes, reason=reason, text=escaped[:EXCERPT_CHARACTERS_MAX])
