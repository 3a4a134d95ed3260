"""Reading a segment's lines: whole, in order, whatever they are cut into on the way."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from typing import TYPE_CHECKING

import pytest
import zstandard

from glacier_purge.audit.segments import MANIFEST, find_segments, read_lines, seal, unsealed
from glacier_purge.audit.verification import verify
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import dump, finished_run, plain_segments

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("end", [b"", b"\n", b"torn"])
@pytest.mark.parametrize("longest", [600, 300_000, 3_000_000])
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_lines_of_any_length_are_read_whole(longest: int, end: bytes, *, compressed: bool) -> None:
    rng = random.Random(longest)
    wanted = [b"x" * rng.randrange(longest) + b"\n" for _ in range(6_000_000 // longest)] + [end] * bool(end)
    data = b"".join(wanted)
    packed = zstandard.ZstdCompressor().compress(data) if compressed else data
    disk = PretendDisk({"audit/000001.jsonl" + ".zst" * compressed: packed})
    [segment] = find_segments(disk)
    groups = list(read_lines(disk, segment))
    assert all(groups)
    assert [line for lines in groups for line in lines] == wanted


def test_a_log_whose_manifest_is_of_0_1_is_still_sound(tmp_path: Path) -> None:
    """It did not know the compressed files' own bytes."""
    disk = PretendDisk()
    asyncio.run(finished_run(disk))
    files, lines, previous = disk.contents(), list[bytes](), hashlib.sha256(b"").hexdigest()
    for line in files[MANIFEST].splitlines():
        said = {key: value for key, value in json.loads(line).items() if key != "packed_crc32"}
        lines.append(json.dumps(said | {"previous": previous}, separators=(",", ":")).encode() + b"\n")
        previous = hashlib.sha256(lines[-1]).hexdigest()
    old = files | {MANIFEST: b"".join(lines)}
    assert verify(dump(old, tmp_path)).faults == ()
    assert unsealed(PretendDisk(old)) == []


def test_what_is_listed_is_packed_again_only_when_it_is_not_what_is_listed() -> None:
    """Another version of the library packs otherwise, and the manifest would vouch for other bytes."""
    disk = PretendDisk()
    asyncio.run(finished_run(disk))
    sealed, plain = disk.contents(), plain_segments(disk.contents())["audit/000001.jsonl"]
    for packed in (sealed["audit/000001.jsonl.zst"], b"damaged"):
        again = PretendDisk(sealed | {"audit/000001.jsonl": plain, "audit/000001.jsonl.zst": packed})
        seal(again, 1)
        assert again.contents() == sealed
        assert (again.operations > 2) == (packed == b"damaged")
