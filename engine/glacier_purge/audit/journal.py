"""The append-only audit log of one run, written by its one process: records in, durable lines out, ledger kept.

``record`` and ``note`` only take; ``run`` commits what was taken every 100 ms or 1,024 records, whichever is first, as
one write and one fdatasync in one writer thread, and only then lets the ledger know: nothing it says runs ahead of the
disk (I6).  The first write or fsync that fails ends it (I10): an fsync that failed once may "succeed" the second time
with the data gone, so it is never asked again.  What was taken and is not on disk stays in ``pending`` and is simply
not true; those deletes are sent again.  Opening a log repairs what a crash leaves and refuses everything else
(``recovery``); closed segments are compressed in the background (``segments``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import anyio

from glacier_purge.audit.chain import is_digest
from glacier_purge.audit.checkpoint import NEWEST, Checkpoint, Position, encode_head, write_checkpoint
from glacier_purge.audit.ledger import Ledger
from glacier_purge.audit.record import OUTCOMES, Note, Outcome, Record, make_note
from glacier_purge.audit.recovery import LogIdentity, ReadLog, read_log, repair
from glacier_purge.audit.rendering import Rendered, Renderer
from glacier_purge.audit.segments import FOLDER, seal, segment_name, unsealed
from glacier_purge.errors import DiskFailed, InvariantBroken
from glacier_purge.invariants import Invariant
from glacier_purge.storage.disk import Disk

COMMIT_SECONDS, COMMIT_RECORDS = 0.1, 1024
"""A record waits for the disk so long at most, and in the company of so many, unless somebody says otherwise."""
SEGMENT_RECORDS = 1_000_000
"""Records in a file before the next is begun, unless somebody says otherwise."""
_ONE_WRITE_MOST = 1024
"""Records in one write: bounds what the event loop renders at a stretch to some 2 ms."""

_PENDING_COMMITS = 4
"""``room`` waits while more than this many full commits are not durable: some 2 MB."""


class Commit(NamedTuple):
    """One commit that is durable: its exact bytes, where they stand, and what the chain says before and behind them."""

    segment: int
    offset: int
    first_seq: int
    next_seq: int
    prev: str
    last_hash: str
    data: bytes


class Journal:
    """The audit log of one run, open for writing; made by ``open``. The caller sees to it that there is only one."""

    def __init__(
        self,
        disk: Disk,
        log: ReadLog,
        identity: LogIdentity,
        *,
        wall_clock: Callable[[], float],
        commit_seconds: float,
        commit_records: int,
        segment_records: int,
    ) -> None:
        self.ledger: Ledger = log.ledger
        """What the durable records say; changes only after an fsync."""
        self.epoch = log.ledger.epoch + 1
        """Which process start this is, from 1."""
        self.pacer_state = log.pacer
        """What the last checkpoint kept for the pacer."""
        self._disk = disk
        self._identity = identity
        self._position = log.position
        self._commit_seconds = commit_seconds
        self._commit_records = commit_records
        self._segment_records = segment_records
        self._renderer = Renderer(run=identity.run, epoch=self.epoch, wall_clock=wall_clock)
        self._renderer.continue_after(log.position.ts)
        self._buffer: list[Record] = []
        self._claimed = bytearray(log.ledger.bitmap())
        """The ledger's bitmap, ahead of the disk: an outcome taken sets its bit at once."""
        self._durable = 0
        self._wanted = 0
        self._work = asyncio.Event()
        self._urgent = asyncio.Event()
        self._progress = asyncio.Event()
        self._segment_closed = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()
        self._one_at_a_time = anyio.Lock()
        self._closing = False
        self._failure: DiskFailed | None = None
        self._listener: Callable[[Commit], None] | None = None

    @classmethod
    async def open(
        cls,
        disk: Disk,
        *,
        run: str,
        plan_digest: str,
        records: int,
        wall_clock: Callable[[], float],
        commit_seconds: float = COMMIT_SECONDS,
        commit_records: int = COMMIT_RECORDS,
        segment_records: int = SEGMENT_RECORDS,
    ) -> Self:
        """Repair a torn tail, replay the log into the ledger, and make ready to append.

        ``plan_digest`` is the plan's SHA-256 in hex, ``records`` the number of records in its inventory.
        Raises ``AuditDamaged`` for what no crash does, ``DiskFailed`` for a disk that fails on the way, and
        ``ValueError`` for a ``plan_digest`` that is none.
        """
        if not is_digest(plan_digest):
            raise ValueError(f"{plan_digest!r} is not a SHA-256 in lower-case hex")
        identity = LogIdentity(run, plan_digest, records)
        try:
            log, owed = await disk.in_writer(lambda: _read_and_repair(disk, identity))
            journal = cls(
                disk,
                log,
                identity,
                wall_clock=wall_clock,
                commit_seconds=commit_seconds,
                commit_records=commit_records,
                segment_records=segment_records,
            )
            if owed:
                journal._take(owed)
                await journal.durable()
        except OSError as failure:
            raise DiskFailed(
                f"{disk.place(FOLDER)}: the audit log can't be opened: {failure.strerror or failure}. Mend the disk, "
                "then start the same command."
            ) from failure
        if journal.ledger.epoch != journal.epoch:
            journal.ledger.begin(journal.epoch)
        return journal

    @property
    def identity(self) -> LogIdentity:
        """Which log it is."""
        return self._identity

    @property
    def position(self) -> Position:
        """Where it ends on disk."""
        return self._position

    def listen(self, listener: Callable[[Commit], None]) -> None:
        """Call ``listener`` with each commit from now on, once it is durable and counts. It must not raise."""
        self._listener = listener

    @property
    def pending(self) -> int:
        """How many records were taken and are not durable yet, or never will be once the disk has failed."""
        return len(self._buffer)

    @property
    def anchor(self) -> str | None:
        """``SEQ:HASH`` of the last durable record, worth keeping outside of the folder; None before the first."""
        at = self._position
        return f"{at.seq - 1}:{at.last_hash}" if at.seq else None

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes for the next commit.

        Raises ``InvariantBroken``, and takes none of the rest, for a second outcome of an ordinal or an impossible one.
        """
        claimed, buffer, limit = self._claimed, self._buffer, self._identity.records
        before = len(buffer)
        try:
            for outcome in outcomes:
                ordinal = outcome.ordinal
                if not 0 <= ordinal < limit or outcome.outcome not in OUTCOMES:
                    raise InvariantBroken(
                        Invariant.ONE_OUTCOME, outcome=outcome.outcome, ordinal=ordinal, records=limit
                    )
                byte, bit = ordinal >> 3, 1 << (ordinal & 7)
                if claimed[byte] & bit:
                    raise InvariantBroken(Invariant.ONE_OUTCOME, ordinal=ordinal, second=outcome.outcome)
                claimed[byte] |= bit
                buffer.append(outcome)
        finally:
            # Once called, the committer looks again after each commit: called anew, it would learn nothing.
            if before == 0 or before < self._commit_records <= len(buffer):
                self._call_committer()

    def note(self, event: str, /, **facts: Any) -> None:
        """Take an event for the next commit. Raises ``ValueError`` for facts that are named like the frame's keys."""
        self._take([make_note(event, facts)])

    async def room(self) -> None:
        """Wait while too much is not yet durable, so that memory stays bounded. Raises ``DiskFailed`` once it has."""
        while self._failure is None and len(self._buffer) > self._commit_records * _PENDING_COMMITS:
            await self._progress.wait()
        if self._failure is not None:
            raise self._failure

    async def durable(self) -> None:
        """Return when everything taken so far is on disk. Raises ``DiskFailed`` when it never will be."""
        target = self._wanted = self._durable + len(self._buffer)
        if self._ended.is_set():
            await self._commit_all()
        self._urgent.set()
        while self._durable < target and self._failure is None:
            await self._progress.wait()
        if self._durable < target and self._failure is not None:
            raise self._failure

    async def committed(self) -> None:
        """Wait for the next commit. Raises ``DiskFailed`` when there will be none."""
        if self._failure is None:
            await self._progress.wait()
        if self._failure is not None:
            raise self._failure

    async def run(self) -> None:
        """Commit until closed and all is durable. Raises ``DiskFailed`` at the first write or fsync that fails."""
        self._ended.clear()
        if self._buffer:
            self._call_committer()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._seal_closed_segments)
                await self._commit_until_closed()
        except BaseExceptionGroup:
            if self._failure is not None:
                raise self._failure from None
            raise
        finally:
            self._ended.set()
            self._tell_progress()

    async def checkpoint(self, pacer: dict[str, Any]) -> None:
        """Write a checkpoint of what is durable now, with the pacer's state as JSON values."""
        self.pacer_state = pacer
        if self._failure is not None:
            raise self._failure
        head = encode_head(Checkpoint(*self._identity, self._position, self.ledger.state(), pacer))
        bitmap = self.ledger.bitmap()
        try:
            await self._disk.aside(lambda: write_checkpoint(self._disk, head, bitmap))
        except OSError as failure:
            raise self._fail(NEWEST, failure.strerror or str(failure)) from failure

    def close(self) -> None:
        """Take nothing more; ``run`` ends once all is durable."""
        self._closing = True
        self._work.set()
        self._urgent.set()
        self._segment_closed.set()

    async def aclose(self) -> None:
        """Make all that was taken durable, write a last checkpoint, let go of the files. After a failure only that."""
        self.close()
        try:
            if self._failure is None:
                await self.durable()
                await self._ended.wait()
            if self._failure is None:
                await self.checkpoint(self.pacer_state or {})
        finally:
            await self._disk.aclose()

    def _take(self, notes: list[Note]) -> None:
        self._buffer += notes
        self._call_committer()

    def _call_committer(self) -> None:
        self._work.set()
        if len(self._buffer) >= self._commit_records:
            self._urgent.set()

    async def _commit_until_closed(self) -> None:
        while True:
            await self._work.wait()
            with anyio.move_on_after(self._commit_seconds):
                await self._urgent.wait()
            await self._commit_all()
            if self._closing and not self._buffer:
                return

    async def _commit_all(self) -> None:
        """Commit what is there now; what arrives meanwhile waits for the next time, unless somebody waits for it."""
        async with self._one_at_a_time:
            self._work.clear()
            self._urgent.clear()
            rest = len(self._buffer)
            while rest > 0:
                rest -= await self._commit_once(min(rest, _ONE_WRITE_MOST))
        if self._buffer:
            self._call_committer()
        if self._closing or self._durable < self._wanted:
            self._work.set()
            self._urgent.set()

    async def _commit_once(self, most: int) -> int:
        """Write and sync one batch that ends with its segment at the latest; return how many taken records it held."""
        at = self._position
        in_segment = at.seq - at.first_seq
        if at.segment == 0 or in_segment >= self._segment_records:
            at = Position(at.segment + 1, 0, at.seq, at.seq, at.last_hash, at.ts)
            in_segment = 0
        opening: list[Record] = [self._identity.segment_note(at.segment)] if in_segment == 0 else []
        batch = self._buffer[: max(1, min(most, self._segment_records - in_segment - len(opening)))]
        rendered = self._renderer.render(opening + batch, seq=at.seq, prev=at.last_hash)
        await self._write(at, rendered)
        self._settle(at, rendered, opening, batch)
        return len(batch)

    async def _write(self, at: Position, rendered: Rendered) -> None:
        """Put one commit on disk. Not to be interrupted: a cancelled run still knows what became durable."""
        disk, name = self._disk, segment_name(at.segment)

        def write() -> None:
            if at.offset == 0 and disk.size(name) is None:
                disk.create(name)
                disk.sync_folder(FOLDER)
            disk.append(name, rendered.data)
            disk.sync(name)

        if self._failure is not None:
            raise self._failure
        try:
            with anyio.CancelScope(shield=True):
                await disk.in_writer(write)
        except OSError as failure:
            raise self._fail(name, failure.strerror or str(failure)) from failure
        except asyncio.CancelledError:
            # Cancelled past the shield: the writer goes on alone, and until the log is read again nobody knows how far.
            self._fail(name, "interrupted in the middle of a commit")
            raise

    def _settle(self, at: Position, rendered: Rendered, opening: list[Record], batch: list[Record]) -> None:
        """The commit is durable: now, and not before, it counts."""
        if at.segment != self._position.segment:
            self._segment_closed.set()
        self._position = Position(
            at.segment, at.offset + len(rendered.data), at.first_seq, rendered.next_seq, rendered.last_hash, rendered.ts
        )
        self.ledger.apply(opening + batch, ts=rendered.ts, epoch=self.epoch)
        del self._buffer[: len(batch)]
        self._durable += len(batch)
        if self._listener is not None:
            end = self._position
            self._listener(Commit(at.segment, at.offset, at.seq, end.seq, at.last_hash, end.last_hash, rendered.data))
        self._tell_progress()

    async def _seal_closed_segments(self) -> None:
        """Compress closed segments one after the other, in the background; what is not done now is done next time."""
        disk = self._disk
        self._segment_closed.set()
        while not self._closing:
            await self._segment_closed.wait()
            self._segment_closed.clear()
            try:
                for number in await disk.aside(lambda: unsealed(disk)):
                    if self._closing:
                        return
                    await disk.aside(lambda number=number: seal(disk, number))  # type: ignore[misc]  # bound per loop
            except OSError as failure:
                raise self._fail(FOLDER, failure.strerror or str(failure)) from failure

    def _fail(self, name: str, failure: str) -> DiskFailed:
        """Nothing more can be made durable, because of that file: say so to everyone who waits, now and later."""
        if self._failure is None:
            self._failure = DiskFailed(
                f"{self._disk.place(name)}: {failure}. Dispatch stopped; {len(self._buffer):,} records are not on"
                " disk and what they tell of will be done again. Free or mend the disk, then start the same command."
            )
        self._tell_progress()
        return self._failure

    def _tell_progress(self) -> None:
        told, self._progress = self._progress, asyncio.Event()
        told.set()


def _read_and_repair(disk: Disk, identity: LogIdentity) -> tuple[ReadLog, list[Note]]:
    disk.make_folder(FOLDER)
    disk.sync_folder(".")
    log = read_log(disk, identity)
    return log, repair(disk, log)
