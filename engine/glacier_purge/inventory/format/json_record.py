"""One JSON record, read exactly: an archive, or the first thing that is wrong with it.

This is the slow, unforgiving reading that every record gets about which ``json_batch`` has a doubt.  It sees keys that
stand twice, numbers as they were written, and single undecodable bytes.  Only one field is forgiven everything: a
description never stops a purge, so whatever it is (bytes that are not UTF-8, half a surrogate pair, null, missing, not
a string at all) becomes text that can be printed and stored.
"""

from __future__ import annotations

import codecs
import json
import re

from glacier_purge.archive import ARCHIVE_SIZE_BYTES_MAX, Archive, IdRule
from glacier_purge.inventory.batch import WrongRecord
from glacier_purge.inventory.format.json_members import members
from glacier_purge.inventory.ids import checked_id

_INTEGER = re.compile(rb"-?(?:0|[1-9][0-9]*)")
_INTEGER_CHARACTERS_MAX = len(str(ARCHIVE_SIZE_BYTES_MAX))


def read_record(raw: bytes, *, ordinal: int, id_rule: IdRule) -> Archive:
    """Read one JSON object. Raises ``WrongRecord`` (this record is bad) or ``NotJson`` (the document is)."""
    values = _values(raw)
    return Archive(
        ordinal=ordinal,
        archive_id=checked_id(_text(values, "ArchiveId"), id_rule),
        size_bytes=_size_bytes(values),
        created=_text(values, "CreationDate"),
        description=_description(values.get("ArchiveDescription", b"null")),
        tree_hash=_text(values, "SHA256TreeHash"),
    )


def _values(raw: bytes) -> dict[str, bytes]:
    """The bytes of each value by its key."""
    values: dict[str, bytes] = {}
    strict = raw
    for member in members(raw):
        if member.key in values:
            raise WrongRecord(f"the key {member.key[:40]!a} stands in it twice")
        values[member.key] = raw[member.start : member.end]
        if member.key == "ArchiveDescription":
            strict = raw[: member.start] + raw[member.end :]
    if not _is_utf8(strict):
        raise WrongRecord("bytes that are not UTF-8 stand in it, outside of the description")
    return values


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _value(values: dict[str, bytes], key: str) -> bytes:
    if key not in values:
        raise WrongRecord(f"{key} is missing")
    return values[key]


def _text(values: dict[str, bytes], key: str) -> str:
    raw = _value(values, key)
    if not raw.startswith(b'"'):
        raise WrongRecord(f"{key} is not a string")
    text: str = json.loads(raw.decode())
    if not _is_utf8(text.encode("utf-8", "surrogatepass")):
        raise WrongRecord(f"{key} holds half a surrogate pair")
    return text


def _size_bytes(values: dict[str, bytes]) -> int:
    raw = _value(values, "Size")
    if not _INTEGER.fullmatch(raw):
        raise WrongRecord("Size is not an integer")
    if len(raw) > _INTEGER_CHARACTERS_MAX or not 0 <= int(raw) <= ARCHIVE_SIZE_BYTES_MAX:
        raise WrongRecord("Size is not between 0 and 2^63 - 1")
    return int(raw)


def _description(raw: bytes) -> str:
    if raw == b"null":
        return ""
    if not raw.startswith(b'"'):
        return raw.decode("utf-8", "backslashreplace")
    text: str = json.loads(raw.decode("utf-8", _ESCAPED_FOR_JSON))
    return text.encode("utf-8", "backslashreplace").decode()


def _escape_for_json(error: UnicodeError) -> tuple[str, int]:
    """Like Python's "backslashreplace", with the backslash doubled because a JSON reader comes after it."""
    assert isinstance(error, UnicodeDecodeError), "only ever used to decode"
    return "".join(f"\\\\x{byte:02x}" for byte in error.object[error.start : error.end]), error.end


_ESCAPED_FOR_JSON = "glacier_purge.escaped_for_json"
codecs.register_error(_ESCAPED_FOR_JSON, _escape_for_json)
