"""Inventories: frozen lists of a shelf, and their text, exactly as the service writes it, without holding it.

A snapshot is one byte per archive, so freezing ten million archives is a copy of ten megabytes.  Its text is made
block by block when somebody reads, and any byte range of it costs the blocks it touches: the length of
every block is known beforehand, for generated archives by arithmetic.

JSON is one compact line with keys in the service's order.  CSV is quoted as the Developer Guide documents
("GetJobOutput"): fields with a comma or a double quote are quoted, a double quote inside becomes ``\\"``, and a
backslash is not escaped - which is why standard CSV readers get it wrong.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from json.encoder import encode_basestring
from typing import Literal

import msgspec

from glacier_simulator import dates
from glacier_simulator.archives import Record, Shelf, indices_of
from glacier_simulator.generated import PERIOD, Form, pattern

InventoryFormat = Literal["JSON", "CSV"]

CONTENT_TYPES: dict[InventoryFormat, str] = {"JSON": "application/json", "CSV": "text/csv"}

_BLOCK = 1024
_CSV_HEADER = b"ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash\n"
# What a record has besides its description and the digits of its size: for JSON 316 bytes less one digit.
_JSON_FIXED = len(
    '{"ArchiveId":"","ArchiveDescription":"","CreationDate":"","Size":,"SHA256TreeHash":""},' + "x" * (138 + 20 + 64)
)
_CSV_FIXED = 138 + 20 + 64 + len(",,,,\n")


class Snapshot(msgspec.Struct, frozen=True):
    """A vault's archives as of ``date`` (epoch seconds): ``gone`` holds a byte for each index there was."""

    date: float
    gone: bytes
    live: int
    size_bytes: int


class InventoryText:
    """The text of a snapshot, or of some of its archives: its length, and any part of it.

    ``selection`` are the indices to list, in order; None lists the whole snapshot.
    """

    __slots__ = ("_blocks", "_format", "_head", "_offsets", "_shelf", "_snapshot", "_tail")

    def __init__(
        self,
        shelf: Shelf,
        snapshot: Snapshot,
        vault_arn: str,
        inventory_format: InventoryFormat,
        selection: Sequence[int] | None = None,
    ) -> None:
        self._shelf = shelf
        self._snapshot = snapshot
        self._format: InventoryFormat = inventory_format
        self._head, self._tail = _CSV_HEADER, b""
        if inventory_format == "JSON":
            date = dates.in_seconds(snapshot.date)
            self._head = f'{{"VaultARN":"{vault_arn}","InventoryDate":"{date}","ArchiveList":['.encode()
            self._tail = b"]}"
        listed = range(len(snapshot.gone)) if selection is None else selection
        self._blocks = [listed[start : start + _BLOCK] for start in range(0, len(listed), _BLOCK)]
        lengths = [self._block_length(block, whole=selection is None) for block in self._blocks]
        if inventory_format == "JSON" and any(lengths):
            lengths[_last_positive(lengths)] -= 1  # the last record has no comma after it
        self._offsets = list(accumulate(chain([len(self._head)], lengths, [len(self._tail)])))

    @property
    def length_bytes(self) -> int:
        """How long the whole text is."""
        return self._offsets[-1]

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The text from byte ``start`` up to, not including, byte ``stop``."""
        stop = self.length_bytes if stop is None else stop
        if start < len(self._head):
            yield self._head[start:stop]
        number = max(bisect_right(self._offsets, start) - 1, 0)
        for block, offset, end in zip(
            self._blocks[number:], self._offsets[number:], self._offsets[number + 1 :], strict=False
        ):
            if offset >= stop:
                return
            if offset < end:
                # The cut at ``end - offset`` takes the comma off the last record.
                yield self._render(block)[: end - offset][max(start - offset, 0) : stop - offset]
        tail_offset = self._offsets[-2]
        if self._tail and stop > tail_offset:
            yield self._tail[max(start - tail_offset, 0) : stop - tail_offset]

    def _block_length(self, block: Sequence[int], *, whole: bool) -> int:
        count = self._shelf.generated.count
        if not whole or block[-1] >= count:
            return len(self._render(block))
        gone = self._snapshot.gone[block[0] : block[-1] + 1]
        drawn = pattern(self._shelf.generated.seed)
        widths = drawn.json_widths if self._format == "JSON" else drawn.csv_widths
        fixed = _JSON_FIXED if self._format == "JSON" else _CSV_FIXED
        start, missing = block[0] % PERIOD, gone.count(1)
        if missing > len(block) // 2:
            return sum(fixed + widths[start + position] for position in indices_of(0, gone))
        here = fixed * (len(block) - missing) + sum(widths[start : start + len(block)])
        return here - sum(widths[start + position] for position in indices_of(1, gone))

    def _render(self, block: Sequence[int]) -> bytes:
        gone = self._snapshot.gone
        indices = [index for index in block if not gone[index]]
        generated = [index for index in indices if index < self._shelf.generated.count]
        records = [self._shelf.record(index) for index in indices[len(generated) :]]
        if self._format == "JSON":
            return b"".join(chain(_generated_json(self._shelf, generated), map(_record_json, records)))
        return b"".join(chain(_generated_csv(self._shelf, generated), map(_record_csv, records)))


def _last_positive(lengths: list[int]) -> int:
    return max(number for number, length in enumerate(lengths) if length)


def _generated_json(shelf: Shelf, indices: list[int]) -> Iterator[bytes]:
    for index, form, size, created in _generated(shelf, indices):
        yield (
            f'{{"ArchiveId":"{shelf.archive_id(index)}","ArchiveDescription":"{form.json_before}{form.vary(index)}'
            f'{form.json_after}","CreationDate":"{created}","Size":{size},"SHA256TreeHash":"{shelf.tree_hash(index)}"}},'
        ).encode()


def _generated_csv(shelf: Shelf, indices: list[int]) -> Iterator[bytes]:
    for index, form, size, created in _generated(shelf, indices):
        description = form.describe(index)
        if form.quoted_in_csv:
            description = _quoted(description)
        yield f"{shelf.archive_id(index)},{description},{created},{size},{shelf.tree_hash(index)}\n".encode()


def _generated(shelf: Shelf, indices: list[int]) -> Iterator[tuple[int, Form, int, str]]:
    rule = shelf.generated
    forms, sizes = pattern(rule.seed)[:2]
    for index in indices:
        place = index % PERIOD
        yield index, forms[place], sizes[place], dates.in_seconds(rule.created(index))


def _record_json(record: Record) -> bytes:
    return (
        f'{{"ArchiveId":"{record.archive_id}","ArchiveDescription":{encode_basestring(record.description)},'
        f'"CreationDate":"{record.created}","Size":{record.size_bytes},"SHA256TreeHash":"{record.tree_hash}"}},'
    ).encode("utf-8", "backslashreplace")


def _record_csv(record: Record) -> bytes:
    description = record.description
    if '"' in description or "," in description:
        description = _quoted(description)
    return (f"{record.archive_id},{description},{record.created},{record.size_bytes},{record.tree_hash}\n").encode(
        "utf-8", "backslashreplace"
    )


def _quoted(field: str) -> str:
    return '"' + field.replace('"', '\\"') + '"'
