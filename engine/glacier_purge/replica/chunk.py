"""A chunk of a run's audit log as it lies in a bucket: exact bytes of whole commits, and where they stand in the log.

Chunks are numbered from 1 and written once.  Each names the hash of the line before its first and the object before
it, so nothing can be left out, put in or exchanged without showing.  ``may_reach`` is for whoever has no more than the
chunks: the process that wrote this one sends nothing behind that ordinal before another chunk has said so.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from glacier_purge.audit.chain import digest
from glacier_purge.audit.recovery import LogIdentity
from glacier_purge.replica.sealed import FORMAT, Sealed, damaged, seal, unsealed

LOG_BYTES_MAX = 1 << 23
"""Of one chunk; a commit is shorter, so one always has room."""


class ChunkHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a chunk says of itself.

    ``epoch`` counts processes as the log does, ``lease_epoch`` is of the vault's lease (0: there is none), ``writer``
    is a word that only the process which wrote it has.  ``segment`` and ``offset`` are where its bytes stand;
    ``first_seq`` is the number of its first line and ``next_seq`` of the one that follows, the same where it has none;
    ``prev`` and ``last_hash`` are the hashes of the lines before the one and the other.
    """

    format: int = FORMAT
    tool_version: str
    chunk: int
    run: str
    plan_digest: str
    records: int
    epoch: int
    lease_epoch: int
    writer: str
    segment: int
    offset: int
    first_seq: int
    next_seq: int
    prev: str
    last_hash: str
    may_reach: int
    log_bytes: int
    previous: str


class Chunk(NamedTuple):
    """A chunk that was read: what it says, its bytes of the log, and its hash."""

    head: ChunkHead
    log: bytes
    sha256: str

    @property
    def end(self) -> End:
        """Where the log stands behind it."""
        at = self.head
        return End(at.segment, at.offset + at.log_bytes, at.next_seq, at.last_hash)


class End(NamedTuple):
    """A place in the log between two lines: ``offset`` in its segment's plain bytes, the next line's number and
    ``prev``."""

    segment: int
    offset: int
    seq: int
    last_hash: str


def beginning(identity: LogIdentity) -> End:
    """Where a log begins."""
    return End(1, 0, 0, identity.plan_digest)


def seal_chunk(head: ChunkHead, log: bytes) -> Sealed:
    """Make the object."""
    return seal(head, log)


def read_chunk(content: bytes, place: str) -> Chunk:
    """Read an object as a chunk. Raises ``AuditDamaged``, which names ``place``, and ``PlanRefused``."""
    head, log, sha256 = unsealed(content, ChunkHead, place, plain_bytes_max=LOG_BYTES_MAX)
    lines = log.count(b"\n")
    if (head.log_bytes, head.next_seq - head.first_seq) != (len(log), lines) or not log.endswith(b"\n"[: len(log)]):
        raise damaged(place, "what it holds is not what it says of itself")
    last = digest(log[log.rfind(b"\n", 0, -1) + 1 :]) if log else head.prev
    if last != head.last_hash:
        raise damaged(place, "its last line is not the one that it names")
    return Chunk(head, log, sha256)


def why_not_next(chunk: Chunk, number: int, identity: LogIdentity, end: End, previous: str) -> str | None:
    """Why a chunk does not follow what was read up to ``end``, of which ``previous`` is the last chunk's hash.

    None where it does.
    """
    head = chunk.head
    if (head.run, head.plan_digest, head.records) != identity:
        return f"it is of another run: of {head.run!r} under plan {head.plan_digest[:16]}..."
    if head.chunk != number:
        return f"it is chunk {head.chunk}, in the place of chunk {number}"
    follows = (head.segment, head.offset) in {(end.segment, end.offset), (end.segment + 1, 0)}
    if head.previous != previous or (head.first_seq, head.prev) != (end.seq, end.last_hash) or not follows:
        return "it does not follow the chunk before it; one of the two was forged or exchanged"
    if chunk.log and _prev_of_first(chunk.log) != end.last_hash:
        return "its first line does not carry the hash of the line before"
    return None


def _prev_of_first(log: bytes) -> str:
    line = log[: log.find(b"\n") + 1]
    return line[-67:-3].decode("ascii", "replace")
