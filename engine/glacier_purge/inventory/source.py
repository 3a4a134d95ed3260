"""Where an inventory comes from: a file or standard input, as it is or compressed, always in chunks.

What compression it is, the first bytes say and never the name.  A compressed inventory must end where its format says
that it ends: a torn one is damaged, even if it happens to tear between two records.  Decompressing is watched: real
inventories shrink to about half, since ids and hashes are random, so a stream that grows a hundredfold is a bomb
and refused while little of it was unpacked.  What comes out has to be text; what the text means, others read.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Protocol

import zstandard

from glacier_purge.errors import InventoryDamaged, UsageError
from glacier_purge.long_work import Unit, long_work
from glacier_purge.storage.given_file import GivenFileWrong, open_given, other_kind

CHUNK_BYTES = 56 * 1024
"""One piece of the JSON reader.  Larger ones are slower (256 KiB by a tenth: they leave the processor's cache and are
fetched from the system one by one), and a reader holds the archives of one chunk at a time."""
SIZE_BYTES_MAX = 1 << 40
"""1 TiB: a hundred million records of four times the largest legal description."""
RATIO_MAX = 100
RATIO_COUNTS_FROM_BYTES = 16 * 1024 * 1024

_STDIN = "-"
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGICS = (b"\x28\xb5\x2f\xfd", *(bytes([byte]) + b"\x2a\x4d\x18" for byte in range(0x50, 0x60)))
"""Of a frame, and of those that are skipped: pzstd begins with one."""
_PIECE_BYTES = 512
"""Compressed bytes unpacked at a time. zstd can make 128 KiB of 4 bytes, so this many make 16 MiB at the most."""

_WINDOW_BYTES_MAX = 128 * 1024 * 1024
"""What the zstd command accepts unasked, and what its highest level makes."""


class _Member(Protocol):
    """One gzip member or one zstd frame being unpacked, as ``zlib`` and ``zstandard`` both have it."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class Source:
    """An inventory to read once: ``with Source(file) as source: for chunk in source: ...``.

    ``file`` is a path, or ``-`` for standard input; ``name`` is what messages call it.  Entering raises ``UsageError``
    when it can't be opened; iterating raises ``InventoryDamaged`` when it can't be unpacked.  Offsets are always those
    of the unpacked bytes.
    """

    def __init__(self, file: str) -> None:
        self.name = "standard input" if file == _STDIN else file
        self._path = None if file == _STDIN else Path(file)
        self._stream: IO[bytes] | None = None

    def __enter__(self) -> Source:
        try:
            self._stream = sys.stdin.buffer if self._path is None else open_given(self._path)
        except GivenFileWrong as error:
            raise UsageError(f"cannot read {self.name}: {error}.") from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None and self._path is not None:
            self._stream.close()
        self._stream = None

    def __iter__(self) -> Iterator[bytes]:
        """Give the unpacked bytes, some dozen KiB at a time and never none."""
        first, content = _peeked(self._chunks())
        kind = _compression(first)
        if kind is None:
            content = self._plain(content)
        else:
            first, content = _peeked(self._unpacked(content, kind))
        other = other_kind(first)
        if other is not None:
            raise self._damaged(f"{other}." if kind is None else f"unpacked from {kind}, {other}.", 0)
        return content

    def _chunks(self) -> Iterator[bytes]:
        stream = self._stream
        assert stream is not None, "entered"
        total = None if self._path is None else os.fstat(stream.fileno()).st_size
        what = f"reading {self.name if self._path is None else self._path.name}"
        with long_work(what, total=total or None, unit=Unit.BYTES) as work:
            while True:
                try:
                    chunk = stream.read(CHUNK_BYTES)
                except OSError as error:
                    raise UsageError(f"cannot read {self.name}: {error.strerror}.") from error
                if not chunk:
                    return
                yield chunk
                work.add(len(chunk))

    def _plain(self, content: Iterator[bytes]) -> Iterator[bytes]:
        size_bytes = 0
        for chunk in content:
            size_bytes += len(chunk)
            self._check_size(size_bytes)
            yield chunk

    def _unpacked(self, packed: Iterator[bytes], kind: str) -> Iterator[bytes]:
        unpacking = _Unpacking(kind)
        held: list[bytes] = []
        held_bytes = size_bytes = 0
        try:
            for unpacked in unpacking.unpack(packed):
                size_bytes += len(unpacked)
                self._check_size(size_bytes)
                if size_bytes > max(RATIO_COUNTS_FROM_BYTES, unpacking.packed_bytes * RATIO_MAX):
                    reason = f"{unpacking.packed_bytes:,} bytes of {kind} unpack to this many: a bomb"
                    raise self._damaged(reason, size_bytes)
                held.append(unpacked)
                held_bytes += len(unpacked)
                if held_bytes >= CHUNK_BYTES:
                    yield b"".join(held)
                    held, held_bytes = [], 0
        except (zlib.error, zstandard.ZstdError) as error:
            reason = f"its {kind} compression is broken ({error})"
            if unpacking.is_behind_an_end:
                reason = f"something that is no {kind} stands behind the end of its {kind} stream"
            raise self._damaged(reason, size_bytes) from error
        if held_bytes:
            yield b"".join(held)
        if not unpacking.may_end:
            raise self._damaged(f"its {kind} stream ends too early: truncated", size_bytes)

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > SIZE_BYTES_MAX:
            raise self._damaged("no inventory is this large", size_bytes)

    def _damaged(self, reason: str, offset_bytes: int) -> InventoryDamaged:
        return InventoryDamaged(reason, offset_bytes=offset_bytes, file=self.name)


class _Unpacking:
    """A stream of gzip members or zstd frames, one after the other, as ``cat`` makes them of several files."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._member = _new_member(kind)
        self.packed_bytes = 0
        self.is_behind_an_end = False
        """Whether a member began just now, behind another."""

    @property
    def may_end(self) -> bool:
        """Whether the last member is whole."""
        return self._member.eof

    def unpack(self, packed: Iterator[bytes]) -> Iterator[bytes]:
        """Unpack piece by piece. Raises ``zlib.error`` or ``ZstdError`` where it isn't such a stream."""
        for chunk in packed:
            for start in range(0, len(chunk), _PIECE_BYTES):
                piece = chunk[start : start + _PIECE_BYTES]
                self.packed_bytes += len(piece)
                while piece:
                    self.is_behind_an_end = self._member.eof
                    if self._member.eof:
                        self._member = _new_member(self._kind)
                    yield self._member.decompress(piece)
                    piece = self._member.unused_data


def _compression(beginning: bytes) -> str | None:
    if beginning.startswith(_GZIP_MAGIC):
        return "gzip"
    return "zstd" if beginning.startswith(_ZSTD_MAGICS) else None


def _peeked(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first chunk, and all of them."""
    first = next(chunks, b"")
    return first, chain([first], chunks) if first else iter(())


def _new_member(kind: str) -> _Member:
    if kind == "gzip":
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    return zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES_MAX).decompressobj()
