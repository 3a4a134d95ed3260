"""A CSV inventory: bytes in, batches out, by Glacier's own quoting rule and not by anybody else's.

The rule (Developer Guide, "Get Job Output": CSV) is not the CSV of RFC 4180: inside of quotes a ``"`` is written
``\\"`` and a backslash is not escaped at all, so ``1\\"2`` becomes ``"1\\\\"2"``.  A standard reader given an escape
character swallows the rows after a description that ends in a backslash, without a word.  But one line is always one
record, only the description can hold commas, and it has one column before and three behind it: so the line is cut from
both ends, and what is left is the description.

Every line is a record, good or a ``Defect``, but for empty ones at the end, which editors leave.  A wrong header line,
a line beyond ``LINE_BYTES_MAX`` or a torn last line raises ``InventoryDamaged``.  A CSV inventory names neither its
vault nor its date.
"""

from __future__ import annotations

import re
from itertools import count
from typing import Annotated

import msgspec
import orjson

from glacier_purge.archive import ANY_LENGTH, ARCHIVE_SIZE_BYTES_MAX, EXACT, Archive, ArchiveId, IdRule
from glacier_purge.errors import InventoryDamaged
from glacier_purge.inventory.batch import Batch, Defect, WrongRecord, defect
from glacier_purge.inventory.ids import all_are_archive_ids, checked_id

LINE_BYTES_MAX = 64 * 1024
"""A description has at most 1,024 characters (UploadArchive), so a real line stays below 4 KiB."""

_COLUMNS = "ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash"
_INTEGER = re.compile(r"0|[1-9][0-9]{0,18}")
_TREE_HASH = re.compile(r"[0-9a-fA-F]{64}")
_CHARACTER_BYTES_MAX = 4
_SPACE = b" \t\r\n"
_OTHER_MARKS = {"\t": "tabs", ";": "semicolons"}
_GOES_ON = "; a quoted text goes on in the next line, which Glacier never writes: another program saved this file"
_decode_sizes = msgspec.json.Decoder(list[Annotated[int, msgspec.Meta(ge=0, le=ARCHIVE_SIZE_BYTES_MAX)]]).decode


class CsvReader:
    """Feed it a CSV inventory. Once ``feed`` or ``finish`` raised ``InventoryDamaged``, it is done for."""

    mode = "csv"
    vault_arn: str | None = None
    inventory_date: str | None = None

    def __init__(self, id_rule: IdRule = EXACT) -> None:
        self._id_rule = id_rule
        self._held = b""
        self._held_offset_bytes = 0
        self._next_ordinal = 0
        self._has_header = False

    def feed(self, data: bytes) -> list[Batch]:
        """Take the next bytes; return the batch of lines they complete, or nothing when more is needed."""
        data = self._held + data
        content_bytes = end = data.rfind(b"\n")
        if end > 0 and data[end - 1 : end].isspace():  # its "\r", or lines without anything, of which more may come
            content_bytes = len(data[:end].rstrip(_SPACE))
            end = data.find(b"\n", content_bytes)
        if content_bytes <= 0:
            self._hold(data)
            return []
        batches = self._read_block(data[:end])
        self._hold(data[end + 1 :])
        return batches

    def finish(self) -> list[Batch]:
        """Take the end of the input; return the last line, or raise when it was torn."""
        last, self._held = self._held, b""
        batches = self._read_block(last) if last.strip(_SPACE) else []
        if not self._has_header:
            raise InventoryDamaged("it is empty", offset_bytes=0)
        if batches:
            _check_whole(last.rpartition(b"\n")[2], end_bytes=self._held_offset_bytes - 1)
        return batches

    def _hold(self, rest: bytes) -> None:
        self._held = rest
        if len(rest) > LINE_BYTES_MAX:
            raise _too_long(self._held_offset_bytes)

    def _read_block(self, block: bytes) -> list[Batch]:
        """Read whole lines, without the last one's newline, that begin at the offset of what was held."""
        offset = self._held_offset_bytes
        self._held_offset_bytes += len(block) + 1
        if not self._has_header:
            header, newline, block = block.partition(b"\n")
            _check_header(header)
            self._has_header = True
            offset += len(header) + 1
            if not newline:
                return []
        first = self._next_ordinal
        archives, defects = self._archives(block), list[Defect]()
        if archives is None:
            archives, defects = self._one_by_one(block, offset)
        self._next_ordinal += len(archives) + len(defects)
        return [Batch(first_ordinal=first, records=self._next_ordinal - first, archives=archives, defects=defects)]

    def _archives(self, block: bytes) -> list[Archive] | None:
        """Read lines that are all sound; None when there is any doubt about any of them."""
        try:
            lines = block.decode().split("\n")
            if b"\r" in block:
                lines = [line.removesuffix("\r") for line in lines]
            ids, descriptions, dates, written_sizes, tree_hashes = zip(*map(_columns, lines), strict=True)
            sizes = _sizes_bytes(written_sizes)
        except ValueError:
            return None
        if len(block) > LINE_BYTES_MAX and max(map(len, lines)) * _CHARACTER_BYTES_MAX > LINE_BYTES_MAX:
            return None
        if not all_are_archive_ids(orjson.dumps(ids), self._id_rule):
            return None
        return list(map(Archive, ids, descriptions, dates, sizes, tree_hashes, count(self._next_ordinal)))

    def _one_by_one(self, block: bytes, offset_bytes: int) -> tuple[list[Archive], list[Defect]]:
        archives: list[Archive] = []
        defects: list[Defect] = []
        for ordinal, raw in enumerate(block.split(b"\n"), self._next_ordinal):
            if len(raw) > LINE_BYTES_MAX:
                raise _too_long(offset_bytes)
            try:
                archives.append(_checked_archive(raw, ordinal, id_rule=self._id_rule))
            except WrongRecord as wrong:
                defects.append(defect(raw, str(wrong), ordinal=ordinal, offset_bytes=offset_bytes))
            offset_bytes += len(raw) + 1
        return archives, defects


def _check_header(raw: bytes) -> None:
    line = raw.decode("utf-8", "backslashreplace").removesuffix("\r").lstrip(" ")
    if ",".join(map(_unquoted, line.split(","))) == _COLUMNS:
        return
    other = next((name for mark, name in _OTHER_MARKS.items() if line.split(mark)[1:]), None)
    because = "" if other is None else f"; its columns are parted by {other}, as a spreadsheet saves them"
    raise InventoryDamaged(
        f"its first line is not the header {_COLUMNS}{because}. Give the inventory as GetJobOutput delivers it.",
        offset_bytes=0,
    )


def _check_whole(last: bytes, *, end_bytes: int) -> None:
    """Raise ``InventoryDamaged`` for a last line without a newline whose end does not show that it was not cut short.

    Only a whole tree hash does; whatever else is wrong with such a line is a defect as in any other.
    """
    if _TREE_HASH.fullmatch(_unquoted(last.rstrip(b"\r").rpartition(b",")[2].decode("ascii", "replace"))):
        return
    begin_bytes = end_bytes - len(last)
    if last[:1] != b'"' and not ANY_LENGTH.holds(chr(last[0])):
        raise InventoryDamaged(f"something (0x{last[0]:02x}) stands behind its last line", offset_bytes=begin_bytes)
    raise InventoryDamaged("it ends inside of a line: truncated", offset_bytes=end_bytes)


def _columns(line: str) -> tuple[str, str, str, str, str]:
    """Take one line apart. Raises ``ValueError`` for too few columns."""
    archive_id, _, rest = line.partition(",")
    description, created, size, tree_hash = rest.rsplit(",", 3)
    if '"' in line:
        description = _unquoted(description).replace('\\"', '"')
        if '"' in f"{archive_id}{created}{size}{tree_hash}":  # Glacier has none there
            archive_id, created, size, tree_hash = map(_unquoted, (archive_id, created, size, tree_hash))
    return archive_id, description, created, size, tree_hash


def _sizes_bytes(written: tuple[str, ...]) -> list[int]:
    """Read sizes. Raises ``ValueError`` unless all are in bounds and written without needless zeros or signs."""
    json_list = f"[{','.join(written)}]"
    sizes = _decode_sizes(json_list)
    if len(sizes) != len(written) or orjson.dumps(sizes) != json_list.encode():
        raise ValueError(json_list)
    return sizes


def _checked_archive(raw: bytes, ordinal: int, *, id_rule: IdRule) -> Archive:
    """Take one line apart, and say what is wrong with it if something is."""
    raw_id, _, rest = raw.removesuffix(b"\r").partition(b",")
    columns = rest.rsplit(b",", 3)
    if len(columns) != 4:
        goes_on = raw.replace(b'\\"', b"").count(b'"') % 2
        raise WrongRecord("it has fewer than 5 columns" + _GOES_ON * goes_on)
    description = columns[0].decode("utf-8", "backslashreplace")
    try:
        strict_id, created, size, tree_hash = (part.decode() for part in (raw_id, *columns[1:]))
    except UnicodeDecodeError:
        raise WrongRecord("bytes that are not UTF-8 stand in it, outside of the description") from None
    checked_id(_unquoted(strict_id), id_rule)
    if not _INTEGER.fullmatch(_unquoted(size)) or int(_unquoted(size)) > ARCHIVE_SIZE_BYTES_MAX:
        raise WrongRecord("Size is not an integer between 0 and 2^63 - 1")
    line = f"{strict_id},{description},{created},{size},{tree_hash}"
    archive_id, description, created, size, tree_hash = _columns(line)
    return Archive(ArchiveId(archive_id), description, created, int(size), tree_hash, ordinal)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] == '"' else text


def _too_long(offset_bytes: int) -> InventoryDamaged:
    return InventoryDamaged(f"a line of more than {LINE_BYTES_MAX:,} bytes", offset_bytes=offset_bytes)
