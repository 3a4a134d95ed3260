"""Whether ids can stand in a request path, asked for a whole batch at once.

``archive.is_archive_id`` is the rule; this is the same rule at a tenth of its price per id.  A "no" here only means
that the batch is read again record by record, so it names nothing.
"""

from __future__ import annotations

from glacier_purge.archive import ARCHIVE_ID_LENGTH, ArchiveId, is_archive_id
from glacier_purge.inventory.wrong_record import WrongRecord

_ALPHABET = bytes(code for code in range(128) if is_archive_id(chr(code), any_length=True))
_ID_LENGTH_MAX = 1024
_STEP = ARCHIVE_ID_LENGTH + 1


def all_are_archive_ids(ids: list[str], *, any_length: bool) -> bool:
    """Tell whether every one of ``ids`` passes ``is_archive_id``."""
    if not ids:
        return True
    commas = "," * (len(ids) - 1)
    joined = ",".join(ids)
    if any_length:
        lengths = set(map(len, ids))
        lengths_hold = min(lengths) >= 1 and max(lengths) <= _ID_LENGTH_MAX
    else:
        lengths_hold = len(joined) == _STEP * len(ids) - 1 and joined[ARCHIVE_ID_LENGTH::_STEP] == commas
    # What is left without the alphabet is the joints, or else an id holds something it must not.
    return lengths_hold and joined.encode("utf-8", "surrogatepass").translate(None, _ALPHABET) == commas.encode()


def checked_id(text: str, *, any_length: bool) -> ArchiveId:
    """Take one text as an archive id, or raise ``WrongRecord``."""
    if not is_archive_id(text, any_length=any_length):
        length = f"1 to {_ID_LENGTH_MAX:,}" if any_length else str(ARCHIVE_ID_LENGTH)
        raise WrongRecord(f"ArchiveId is not {length} of the characters A-Z a-z 0-9 _ -")
    return ArchiveId(text)
