"""The log's files: numbered segments, the last one open and plain, closed ones compressed and listed in a manifest.

``audit/000001.jsonl`` is appended to until it holds its share of records; then ``000002.jsonl`` begins and the closed
one is *sealed*: written as ``000001.jsonl.zst`` (independent 128 KiB zstandard frames, so that ``zstdcat`` reads it and
a damaged frame costs only itself), listed in ``audit/manifest.jsonl``, and only then removed in its plain form.  Every
step of sealing is durable before the next and may be repeated, so a crash in between leaves nothing to decide: where a
plain segment exists it is the truth.  The manifest adds no proof of its own, it can be computed from the chain again;
it says without reading 400 MB what a segment holds and what ``zstdcat 000001.jsonl.zst | sha256sum`` must print.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import zstandard

from glacier_purge.audit.chain import digest
from glacier_purge.errors import AuditDamaged
from glacier_purge.json_document import DocumentUnreadable, decoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier_purge.audit.disk import Disk

FOLDER = "audit"
MANIFEST = "audit/manifest.jsonl"

_SEGMENT = re.compile(r"(?P<number>[0-9]{6,})\.jsonl(?P<compressed>\.zst)?")
_CHUNK_BYTES = 1 << 17
"""What is read and compressed at a time. It is ten times as long once unpacked, so that 1 MiB would be 10 MB in memory;
and frames of this size are the smallest in sum."""
_LINES_BYTES = 1 << 18  # what is made of so many lines fits the processor's caches: a replay takes 0.87 of the time
_ZSTD_LEVEL = 3  # 116 of 432 bytes a record; level 9 saves 3 more and costs five times the time


class Segment(NamedTuple):
    """One segment as it lies on disk; ``name`` is that of its plain form."""

    number: int
    name: str
    compressed: bool

    @property
    def file(self) -> str:
        """The file to read."""
        return self.name + ".zst" if self.compressed else self.name


class ManifestEntry(msgspec.Struct, frozen=True):
    """What the manifest says of a closed segment; ``previous`` is the SHA-256 of the manifest's line before."""

    name: str
    records: int
    first_seq: int
    last_seq: int
    sha256: str
    last_hash: str
    previous: str


def segment_name(number: int) -> str:
    """The plain file of a segment; numbers count from 1."""
    return f"{FOLDER}/{number:06d}.jsonl"


def find_segments(disk: Disk) -> list[Segment]:
    """List the segments in order. Raises ``AuditDamaged`` when one is missing in between."""
    found: dict[int, Segment] = {}
    for name in disk.names(FOLDER):
        match = _SEGMENT.fullmatch(name)
        if match is not None:
            number, compressed = int(match["number"]), match["compressed"] is not None
            if number not in found or not compressed:
                found[number] = Segment(number, segment_name(number), compressed)
    for number in range(1, len(found) + 1):
        if number not in found:
            raise AuditDamaged("this segment is missing", file=segment_name(number), offset_bytes=0)
    return [found[number] for number in range(1, len(found) + 1)]


def read_chunks(disk: Disk, segment: Segment, offset: int = 0) -> Iterator[bytes]:
    """Read a segment's plain bytes from ``offset`` on, a chunk at a time. Raises ``AuditDamaged`` for a bad frame."""
    if not segment.compressed:
        while chunk := disk.read(segment.name, offset, _CHUNK_BYTES):
            yield chunk
            offset += len(chunk)
        return
    unpack = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
    position = 0
    while packed := disk.read(segment.file, position, _CHUNK_BYTES):
        try:
            chunk = unpack.decompress(packed)
        except zstandard.ZstdError as bad:
            raise AuditDamaged(f"not readable as zstandard: {bad}", file=segment.file, offset_bytes=position) from bad
        position += len(packed)
        skip = min(offset, len(chunk))
        offset -= skip
        if skip < len(chunk):
            yield chunk[skip:]


def read_lines(disk: Disk, segment: Segment, offset: int = 0) -> Iterator[list[bytes]]:
    """Read a segment's lines with their newlines; only the very last may lack it."""
    rest = b""
    for chunk in read_chunks(disk, segment, offset):
        for start in range(0, len(chunk), _LINES_BYTES):
            lines = io.BytesIO(rest + chunk[start : start + _LINES_BYTES]).readlines()
            rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
            if lines:
                yield lines
    if rest:
        yield [rest]


def unsealed(disk: Disk) -> list[int]:
    """Numbers of closed segments that still have something to be done, in order."""
    listed = len(_read_manifest(disk))
    closed = find_segments(disk)[:-1]
    return [segment.number for segment in closed if segment.number > listed or not segment.compressed]


def seal(disk: Disk, number: int) -> None:
    """Compress a closed segment, list it in the manifest, remove its plain form; go on where a crash stopped it."""
    plain = segment_name(number)
    segment = Segment(number, plain, compressed=disk.size(plain) is None)
    listed = len(_read_manifest(disk))
    if not segment.compressed:
        _compress(disk, segment)
    if number > listed:
        _list(disk, segment)
    if not segment.compressed:
        disk.remove(plain)
        disk.sync_folder(FOLDER)


def _compress(disk: Disk, segment: Segment) -> None:
    """Write the compressed form under a temporary name, make it durable, and only then give it its name."""
    temporary = segment.name + ".zst.tmp"
    if disk.size(temporary) is not None:
        disk.remove(temporary)
    disk.create(temporary)
    pack, unpack = zstandard.ZstdCompressor(_ZSTD_LEVEL, write_checksum=True), zstandard.ZstdDecompressor()
    for chunk in read_chunks(disk, segment):
        frame = pack.compress(chunk)
        assert unpack.decompress(frame) == chunk, "zstandard did not give back what it was given"
        disk.append(temporary, frame)
    disk.sync(temporary)
    disk.rename(temporary, segment.name + ".zst")
    disk.sync_folder(FOLDER)


def _list(disk: Disk, segment: Segment) -> None:
    """Append the segment's line to the manifest."""
    whole, records, first, last = hashlib.sha256(), 0, b"", b""
    for lines in read_lines(disk, segment):
        whole.update(b"".join(lines))
        first = first or lines[0]
        last = lines[-1]
        records += len(lines)
    entry = ManifestEntry(
        name=segment.name.removeprefix(FOLDER + "/"),
        records=records,
        first_seq=json.loads(first)["seq"],
        last_seq=json.loads(last)["seq"],
        sha256=whole.hexdigest(),
        last_hash=digest(last),
        previous=_last_manifest_hash(disk),
    )
    if disk.size(MANIFEST) is None:
        disk.create(MANIFEST)
    disk.append(MANIFEST, msgspec.json.encode(entry) + b"\n")
    disk.sync(MANIFEST)
    disk.sync_folder(FOLDER)


def _read_manifest(disk: Disk) -> list[bytes]:
    """The manifest's whole lines; a torn one at its end is cut off, since it can be written again."""
    size = disk.size(MANIFEST)
    if size is None:
        return []
    lines = io.BytesIO(disk.read(MANIFEST)).readlines()
    if lines and not _is_entry(lines[-1]):
        torn = lines.pop()
        disk.truncate(MANIFEST, size - len(torn))
        disk.sync(MANIFEST)
    return lines


def _is_entry(line: bytes) -> bool:
    try:
        decoded(line, ManifestEntry)
    except DocumentUnreadable:
        return False
    return line.endswith(b"\n")


def _last_manifest_hash(disk: Disk) -> str:
    lines = _read_manifest(disk)
    return digest(lines[-1]) if lines else digest(b"")
