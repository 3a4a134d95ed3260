"""Many JSON records at once, at the speed of msgspec, with every doubt answered by "read them one by one".

msgspec decodes straight into archives.  It is strict about numbers and about being JSON, but it lets the last of two
equal keys win and does not look into values that nobody asked for.  So a batch is believed only on proof that it holds
the five known keys of each record and nothing else.  The proof is one of two:

- The lengths add up.  All five keys are required, so each stands there, with the value that was decoded, and orjson
  writes a value in as few bytes as JSON can.  A batch of just as many bytes as its keys and values need has no room
  for another key, or the same one again, however it is spelled.  (Glacier's own files, nearly always.)
- The colons add up: five for each record, plus those inside the values.  An extra key brings at least one more, and
  no colon can hide in the values, because a batch with any ``\\u003…`` in it (an escaped colon) is not believed.

It never says what is wrong with a batch; ``json_record`` does, with the offset.
"""

from __future__ import annotations

import msgspec
import orjson

from glacier_purge.archive import Archive, IdRule
from glacier_purge.inventory.ids import all_are_archive_ids

_decode = msgspec.json.Decoder(list[Archive]).decode
_KEYS_BYTES = len(b'"ArchiveId":"ArchiveDescription":"CreationDate":"Size":"SHA256TreeHash":')
_COLONS = 5


class BatchReader:
    """Reads batches one after the other."""

    def __init__(self, id_rule: IdRule) -> None:
        self._id_rule = id_rule

    def read(self, json_list: bytes | bytearray, *, first_ordinal: int) -> list[Archive] | None:
        """Read a JSON list of sound records; None when there is any doubt about any of them."""
        try:
            archives = _decode(json_list)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        ids = orjson.dumps([archive.archive_id for archive in archives])
        others = orjson.dumps([(one.description, one.created, one.size_bytes, one.tree_hash) for one in archives])
        if not all_are_archive_ids(ids, self._id_rule):
            return None
        records = len(archives)
        if not (_lengths_add_up(json_list, ids, others, records) or _colons_add_up(json_list, others, records)):
            return None
        for ordinal, archive in enumerate(archives, first_ordinal):  # whatever an inventory says of "ordinal"
            archive.ordinal = ordinal
        return archives


def _lengths_add_up(json_list: bytes | bytearray, ids: bytes, others: bytes, records: int) -> bool:
    # A list of values is as long as an object of them without its keys.  The ids' own list has a comma for each id,
    # as the objects do, and one bracket in place of the comma behind the last, so the other bracket is too much.
    return len(json_list) == len(ids) - len(b"[") + len(others) + _KEYS_BYTES * records


def _colons_add_up(json_list: bytes | bytearray, others: bytes, records: int) -> bool:
    # There is none in ids, and none in JSON between the values of a list.
    return b"\\u003" not in json_list and json_list.count(b":") == others.count(b":") + _COLONS * records
