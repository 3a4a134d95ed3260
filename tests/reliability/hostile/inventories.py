"""Hostile inventories: both formats, in slices of every size, compressed and not.

What is accepted is held against the standard library: JSON against ``json``, which reads the same grammar.  CSV as the
service writes it is no grammar of ``csv``'s, so only lines without quotes and backslashes are held against it.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from typing import TYPE_CHECKING, Any

import zstandard

from glacier_purge.archive import ANY_LENGTH, EXACT
from glacier_purge.inventory.format.csv_reader import CsvReader
from glacier_purge.inventory.format.json_reader import JsonReader
from glacier_purge.inventory.snapshot import spool
from glacier_purge.inventory.source import Source
from tests.inventory.inventories import HEADER, HOSTILE_DESCRIPTIONS, as_csv, as_glacier_json, plain, read, record
from tests.reliability.hostile.mutation import by_bytes, by_cells, by_json, by_lines, cut, either
from tests.reliability.hostile.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from random import Random

    from glacier_purge.archive import Archive

_RECORDS = [record(n, ArchiveDescription=HOSTILE_DESCRIPTIONS[n % len(HOSTILE_DESCRIPTIONS)]) for n in range(12)]
_ON_ONE_LINE = [one for one in _RECORDS if not set("\n\r\0") & set(one["ArchiveDescription"])]
_JSON = (
    as_glacier_json(_RECORDS, ensure_ascii=False),
    as_glacier_json(_RECORDS[:3]),
    json.dumps({**HEADER, "ArchiveList": _RECORDS}, indent=1).encode(),
    json.dumps({"ArchiveList": [dict(reversed(one.items())) for one in _RECORDS], **HEADER}).encode(),
    as_glacier_json([]),
)
_CSV = tuple(
    as_csv([one for one in _ON_ONE_LINE if one["ArchiveDescription"].isprintable()], newline)
    for newline in ("\n", "\r\n")
)
_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{138}")


def _is_sound(archive: Archive) -> bool:
    return bool(_SAFE_ID.fullmatch(archive.archive_id)) and 0 <= archive.size_bytes < 1 << 63


def _read_json(content: bytes, random: Random, _: Path) -> None:
    begins = _begins(cut(content, random))
    found = read(JsonReader(), content, begins)
    assert all(map(_is_sound, found.archives))
    document = json.loads(content.decode("utf-8", "surrogateescape"), parse_float=str, parse_int=str)
    listed = document["ArchiveList"]
    assert len(listed) == len(found.archives) + len(found.defects)
    for archive in found.archives:
        one = listed[archive.ordinal]
        told = [one.get("ArchiveId"), one.get("CreationDate"), int(one["Size"]), one.get("SHA256TreeHash")]
        assert told == [archive.archive_id, archive.created, archive.size_bytes, archive.tree_hash], (told, archive)
        description = one.get("ArchiveDescription")
        if isinstance(description, str) and _is_unicode(description):  # all else is put into words, for people only
            assert description == archive.description


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _read_csv(content: bytes, random: Random, _: Path) -> None:
    found = read(CsvReader(), content, _begins(cut(content, random)))
    assert all(map(_is_sound, found.archives))
    lines = content.rstrip(b" \t\r\n").split(b"\n")[1:]
    assert len(lines) == len(found.archives) + len(found.defects)
    for archive in found.archives:
        raw = lines[archive.ordinal]
        if b'"' in raw or b"\r" in raw[:-1] or b"\0" in raw or not raw.isascii():
            continue
        told = next(csv.reader([raw.decode().rstrip("\r")]))
        told = [told[0], ",".join(told[1:-3]), *told[-3:]]
        assert told == [str(part) for part in plain(archive)], (told, archive)


def _begins(pieces: Sequence[bytes]) -> list[int]:
    at, begins = 0, []
    for piece in pieces:
        at += len(piece)
        begins.append(at)
    return begins


def _packed(good: bytes, random: Random) -> bytes:
    """Compressed, and then spoilt; or spoilt, and then compressed in several frames."""
    pack = random.choice((lambda part: gzip.compress(part, 1), zstandard.ZstdCompressor().compress))
    match random.randrange(4):
        case 0:
            return by_bytes(pack(good), random)
        case 1:
            return b"".join(map(pack, cut(good, random))) if len(good) < 5_000 else pack(good) + pack(b"")
        case 2:
            return pack(pack(good))
        case _:
            return pack(by_bytes(good, random)) + random.choice((b"", b"\0", pack(b""), good[:10]))


def _spool(content: bytes, random: Random, folder: Path) -> None:
    """From a file into a run folder: the snapshot has the file's bytes, and nothing is left of what is refused."""
    given, run = folder / "given", folder / "run"
    given.write_bytes(content)
    run.mkdir(exist_ok=True)
    rule = random.choice((EXACT, ANY_LENGTH))
    try:
        with Source(str(given)) as source:
            snapshot = spool(source, run, rule)
    except BaseException:
        assert not list(run.iterdir()), "something is left of an inventory that was refused"
        raise
    once = [archive for batch in snapshot.batches() for archive in batch.archives]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,1024}", archive.archive_id) for archive in once)
    assert snapshot.records >= len(once)
    for file in list(run.iterdir()):
        file.unlink()


def targets() -> Iterator[Target]:
    """The readers of inventories."""
    json_ways = either(by_json, by_json, by_bytes)
    csv_ways = either(by_bytes, by_lines(b"\n")(by_cells()))
    yield Target(name="inventory in JSON", good=lambda: _JSON, spoil=json_ways, read=_read_json, names="byte ")
    yield Target(name="inventory in CSV", good=lambda: _CSV, spoil=csv_ways, read=_read_csv, names="byte ")
    yield Target(
        name="inventory from a file",
        good=lambda: (*_JSON[:2], *_CSV),
        spoil=either(json_if_json(json_ways, csv_ways), _packed),
        read=_spool,
        names="given, byte ",
    )


def json_if_json(of_json: Any, of_csv: Any) -> Any:
    """One way for JSON, another for all else."""
    return lambda good, random: (of_json if good.lstrip().startswith(b"{") else of_csv)(good, random)
