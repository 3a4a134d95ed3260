"""The fast way and the exact way are two readings of one rule: on any bytes they find the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_purge.errors import InventoryDamaged
from glacier_purge.inventory.format.json_reader import JsonReader
from tests.at_length import examples
from tests.inventory.inventories import HEADER, HOSTILE_DESCRIPTIONS, as_glacier_json, read, record

if TYPE_CHECKING:
    from glacier_purge.archive import Archive

INVENTORY = [record(n, ArchiveDescription=HOSTILE_DESCRIPTIONS[n % len(HOSTILE_DESCRIPTIONS)]) for n in range(25)]
DOCUMENT = as_glacier_json(INVENTORY, ensure_ascii=False)
SPACED = json.dumps({**HEADER, "ArchiveList": INVENTORY}).encode()
TURNED = as_glacier_json([dict(reversed(one.items())) for one in INVENTORY], ensure_ascii=False)
INDENTED = json.dumps({**HEADER, "ArchiveList": INVENTORY}, indent="\t").encode()
PIECES = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b'},{"A', b'"Size":', b"\\u003a", b" ", b"\n", b"\x00", b"-"]
PIECES += [
    b"}, {",
    b"},\n\t\t{\n\t\t\t",
    b'}, {"A',
    b"\xff",
    b"\xc3\xa9",
    b"null",
    b"1e5",
    b'"ArchiveId":"x",',
    b'"Archive\\u0049d":"x",',
    b"\\ud800",
    b"9" * 30,
]


@dataclass(frozen=True)
class Found:
    archives: list[Archive]
    defects: list[tuple[int, int, str]]
    damage: tuple[int, str] | None


def found(document: bytes, shift_bytes: int) -> Found:
    try:
        result = read(JsonReader(), document, range(0, len(document), 3000))
    except InventoryDamaged as damage:
        return Found([], [], (damage.offset_bytes - shift_bytes, ""))
    defects = [(one.ordinal, one.offset_bytes - shift_bytes, one.reason) for one in result.defects]
    return Found(result.archives, defects, None)


changes = st.lists(
    st.tuples(st.integers(120, len(DOCUMENT)), st.integers(0, 12), st.one_of(st.sampled_from(PIECES), st.just(b""))),
    min_size=1,
    max_size=3,
)


@given(document=st.sampled_from([DOCUMENT, TURNED, SPACED, INDENTED]), changes=changes)
@settings(max_examples=examples(600), deadline=None)
def test_a_space_in_front_changes_the_way_but_not_the_findings(
    document: bytes, changes: list[tuple[int, int, bytes]]
) -> None:
    """With a space in front it isn't a layout that is read fast any more, but exactly from the first byte."""
    for place, removed, piece in changes:
        document = document[:place] + piece + document[place + removed :]
    assert found(document, 0) == found(b" " + document, 1)
