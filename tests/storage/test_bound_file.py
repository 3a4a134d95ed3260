"""A file that is bound gives the bytes it was bound to; where it can't, it names the block and gives nothing of it."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import FileChanged, NotOurs
from glacier_purge.inventory.source import CHUNK_BYTES
from glacier_purge.storage.bound_file import BLOCK_BYTES, Pieces, bound

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WHOLE = bytes(range(256)) * (5 * BLOCK_BYTES // 512)
"""Two and a half blocks."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(WHOLE)
    path.chmod(0o600)
    return path


def write_at(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as target:
        target.seek(at)
        target.write(content)


@pytest.mark.parametrize("length", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES])
def test_every_byte_comes_and_counts_into_the_digest(tmp_path: Path, length: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(WHOLE[:length])
    path.chmod(0o600)
    digest = hashlib.sha256(b"before")
    with bound(path, digest) as found:
        assert digest.hexdigest() == hashlib.sha256(b"before" + WHOLE[:length]).hexdigest()
        assert found.size_bytes == min(length, len(WHOLE))
        assert b"".join(found.blocks()) == b"".join(found.blocks()) == WHOLE[:length]
        pieces = Pieces(found)
        assert b"".join(iter(lambda: pieces.take(1_000), b"")) == WHOLE[:length]
        found.check()


def test_a_block_is_what_an_inventorys_reader_takes() -> None:
    assert BLOCK_BYTES == CHUNK_BYTES


@pytest.mark.parametrize(
    ("at", "block"),
    [(0, 0), (BLOCK_BYTES - 1, 0), (BLOCK_BYTES, 1), (2 * BLOCK_BYTES - 1, 1), (2 * BLOCK_BYTES, 2)],
)
def test_a_changed_byte_is_found_before_its_block_is_given(file: Path, at: int, block: int) -> None:
    with bound(file, hashlib.sha256()) as found:
        write_at(file, at, bytes([WHOLE[at] ^ 1]))
        given: list[bytes] = []
        with pytest.raises(FileChanged) as changed:
            given.extend(found.blocks())
        assert b"".join(given) == WHOLE[: block * BLOCK_BYTES]
        assert (changed.value.block, changed.value.first_byte) == (block, block * BLOCK_BYTES)
        assert changed.value.last_byte == min((block + 1) * BLOCK_BYTES, len(WHOLE)) - 1
        assert str(file) in str(changed.value)
        assert changed.value.exit_code == 4
        with pytest.raises(FileChanged, match=f"block {block} "):
            found.check()
        write_at(file, at, WHOLE[at : at + 1])
        found.check()
        assert b"".join(found.blocks()) == WHOLE


def cut_short(path: Path) -> None:
    path.write_bytes(WHOLE[:-1])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def extended(path: Path) -> None:
    path.write_bytes(WHOLE + b"\0")


def replaced_by_its_like(path: Path) -> None:
    path.with_name("new").write_bytes(WHOLE)
    path.with_name("new").rename(path)


def moved_away(path: Path) -> None:
    path.rename(path.with_name("old"))


def removed(path: Path) -> None:
    path.unlink()


def a_link_to_it(path: Path) -> None:
    moved_away(path)
    path.symlink_to(path.with_name("old"))


@pytest.mark.parametrize(
    "change",
    [cut_short, emptied, extended, replaced_by_its_like, moved_away, removed, a_link_to_it],
    ids=lambda change: change.__name__,
)
@pytest.mark.parametrize("read_blocks", [0, 1, 3])
def test_a_file_that_is_another_is_found_wherever_one_reads_and_gives_nothing_of_it(
    file: Path, change: Callable[[Path], None], read_blocks: int
) -> None:
    with bound(file, hashlib.sha256()) as found:
        blocks = found.blocks()
        for _ in range(read_blocks):
            next(blocks)
        change(file)
        with pytest.raises(FileChanged):
            found.check()
        given: list[bytes] = []
        with suppress(FileChanged):
            given.extend(blocks)
        assert WHOLE[read_blocks * BLOCK_BYTES :].startswith(b"".join(given))


def test_an_empty_file_that_grows_is_another(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch(0o600)
    with bound(file, hashlib.sha256()) as found:
        file.write_bytes(b"x")
        with pytest.raises(FileChanged, match="has 1 bytes now"):
            found.check()


def test_what_others_have_a_hand_in_is_not_bound(file: Path) -> None:
    file.chmod(0o666)
    with pytest.raises(NotOurs), bound(file, hashlib.sha256()):
        pass
