"""Whether ids can stand in a request path, asked for a whole batch at once.

``archive.is_archive_id`` is the rule; this is the same rule at a tenth of its price per id.  A "no" here only means
that the batch is read again record by record, so it names nothing.
"""

from __future__ import annotations

from glacier_purge.archive import ARCHIVE_ID_LENGTH, ArchiveId, is_archive_id
from glacier_purge.inventory.wrong_record import WrongRecord

_ID_LENGTH_MAX = 1024
_SHAPE = bytes(
    ord("x") if is_archive_id(chr(code), any_length=True) else ord(",") if code == ord(",") else ord("!")
    for code in range(256)
)
_ID_AND_JOINT = b"x" * ARCHIVE_ID_LENGTH + b","


def all_are_archive_ids(ids: list[str], *, any_length: bool) -> bool:
    """Tell whether every one of ``ids`` passes ``is_archive_id``."""
    if not ids:
        return True
    shape = ",".join(ids).encode("utf-8", "surrogatepass").translate(_SHAPE)
    if not any_length:
        return shape == (_ID_AND_JOINT * len(ids))[:-1]
    lengths = set(map(len, ids))
    # What is left is the joints, or else an id holds something it must not.
    only_joints_left = shape.translate(None, b"x") == b"," * (len(ids) - 1)
    return only_joints_left and min(lengths) >= 1 and max(lengths) <= _ID_LENGTH_MAX


def checked_id(text: str, *, any_length: bool) -> ArchiveId:
    """Take one text as an archive id, or raise ``WrongRecord``."""
    if not is_archive_id(text, any_length=any_length):
        length = f"1 to {_ID_LENGTH_MAX:,}" if any_length else str(ARCHIVE_ID_LENGTH)
        raise WrongRecord(f"ArchiveId is not {length} of the characters A-Z a-z 0-9 _ -")
    return ArchiveId(text)
