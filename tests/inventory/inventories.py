"""Inventories as Glacier writes them, and as hostile people would like it to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glacier_purge.archive import Archive
    from glacier_purge.inventory.batch import Batch, Defect

Record = dict[str, Any]

VAULT_ARN = "arn:aws:glacier:eu-west-1:012345678901:vaults/photos"
HEADER = {"VaultARN": VAULT_ARN, "InventoryDate": "2026-11-20T08:16:34Z"}
CSV_HEADER = b"ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash\n"

HOSTILE_DESCRIPTIONS = [
    '},{"A',
    '"},{"ArchiveId":"x"},{"A',
    "\\",
    "\\\\",
    '\\"',
    'ends in "',
    ",,,,",
    "]}",
    "\u0000\u001f\u007f",
    "photo 🎞 of 北京",
    "\ud83d",
    "a\udcffb\ud800",
    '{"Path":"C:\\\\Users\\\\x","UTCDateModified":"20140101T000000Z"}',
    "<m><v>4</v><p>L2hvbWUvdXNlci9QaG90b3M=</p><lm>20140101T000000Z</lm></m>",
    ":" * 50,
    "\u003a",
    "null",
    "",
]


def archive_id(number: int) -> str:
    """An id as the service makes them; half of them begin with a hyphen."""
    return ("-" if number % 2 else "") + f"{number:0>10}".rjust(138 - number % 2, "_aZ9-"[number % 5])


def record(number: int, **changes: object) -> Record:
    """A sound record, told from others by ``number``."""
    return {
        "ArchiveId": archive_id(number),
        "ArchiveDescription": f"photo {number}.jpg",
        "CreationDate": f"2017-08-{number % 28 + 1:02}T08:16:34Z",
        "Size": number * 1000,
        "SHA256TreeHash": f"{number:064x}",
        **changes,
    }


def as_glacier_json(records: Sequence[Record], *, ensure_ascii: bool = True) -> bytes:
    """One compact line, keys in the service's order."""
    document = json.dumps({**HEADER, "ArchiveList": records}, separators=(",", ":"), ensure_ascii=ensure_ascii)
    return document.encode("utf-8", "surrogatepass")


def as_csv(records: Sequence[Record], newline: str = "\n") -> bytes:
    """By the Developer Guide's rule: quoted where it holds a comma or a quote, and only the quote is escaped."""
    rows = [CSV_HEADER.decode().removesuffix("\n")]
    for one in records:
        text = one["ArchiveDescription"]
        if "," in text or '"' in text:
            text = '"' + text.replace('"', '\\"') + '"'
        rows.append(f"{one['ArchiveId']},{text},{one['CreationDate']},{one['Size']},{one['SHA256TreeHash']}")
    return (newline.join(rows) + newline).encode()


class Reader(Protocol):
    def feed(self, data: bytes) -> list[Batch]: ...
    def finish(self) -> list[Batch]: ...


@dataclass(frozen=True)
class Result:
    """All that a reader gave."""

    archives: list[Archive]
    defects: list[Defect]


def read(reader: Reader, data: bytes, cuts: Sequence[int] = ()) -> Result:
    """Feed ``data`` cut at ``cuts``, and hold every batch against its own promises."""
    batches: list[Batch] = []
    edges = [0, *sorted(cuts), len(data)]
    for begin, end in pairwise(edges):
        batches += reader.feed(data[begin:end])
    batches += reader.finish()
    next_ordinal = 0
    for batch in batches:
        assert batch.first_ordinal == next_ordinal
        next_ordinal += batch.records
        good = [archive.ordinal for archive in batch.archives]
        bad = [defect.ordinal for defect in batch.defects]
        assert good == sorted(good)
        assert bad == sorted(bad)
        assert sorted(good + bad) == list(range(batch.first_ordinal, next_ordinal))
    return Result(
        [archive for batch in batches for archive in batch.archives],
        [defect for batch in batches for defect in batch.defects],
    )


def plain(archive: Archive) -> tuple[str, str, str, int, str]:
    return archive.archive_id, archive.description, archive.created, archive.size_bytes, archive.tree_hash


def expected(one: Record) -> tuple[str, str, str, int, str]:
    """What must come out for a record that the standard library reads."""
    description = one["ArchiveDescription"].encode("utf-8", "backslashreplace").decode()
    return one["ArchiveId"], description, one["CreationDate"], one["Size"], one["SHA256TreeHash"]


descriptions = st.one_of(
    st.sampled_from(HOSTILE_DESCRIPTIONS),
    st.text(alphabet=st.characters(), max_size=40),
    st.text(alphabet='"\\,{}[]:A \u00e9', max_size=20),
)
records = st.builds(
    lambda number, text, size: record(number, ArchiveDescription=text, Size=size),
    st.integers(0, 10**9),
    descriptions,
    st.one_of(st.integers(0, 2**63 - 1), st.sampled_from([0, 2**63 - 1])),
)
