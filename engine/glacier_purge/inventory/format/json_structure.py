"""Where the records and the header of an inventory stand, in any JSON that says so.

ijson (yajl) reads the structure and nothing else: every value stays in the bytes, to be read by others.  To know
places to the byte, yajl is fed by hand: outside of records byte by byte (the header and the commas), and each record
in one piece, since it reads a string anew whenever more of it comes.  Where a record ends, its quotes and braces say,
and yajl says whether it is one.  What comes out is the header and the bytes of whole records with their offsets.

Held at most: one record of ``RECORD_BYTES_MAX`` and one chunk.  A longer record, a header that never ends, anything
that isn't an inventory raises ``InventoryDamaged`` as soon as it is known.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import ijson

from glacier_purge.errors import InventoryDamaged
from glacier_purge.inventory.format.json_members import NotJson, members

RECORD_BYTES_MAX = 64 * 1024
"""A description has at most 1,024 characters (UploadArchive), so a real record stays below 8 KiB."""

RECORD_DEPTH_MAX = 8
HEADER_BYTES_MAX = 8 * 1024
"""Glacier's has some 200 bytes. yajl takes the square of it: 0.2 s for a header of so many backslashes."""

BACKEND: str = ijson.backend
"""Which ijson reads the structure: "yajl2_c", or, much slower, "python" where no wheel was to be had."""

_NAMES = ("VaultARN", "InventoryDate")
_LIST = "ArchiveList"
_LIST_DEPTH = 2
_SPACE = b" \t\r\n"
_NOT_ASCII = bytes(code if code < 0x80 else 0x3F for code in range(256))
_LIST_BEGINS = b'{"ArchiveList":['
_STEP = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*\{")
"""What stands between two records: nothing can be wrong with it, so it needs no look at each byte."""
_PAST_STRINGS = re.compile(rb'(?:[^"{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
"""Up to a brace outside of strings, or to the quote of a string whose end has not come."""
_IN_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_DIGITS = re.compile(rb"[0-9]{5,}")
"""Longer than the digits of a \\u escape can be, which stay four when these become four."""
_DEPTH_CHANGE = {"start_map": 1, "start_array": 1, "end_map": -1, "end_array": -1}
_NO_SUCH_VALUE = (ValueError, ArithmeticError)
"""Raised by ijson for JSON that Python makes no value of, as half a surrogate pair or 1e9999999999999999999."""

_OTHERS = (
    ({"ArchiveId"}, "it is one record a line (JSON lines), or one of the records alone"),
    ({"contentType", "status"}, "it is what the AWS CLI prints; the inventory is in the file that it was to write"),
    ({"Action", "JobId"}, "it describes the job; the inventory is the job's output"),
    ({"JobList"}, "it lists jobs; the inventory is a job's output"),
    ({"VaultName"}, "it describes the vault"),
    ({"VaultList"}, "it lists vaults"),
    ({"code", "message"}, "it is an error message of the service"),
)
"""What else people have from the service, by keys of it."""

_INTEGER_DIGITS_MAX = 4000
"""Python makes no integer of more than 4,300 digits, and ijson's C code (3.6) must not be shown one: it goes on with a
null pointer for a value."""


class FoundRecord(NamedTuple):
    """The bytes of one record, where they begin, and how deeply objects and lists are nested in it."""

    offset_bytes: int
    raw: bytes
    depth: int


class JsonStructure:
    """Feed it an inventory; it hands out the records that are complete, and keeps the header."""

    def __init__(self) -> None:
        self._events: list[tuple[str, object]] = ijson.sendable_list()
        self._tokenizer = ijson.basic_parse_coro(self._events)
        self._offset_bytes = 0
        self._token_offset_bytes: int | None = None
        self._outside_bytes = 0
        self._digits_in_a_row = 0
        self._depth = 0
        self._key: object = None
        self._seen: set[object] = set()
        self.header: dict[object, str] = {}
        self._in_list = False
        self._has_ended = False
        self._record: bytearray | None = None
        self._record_sent_bytes = 0
        self._record_depth = 0
        self._open_braces = 0
        self._is_in_string = self._is_escaped = False

    @classmethod
    def within_list(cls, *, offset_bytes: int, header: dict[str, str]) -> JsonStructure:
        """Begin at ``offset_bytes``, in the list and right before a record; ``header`` was read by others."""
        structure = cls()
        structure._tokenizer.send(_LIST_BEGINS)
        structure._events.clear()
        structure._offset_bytes = offset_bytes
        structure._depth = _LIST_DEPTH
        structure._in_list = True
        structure._seen = {_LIST, *header}
        structure.header.update(header)
        return structure

    @property
    def is_between_records(self) -> bool:
        """Whether all bytes fed so far are whole records of the list, and the list goes on."""
        return self._in_list and self._record is None

    def feed(self, data: bytes) -> list[FoundRecord]:
        """Take the next bytes; raise ``InventoryDamaged`` where they cannot belong to an inventory."""
        found: list[FoundRecord] = []
        position = 0
        while position < len(data):
            if self._record is None:
                position = self._take_outside(data, position)
                continue
            end = self._end_of_record(data, position)
            self._take_inside(self._record, data, position, end or len(data))
            if end and self._ends_record(self._record):
                found.append(self._finished_record(self._record))
            position = end or len(data)
        return found

    def finish(self) -> None:
        """Raise ``InventoryDamaged`` unless the bytes fed were one whole inventory."""
        if self._record is not None:
            self._ends_record(self._record)
            begin = self._offset_bytes - len(self._record)
            raise self._damaged(f"it ends inside of the record that begins at byte {begin:,}", self._offset_bytes)
        try:
            self._tokenizer.close()
        except ijson.JSONError:
            raise self._damaged("it ends before the inventory does: truncated", self._offset_bytes) from None
        self._check_has_list()

    def _take_outside(self, data: bytes, position: int) -> int:
        """Take what stands before a record, or one byte of the header or of an unusual gap; return where to go on."""
        if self._has_ended:
            self._take_rest(data[position:])
            return len(data)
        step = None if self._outside_bytes else _STEP.match(data, position)
        if step is None:
            self._take_byte(data[position : position + 1])
            return position + 1
        self._tokenizer.send(b",{")
        self._events.clear()
        self._depth += 1
        self._offset_bytes += step.end() - position
        self._open_record()
        return step.end()

    def _take_rest(self, rest: bytes) -> None:
        """Take what stands behind the document's end, which may only be space: yajl would let more pass."""
        strange = rest.lstrip(_SPACE)
        self._offset_bytes += len(rest) - len(strange)
        if strange:
            self._check_has_list()
            what = "another document" if strange.startswith(b"{") else f"something (0x{strange[0]:02x})"
            raise self._damaged(f"{what} stands behind the inventory's end", self._offset_bytes)

    def _check_has_list(self) -> None:
        if _LIST not in self._seen:
            other = next((other for keys, other in _OTHERS if keys <= self._seen), "not an inventory")
            raise self._damaged(f"it is JSON without an {_LIST}: {other}", self._offset_bytes)

    def _take_byte(self, byte: bytes) -> None:
        if self._token_offset_bytes is None and byte not in b" \t\r\n,:":
            self._token_offset_bytes = self._offset_bytes
        if byte in b"\v\f":  # yajl takes them for space
            raise self._damaged(f"this is not JSON (0x{byte[0]:02x} stands in it)", self._offset_bytes)
        self._outside_bytes += 1
        if self._outside_bytes > HEADER_BYTES_MAX:
            raise self._damaged(f"{HEADER_BYTES_MAX:,} bytes without a record", self._offset_bytes)
        self._digits_in_a_row = self._digits_in_a_row + 1 if byte.isdigit() else 0
        if self._digits_in_a_row > _INTEGER_DIGITS_MAX:
            raise self._damaged(f"more than {_INTEGER_DIGITS_MAX:,} digits in a row", self._offset_bytes)
        try:
            self._tokenizer.send(byte)
        except (ijson.JSONError, *_NO_SUCH_VALUE) as error:
            raise self._damaged(f"this is not JSON ({_first_line(error)})", self._offset_bytes) from error
        for kind, value in self._events:
            if self._in_list:
                self._list_event(kind)
            else:
                self._header_event(kind, value)
            self._depth += _DEPTH_CHANGE.get(kind, 0)
            self._token_offset_bytes = None
        self._events.clear()
        self._offset_bytes += 1

    def _open_record(self) -> None:
        self._record = bytearray(b"{")
        self._record_sent_bytes = 1
        self._record_depth = self._open_braces = 1
        self._is_in_string = self._is_escaped = False

    def _end_of_record(self, data: bytes, position: int) -> int:
        """Where the open record ends in ``data``, by its quotes and braces; 0 when that is still to come."""
        while position < len(data):
            if self._is_escaped:
                self._is_escaped = False
            elif self._is_in_string:
                position = _end_of(_IN_STRING, data, position)
                self._is_escaped = data[position : position + 1] == b"\\"
                self._is_in_string = data[position : position + 1] != b'"'
            else:
                position = _end_of(_PAST_STRINGS, data, position)
                mark = data[position : position + 1]
                self._is_in_string = mark == b'"'
                self._open_braces += (mark == b"{") - (mark == b"}")
                if not self._open_braces:
                    return position + 1
            position += 1
        return 0

    def _list_event(self, kind: str) -> None:
        if kind == "start_map":
            self._open_record()
        elif kind == "end_array":
            self._in_list = False
        else:
            raise self._damaged(f"an entry of {_LIST} is not an object", self._token_offset_bytes)

    def _header_event(self, kind: str, value: object) -> None:
        if self._depth == 0 and kind != "start_map":
            raise self._damaged("it is JSON but not an object: not an inventory", self._token_offset_bytes)
        if self._depth != 1:
            return
        if kind == "end_map":
            self._has_ended = True
        elif kind == "map_key":
            if value in self._seen:
                raise self._damaged(f"the key {value!a:.40} stands in the header twice", self._token_offset_bytes)
            self._seen.add(value)
            self._key = value
        else:
            self._header_value(kind, value)
            self._key = None

    def _header_value(self, kind: str, value: object) -> None:
        if self._key == _LIST:
            if kind != "start_array":
                raise self._damaged(f"{_LIST} is not a list", self._token_offset_bytes)
            self._in_list = True
        elif self._key in _NAMES and kind != "null":
            if not isinstance(value, str):
                raise self._damaged(f"{self._key} is not a string", self._token_offset_bytes)
            self.header[self._key] = value

    def _take_inside(self, record: bytearray, data: bytes, start: int, end: int) -> None:
        """Take bytes of the record that is open."""
        if len(record) + end - start > RECORD_BYTES_MAX:
            begin = self._offset_bytes - len(record)
            raise self._damaged(f"a record of more than {RECORD_BYTES_MAX:,} bytes", begin)
        record += data[start:end]
        self._offset_bytes += end - start

    def _ends_record(self, record: bytearray) -> bool:
        """Show yajl what it hasn't seen of the record; tell whether that was its end."""
        piece = bytes(record[self._record_sent_bytes :])
        self._record_sent_bytes = len(record)
        try:
            self._show(piece, record)
        except ijson.JSONError as error:
            raise self._damaged_inside(bytes(record), _first_line(error)) from error
        if b"[" in record or record.find(b"{", 1) > 0:
            for kind, _ in self._events:
                self._depth += _DEPTH_CHANGE.get(kind, 0)
                self._record_depth = max(self._record_depth, self._depth - _LIST_DEPTH)
        elif self._events and self._events[-1][0] == "end_map":  # nothing in it was opened: this is its own end
            self._depth -= 1
        self._events.clear()
        return self._depth == _LIST_DEPTH

    def _show(self, piece: bytes, record: bytearray) -> None:
        """Let yajl see the structure of ``piece``, the end of ``record``. Values do not matter here."""
        if len(piece) > _INTEGER_DIGITS_MAX:
            piece = _bare(piece)
        elif not piece.isascii():
            piece = piece.translate(_NOT_ASCII)
        try:
            self._tokenizer.send(piece)
        except _NO_SUCH_VALUE:
            # yajl found no fault, but Python has no value for it.  It starts again with the record's bare structure.
            self._events.clear()
            self._tokenizer = ijson.basic_parse_coro(self._events)
            self._tokenizer.send(_LIST_BEGINS)
            self._events.clear()
            self._tokenizer.send(_bare(bytes(record)))
            del self._events[0]  # the record's own beginning was counted before
            self._depth = _LIST_DEPTH + 1

    def _finished_record(self, record: bytearray) -> FoundRecord:
        self._record = None
        self._outside_bytes = 0
        return FoundRecord(self._offset_bytes - len(record), bytes(record), self._record_depth)

    def _damaged_inside(self, record: bytes, reason: str) -> InventoryDamaged:
        """Name the very byte at which the open record stops being JSON."""
        begin = self._offset_bytes - len(record)
        try:
            members(record)
        except NotJson as fault:
            return self._damaged(f"this is not JSON ({fault.reason})", begin + fault.position)
        return self._damaged(f"a record is not JSON ({reason})", begin)

    def _damaged(self, reason: str, offset_bytes: int | None) -> InventoryDamaged:
        return InventoryDamaged(reason, offset_bytes=self._offset_bytes if offset_bytes is None else offset_bytes)


def _end_of(pattern: re.Pattern[bytes], data: bytes, position: int) -> int:
    match = pattern.match(data, position)
    assert match is not None, "it matches the empty text too"
    return match.end()


def _bare(record: bytes) -> bytes:
    """The same structure, with values that any Python can make."""
    without_surrogates = record.translate(_NOT_ASCII).replace(b"\\ud", b"\\u0").replace(b"\\uD", b"\\u0")
    return _DIGITS.sub(b"1111", without_surrogates)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].strip()
