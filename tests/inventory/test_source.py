from __future__ import annotations

import gzip
import io
import sys
from typing import TYPE_CHECKING

import pytest
import zstandard

from glacier_purge.errors import InventoryDamaged, UsageError
from glacier_purge.inventory.source import CHUNK_BYTES, Source
from tests.inventory.inventories import as_glacier_json, record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTENT = as_glacier_json([record(n) for n in range(5000)])
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": lambda data: zstandard.ZstdCompressor(level=3).compress(data),
    "zstd of unknown size": lambda data: zstandard.ZstdCompressor(write_content_size=False).compress(data),
}


def read_file(path: Path) -> bytes:
    with Source(str(path)) as source:
        chunks = list(source)
    assert all(len(chunk) > 0 for chunk in chunks)
    return b"".join(chunks)


@pytest.mark.parametrize("name", ["inventory.json", "wrong.gz", "no-ending"])
def test_a_plain_file_is_given_as_it_is_whatever_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(CONTENT)
    assert read_file(path) == CONTENT
    with Source(str(path)) as source:
        assert max(len(chunk) for chunk in source) <= CHUNK_BYTES


def test_an_empty_file_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert read_file(tmp_path / "empty") == b""


@pytest.mark.parametrize("kind", PACKED)
def test_compression_is_known_by_the_first_bytes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "inventory.json"
    path.write_bytes(PACKED[kind](CONTENT))
    assert read_file(path) == CONTENT


@pytest.mark.parametrize("kind", PACKED)
def test_several_members_are_one_inventory(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "inventory"
    path.write_bytes(PACKED[kind](CONTENT[:1000]) + PACKED[kind](b"") + PACKED[kind](CONTENT[1000:]))
    assert read_file(path) == CONTENT


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("missing_bytes", [1, 5, 100, 10_000])
def test_a_torn_stream_is_damage(tmp_path: Path, kind: str, missing_bytes: int) -> None:
    path = tmp_path / "inventory"
    path.write_bytes(PACKED[kind](CONTENT)[:-missing_bytes])
    with pytest.raises(InventoryDamaged, match="truncated") as caught:
        read_file(path)
    assert caught.value.file == str(path)


@pytest.mark.parametrize("kind", PACKED)
def test_a_flipped_byte_is_damage(tmp_path: Path, kind: str) -> None:
    packed = bytearray(PACKED[kind](CONTENT))
    packed[len(packed) // 2] ^= 0xFF
    path = tmp_path / "inventory"
    path.write_bytes(packed)
    with pytest.raises(InventoryDamaged) as caught:
        read_file(path)
    assert caught.value.offset_bytes <= len(CONTENT)


@pytest.mark.parametrize("kind", PACKED)
def test_garbage_behind_a_stream_is_damage(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "inventory"
    path.write_bytes(PACKED[kind](CONTENT) + b"garbage")
    with pytest.raises(InventoryDamaged, match="stands behind the end of its") as caught:
        read_file(path)
    assert caught.value.offset_bytes == len(CONTENT)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "inventory"
    path.write_bytes(PACKED[kind](b" " * (1 << 28)))
    seen_bytes = 0

    def see_all(source: Source) -> None:
        nonlocal seen_bytes
        for chunk in source:
            seen_bytes += len(chunk)

    with Source(str(path)) as source, pytest.raises(InventoryDamaged, match="bomb"):
        see_all(source)
    assert seen_bytes <= 48 * 1024 * 1024


def test_a_stream_that_wants_a_huge_window_is_refused(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True, write_content_size=False)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    path = tmp_path / "inventory"
    path.write_bytes(packer.compress(CONTENT) + packer.flush())
    with pytest.raises(InventoryDamaged, match="zstd compression is broken"):
        read_file(path)


def test_standard_input_is_a_hyphen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(CONTENT))))
    with Source("-") as source:
        assert b"".join(source) == CONTENT
        assert source.name == "standard input"


def test_what_cannot_be_opened_is_the_users_fault(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"), Source(str(tmp_path / "missing")):
        pass
    with pytest.raises(UsageError, match="it is a folder"), Source(str(tmp_path)):
        pass
