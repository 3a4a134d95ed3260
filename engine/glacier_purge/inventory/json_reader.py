"""A JSON inventory: bytes in, batches out, one chunk and one record held.

Glacier writes one compact line whose records begin with ``{"ArchiveId"``.  That is read fast: windows of 64 KiB are cut
at ``},{"A``, which cannot stand inside of a string (its quote would be escaped), and each window is read as a whole by
``json_batch``.  Anything else, be it a document in another layout or one window with any doubt in it, is read exactly
by ``json_structure`` and ``json_record``, which agree with the fast way on sound records and name the byte of every
fault.  After a doubtful window the fast way goes on, unless the cut turned out not to be between two records.

A bad record is a ``Defect``; a document that can't be trusted as a whole raises ``InventoryDamaged``.  This module
opens nothing and knows no clock.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from glacier_purge.errors import InventoryDamaged
from glacier_purge.inventory.batch import Batch
from glacier_purge.inventory.json_batch import read_batch
from glacier_purge.inventory.json_members import NotJson, members
from glacier_purge.inventory.json_record import read_record
from glacier_purge.inventory.json_structure import (
    BACKEND,
    RECORD_BYTES_MAX,
    RECORD_DEPTH_MAX,
    FoundRecord,
    JsonStructure,
)
from glacier_purge.inventory.wrong_record import WrongRecord, defect

if TYPE_CHECKING:
    from glacier_purge.archive import Archive
    from glacier_purge.inventory.batch import Defect

_WINDOW_BYTES = RECORD_BYTES_MAX
"""No larger than a record may be, so that the fast way cannot let one pass that is too large."""

_LAYOUT_BYTES = 4096
"""Glacier's header has some 200 bytes; after this many without a match it is another layout."""

_CUT = b'},{"A'
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_GLACIERS_HEADER = re.compile(
    rb'\{(?:"(?:VaultARN|InventoryDate)":"[ !#-\[\]-~]*",){0,2}"ArchiveList":\[(?=\{"A)'  # plain ASCII, no escapes
)
_EXACT_GROUP_RECORDS = 256


class JsonReader:
    """Feed it a JSON inventory. Once ``feed`` or ``finish`` raised ``InventoryDamaged``, it is done for.

    ``any_id_length`` admits ids that are not 138 characters long, as other emulators make them.
    """

    def __init__(self, *, any_id_length: bool = False) -> None:
        self._any_id_length = any_id_length
        self._held = b""
        self._held_offset_bytes = 0
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
        if self._structure is not None:
            return self._read_exactly(self._structure, data)
        self._held += data
        if self._fast_header is None:
            self._look_at_the_layout()
        if self._fast_header is not None:
            return self._read_windows()
        return self._go_exact() if len(self._held) >= _LAYOUT_BYTES else []

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
        """Choose the fast way if this begins exactly as Glacier's own inventories do."""
        match = _GLACIERS_HEADER.match(self._held)
        if match is None:
            return
        head = match.group() + b"]}"
        keys = members(head)
        if len({member.key for member in keys}) < len(keys):
            return
        self._fast_header = {key: head[start + 1 : end - 1].decode() for key, start, end in keys[:-1]}
        self._drop(match.end())

    def _drop(self, size_bytes: int) -> None:
        self._held = self._held[size_bytes:]
        self._held_offset_bytes += size_bytes

    def _read_windows(self) -> list[Batch]:
        """Read what is held up to the last cut, window by window."""
        batches: list[Batch] = []
        start = 0
        while self._structure is None and (cut := self._last_cut(start)) >= 0:
            batches += self._read_window(start, cut + 1)
            start = cut + len(b"},")
        if self._structure is not None:  # a cut was not between two records: the comma, too, is the structure's
            start -= len(b",")
        self._drop(start)
        if self._structure is not None or len(self._held) > _WINDOW_BYTES:
            batches += self._go_exact()
        return batches

    def _last_cut(self, start: int) -> int:
        """Where the last record of the window that begins at ``start`` ends; -1 when none does."""
        return self._held.rfind(_CUT, start, start + _WINDOW_BYTES + len(_CUT) - 1)

    def _read_window(self, start: int, end: int) -> list[Batch]:
        archives = read_batch(
            b"".join((b"[", memoryview(self._held)[start:end], b"]")),
            first_ordinal=self._next_ordinal,
            any_id_length=self._any_id_length,
        )
        if archives is not None:
            return [self._batch(len(archives), archives, [])]
        structure = self._structure_from(start)
        batches = self._read_exactly(structure, self._held[start:end])
        if not structure.is_between_records:
            self._structure = structure
        return batches

    def _structure_from(self, start: int) -> JsonStructure:
        if self._fast_header is None:
            return JsonStructure()
        return JsonStructure.within_list(offset_bytes=self._held_offset_bytes + start, header=self._fast_header)

    def _go_exact(self) -> list[Batch]:
        """Read the rest of the document exactly, beginning with what is held."""
        if self._held.startswith(_BYTE_ORDER_MARK) and self._held_offset_bytes == 0:
            raise InventoryDamaged("it begins with a byte order mark; JSON has none", offset_bytes=0)
        if self._structure is None:
            self._structure = self._structure_from(0)
        batches = self._read_exactly(self._structure, self._held)
        self._drop(len(self._held))
        return batches

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
            archives = read_batch(json_list, first_ordinal=self._next_ordinal, any_id_length=self._any_id_length)
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
            return read_record(found.raw, ordinal=ordinal, any_id_length=self._any_id_length)
        except NotJson as fault:
            place = found.offset_bytes + fault.position
            raise InventoryDamaged(f"this is not JSON ({fault.reason})", offset_bytes=place) from fault

    def _batch(self, records: int, archives: list[Archive], defects: list[Defect]) -> Batch:
        first = self._next_ordinal
        self._next_ordinal += records
        return Batch(first_ordinal=first, records=records, archives=archives, defects=defects)
