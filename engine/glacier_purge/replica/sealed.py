"""One object of a replica: a hash of all the rest, a line that says what it is, and compressed bytes.

The hash in front tells an object that was cut short or turned from a whole one.  It proves nothing against who writes
a whole one himself; what does, are the chain of the log inside, the plan's digest and the anchors, as on a disk.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple, TypeVar

import msgspec
import zstandard

from glacier_purge.errors import AuditDamaged, PlanRefused
from glacier_purge.storage.documents import DocumentUnreadable, decoded

FORMAT = 1
_HEAD_BYTES_MAX = 1 << 16
_ZSTD_LEVEL = 1
"""A third of the CPU of the usual one, and of a log, which is hashes and ids, no more bytes."""
_Head = TypeVar("_Head", bound=msgspec.Struct)


class Sealed(NamedTuple):
    """An object as it is written, and the SHA-256 (hex) that it begins with, by which the next one names it."""

    content: bytes
    sha256: str


def seal(head: msgspec.Struct, plain: bytes) -> Sealed:
    """Make an object of a head and of bytes, which are compressed."""
    rest = msgspec.json.encode(head) + b"\n" + packed(plain)
    sha256 = hashlib.sha256(rest).hexdigest()
    return Sealed(sha256.encode() + b"\n" + rest, sha256)


def unsealed(content: bytes, kind: type[_Head], place: str, *, plain_bytes_max: int) -> tuple[_Head, bytes, str]:
    """The head, the plain bytes and the hash of an object.

    Raises ``AuditDamaged``, which names ``place``, for one that is not whole, and ``PlanRefused`` for one that another
    version wrote, in a way that this one does not know.
    """
    sha256, _, rest = content.partition(b"\n")
    if hashlib.sha256(rest).hexdigest().encode() != sha256:
        raise damaged(place, "it is not whole, or was changed: its bytes do not have the hash that it begins with")
    head_bytes = rest[: _HEAD_BYTES_MAX + 1].partition(b"\n")[0]
    _check_format(head_bytes, place)
    try:
        head = decoded(head_bytes, kind)
    except DocumentUnreadable as bad:
        raise damaged(place, f"what it says of itself can't be read ({bad})") from bad
    return head, unpacked(rest[len(head_bytes) + 1 :], place, plain_bytes_max), sha256.decode()


def packed(plain: bytes) -> bytes:
    """Compress bytes, with their length and a checksum."""
    return zstandard.ZstdCompressor(_ZSTD_LEVEL, write_checksum=True).compress(plain)


def unpacked(body: bytes, place: str, plain_bytes_max: int) -> bytes:
    """Uncompress bytes. Raises ``AuditDamaged`` for what is damaged, or longer than it may be."""
    try:
        told = zstandard.frame_content_size(body)
        if not 0 <= told <= plain_bytes_max:
            raise damaged(place, f"it holds more than the {plain_bytes_max:,} bytes that one may")
        return zstandard.ZstdDecompressor().decompress(body, max_output_size=plain_bytes_max)
    except zstandard.ZstdError as bad:
        raise damaged(place, f"not readable as zstandard: {bad}") from bad


def damaged(place: str, why: str) -> AuditDamaged:
    """An object that can't be gone by."""
    return AuditDamaged(
        f"{why}. Nothing was restored from it and nothing was sent. Look who writes to the bucket; versions of the "
        "object that the bucket keeps may be whole.",
        file=place,
        offset_bytes=0,
    )


def _check_format(head: bytes, place: str) -> None:
    try:
        said = json.loads(head)
        told, version = said["format"], said["tool_version"]
    except (ValueError, RecursionError, LookupError, TypeError) as bad:
        raise damaged(place, f"it does not say what it is ({bad})") from bad
    if told != FORMAT:
        raise PlanRefused(
            f"{place} was written by glacier-purge {version}, in format {told}, and this version reads {FORMAT}. "
            "Restore with the version that wrote it. Nothing was sent."
        )
