"""Reading a log back: what it says, where it ends, and whether its end is a crash's doing or somebody's.

Replay starts from the newest checkpoint that fits the log, else from the first record, and checks every line it reads:
whole, numbered in order, of this run, and carrying the hash of the line before.  The first line that is not whole ends
the readable log.  If that happens in the last segment, and nothing after it was written by a later commit, it is the
torn tail that a crash may leave, because a commit is only begun once the one before is fsynced; anything else is damage
and is never repaired (I8).  ``read_log`` changes nothing; ``repair`` copies a torn tail aside, cuts it off, and says
what has to be recorded about it.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from glacier_purge.audit.chain import digest
from glacier_purge.audit.checkpoint import NEWEST, PREVIOUS, Checkpoint, Position, read_checkpoint
from glacier_purge.audit.disk import FileDisk
from glacier_purge.audit.ledger import Ledger, RefusedRecordError
from glacier_purge.audit.record import Line, Note, make_note, read_line
from glacier_purge.audit.segments import FOLDER, Segment, find_segments, read_chunks, read_lines
from glacier_purge.audit.verification import written_by_later_commit
from glacier_purge.errors import AuditDamaged, RunStopped

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.audit.disk import Disk

_LINE_BYTES_MAX = 1 << 20
_LOOKS_MAX = 5
_TAIL_BYTES_MAX = 1 << 26
"""More than any one commit writes: a longer "torn tail" is damage."""


class LogIdentity(NamedTuple):
    """Which log it is: nothing of another run, plan or inventory is ever taken for it."""

    run: str
    plan_digest: str
    records: int

    def segment_note(self, number: int) -> Note:
        """What the first record of a segment has to say."""
        return Note("segment", {"segment": number, "plan_digest": self.plan_digest, "records": self.records})


@dataclass(slots=True, kw_only=True)
class ReadLog:
    """A log as read: its state, where it ends, and what comes after that end."""

    ledger: Ledger
    position: Position
    torn: bytes = b""
    pacer: dict[str, Any] | None = None
    ahead: list[tuple[str, Position]] = field(default_factory=list)
    """Checkpoints that speak of records the log does not have: it was cut after it had been durable."""


def replay(folder: Path) -> Ledger:
    """Read a run's state, also while another process writes it: no lock, no repair, a torn tail is passed over.

    Raises ``AuditDamaged`` where ``Journal.open`` would. A folder without a log is a run with nothing done, of which
    not even the number of records is known.
    """
    disk = FileDisk(folder)
    for _ in range(_LOOKS_MAX):
        with suppress(FileNotFoundError):  # the run sealed a segment or renewed its checkpoint between two of our reads
            identity = read_identity(disk)
            return Ledger(0) if identity is None else read_log(disk, identity).ledger
    raise RunStopped(f"{folder}: the audit log changes faster than it can be read. Try again.")


def read_identity(disk: Disk) -> LogIdentity | None:
    """Learn from the first record whose log this is; None when there is none yet."""
    for segment in find_segments(disk)[:1]:
        for lines in read_lines(disk, segment):
            try:
                line = read_line(lines[0])
                facts = line.record.facts  # type: ignore[union-attr]  # an outcome has none, which is caught below
                return LogIdentity(line.run, facts["plan_digest"], facts["records"])
            except (ValueError, AttributeError, KeyError):
                return None
    return None


def read_log(disk: Disk, identity: LogIdentity) -> ReadLog:
    """Replay the log as far as it can be read. Raises ``AuditDamaged`` for anything a crash cannot have done."""
    segments = find_segments(disk)
    log = _start(disk, identity, segments)
    for segment in segments[max(0, log.position.segment - 1) :]:
        _read_segment(disk, identity, log, segment, is_last=segment is segments[-1])
    return log


def repair(disk: Disk, log: ReadLog) -> list[Note]:
    """Save and cut a torn tail; return the notes the log still owes about this repair and any a crash cut short."""
    if log.torn:
        name = f"{FOLDER}/{log.position.segment:06d}.jsonl"
        _save_tail(disk, name, log.torn)
        disk.truncate(name, log.position.offset)
        disk.sync(name)
    notes = [
        make_note("recovered", {"saved_as": name, **_describe(disk.read(f"{FOLDER}/{name}"))})
        for name in disk.names(FOLDER)
        if ".torn-" in name and not name.endswith(".tmp") and name not in log.ledger.saved_tails
    ]
    notes += [
        make_note("recovered", {"checkpoint": name, "claimed_seq": claimed.seq - 1, "claimed_hash": claimed.last_hash})
        for name, claimed in log.ahead
    ]
    return notes


def forget_ahead(disk: Disk, log: ReadLog) -> None:
    """Remove checkpoints that were ahead of the log, once the log itself tells of them."""
    for name, _ in log.ahead:
        disk.remove(name)
    if log.ahead:
        disk.sync_folder(".")


def _save_tail(disk: Disk, name: str, torn: bytes) -> None:
    """Copy a torn tail aside under the next free name, unless a repair cut short has done that already."""
    number = 1
    while (size := disk.size(saved := f"{name}.torn-{number}")) is not None:
        if size == len(torn) and disk.read(saved) == torn:
            return
        number += 1
    temporary = saved + ".tmp"
    if disk.size(temporary) is not None:
        disk.remove(temporary)
    disk.create(temporary)
    disk.append(temporary, torn)
    disk.sync(temporary)
    disk.rename(temporary, saved)
    disk.sync_folder(FOLDER)


def _describe(torn: bytes) -> dict[str, Any]:
    return {"bytes": len(torn), "sha256": hashlib.sha256(torn).hexdigest()}


def _start(disk: Disk, identity: LogIdentity, segments: list[Segment]) -> ReadLog:
    """Begin at the newest checkpoint the log bears out, or at the beginning."""
    beginning = Position(segment=0, offset=0, first_seq=0, seq=0, last_hash=identity.plan_digest, ts="")
    ahead: list[tuple[str, Position]] = []
    for name in (NEWEST, PREVIOUS):
        found = read_checkpoint(disk, name)
        if found is None or (found[0].run, found[0].plan_digest, found[0].records) != identity:
            continue
        checkpoint, bitmap = found
        if _bears_out(disk, segments, checkpoint):
            ledger = Ledger(identity.records, checkpoint.ledger, bitmap)
            return ReadLog(ledger=ledger, position=checkpoint.position, pacer=checkpoint.pacer, ahead=ahead)
        ahead.append((name, checkpoint.position))
    return ReadLog(ledger=Ledger(identity.records), position=beginning, ahead=ahead)


def _bears_out(disk: Disk, segments: list[Segment], checkpoint: Checkpoint) -> bool:
    """Tell whether the log reaches as far as the checkpoint says. Raises ``AuditDamaged`` if it differs there."""
    claimed = checkpoint.position
    if claimed.offset == 0 or claimed.segment > len(segments):
        return claimed.segment <= len(segments)
    segment = segments[claimed.segment - 1]
    start = max(0, claimed.offset - _LINE_BYTES_MAX)
    before = bytearray()
    for chunk in read_chunks(disk, segment, start):
        before += chunk[: claimed.offset - start - len(before)]
        if len(before) == claimed.offset - start:
            break
    else:
        return False
    line = bytes(before[before.rfind(b"\n", 0, -1) + 1 :])
    if digest(line) != claimed.last_hash:
        raise AuditDamaged(
            "the record that ends here is not the one a checkpoint was written after."
            " Keep the folder as it is and run `audit verify` on it.",
            file=segment.file,
            offset_bytes=claimed.offset,
            record=claimed.seq - 1,
        )
    return True


def _read_segment(disk: Disk, identity: LogIdentity, log: ReadLog, segment: Segment, *, is_last: bool) -> None:
    """Take one segment into the log, from where the log stands if that is inside of it."""
    at = log.position
    if at.segment != segment.number:
        log.position = Position(segment.number, 0, at.seq, at.seq, at.last_hash, at.ts)
    following = read_lines(disk, segment, log.position.offset)
    for lines in following:
        at_seq = log.position.seq
        fault = _take(identity, log, segment, lines)
        if fault is None:
            continue
        # Not read again: behind a run that is going on, a second look would find more than the first.
        read_here = log.position.seq - at_seq
        log.torn = b"".join(lines[read_here:]) + b"".join(b"".join(more) for more in following)
        if not is_last or len(log.torn) > _TAIL_BYTES_MAX or written_by_later_commit(log.torn):
            raise _damaged(segment, log.position, fault)
        return


def _damaged(segment: Segment, at: Position, reason: str) -> AuditDamaged:
    return AuditDamaged(
        f"{reason}. No crash does that; nothing was repaired. Keep the folder and run `audit verify` on it.",
        file=segment.file,
        offset_bytes=at.offset,
        record=at.seq,
    )


def _take(identity: LogIdentity, log: ReadLog, segment: Segment, lines: list[bytes]) -> str | None:
    """Take lines into the log up to the first that is not whole; return what is wrong with that one, if there is one.

    A whole record in a wrong place is damage at once: a crash leaves zeros or nothing, never another record.
    """
    at = log.position
    seq, last_hash, offset, ts = at.seq, at.last_hash, at.offset, at.ts
    taken: list[Line] = []
    offsets: list[int] = []
    fault: str | None = None
    sha256 = hashlib.sha256
    for raw in lines:
        try:
            line = _whole(raw)
        except ValueError as bad:
            fault = str(bad)
            break
        if line.prev != last_hash or line.seq != seq or line.run != identity.run:
            here = Position(segment.number, offset, at.first_seq, seq, last_hash, ts)
            raise _damaged(segment, here, "this record does not follow the one before it; one of the two was changed")
        taken.append(line)
        offsets.append(offset)
        last_hash = sha256(raw).hexdigest()
        seq += 1
        offset += len(raw)
        ts = line.ts
    if at.offset == 0 and taken and taken[0].record != identity.segment_note(segment.number):
        raise _damaged(segment, at, f"the segment does not begin as one of run {identity.run!r} under its plan")
    _apply(log, segment, taken, offsets)
    log.position = Position(at.segment, offset, at.first_seq, seq, last_hash, ts)
    return fault


def _whole(raw: bytes) -> Line:
    """Read a line that ends as every line does. Raises ``ValueError`` for what a torn write may have left."""
    if raw[-3:] != b'"}\n':
        raise ValueError("the record is cut off")
    return read_line(raw)


def _apply(log: ReadLog, segment: Segment, lines: list[Line], offsets: list[int]) -> None:
    before = 0
    for (ts, epoch), commit in groupby(lines, key=lambda line: (line.ts, line.epoch)):
        records = [line.record for line in commit]
        try:
            log.ledger.apply(records, ts=ts, epoch=epoch)
        except RefusedRecordError as refused:
            place = before + refused.index
            raise AuditDamaged(
                refused.reason, file=segment.file, offset_bytes=offsets[place], record=lines[place].seq
            ) from refused
        before += len(records)
