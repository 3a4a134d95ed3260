"""The log's files: numbered segments, the last one open and plain, closed ones compressed and listed in a manifest.

``audit/000001.jsonl`` is appended to until it holds its share of records; then ``000002.jsonl`` begins and the closed
one is *sealed*: written as ``000001.jsonl.zst`` (independent 128 KiB zstandard frames, so that ``zstdcat`` reads it and
a damaged frame costs only itself), listed in ``audit/manifest.jsonl``, and only then removed in its plain form.  Every
step of sealing is durable before the next and may be repeated, so a crash in between leaves nothing to decide: where a
plain segment exists it is the truth.  The manifest adds no proof of its own, it can be computed from the chain again;
it says without reading 400 MB what a segment holds and what ``zstdcat 000001.jsonl.zst | sha256sum`` must print, and
it vouches for the compressed bytes themselves.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import msgspec
import zstandard

from glacier_purge.audit.chain import digest
from glacier_purge.errors import AuditDamaged
from glacier_purge.invariants import Invariant, check
from glacier_purge.long_work import LongWork, Unit, long_work
from glacier_purge.storage.disk import Disk
from glacier_purge.storage.documents import DocumentUnreadable, decoded

FOLDER = "audit"
MANIFEST = "audit/manifest.jsonl"

_SEGMENT = re.compile(r"(?P<number>[0-9]{6,})\.jsonl(?P<compressed>\.zst)?")
_NO_ENTRY = re.compile(rb'"previous":"[0-9a-f]{64}"\}[^\0\n]|[^\0\n -~]')
"""What the manifest never holds: a line that goes on behind its end, and bytes of no text."""
_REQUEST_ID = re.compile(rb'"request_id":"([!#-\[\]-~]+)"')
_REQUEST_IDS_BYTES = 1 << 22
"""Where some 10,000 of them stand, more than are remembered."""
_CHUNK_BYTES = 1 << 17
"""What is read and compressed at a time. It is ten times as long once unpacked, so that 1 MiB would be 10 MB in memory;
and frames of this size are the smallest in sum."""
_LINES_BYTES = 1 << 18  # what is made of so many lines fits the processor's caches: a replay takes 0.87 of the time
_PACKED_BYTES = 1 << 12
"""What is unpacked at a time: a block of 4 bytes may become 128 KiB, and a damaged file must not fill the memory."""
LINE_BYTES_MAX = 1 << 26
"""More than any one commit writes, and so than any line."""
_LAST_LINE_BYTES = 1 << 20
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


class ManifestEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the manifest says of a closed segment; ``previous`` is the SHA-256 of the manifest's line before.

    ``packed_crc32`` is of the compressed file, of which some bits say nothing of what was packed: else a disk could
    turn them unseen.  Version 0.1 did not write it.
    """

    name: str
    records: int
    first_seq: int
    last_seq: int
    sha256: str
    last_hash: str
    packed_crc32: str | None = None
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


@contextmanager
def log_read(disk: Disk, segments: list[Segment], what: str = "reading the audit log") -> Iterator[LongWork]:
    """Read these segments in the context, each by ``read_lines`` with the work that this gives."""
    total = sum(disk.size(segment.file) or 0 for segment in segments)
    with long_work(what, total=total, unit=Unit.BYTES) as work:
        yield work


def read_chunks(disk: Disk, segment: Segment, offset: int = 0, work: LongWork | None = None) -> Iterator[bytes]:
    """Read a segment's plain bytes from ``offset`` on, a chunk at a time. Raises ``AuditDamaged`` for a bad frame."""
    add = (lambda _: None) if work is None else work.add
    if not segment.compressed:
        add(offset)
        while chunk := disk.read(segment.name, offset, _CHUNK_BYTES):
            yield chunk
            offset += len(chunk)
            add(len(chunk))
        return
    for chunk in _unpacked(disk, segment, add):
        skip = min(offset, len(chunk))
        offset -= skip
        if skip < len(chunk):
            yield chunk[skip:]


def _unpacked(disk: Disk, segment: Segment, add: Callable[[int], None]) -> Iterator[bytes]:
    """Unpack a segment frame by frame. Raises ``AuditDamaged`` with the beginning of a bad or cut one."""
    frame, position = 0, 0
    unpack = zstandard.ZstdDecompressor().decompressobj()
    parts: list[bytes] = []
    while packed := disk.read(segment.file, position, _CHUNK_BYTES):
        start = 0
        while start < len(packed):
            piece = packed[start : start + _PACKED_BYTES]
            try:
                parts.append(unpack.decompress(piece))
            except zstandard.ZstdError as bad:
                raise _not_zstandard(segment, frame, str(bad)) from bad
            start += len(piece) - len(unpack.unused_data)
            if unpack.eof:
                frame, unpack = position + start, zstandard.ZstdDecompressor().decompressobj()
            if sum(map(len, parts)) >= _CHUNK_BYTES:
                yield b"".join(parts)
                parts.clear()
        position += len(packed)
        add(len(packed))
    yield b"".join(parts)
    if frame != position:
        raise _not_zstandard(segment, frame, "the file ends in the middle of this frame")


def _not_zstandard(segment: Segment, offset_bytes: int, reason: str) -> AuditDamaged:
    return AuditDamaged(
        f"not readable as zstandard: {reason}. Keep the folder as it is and run `audit verify` on it.",
        file=segment.file,
        offset_bytes=offset_bytes,
    )


def read_lines(disk: Disk, segment: Segment, offset: int = 0, work: LongWork | None = None) -> Iterator[list[bytes]]:
    """Read a segment's lines with their newlines; only the very last may lack it. ``work`` counts the file's bytes.

    Raises ``AuditDamaged`` for a line that is longer than any that is ever written, and as ``read_chunks``.
    """
    parts: list[bytes] = []
    held_bytes = 0
    for chunk in read_chunks(disk, segment, offset, work):
        for start in range(0, len(chunk), _LINES_BYTES):
            parts.append(chunk[start : start + _LINES_BYTES])
            held_bytes += len(parts[-1])
            if held_bytes > LINE_BYTES_MAX:
                reason = f"a line of more than {LINE_BYTES_MAX:,} bytes, which no record has"
                raise AuditDamaged(reason, file=segment.file, offset_bytes=offset)
            if b"\n" not in parts[-1]:
                continue
            lines = io.BytesIO(b"".join(parts)).readlines()
            parts = [] if lines[-1].endswith(b"\n") else [lines.pop()]
            held_bytes = len(parts[0]) if parts else 0
            yield lines
    if parts:
        yield [b"".join(parts)]


def line_before(disk: Disk, segment: Segment, offset: int) -> tuple[bytes, int]:
    """The last line that ends by ``offset`` in a segment's plain bytes, and where the bytes end that there are of it.

    A line of more than 1 MiB is given in part. Raises as ``read_chunks`` does.
    """
    start = max(0, offset - _LAST_LINE_BYTES)
    before = bytearray()
    for chunk in read_chunks(disk, segment, start):
        before += chunk[: offset - start - len(before)]
        if len(before) == offset - start:
            break
    return bytes(before[before.rfind(b"\n", 0, -1) + 1 :]), start + len(before)


def last_request_ids(disk: Disk) -> list[str]:
    """The request ids of the last replies on record, as far as the segment reaches back that is still open.

    None of what can't be read: opening the log says so.
    """
    segments = find_segments(disk)
    end = b""
    if segments and not segments[-1].compressed:
        name = segments[-1].name
        with suppress(OSError):
            end = disk.read(name, max(0, (disk.size(name) or 0) - _REQUEST_IDS_BYTES))
    return [found.decode("ascii") for found in _REQUEST_ID.findall(end)]


def listed(disk: Disk, segments: list[Segment]) -> int:
    """Tell how many closed segments the manifest lists. Raises ``AuditDamaged`` when it is not what was written.

    A segment is listed before its plain form goes, so one that is there compressed alone has to be.
    """
    lines, _ = _entries(disk)
    if len(lines) >= max(1, len(segments)):  # a segment is closed when the next one is there
        raise AuditDamaged("this segment is missing", file=segment_name(len(segments) + 1), offset_bytes=0)
    for segment in segments[len(lines) :]:
        if segment.compressed:
            gone = f"the manifest does not list {segment.file}. Keep the folder as it is and run `audit verify` on it."
            raise AuditDamaged(gone, file=MANIFEST, offset_bytes=sum(map(len, lines)))
    return len(lines)


def unsealed(disk: Disk) -> list[int]:
    """Numbers of closed segments that still have something to be done, in order."""
    listed = len(_read_manifest(disk))
    closed = find_segments(disk)[:-1]
    return [segment.number for segment in closed if segment.number > listed or not segment.compressed]


def seal(disk: Disk, number: int) -> None:
    """Compress a closed segment, list it in the manifest, remove its plain form; go on where a crash stopped it."""
    plain = segment_name(number)
    segment = Segment(number, plain, compressed=disk.size(plain) is None)
    lines = _read_manifest(disk)
    is_listed = number <= len(lines)
    is_packed = is_listed and decoded(lines[number - 1], ManifestEntry).packed_crc32 == _packed_crc32(disk, segment)
    if not segment.compressed and not is_packed:
        _compress(disk, segment)
    if not is_listed:
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
        check(Invariant.SEALED, unpack.decompress(frame) == chunk, segment=segment.name, chunk_bytes=len(chunk))
        disk.append(temporary, frame)
    disk.sync(temporary)
    disk.rename(temporary, segment.name + ".zst")
    disk.sync_folder(FOLDER)


def _packed_crc32(disk: Disk, segment: Segment) -> str | None:
    """CRC-32 (8 hex digits) of a segment's compressed file; None when there is none."""
    name, crc, offset = segment.name + ".zst", 0, 0
    if disk.size(name) is None:
        return None
    while chunk := disk.read(name, offset, _CHUNK_BYTES):
        crc, offset = zlib.crc32(chunk, crc), offset + len(chunk)
    return f"{crc:08x}"


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
        packed_crc32=_packed_crc32(disk, segment),
        previous=_last_manifest_hash(disk),
    )
    if disk.size(MANIFEST) is None:
        disk.create(MANIFEST)
    disk.append(MANIFEST, msgspec.json.encode(entry) + b"\n")
    disk.sync(MANIFEST)
    disk.sync_folder(FOLDER)


def _read_manifest(disk: Disk) -> list[bytes]:
    """The manifest's whole lines; a torn one at its end is cut off, since it can be written again."""
    lines, torn = _entries(disk)
    if torn:
        disk.truncate(MANIFEST, sum(map(len, lines)))
        disk.sync(MANIFEST)
    return lines


def _entries(disk: Disk) -> tuple[list[bytes], bytes]:
    """The manifest's whole lines, and what a crash left of one more: one without its end, or with zeros in it.

    Raises ``AuditDamaged`` for a line that is not the one which follows the line before.
    """
    lines = io.BytesIO(disk.read(MANIFEST)).readlines() if disk.size(MANIFEST) is not None else []
    previous = digest(b"")
    for number, line in enumerate(lines):
        if number == len(lines) - 1 and _is_torn_entry(line, number + 1):
            return lines[:-1], line
        try:
            entry = decoded(line, ManifestEntry)
            follows = (entry.name, entry.previous) == (f"{number + 1:06d}.jsonl", previous)
            follows = follows and msgspec.json.encode(entry) + b"\n" == line
            reason = "" if follows else "this line does not follow the one before it"
        except DocumentUnreadable as bad:
            reason = f"this line cannot be read ({bad})"
        if reason:
            raise AuditDamaged(
                f"{reason}. Keep the folder as it is and run `audit verify` on it.",
                file=MANIFEST,
                offset_bytes=sum(map(len, lines[:number])),
                record=number,
            )
        previous = digest(line)
    return lines, b""


def _is_torn_entry(line: bytes, segment: int) -> bool:
    """Tell whether a crash may have left this of the line for a segment: its beginning, or zeros in its place."""
    written = line.partition(b"\0")[0]
    begins = b'{"name":"%06d.jsonl"' % segment
    is_cut = b"\0" in line or not line.endswith(b"\n")
    return is_cut and begins.startswith(written[: len(begins)]) and not _NO_ENTRY.search(line)


def _last_manifest_hash(disk: Disk) -> str:
    lines = _read_manifest(disk)
    return digest(lines[-1]) if lines else digest(b"")
