"""Whether ids can stand in a request path, asked for a whole batch at once.

``archive.IdRule`` is the rule; this is the same rule at a tenth of its price per id.  A "no" here only means
that the batch is read again record by record, so it names nothing.
"""

from __future__ import annotations

import re

from glacier_purge.archive import ANY_LENGTH, ARCHIVE_ID_LENGTH, ARCHIVE_ID_LENGTH_MAX, EXACT, ArchiveId, IdRule
from glacier_purge.inventory.batch import WrongRecord

_MARK = b"!"
"""What stands in a shape for all that can't be in an id: brackets and commas of the list as well as any offence."""
_SHAPE = bytes(
    ord("x") if ANY_LENGTH.holds(chr(code)) else ord('"') if code == ord('"') else ord(_MARK) for code in range(256)
)
_EXACT_ID = _MARK + b'"' + b"x" * ARCHIVE_ID_LENGTH + b'"'
_ANY_LENGTH_IDS = re.compile(rb'(?:!"x{1,%d}")+!' % ARCHIVE_ID_LENGTH_MAX)


def all_are_archive_ids(json_list: bytes, id_rule: IdRule) -> bool:
    """Tell whether a compact JSON list holds nothing but strings, at least one, that the rule admits."""
    shape = bytearray(json_list).translate(_SHAPE)  # bytes.translate also minds if anything changed: half as long again
    if id_rule != EXACT:
        return _ANY_LENGTH_IDS.fullmatch(shape) is not None
    # A quote inside of an id would have its backslash before it, and a mark is no place for that in this shape.
    return shape == _EXACT_ID * (len(shape) // len(_EXACT_ID)) + _MARK


def checked_id(text: str, id_rule: IdRule) -> ArchiveId:
    """Take one text as an archive id, or raise ``WrongRecord``."""
    if not id_rule.holds(text):
        raise WrongRecord(f"ArchiveId is not {id_rule.length} of the characters A-Z a-z 0-9 _ -")
    return ArchiveId(text)
