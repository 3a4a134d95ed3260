"""Many JSON records at once, at the speed of msgspec, with every doubt answered by "read them one by one".

msgspec is strict about numbers and about being JSON, but it lets the last of two equal keys win and does not look into
values that nobody asked for.  So a batch is believed only on proof that it holds the five known keys of each record
and nothing else.  The proof is one of two:

- The records, written again, are byte for byte what stood there.  (Glacier's own files, nearly always.)
- The colons add up: five for each record, plus those inside the values.  An extra key brings at least one more, and
  no colon can hide in the values, because a batch with any ``\\u003…`` in it (an escaped colon) is not believed.

It never says what is wrong with a batch; ``json_record`` does, with the offset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from glacier_purge.archive import ARCHIVE_SIZE_BYTES_MAX, Archive, ArchiveId
from glacier_purge.inventory.identity import all_are_archive_ids

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Record(msgspec.Struct, gc=False):
    """One record as Glacier writes it, keys in Glacier's order (GetJobOutput, "Response body")."""

    archive_id: str = msgspec.field(name="ArchiveId")
    description: str = msgspec.field(name="ArchiveDescription")
    created: str = msgspec.field(name="CreationDate")
    size_bytes: Annotated[int, msgspec.Meta(ge=0, le=ARCHIVE_SIZE_BYTES_MAX)] = msgspec.field(name="Size")
    tree_hash: str = msgspec.field(name="SHA256TreeHash")


_decode = msgspec.json.Decoder(list[_Record]).decode
_encode = msgspec.json.Encoder().encode


def read_batch(json_list: bytes | bytearray, *, first_ordinal: int, any_id_length: bool) -> list[Archive] | None:
    """Read a JSON list of sound records; None when there is any doubt about any of them."""
    try:
        records = _decode(json_list)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if _encode(records) != json_list and not _colons_add_up(json_list, records):
        return None
    if not all_are_archive_ids([record.archive_id for record in records], any_length=any_id_length):
        return None
    return [
        Archive(
            ordinal,
            ArchiveId(record.archive_id),
            record.size_bytes,
            record.created,
            record.description,
            record.tree_hash,
        )
        for ordinal, record in enumerate(records, first_ordinal)
    ]


def _colons_add_up(json_list: bytes | bytearray, records: list[_Record]) -> bool:
    if b"\\u003" in json_list:
        return False
    values = _colons(record.archive_id + record.description + record.created + record.tree_hash for record in records)
    return json_list.count(b":") == 5 * len(records) + values


def _colons(texts: Iterable[str]) -> int:
    return "".join(texts).count(":")
