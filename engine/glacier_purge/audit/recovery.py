"""Reading a log back: what it says, where it ends, and whether its end is a crash's doing or somebody's.

Replay starts from the newest checkpoint that fits the log, else from the first record, and checks every line it reads:
whole, numbered in order, of this run, and carrying the hash of the line before.  The first line that is not whole ends
the readable log.  What stands behind is a torn tail if it is the end of the last segment, no checkpoint vouches for
more than what was read, and its bytes are what a crash may leave of one commit (``torn_tail``); anything else is damage
and is never repaired (I8).  So is a log that ends before what a checkpoint vouches for: that was durable.
``read_log`` changes nothing; ``repair`` copies a torn tail aside, cuts it off, and says what has to be recorded about
it.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from glacier_purge.audit.chain import digest
from glacier_purge.audit.checkpoint import NEWEST, PREVIOUS, Checkpoint, Position, read_checkpoint
from glacier_purge.audit.ledger import Ledger, RefusedRecordError
from glacier_purge.audit.record import Line, Note, make_note, read_line
from glacier_purge.audit.segments import (
    FOLDER,
    LINE_BYTES_MAX,
    Segment,
    find_segments,
    line_before,
    listed,
    log_read,
    read_lines,
    segment_name,
)
from glacier_purge.audit.torn_tail import is_torn_tail
from glacier_purge.errors import AuditDamaged, RunStopped
from glacier_purge.long_work import LongWork
from glacier_purge.storage.disk import Disk, FileDisk

_LOOKS_MAX = 5
_RECORDS_MAX = 1 << 33
"""A hundred times what a vault can be expected to hold; a bit of memory each."""
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z", re.ASCII)


class LogIdentity(NamedTuple):
    """Which log it is: nothing of another run, plan or inventory is ever taken for it."""

    run: str
    plan_digest: str
    records: int

    def segment_note(self, number: int) -> Note:
        """What the first record of a segment has to say."""
        return Note("segment", {"segment": number, "plan_digest": self.plan_digest, "records": self.records})


class Believed(NamedTuple):
    """A checkpoint that is whole and of a log: its name, its head, and a bit for each record that has its outcome."""

    name: str
    checkpoint: Checkpoint
    bitmap: bytes


@dataclass(slots=True, kw_only=True)
class ReadLog:
    """A log as read: its state, where it ends, and what comes after that end."""

    ledger: Ledger
    position: Position
    torn: bytes = b""
    pacer: dict[str, Any] | None = None


def replay(folder: Path, *, plan_digest: str | None = None) -> Ledger:
    """Read a run's state, also while another process writes it: no lock, no repair, a torn tail is passed over.

    Raises ``AuditDamaged`` where ``Journal.open`` would, and for a log of another plan than the one given.  A folder
    without a log is a run with nothing done, of which not even the number of records is known.
    """
    found = replay_log(folder, plan_digest=plan_digest)
    return Ledger(0) if found is None else found.ledger


def replay_log(folder: Path, *, plan_digest: str | None = None) -> ReadLog | None:
    """``replay`` with the place where the log ends; None for a folder without a log."""
    disk = FileDisk(folder)
    for _ in range(_LOOKS_MAX):
        with suppress(FileNotFoundError):  # the run sealed a segment or renewed its checkpoint between two of our reads
            identity = read_log_identity(disk)
            if identity is not None and plan_digest not in {None, identity.plan_digest}:
                raise AuditDamaged(
                    f"the log is of plan {identity.plan_digest[:16]}..., the plan beside it is {plan_digest[:16]}..."
                    " One of them is another run's.",
                    file=segment_name(1),
                    offset_bytes=0,
                )
            return None if identity is None else read_log(disk, identity)
    raise RunStopped(f"{folder}: the audit log changes faster than it can be read. Try again.")


class FollowedLog:
    """A run's log while another process writes it: read once, and from then on only what came since."""

    def __init__(self, folder: Path, plan_digest: str) -> None:
        self._folder = folder
        self._plan_digest = plan_digest
        self._log: ReadLog | None = None

    def look(self) -> Ledger | None:
        """How the run stands now; None before there is a log. Raises as ``replay`` does."""
        if self._log is None:
            self._log = replay_log(self._folder, plan_digest=self._plan_digest)
        else:
            disk = FileDisk(self._folder)
            with suppress(FileNotFoundError):  # a segment was sealed in between: the next look finds it
                identity = read_log_identity(disk)
                if identity is not None:
                    read_further(disk, identity, self._log)
        return None if self._log is None else self._log.ledger

    @property
    def head(self) -> str | None:
        """The hash of the last record of the last look; None before there is one."""
        return None if self._log is None else self._log.position.last_hash


def read_log_identity(disk: Disk) -> LogIdentity | None:
    """Learn whose log this is, or was: from its first record, else from a checkpoint; None when there is none yet.

    Raises ``AuditDamaged`` when the first record says nothing of the kind, and a crash in the first commit does not
    explain that.
    """
    return _by_first_record(disk) or _by_checkpoint(disk)


def _by_checkpoint(disk: Disk) -> LogIdentity | None:
    for name in (NEWEST, PREVIOUS):
        if (found := read_checkpoint(disk, name)) is not None:
            return LogIdentity(found[0].run, found[0].plan_digest, found[0].records)
    return None


def _by_first_record(disk: Disk) -> LogIdentity | None:
    segments = find_segments(disk)
    lines = next(read_lines(disk, segments[0]), None) if segments else None
    beginning = Position(segment=1, offset=0, first_seq=0, seq=0, last_hash="", ts="")
    if lines is None:
        if len(segments) > 1:
            raise _damaged(segments[0], beginning, "this segment is empty")
        return None
    try:
        line = _whole(lines[0])
        facts = line.record.facts  # type: ignore[union-attr]  # an outcome has none, which is caught below
        return _identity(line.run, facts["plan_digest"], facts["records"])
    except (ValueError, AttributeError, KeyError) as bad:
        torn = b"".join(b"".join(more) for more in read_lines(disk, segments[0]))
        if len(segments) == 1 and not segments[0].compressed and is_torn_tail(torn, offset_bytes=0, seq=0):
            return None
        raise _damaged(segments[0], beginning, f"the log does not say whose it is ({bad})") from bad


def _identity(run: str, plan_digest: object, records: object) -> LogIdentity:
    """Whose log it is by its first record. Raises ``ValueError`` for what no first record says."""
    if not isinstance(plan_digest, str) or type(records) is not int or not 0 <= records <= _RECORDS_MAX:
        raise ValueError("it names no plan, or no number of records")
    return LogIdentity(run, plan_digest, records)


def read_log(disk: Disk, identity: LogIdentity) -> ReadLog:
    """Replay the log as far as it can be read. Raises ``AuditDamaged`` for anything a crash cannot have done."""
    checkpoints = believable(disk, identity)  # before the log: a run that goes on only adds to what they vouch for
    begin = checkpoints[:1]
    if begin and begin[0].checkpoint.ledger.timeline is None:  # of a version that kept none: once more from the start
        begin = []
    return _read_on(disk, identity, begin, checkpoints)


def read_whole_log(disk: Disk, identity: LogIdentity) -> ReadLog:
    """``read_log`` from the first record on, whatever a checkpoint says; 2 us a record."""
    return _read_on(disk, identity, [], believable(disk, identity))


def _read_on(disk: Disk, identity: LogIdentity, begin: list[Believed], checkpoints: list[Believed]) -> ReadLog:
    log = _start(disk, identity, find_segments(disk), begin)
    read_further(disk, identity, log)
    check_reached(checkpoints, log.position)
    return log


def read_further(disk: Disk, identity: LogIdentity, log: ReadLog) -> None:
    """Take in what was written since ``log`` was read. Raises as ``read_log`` does; what was taken in stays so."""
    log.torn = b""
    segments = find_segments(disk)
    manifest = listed(disk, segments)
    left = segments[max(0, log.position.segment - 1) :]
    with log_read(disk, left) as work:
        for segment in left:
            may_be_torn = segment is segments[-1] and not segment.compressed and segment.number > manifest
            _read_segment(disk, identity, log, segment, work, may_be_torn=may_be_torn)


def check_reached(checkpoints: list[Believed], end: Position) -> None:
    """Raise ``AuditDamaged`` when a log ends before what one of its checkpoints vouches for."""
    for name, checkpoint, _ in checkpoints:
        if checkpoint.position.seq > end.seq:
            raise _cut_back(name, checkpoint.position, end)


def repair(disk: Disk, log: ReadLog) -> list[Note]:
    """Save and cut a torn tail; return the notes the log still owes about this repair and any a crash cut short.

    What is believed is durable afterwards: a process that was killed, and not its host, may have written it, or made
    its file, without having synced that, and what the next one says of it would outlast it at a power cut.
    """
    name = segment_name(log.position.segment)
    if log.torn:
        _save_tail(disk, name, log.torn)
        disk.truncate(name, log.position.offset)
    if disk.size(name) is not None:  # a sealed one was durable before it was sealed
        disk.sync(name)
        disk.sync_folder(FOLDER)
    return [
        make_note("recovered", {"saved_as": name, **_describe(disk.read(f"{FOLDER}/{name}"))})
        for name in disk.names(FOLDER)
        if ".torn-" in name and not name.endswith(".tmp") and name not in log.ledger.saved_tails
    ]


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


def believable(disk: Disk, identity: LogIdentity) -> list[Believed]:
    """The checkpoints that are whole and of this log, newest first. Others cost time and nothing else (I9)."""
    believed: list[Believed] = []
    for name in (NEWEST, PREVIOUS):
        found = read_checkpoint(disk, name)
        if found is not None and (found[0].run, found[0].plan_digest, found[0].records) == identity:
            believed.append(Believed(name, *found))
    return believed


def _start(disk: Disk, identity: LogIdentity, segments: list[Segment], checkpoints: list[Believed]) -> ReadLog:
    """Begin at the newest checkpoint, which the log has to bear out, or at the beginning."""
    for name, checkpoint, bitmap in checkpoints:
        if checkpoint.position.seq > 0:
            _check_borne_out(disk, segments, name, checkpoint.position)
            ledger = Ledger(identity.records, checkpoint.ledger, bitmap)
            return ReadLog(ledger=ledger, position=checkpoint.position, pacer=checkpoint.pacer)
    beginning = Position(segment=0, offset=0, first_seq=0, seq=0, last_hash=identity.plan_digest, ts="")
    return ReadLog(ledger=Ledger(identity.records), position=beginning)


def _check_borne_out(disk: Disk, segments: list[Segment], name: str, claimed: Position) -> None:
    """Raise ``AuditDamaged`` unless the log reaches as far as a checkpoint says, and ends there as it says."""
    if claimed.segment > len(segments):
        raise _cut_back(name, claimed, claimed)
    segment = segments[claimed.segment - 1]
    line, end = line_before(disk, segment, claimed.offset)
    if end != claimed.offset:
        raise _cut_back(name, claimed, msgspec.structs.replace(claimed, offset=end))
    if digest(line) != claimed.last_hash:
        raise AuditDamaged(
            f"the record that ends here is not the one that {name} was written after."
            " Nothing was repaired. Keep the folder as it is and run `audit verify` on it.",
            file=segment.file,
            offset_bytes=claimed.offset,
            record=claimed.seq - 1,
        )


def _cut_back(name: str, claimed: Position, end: Position) -> AuditDamaged:
    return AuditDamaged(
        f"the log ends before record {claimed.seq - 1:,}, which {name} vouches for: it was cut back after that was on"
        " disk. No crash does that; nothing was repaired. Keep the folder, run `audit verify` on it, and restore the"
        " log, or plan again from a new inventory.",
        file=segment_name(end.segment),
        offset_bytes=end.offset,
    )


def _read_segment(
    disk: Disk, identity: LogIdentity, log: ReadLog, segment: Segment, work: LongWork, *, may_be_torn: bool
) -> None:
    """Take one segment into the log, from where the log stands if that is inside of it."""
    at = log.position
    if at.segment != segment.number:
        log.position = Position(segment.number, 0, at.seq, at.seq, at.last_hash, at.ts)
    following = read_lines(disk, segment, log.position.offset, work)
    for lines in following:
        at_seq = log.position.seq
        fault = _take(identity, log, segment, lines)
        if fault is None:
            continue
        # Not read again: behind a run that is going on, a second look would find more than the first.
        rest, end = lines[log.position.seq - at_seq :], log.position
        for more in following:
            rest += more
            if sum(map(len, rest)) > LINE_BYTES_MAX:
                raise _damaged(segment, end, fault)
        log.torn = b"".join(rest)
        if not may_be_torn or not is_torn_tail(log.torn, offset_bytes=end.offset, seq=end.seq):
            raise _damaged(segment, end, fault)
        return
    if log.position.offset == 0 and not may_be_torn:
        raise _damaged(segment, log.position, "this segment is empty")


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
        if (
            line.prev != last_hash
            or line.seq != seq
            or line.run != identity.run
            or (line.ts != ts and not _is_stamp(line.ts))
        ):
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


def _is_stamp(ts: str) -> bool:
    """Tell whether this is a commit's stamp; all lines of a commit have the same, so it is asked once for each."""
    return _STAMP.fullmatch(ts) is not None


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
