"""A JSON inventory: bytes in, batches out, one chunk and one record held.

Glacier writes one compact line whose records begin with ``{"ArchiveId"``.  That is read fast: windows of 64 KiB are cut
at ``},{"A``, which cannot stand inside of a string (its quote would be escaped) nor at the end of one (no letter can
follow), and each window is read as a whole by ``json_batch``.  Other tools put white space in there, or another letter,
but always the same, so the cut is learned from the first one.

Anything else, be it a document in another layout or one window with any doubt in it, is read exactly by
``json_structure`` and ``json_record``, which agree with the fast way on sound records and name the byte of every
fault.  After a doubtful window the fast way goes on, unless the cut turned out not to be between two records.

A bad record is a ``Defect``; a document that can't be trusted as a whole raises ``InventoryDamaged``.  This module
opens nothing and knows no clock.
"""

from __future__ import annotations

import re

from glacier_purge.archive import EXACT, Archive, IdRule
from glacier_purge.errors import InventoryDamaged
from glacier_purge.inventory.batch import Batch, Defect, WrongRecord, defect
from glacier_purge.inventory.format.json_batch import BatchReader
from glacier_purge.inventory.format.json_members import NotJson, members
from glacier_purge.inventory.format.json_record import read_record
from glacier_purge.inventory.format.json_structure import (
    BACKEND,
    RECORD_BYTES_MAX,
    RECORD_DEPTH_MAX,
    FoundRecord,
    JsonStructure,
)

_WINDOW_BYTES = RECORD_BYTES_MAX
"""No larger than a record may be, so that the fast way cannot let one pass that is too large."""

_PIECE_BYTES = _WINDOW_BYTES * 7 // 8
"""What is fed is taken in such pieces: with the beginning of a record held before it, one is nearly always one window,
and neither its copies leave the processor's cache nor does the allocator fetch them from the system (measured)."""

_LAYOUT_BYTES = 4096
"""Glacier's header has some 200 bytes; after this many without a match it is another layout."""

_LIST_BEGINS, _LIST_ENDS = b"[", b"]"
_GAP = rb"[ \t\r\n]*"
_HEADER = re.compile(  # in plain ASCII, without escapes
    rb'~\{(?:~"(?:VaultARN|InventoryDate)"~:~"[ !#-\[\]-\x7e]*"~,){0,2}~"ArchiveList"~:~\['.replace(b"~", _GAP)
)
_RECORD_BEGINS = rb'~\{~"[A-Za-z]'.replace(b"~", _GAP)
_FIRST_RECORD = re.compile(_RECORD_BEGINS)
_CUT = re.compile(rb"\}~,".replace(b"~", _GAP) + _RECORD_BEGINS)
_EXACT_GROUP_RECORDS = 256


class JsonReader:
    """Feed it a JSON inventory. Once ``feed`` or ``finish`` raised ``InventoryDamaged``, it is done for."""

    def __init__(self, id_rule: IdRule = EXACT) -> None:
        self._id_rule = id_rule
        self._batches = BatchReader(id_rule)
        self._held = bytearray(_LIST_BEGINS)
        """What was fed and not read yet, behind a bracket: read up to a cut, with the other bracket in the place of the
        comma there, it is a JSON list, and so it is copied only once."""
        self._held_offset_bytes = 0
        self._cut = b""
        """What stands between two records, from brace to letter; empty until the first was seen."""
        self._next_ordinal = 0
        self._fast_header: dict[str, str] | None = None
        self._structure: JsonStructure | None = None

    @property
    def vault_arn(self) -> str | None:
        """The vault the inventory says it is of; known at the latest after ``finish``."""
        return self._header_value("VaultARN")

    @property
    def inventory_date(self) -> str | None:
        """The date the inventory says it is of, as written; known at the latest after ``finish``."""
        return self._header_value("InventoryDate")

    @property
    def mode(self) -> str:
        """How the document is read: "fast", "ijson (yajl2_c)", or "undecided" before its first few bytes."""
        if self._fast_header is not None:
            return "fast"
        return "undecided" if self._structure is None else f"ijson ({BACKEND})"

    def feed(self, data: bytes) -> list[Batch]:
        """Take the next bytes; return the batches they complete, none when more is needed."""
        batches: list[Batch] = []
        for start in range(0, len(data), _PIECE_BYTES):
            batches += self._take(data[start : start + _PIECE_BYTES])
        return batches

    def _take(self, data: bytes) -> list[Batch]:
        if self._structure is not None:
            return self._read_exactly(self._structure, data)
        self._held += data
        if self._fast_header is None:
            self._look_at_the_layout()
        if self._fast_header is not None:
            return self._read_windows()
        return self._go_exact() if len(self._held) > _LAYOUT_BYTES else []

    def finish(self) -> list[Batch]:
        """Take the end of the input; return the last batches, or raise when it cannot be the end."""
        batches = self._go_exact() if self._structure is None else []
        assert self._structure is not None, "it was just made"
        self._structure.finish()
        return batches

    def _header_value(self, name: str) -> str | None:
        if self._structure is not None:
            return self._structure.header.get(name)
        return None if self._fast_header is None else self._fast_header.get(name)

    def _look_at_the_layout(self) -> None:
        """Choose the fast way if this begins as Glacier's own inventories do, white space and first key aside."""
        match = _HEADER.match(self._held, len(_LIST_BEGINS))
        if match is None or not _FIRST_RECORD.match(self._held, match.end()):
            return
        head = bytes(match.group()) + b"]}"
        keys = members(head)
        if len({member.key for member in keys}) < len(keys):
            return
        self._fast_header = {key: head[start + 1 : end - 1].decode() for key, start, end in keys[:-1]}
        self._hold(self._held[match.end() :], match.end() - len(_LIST_BEGINS))

    def _read_windows(self) -> list[Batch]:
        """Read what is held up to the last cut, window by window."""
        batches: list[Batch] = []
        while self._structure is None and (comma := self._last_comma()) >= 0:
            batches += self._read_window(comma)
        if self._structure is not None or len(self._held) > len(_LIST_BEGINS) + _WINDOW_BYTES:
            batches += self._go_exact()
        return batches

    def _last_comma(self) -> int:
        """Where the comma behind the last record of the first window is; -1 when none is."""
        if not self._cut:
            first = _CUT.search(self._held)
            if first is None:
                return -1
            self._cut = first.group()
        before_comma = self._cut.index(b",")
        window_ends = len(_LIST_BEGINS) + _WINDOW_BYTES
        cut = self._held.rfind(self._cut, 0, window_ends + len(self._cut) - before_comma)
        return cut if cut < 0 else cut + before_comma

    def _read_window(self, end: int) -> list[Batch]:
        """Read the window that ends before the comma at ``end``, and hold on to what follows it."""
        window, behind_comma = self._held, self._held[end + len(b",") :]
        window[end:] = _LIST_ENDS
        archives = self._batches.read(window, first_ordinal=self._next_ordinal)
        if archives is not None:
            self._hold(behind_comma, self._held_offset_bytes + end)
            return [self._batch(len(archives), archives, [])]
        structure = self._new_structure()
        batches = self._read_exactly(structure, bytes(window[len(_LIST_BEGINS) : end]))
        if structure.is_between_records:
            self._hold(behind_comma, self._held_offset_bytes + end)
        else:  # the cut was not between two records: the comma, too, is the structure's
            self._structure = structure
            self._hold(b"," + behind_comma, self._held_offset_bytes + end - len(b","))
        return batches

    def _hold(self, data: bytes | bytearray, offset_bytes: int) -> None:
        self._held = bytearray(_LIST_BEGINS)
        self._held += data
        self._held_offset_bytes = offset_bytes

    def _new_structure(self) -> JsonStructure:
        if self._fast_header is None:
            return JsonStructure()
        return JsonStructure.within_list(offset_bytes=self._held_offset_bytes, header=self._fast_header)

    def _go_exact(self) -> list[Batch]:
        """Read the rest of the document exactly, beginning with what is held."""
        held = bytes(self._held[len(_LIST_BEGINS) :])
        if self._structure is None:
            self._structure = self._new_structure()
        self._hold(b"", self._held_offset_bytes + len(held))
        return self._read_exactly(self._structure, held)

    def _read_exactly(self, structure: JsonStructure, data: bytes) -> list[Batch]:
        found = structure.feed(data)
        return [
            self._read_group(found[first : first + _EXACT_GROUP_RECORDS])
            for first in range(0, len(found), _EXACT_GROUP_RECORDS)
        ]

    def _read_group(self, group: list[FoundRecord]) -> Batch:
        """Read records whose places are known: together when they are sound, else one by one."""
        if max(found.depth for found in group) <= RECORD_DEPTH_MAX:
            json_list = b"[" + b",".join(found.raw for found in group) + b"]"
            archives = self._batches.read(json_list, first_ordinal=self._next_ordinal)
            if archives is not None:
                return self._batch(len(group), archives, [])
        archives, defects = [], []
        for ordinal, found in enumerate(group, self._next_ordinal):
            try:
                archives.append(self._read_one(found, ordinal))
            except WrongRecord as wrong:
                defects.append(defect(found.raw, str(wrong), ordinal=ordinal, offset_bytes=found.offset_bytes))
        return self._batch(len(group), archives, defects)

    def _read_one(self, found: FoundRecord, ordinal: int) -> Archive:
        if found.depth > RECORD_DEPTH_MAX:
            raise WrongRecord(f"it is nested more than {RECORD_DEPTH_MAX} deep")
        try:
            return read_record(found.raw, ordinal=ordinal, id_rule=self._id_rule)
        except NotJson as fault:
            place = found.offset_bytes + fault.position
            raise InventoryDamaged(f"this is not JSON ({fault.reason})", offset_bytes=place) from fault

    def _batch(self, records: int, archives: list[Archive], defects: list[Defect]) -> Batch:
        first = self._next_ordinal
        self._next_ordinal += records
        return Batch(first_ordinal=first, records=records, archives=archives, defects=defects)
