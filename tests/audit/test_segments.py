"""Reading a segment's lines: whole, in order, whatever they are cut into on the way."""

from __future__ import annotations

import random

import pytest
import zstandard

from glacier_purge.audit.segments import find_segments, read_lines
from glacier_purge.storage.pretend_disk import PretendDisk


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
