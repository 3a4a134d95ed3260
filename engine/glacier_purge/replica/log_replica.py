"""Keeps a run's audit log in a bucket while it is written: what became durable goes there by chunks, seconds later.

Sending is bound to it twice.  Nothing is released behind the ordinal that the last chunk names (``reach``), so whoever
has only the chunks knows what may have been sent.  And a log that the bucket has not taken for the margin stops
dispatch (``on_pause``): what a lost disk costs stays bounded.  The bucket may be away for days: the log on disk is
whole, chunks are made of it later, and sending goes on by itself.

A chunk that is there already was written by somebody else, unless it holds what our own log has at that place: then it
is one of ours whose answer was lost.  Else this process was superseded, and says so (``Superseded``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from typing import NamedTuple

import anyio

from glacier_purge.audit.chain import digest
from glacier_purge.audit.checkpoint import Position
from glacier_purge.audit.journal import Commit, Journal
from glacier_purge.audit.segments import find_segments, line_before, read_chunks
from glacier_purge.aws.bucket import Bucket, BucketAway, ObjectTaken
from glacier_purge.errors import AuditDamaged, PlanRefused, Superseded
from glacier_purge.replica.chunk import (
    LOG_BYTES_MAX,
    Chunk,
    ChunkHead,
    End,
    beginning,
    read_chunk,
    seal_chunk,
)
from glacier_purge.replica.folder_replica import FolderReplica
from glacier_purge.replica.places import missing, number_of, numbered
from glacier_purge.replica.sealed import Sealed
from glacier_purge.storage.disk import Disk

Ends = Superseded | AuditDamaged | PlanRefused
"""What ends sending: somebody else went on, or what lies in the way is no chunk, or one of another version's."""

_PER_MINUTE = 60
_AHEAD_MIN = 1_000
"""Ordinals that may be sent without asking again, at the least."""
_BETWEEN_SECONDS_MIN = 1.0
"""Chunks that somebody waits for come no faster."""
_WATCHED_SECONDS = 0.5
_PIECE_BYTES = LOG_BYTES_MAX // 4
"""What is read from the disk for one chunk; a part of a segment more is read than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSettings:
    """How a replica keeps up: a chunk every ``interval_seconds``; after ``margin_seconds`` without one nothing is sent.

    A margin is half a lease: whoever takes the vault over after a whole one loses no more than that.
    """

    interval_seconds: float = 5.0
    margin_seconds: float = 30.0

    @classmethod
    def of_lease(cls, lease_seconds: float) -> ReplicaSettings:
        """What goes with a lease of that length."""
        return cls(interval_seconds=lease_seconds / 12, margin_seconds=lease_seconds / 2)


class _Part(NamedTuple):
    """Bytes of the log that no chunk holds yet, and when they became durable."""

    commit: Commit
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKeeping:
    """Where the chunks of a run's log go: below ``folder``, which ends with a slash, in ``bucket``.

    ``lease_epoch`` is asked of which epoch of the vault's lease this process is.
    """

    bucket: Bucket
    folder: str
    settings: ReplicaSettings
    tool_version: str
    files: FolderReplica | None = None
    """What keeps the files that the log is of: they are there before it is. None where somebody else sees to it."""
    lease_epoch: Callable[[], int] = lambda: 0

    async def attached(self, journal: Journal, disk: Disk, clock: Callable[[], float]) -> LogReplica:
        """Find what the bucket has of this log, and listen to its journal for the rest; before anything is sent.

        ``clock`` is monotonic seconds. Raises ``Superseded`` where the bucket has more of the run than the log here, or
        other lines; ``AuditDamaged`` for what is no replica of it, and ``BucketAway``.
        """
        if self.files is not None:
            await self.files.keep()
        replica = LogReplica(self, journal, disk, clock)
        await replica.go_on_from_what_is_there()
        journal.listen(replica.committed)
        return replica


class LogReplica:
    """The chunks of one run's log, as this process writes them. Made by ``LogKeeping.attached``."""

    def __init__(self, keeping: LogKeeping, journal: Journal, disk: Disk, clock: Callable[[], float]) -> None:
        self._keeping = keeping
        self._bucket, self._folder, self._settings = keeping.bucket, keeping.folder, keeping.settings
        self._journal = journal
        self._disk = disk
        self._clock = clock
        self._writer = token_hex(8)
        self._waiting: deque[_Part] = deque()
        self._end = beginning(journal.identity)
        self._begun, self._begun_at = journal.position, clock()
        self._reading: Iterator[Commit] | None = None
        self._read_to: End | None = None
        self._number, self._previous = 0, ""
        self._may_reach = -1
        self._reach_wanted = -1
        self._released_before = journal.ledger.released_through
        self._under_way: tuple[ChunkHead, Sealed] | None = None
        self._urgent, self._progress = anyio.Event(), anyio.Event()
        self._one_at_a_time = anyio.Lock()
        self._last_at = float("-inf")
        self._away: BucketAway | None = None
        self._ended_by: Ends | None = None
        self.chunks_written, self.bytes_written = 0, 0

    @property
    def place(self) -> str:
        """What it is called when people are told of it."""
        return self._bucket.place(self._folder)

    async def go_on_from_what_is_there(self) -> None:
        """Find the last chunk; what is there must be a beginning of our log. What was lost behind it is made anew."""
        found = [number_of(key, self._folder) for key in await self._bucket.keys(self._folder)]
        numbers = sorted(number for number in found if number is not None)
        if not numbers:
            return
        last = await self._chunk_there(numbers[-1])
        if not await self._is_in_our_log(last):
            raise self._superseded_by(last)
        if (gap := missing(numbers)) is not None:
            raise AuditDamaged(
                f"it is missing, and later ones are there: the bucket lost it. The log in {self._disk.place('audit')} "
                "is whole. Nothing was sent. Put the object back, or give another prefix, where all is written anew.",
                file=self._bucket.place(numbered(self._folder, gap)),
                offset_bytes=0,
            )
        self._number, self._previous, self._end = last.head.chunk, last.sha256, last.end
        self._may_reach = last.head.may_reach

    def committed(self, commit: Commit) -> None:
        """Take a commit that is durable; the journal's call."""
        self._waiting.append(_Part(commit, self._clock()))

    @property
    def has_ended(self) -> bool:
        """Whether another process went on, and this one has nothing more to write."""
        return self._ended_by is not None

    # -- for who sends ------------------------------------------------------------------------------------------------

    async def run(
        self,
        *,
        rate_per_second: Callable[[], float],
        on_pause: Callable[[str], None],
        on_resume: Callable[[], None],
        on_end: Callable[[Ends], None],
    ) -> None:
        """Keep up with the log until cancelled, or superseded, of which ``on_end`` is told."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch, on_pause, on_resume)
            while self._ended_by is None:
                with anyio.move_on_after(self._settings.interval_seconds):
                    await self._urgent.wait()
                    await anyio.sleep(max(0.0, self._last_at + self._between_seconds - self._clock()))
                await self._keep_up(rate_per_second())
            on_end(self._ended_by)
            tasks.cancel_scope.cancel()

    async def reach(self, ordinal: int) -> None:
        """Return once the bucket has it that ordinals up to this one may be sent from now on."""
        self._reach_wanted = max(self._reach_wanted, ordinal)
        while ordinal > self._may_reach:
            self._urgent.set()
            await self._progress.wait()

    async def flush(self, *, drained: bool = False) -> None:
        """Have all that is durable in the bucket. ``drained`` says that nothing more will be sent.

        Raises ``BucketAway`` and ``Superseded``.
        """
        async with self._one_at_a_time:
            await self._write_all(self._journal.ledger.released_through if drained else None)

    # -- inside -------------------------------------------------------------------------------------------------------

    @property
    def _between_seconds(self) -> float:
        return min(_BETWEEN_SECONDS_MIN, self._settings.interval_seconds)

    async def _watch(self, on_pause: Callable[[str], None], on_resume: Callable[[], None]) -> None:
        """Hold dispatch while the oldest bytes that the bucket lacks are older than the margin."""
        margin, is_held = self._settings.margin_seconds, False
        while True:
            await anyio.sleep(min(_WATCHED_SECONDS, margin / 10))
            if self._behind_seconds() > margin:
                because = "it answers, but too slowly" if self._away is None else str(self._away)
                on_pause(
                    f"{self.place} has not taken what became of deletes for {margin:,.0f} s ({because}). The log on "
                    "this disk is whole; sending goes on by itself once the bucket has it"
                )
                is_held = True
            elif is_held:
                on_resume()
                is_held = False

    def _behind_seconds(self) -> float:
        """How long the oldest bytes that the bucket lacks have been durable here."""
        if self._end.seq < self._begun.seq:
            return self._clock() - self._begun_at
        return self._clock() - self._waiting[0].at if self._waiting else 0.0

    async def _keep_up(self, rate_per_second: float) -> None:
        self._urgent = anyio.Event()
        released = self._journal.ledger.released_through
        ahead = max(_AHEAD_MIN, int(rate_per_second * _PER_MINUTE), self._ordinals_a_minute(released))
        wanted = max(self._may_reach, released + ahead // 2, self._reach_wanted)
        reach = self._may_reach if wanted <= self._may_reach else max(released, self._reach_wanted) + ahead
        reach = min(reach, self._journal.identity.records - 1)
        if self._end.seq >= self._journal.position.seq and reach <= self._may_reach:
            return
        self._released_before = released
        try:
            async with self._one_at_a_time:
                await self._write_all(max(reach, self._may_reach))
            self._away = None
        except BucketAway as away:
            self._away = away
        except (Superseded, AuditDamaged, PlanRefused) as end:
            self._ended_by = end
        self._last_at = self._clock()

    def _ordinals_a_minute(self, released: int) -> int:
        """How far it came since the last chunk, for a minute: of a plan that keeps most, much is passed over."""
        return int((released - self._released_before) * _PER_MINUTE / self._settings.interval_seconds)

    async def _write_all(self, may_reach: int | None) -> None:
        """Write chunks until the bucket has all that was durable when this began, the last one with ``may_reach``."""
        if self._under_way is not None:
            await self._put(*self._under_way)
        durable = self._journal.position.seq
        while self._end.seq < durable or may_reach not in (None, self._may_reach):
            parts = await self._next_parts(durable)
            is_last = not parts or parts[-1].next_seq >= durable
            told = may_reach if is_last and may_reach is not None else self._may_reach
            self._under_way = await self._disk.aside(partial(self._made, parts, told))
            await self._put(*self._under_way)

    async def _next_parts(self, durable: int) -> list[Commit]:
        """What the next chunk holds: of one segment, and no more than fits. Up to where this began it is on disk."""
        if self._end.seq < self._begun.seq:
            return [await self._disk.aside(self._piece_from_disk)]
        parts, size = list[Commit](), 0
        for commit, _ in self._waiting:
            size += len(commit.data)
            is_room = not parts or (size <= LOG_BYTES_MAX and commit.segment == parts[0].segment)
            if commit.next_seq > durable or not is_room:
                break
            parts.append(commit)
        return parts

    def _piece_from_disk(self) -> Commit:
        if self._reading is None or self._read_to != self._end:
            self._reading = _log_between(self._disk, self._end, self._begun)
        piece = next(self._reading)
        self._read_to = End(piece.segment, piece.offset + len(piece.data), piece.next_seq, piece.last_hash)
        return piece

    def _made(self, parts: list[Commit], may_reach: int) -> tuple[ChunkHead, Sealed]:
        end, identity = self._end, self._journal.identity
        first = parts[0] if parts else None
        log = b"".join(part.data for part in parts)
        head = ChunkHead(
            tool_version=self._keeping.tool_version,
            chunk=self._number + 1,
            run=identity.run,
            plan_digest=identity.plan_digest,
            records=identity.records,
            epoch=self._journal.epoch,
            lease_epoch=self._keeping.lease_epoch(),
            writer=self._writer,
            segment=end.segment if first is None else first.segment,
            offset=end.offset if first is None else first.offset,
            first_seq=end.seq,
            next_seq=parts[-1].next_seq if parts else end.seq,
            prev=end.last_hash,
            last_hash=parts[-1].last_hash if parts else end.last_hash,
            may_reach=may_reach,
            log_bytes=len(log),
            previous=self._previous,
        )
        return head, seal_chunk(head, log)

    async def _put(self, head: ChunkHead, sealed: Sealed) -> None:
        """Write a chunk. Raises ``BucketAway``, after which the very same one is tried again, and ``Superseded``."""
        key = numbered(self._folder, head.chunk)
        try:
            await self._bucket.create(key, sealed.content)
        except ObjectTaken:
            self._under_way = None
            await self._take_ours(key, head.chunk)
            return
        self._under_way = None
        self._settle(Chunk(head, b"", sealed.sha256))
        self.chunks_written += 1
        self.bytes_written += len(sealed.content)

    def _settle(self, chunk: Chunk) -> None:
        head = chunk.head
        self._number, self._previous, self._end = head.chunk, chunk.sha256, chunk.end
        while self._waiting and self._waiting[0].commit.next_seq <= head.next_seq:
            self._waiting.popleft()
        self._may_reach = head.may_reach
        told, self._progress = self._progress, anyio.Event()
        told.set()

    async def _take_ours(self, key: str, number: int) -> None:
        """Take the chunk that is in the way for one of ours, whose answer was lost. Raises ``Superseded`` if it is not.

        It may hold other commits than the one that was to be written: an earlier process of this folder wrote it.
        """
        stored = await self._bucket.read(key)
        if stored is None:
            raise BucketAway(f"{self._bucket.place(key)} is there when it is written and not when it is read")
        chunk = await self._disk.aside(lambda: read_chunk(stored.content, self._bucket.place(key)))
        is_next = chunk.head.chunk == number and chunk.head.first_seq == self._end.seq
        if not is_next or chunk.head.lease_epoch > self._keeping.lease_epoch() or not await self._is_in_our_log(chunk):
            raise self._superseded_by(chunk)
        self._settle(chunk)

    async def _is_in_our_log(self, chunk: Chunk) -> bool:
        """Whether the log here goes as far as the chunk, and its line there is the chunk's last one."""
        head, identity, disk = chunk.head, self._journal.identity, self._disk
        if (head.run, head.plan_digest, head.records) != identity:
            return False
        end = chunk.end
        if end.seq == 0:
            return True

        def found() -> bool:
            segments = find_segments(disk)
            if end.segment > len(segments):
                return False
            line, offset = line_before(disk, segments[end.segment - 1], end.offset)
            return (offset, digest(line)) == (end.offset, end.last_hash)

        return await disk.aside(found)

    def _superseded_by(self, chunk: Chunk) -> Superseded | AuditDamaged:
        head, identity = chunk.head, self._journal.identity
        place = self._bucket.place(numbered(self._folder, head.chunk))
        if (head.run, head.plan_digest, head.records) != identity:
            return AuditDamaged(
                f"it is of another run ({head.run!r}, plan {head.plan_digest[:16]}...), and here is {identity.run!r} "
                f"under plan {identity.plan_digest[:16]}... Give another prefix. Nothing more is sent.",
                file=place,
                offset_bytes=0,
            )
        return Superseded(
            f"another process went on with this run: {place} holds its lines from {head.first_seq:,} on (epoch "
            f"{head.epoch}, lease {head.lease_epoch}), which are not those of {self._disk.place('audit')}. Nothing "
            "more is sent from here. Keep this folder; to go on with the run on this host, give `take` a new folder."
        )

    async def _chunk_there(self, number: int) -> Chunk:
        key = numbered(self._folder, number)
        place, stored = self._bucket.place(key), await self._bucket.read(key)
        if stored is None:
            raise BucketAway(f"{place} is listed and can't be read")
        return await self._disk.aside(lambda: read_chunk(stored.content, place))


def _log_between(disk: Disk, end: End, until: Position) -> Iterator[Commit]:
    """Whole lines of the log from one place to another, in pieces that fit into a chunk."""
    segments = find_segments(disk)
    for segment in segments[end.segment - 1 : until.segment]:
        offset = end.offset if segment.number == end.segment else 0
        rest = b""
        for part in read_chunks(disk, segment, offset):
            rest += part
            is_over = segment.number == until.segment and offset + len(rest) >= until.offset
            if len(rest) < _PIECE_BYTES and not is_over:
                continue
            if is_over:
                rest = rest[: until.offset - offset]
            lines, rest = rest[: rest.rfind(b"\n") + 1], rest[rest.rfind(b"\n") + 1 :]
            if lines:
                piece = _piece(segment.number, offset, end, lines)
                end = End(segment.number, offset + len(lines), piece.next_seq, piece.last_hash)
                yield piece
                offset += len(lines)
            if is_over:
                return
        if rest:
            piece = _piece(segment.number, offset, end, rest)
            end = End(segment.number, offset + len(rest), piece.next_seq, piece.last_hash)
            yield piece


def _piece(segment: int, offset: int, end: End, lines: bytes) -> Commit:
    last = lines[lines.rfind(b"\n", 0, -1) + 1 :]
    return Commit(segment, offset, end.seq, end.seq + lines.count(b"\n"), end.last_hash, digest(last), lines)
