"""The check for tampering: reads a run's audit log and names every record that is not as it was written.

This one file needs nothing but Python's standard library and imports nothing of ours, so that an auditor can copy it
out, read it in one sitting and run it: ``python verification.py RUN_FOLDER [--anchor SEQ:HASH]``.  Compressed
segments need the ``zstandard`` package, Python 3.14 or the ``zstdcat`` command.

What is checked: every line carries the SHA-256 of the exact bytes of the line before, the first one the plan's digest;
numbers run without a gap; every segment begins as one of this run; every ordinal has one outcome at most, inside of
the plan and after its release; the manifest, checkpoints and saved torn tails fit the log; a finished log accounts for
all records.  A block of lines is checked as a whole, at a microsecond a record; only a block that fails is gone through
line by line to name the place.  What a crash leaves behind, its recorded repair, a run not finished and clocks that
went backwards are said, but are no damage.  What it can't see: a log wholly rewritten by someone who recomputes every
hash, or cut back together with its checkpoint, unless it is held against an anchor (``SEQ:HASH``) kept elsewhere.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import subprocess
import sys
import zlib
from bisect import bisect_left
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import IO, Any, NamedTuple

_OUTCOMES = frozenset({b"deleted", b"failed", b"skipped", b"invalid", b"duplicate"})
_SENT = frozenset({b"deleted", b"failed"})
_FAULTS_MOST = 100
_TAIL_BYTES_MAX = 1 << 26
_BLOCK_BYTES = 1 << 17  # fits the second-level cache of most processors: a block is gone over about ten times
_ONE = ord("1")
_LINES_A_PARSED_ONE = 32  # one line read as JSON takes as long as finding the outcomes of so many again
_STRIDES = (64, 8, 1)  # lines matched at a time; a line that is no deletion ends a stride
_HEAD = re.compile(rb'\{"seq":([0-9]+),"ts":"([0-9-]{10}T[0-9:.]{12}Z)","event":"')
_line_end = itemgetter(slice(-76, None))
_SEGMENT = re.compile(r"([0-9]{6,})\.jsonl(\.zst)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFacts:
    """What the plan says: ``selected`` has bit ``ordinal & 7`` of byte ``ordinal >> 3`` set where it sends a delete."""

    digest: str
    records: int
    selected: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong. ``record`` counts from 0 (None where no record is meant), ``offset_bytes`` in the plain file."""

    kind: str
    file: str
    offset_bytes: int
    record: int | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The verdict. ``exit_code`` is 0, or 4 when damaged; a run that is not ``finished`` is no damage."""

    faults: tuple[Fault, ...]
    notices: tuple[str, ...]
    records: int
    """Lines of the log that were read."""
    counts: dict[str, int]
    """Terminal outcomes by kind."""
    finished: bool
    anchor: str | None
    """``SEQ:HASH`` of the last record: keep it elsewhere, and a later rewrite of the log will show."""

    @property
    def exit_code(self) -> int:
        """0 as it was written, 4 damaged."""
        return 4 if self.faults else 0


def verify(folder: Path, *, plan: PlanFacts | None = None, anchor: str | None = None) -> Verification:
    """Check the audit log of a run folder.

    ``plan`` holds it against the plan as well; ``anchor`` is a ``SEQ:HASH`` kept from earlier.  Raises ``OSError`` when
    a file can't be read and ``ValueError`` for an anchor that is none.
    """
    findings = _Findings()
    vouchers = _Vouchers(findings)
    if anchor is not None:
        vouchers.add_anchor(anchor)
    _keep_freed_memory()
    # Read before the log: a run that goes on only ever adds to what they vouch for.
    vouchers.add_checkpoints(folder)
    account = _Account(findings, folder, plan)
    chain = _Chain(findings, vouchers, account)
    chain.read(folder)
    return Verification(
        faults=tuple(findings.faults),
        notices=tuple(findings.notices),
        records=findings.seq,
        counts=account.counted(),
        finished=account.finished,
        anchor=chain.anchor(),
    )


def written_by_later_commit(rest: bytes) -> bool:
    """Tell whether ``rest``, which begins with a broken line, holds lines of more than one commit.

    All lines of a commit carry the same ``ts`` and no two commits in a row do; a commit begins once the one before is
    durable.  So whatever stands before a line of a later commit had been durable: its damage is no crash's doing.
    """
    heads = (_HEAD.match(line) for line in rest.split(b"\n"))
    return len({head[2] for head in heads if head is not None}) > 1


class _TornTail(Exception):
    """The log ends in what a crash leaves."""


class _Findings:
    """What was found so far, and the place the check stands at: before record ``seq`` at ``offset`` in ``file``."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.notices: list[str] = []
        self.file, self.offset, self.seq = "audit", 0, 0

    def fault(self, kind: str, message: str, *, record: int | None = None) -> None:
        """Note damage to the record the check stands at, or to one nearby."""
        self._add(kind, self.file, self.offset, self.seq if record is None else record, message)

    def file_fault(self, kind: str, file: str, message: str, *, offset: int = 0) -> None:
        """Note damage to a file that holds no records."""
        self._add(kind, file, offset, None, message)

    def _add(self, kind: str, file: str, offset: int, record: int | None, message: str) -> None:
        if len(self.faults) < _FAULTS_MOST:
            self.faults.append(Fault(kind=kind, file=file, offset_bytes=offset, record=record, message=message))


class _Vouchers:
    """What vouches for the log from outside of it: an anchor kept elsewhere, checkpoints, by record number."""

    def __init__(self, findings: _Findings) -> None:
        self._findings = findings
        self._hashes: dict[int, list[tuple[str, str]]] = {}

    def add_anchor(self, anchor: str) -> None:
        """Expect the record and hash that somebody kept."""
        seq, _, digest = anchor.partition(":")
        if not seq.isdecimal() or not re.fullmatch("[0-9a-f]{64}", digest):
            raise ValueError(f"{anchor!r} is not an anchor: SEQ:HASH, as printed by a run or an earlier check")
        self._hashes.setdefault(int(seq), []).append(("the anchor", digest))

    def add_checkpoints(self, folder: Path) -> None:
        """Expect what checkpoints say: each was written after its part of the log was durable."""
        if not (folder / "checkpoint").exists():
            self._findings.notices.append("no checkpoint: a log cut back at its end shows only against an anchor")
        for path in (folder / "checkpoint", folder / "checkpoint.previous"):
            if not path.exists():
                continue
            data = path.read_bytes()
            try:
                if data[-10:] != b"\n%08x\n" % zlib.crc32(data[:-10]):
                    raise ValueError("its CRC does not fit")
                position = json.loads(data[: data.index(b"\n")])["position"]
                seq, digest = int(position["seq"]) - 1, str(position["last_hash"])
            except (ValueError, KeyError, TypeError) as bad:
                self._findings.file_fault("checkpoint", path.name, f"this checkpoint was changed: {bad}")
            else:
                self._hashes.setdefault(seq, []).append((path.name, digest))

    def between(self, first: int, end: int) -> list[int]:
        """Numbers of records vouched for, from ``first`` to before ``end``."""
        return [seq for seq in self._hashes if first <= seq < end]

    def deny(self, seq: int, digest: str) -> bool:
        """Tell whether somebody vouches for another hash of this record; say so."""
        others = [name for name, expected in self._hashes.get(seq, ()) if expected != digest]
        for name in others:
            self._findings.fault(
                "changed", f"{name} vouches for another record here, or another log before it", record=seq
            )
        return bool(others)

    def miss(self) -> None:
        """Say what is vouched for and did not come."""
        end = self._findings.seq
        for seq in sorted(seq for seq in self._hashes if seq >= end):
            name = self._hashes[seq][0][0]
            self._findings.fault("truncated", f"the log ends here, but {name} vouches for records up to {seq}")


class _Account:
    """What the records say, held against each other and against the plan: each ordinal once, and only if it may be."""

    def __init__(self, findings: _Findings, folder: Path, plan: PlanFacts | None) -> None:
        self._findings = findings
        self._folder = folder
        self._plan = plan
        self._records = plan.records if plan else 0
        self._done = bytearray((self._records + 7) // 8)
        """One bit an ordinal, least significant first: set when it has its outcome."""
        self._counts: Counter[bytes] = Counter()
        self._released_through: int | None = None
        self._ts, self._epoch = "", 0
        self.plan_digest = plan.digest if plan else None
        self.run: str | None = None
        self.finished = False

    def counted(self) -> dict[str, int]:
        """Terminal outcomes by kind."""
        return {word.decode(): count for word, count in sorted(self._counts.items()) if count}

    def take_outcomes(self, ordinals: list[int], words: list[bytes]) -> bool:
        """Take many outcomes if all of them may be; else change nothing."""
        all_deleted = words.count(b"deleted") == len(words)  # counting is dear, and this is how it mostly is
        counts = {b"deleted": len(words)} if all_deleted else Counter(words)
        in_order = sorted(ordinals)  # they nearly are: faster than looking for the least and the greatest
        if in_order[-1] >= self._records or not counts.keys() <= _OUTCOMES:
            return False
        if not counts.keys().isdisjoint(_SENT) and not self._may_all_be_sent(ordinals, words, in_order[-1]):
            return False
        if not self._mark(in_order):
            return False
        for word, count in counts.items():
            self._counts[word] += count
        return True

    def _mark(self, ordinals: list[int]) -> bool:
        """Mark ordinals, least first, that have their outcome and say True; if one had it before, change nothing."""
        middle, reach = ordinals[len(ordinals) // 2], 4 * len(ordinals)
        if ordinals[-1] - ordinals[0] < reach:
            return self._mark_near(ordinals)
        start, end = bisect_left(ordinals, middle - reach), bisect_left(ordinals, middle + reach)
        far = ordinals[:start] + ordinals[end:]  # tried again and again, perhaps
        if len(set(far)) != len(far) or any(map(self._is_done, far)) or not self._mark_near(ordinals[start:end]):
            return False
        for ordinal in far:
            self._done[ordinal >> 3] |= 1 << (ordinal & 7)
        return True

    def _mark_near(self, ordinals: list[int]) -> bool:
        """Do so for ordinals that are near to each other, all at once: as the digits of one binary number."""
        first, end = ordinals[0] >> 3, (ordinals[-1] >> 3) + 1
        digits, units = bytearray(b"0") * (end - first << 3), (end << 3) - 1
        for ordinal in ordinals:
            digits[units - ordinal] = _ONE
        new, old = int(digits, 2), int.from_bytes(self._done[first:end], "little")
        if digits.count(_ONE) != len(ordinals) or new & old:
            return False
        self._done[first:end] = (new | old).to_bytes(end - first, "little")
        return True

    def _is_done(self, ordinal: int) -> int:
        return self._done[ordinal >> 3] >> (ordinal & 7) & 1

    def _may_all_be_sent(self, ordinals: list[int], words: list[bytes], greatest: int) -> bool:
        nothing_selected = self._plan is None or self._plan.selected is None
        if nothing_selected and (self._released_through is None or greatest <= self._released_through):
            return True
        sent = (ordinal for ordinal, word in zip(ordinals, words, strict=True) if word in _SENT)
        return not any(self._why_not_sent(ordinal) for ordinal in sent)

    def _why_not_sent(self, ordinal: int) -> str:
        """Why this ordinal should not have been sent; empty if it should."""
        if self._released_through is not None and ordinal > self._released_through:
            return "before it was released"
        selected = self._plan.selected if self._plan else None
        if selected is not None and not selected[ordinal >> 3] >> (ordinal & 7) & 1:
            return "although the plan does not send it"
        return ""

    def take(self, said: dict[str, Any], number: int) -> None:
        """Take one record, which stands in segment ``number``."""
        self._check_frame(said)
        try:
            match said["event"]:
                case "segment":
                    self._take_segment(said, number)
                case "outcome":
                    self._take_outcome(said["ordinal"], str(said["outcome"]).encode())
                case "released":
                    self._take_release(int(said["first"]), int(said["last"]))
                case "recovered":
                    self._take_repair(said)
                case "finished":
                    self._take_end(said["counts"])
        except (AttributeError, KeyError, TypeError, ValueError) as bad:
            self._findings.fault("changed", f"a record {said['event']!r} without its facts: {bad!r}")

    def _check_frame(self, said: dict[str, Any]) -> None:
        findings = self._findings
        if (findings.offset == 0) != (said["event"] == "segment"):
            findings.fault("segment", "a segment begins with a record that says so, and only there")
        if said["ts"] < self._ts:
            findings.notices.append(
                f"record {findings.seq:,}: the clock went backwards, from {self._ts} to {said['ts']}"
            )
        if said["epoch"] < self._epoch:
            findings.fault("changed", f"epoch {said['epoch']} after epoch {self._epoch}")
        self._ts, self._epoch = said["ts"], max(self._epoch, said["epoch"])

    def _take_segment(self, said: dict[str, Any], number: int) -> None:
        if self.run is None:
            self.run = said["run"]
        if self.plan_digest is None:
            self.plan_digest, self._records = said["plan_digest"], int(said["records"])
            self._done = bytearray((self._records + 7) // 8)
            if said["prev"] != self.plan_digest:
                self._findings.fault("changed", "the first record does not carry the digest of the plan it names")
        if said["segment"] != number:
            self._findings.fault("segment", f"this is segment {said['segment']}, in the place of segment {number}")
        if (said["plan_digest"], said["records"]) != (self.plan_digest, self._records):
            other = f"{said['plan_digest']}, {said['records']} records"
            self._findings.fault("plan", f"written for another plan: {other}")

    def _take_outcome(self, ordinal: int, word: bytes) -> None:
        fault = self._findings.fault
        if type(ordinal) is not int or not 0 <= ordinal < self._records or word not in _OUTCOMES:
            fault("outcome", f"outcome {word.decode()!r} for ordinal {ordinal!r}, of {self._records} in the plan")
            return
        if self._is_done(ordinal):
            fault("outcome", f"a second terminal outcome for ordinal {ordinal}")
            return
        if word in _SENT and (why := self._why_not_sent(ordinal)):
            fault("outcome", f"ordinal {ordinal} was sent {why}")
        self._mark([ordinal])
        self._counts[word] += 1

    def _take_release(self, first: int, last: int) -> None:
        if not 0 <= first <= last < self._records:
            self._findings.fault("changed", f"a release of ordinals {first} to {last}, of {self._records} in the plan")
        self._released_through = last if self._released_through is None else max(last, self._released_through)

    def _take_repair(self, said: dict[str, Any]) -> None:
        at = f"record {self._findings.seq:,}"
        if "claimed_seq" in said:
            self._findings.notices.append(
                f"{at}: the log once ended before record {said['claimed_seq']:,}, which {said['checkpoint']} vouched"
                f" for with {said['claimed_hash']}: it had been cut back, or the disk had lost what it promised"
            )
            return
        name = Path(str(said["saved_as"])).name
        self._findings.notices.append(f"{at}: a crash left {said['bytes']:,} bytes unfinished, kept in audit/{name}")
        path = self._folder / "audit" / name
        if not path.is_file():
            self._findings.notices.append(f"audit/{name} is not there any more")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != said["sha256"]:
            self._findings.file_fault("changed", f"audit/{name}", "this is not what was saved here")

    def _take_end(self, told: dict[str, int]) -> None:
        self.finished = True
        told = {word: count for word, count in sorted(told.items()) if count and word.encode() in _OUTCOMES}
        if told != self.counted():
            self._findings.fault("outcome", f"the run ended with {told}, the log holds {self.counted()}")
        done = int.from_bytes(self._done, "little")
        missing = self._records - done.bit_count()
        if missing:
            first = f"the first is ordinal {(~done & (done + 1)).bit_length() - 1}"
            self._findings.fault("outcome", f"the run ended with {missing} records unaccounted for; {first}")


class _Chain:
    """The pass over all lines: each as it was written, each in its place."""

    def __init__(self, findings: _Findings, vouchers: _Vouchers, account: _Account) -> None:
        self._findings = findings
        self._vouchers = vouchers
        self._account = account
        self._manifest: list[dict[str, Any]] = []
        self._number = 0
        self._may_be_torn = False
        self._patterns: _Patterns | None = None
        self._last = account.plan_digest
        """The hash the next record has to carry; None where that can't be known."""
        self._suspect: int | None = None
        """The record before a broken link: changed, unless the one after the link turns out to be."""

    def anchor(self) -> str | None:
        """The last record's number and hash."""
        return f"{self._findings.seq - 1}:{self._last}" if self._findings.seq and self._last else None

    def read(self, folder: Path) -> None:
        """Check everything."""
        segments = _segments(folder / "audit")
        self._read_manifest(folder / "audit" / "manifest.jsonl")
        last = max(segments, default=0)
        try:
            for self._number in range(1, last + 1):
                self._read_segment(segments.get(self._number), is_last=self._number == last)
        except _TornTail:
            pass
        self._end_suspicion()
        self._vouchers.miss()
        compressed = sum(path.suffix == ".zst" for path in segments.values())
        if len(self._manifest) < compressed - 1 or len(self._manifest) > last:
            listed = f"the manifest lists {len(self._manifest)} of {compressed} closed segments"
            self._findings.file_fault("manifest", "audit/manifest.jsonl", listed)
        if not self._account.finished:
            self._findings.notices.append("the run is not finished")

    def _read_segment(self, path: Path | None, *, is_last: bool) -> None:
        findings, number = self._findings, self._number
        findings.file, findings.offset = f"audit/{number:06d}.jsonl", 0
        if path is None:
            findings.fault("segment", "this segment is missing")
            self._last = None
            return
        self._may_be_torn = is_last and path.suffix != ".zst"
        first_seq = findings.seq
        # The manifest's lines vouch for each other; only the newest has no other line to vouch for its SHA-256.
        whole = hashlib.sha256() if number == len(self._manifest) else None
        with closing(_open(path)) as file:
            while data := file.read(0 if findings.offset == 0 else _BLOCK_BYTES) + file.readline():
                if whole is not None:
                    whole.update(data)
                self._read_block(data, file)
        if number <= len(self._manifest):
            self._check_manifest(self._manifest[number - 1], first_seq, None if whole is None else whole.hexdigest())

    def _read_block(self, data: bytes, file: IO[bytes]) -> None:
        """Check some lines: as a whole if they are in order, else one by one."""
        lines = io.BytesIO(data).readlines()
        if not self._take_in_order(data, lines):
            for place, line in enumerate(lines):
                self._read_line(line, lines[place + 1 :] if self._may_be_torn else [], file)

    # many lines at once

    def _take_in_order(self, data: bytes, lines: list[bytes]) -> bool:
        """Check a block of lines as a whole; take it and say True, or leave everything as it was and say False."""
        begins_segment = self._findings.offset == 0
        if begins_segment or self._last is None or self._suspect is not None or self._patterns is None:
            return False
        sha256 = hashlib.sha256
        hashes = [sha256(line).hexdigest() for line in lines]
        carried = '"}\n,"prev":"'.join([self._last, *hashes[:-1]])
        if b"".join(map(_line_end, lines)) != b',"prev":"%b"}\n' % carried.encode() or not data.isascii():
            return False
        outcomes = self._patterns.outcomes(data, lines)
        if outcomes is None or not self._is_numbered(lines):
            return False
        first_seq, end = self._findings.seq, self._findings.offset + len(data)
        self._take_block(lines, outcomes)
        self._findings.offset = end
        self._last = hashes[-1]
        for seq in self._vouchers.between(first_seq, self._findings.seq):
            self._vouchers.deny(seq, hashes[seq - first_seq])
        return True

    def _is_numbered(self, lines: list[bytes]) -> bool:
        """Tell whether the first and the last line have the numbers their places give them."""
        first, last = _HEAD.match(lines[0]), _HEAD.match(lines[-1])
        seq = self._findings.seq
        return first is not None and last is not None and (int(first[1]), int(last[1])) == (seq, seq + len(lines) - 1)

    def _take_block(self, lines: list[bytes], found: _Outcomes) -> None:
        """Take lines whose chain is in order: runs of outcomes together, other events one by one."""
        start = 0
        for place in (*found.others, len(lines)):
            outcomes = lines[start:place]
            if outcomes and self._account.take_outcomes(found.ordinals[start:place], found.words[start:place]):
                self._findings.seq += len(outcomes)
                self._findings.offset += sum(map(len, outcomes)) if found.others else 0  # else the block's end is told
                outcomes = []
            for line in (*outcomes, *lines[place : place + 1]):
                said, reason = _parse(line, self._account.run)
                if said is None:
                    self._findings.fault("changed", reason)
                else:
                    self._account.take(said, self._number)
                self._step_over(line)
            start = place + 1

    # one line

    def _read_line(self, line: bytes, following: list[bytes], file: IO[bytes]) -> None:
        """Check one line, name what is wrong with it, and find the way back to the next good one."""
        said, reason = _parse(line, self._account.run)
        linked = said is not None and self._last in (None, said["prev"])
        if said is None:
            if self._is_torn_tail(line, following, file):
                raise _TornTail
            self._end_suspicion()
            self._findings.fault("changed", reason)
            self._last = None
            self._step_over(line)
            return
        if self._is_additional(said["seq"], linked=linked and self._last is not None):
            self._findings.offset += len(line)
            return
        self._judge_link(linked=linked)
        self._account.take(said, self._number)
        if self._patterns is None and self._account.run is not None:
            self._patterns = _Patterns(json.dumps(self._account.run).encode())
        self._last = hashlib.sha256(line).hexdigest()
        if self._vouchers.deny(self._findings.seq, self._last) and self._suspect == self._findings.seq - 1:
            self._suspect = None  # the blame is on this record
        self._step_over(line)

    def _is_additional(self, seq: int, *, linked: bool) -> bool:
        """Judge a record by its number: it may have been changed, come after a gap, or be one too many."""
        findings = self._findings
        if seq == findings.seq:
            return False
        if linked:
            findings.fault("changed", f"this record is numbered {seq}")
            return False
        self._end_suspicion()
        if seq < findings.seq:
            findings.fault("inserted", f"a second record numbered {seq}, or one out of its place", record=seq)
            return True
        findings.fault("missing", f"records {findings.seq} to {seq - 1} are missing or stand elsewhere")
        findings.seq, self._last = seq, None
        return False

    def _judge_link(self, *, linked: bool) -> None:
        """Find out which side of a broken link was changed: the next link tells."""
        if linked:
            self._end_suspicion()
        elif self._suspect is None:
            self._suspect = self._findings.seq - 1
        else:
            self._accuse(self._suspect + 1)
            self._suspect = None

    def _end_suspicion(self) -> None:
        """The record after a broken link is borne out by its own successor: the one before the link was changed."""
        if self._suspect is not None:
            self._accuse(self._suspect)
            self._suspect = None

    def _accuse(self, seq: int) -> None:
        if seq < 0:
            self._findings.fault("plan", "the log does not begin with the digest of this plan", record=0)
        else:
            self._findings.fault("changed", "not as it was written: the next record carries another hash", record=seq)

    def _is_torn_tail(self, line: bytes, following: list[bytes], file: IO[bytes]) -> bool:
        """Tell whether the log ends here in what a crash leaves: its last commit, partly written."""
        findings = self._findings
        if not self._may_be_torn or self._account.finished or findings.faults or self._suspect is not None:
            return False
        if self._vouchers.between(findings.seq, sys.maxsize):
            return False
        if line.endswith(b'"}\n') and b"\0" not in line:  # a crash leaves zeros or nothing
            return False
        here = file.tell()
        rest = line + b"".join(following) + file.read(_TAIL_BYTES_MAX)
        after = rest[len(line) : rest.find(b"\n", len(line)) + 1]
        borne_out = after[-67:-3] == hashlib.sha256(line).hexdigest().encode()
        if borne_out or len(rest) > _TAIL_BYTES_MAX or written_by_later_commit(rest):
            file.seek(here)
            return False
        findings.notices.append(
            f"{findings.file}, byte {findings.offset:,}: a torn tail of {len(rest):,} bytes, as a crash leaves it"
        )
        return True

    def _step_over(self, line: bytes) -> None:
        self._findings.seq += 1
        self._findings.offset += len(line)

    # the manifest

    def _read_manifest(self, path: Path) -> None:
        previous, offset = hashlib.sha256(b""), 0
        for line in io.BytesIO(path.read_bytes()).readlines() if path.is_file() else []:
            try:
                entry = json.loads(line)
                expected = f"{len(self._manifest) + 1:06d}.jsonl"
                if (entry["name"], entry["previous"]) != (expected, previous.hexdigest()):
                    raise ValueError(f"this line is not the one for {expected} that follows the line before")
            except (ValueError, KeyError, TypeError) as bad:
                if line.endswith(b"\n"):
                    changed = f"the manifest was changed: {bad}"
                    self._findings.file_fault("manifest", "audit/manifest.jsonl", changed, offset=offset)
                return
            self._manifest.append(entry)
            previous = hashlib.sha256(line)
            offset += len(line)

    def _check_manifest(self, entry: dict[str, Any], first_seq: int, sha256: str | None) -> None:
        end = self._findings.seq
        found = {"records": end - first_seq, "first_seq": first_seq, "last_seq": end - 1}
        wrong = [key for key, value in found.items() if entry.get(key) != value]
        if self._last is None or entry.get("last_hash") != self._last:
            wrong.append("last_hash")
        if sha256 is not None and entry.get("sha256") != sha256:
            wrong.append("sha256")
        if wrong:
            # The hash of a segment's last record covers all before it: a change lies there or earlier.
            other = f"the manifest has another {' and another '.join(wrong)} for this segment"
            self._findings.fault("manifest", other, record=end - 1)


def _segments(folder: Path) -> dict[int, Path]:
    """The segments by number; the plain form where there are both."""
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        match = _SEGMENT.fullmatch(path.name)
        if match and (match[2] is None or int(match[1]) not in found):
            found[int(match[1])] = path
    return found


class _Outcomes(NamedTuple):
    """What a block of lines says, line by line: ordinals and outcomes, and the places of the lines with neither."""

    ordinals: list[int]
    words: list[bytes]
    others: list[int]


class _Patterns:
    """Find the outcomes in a block of lines of one run without reading them as JSON.

    Nearly all lines of nearly all blocks say "deleted" and have numbers of the same length, so that is looked for
    first, many lines at a time.  The fixed skips are for speed: over an id of 138 characters (any other goes the long
    way), and over part of what must follow an outcome (158 bytes at least).
    """

    def __init__(self, run: bytes) -> None:
        self._head = b'"event":"outcome","run":%b,"ordinal":' % run
        self._first = re.compile(re.escape(self._head) + b"([0-9]+),")
        run = re.escape(run)
        archive_id = rb'(?:.{154}|"archive_id":"(?:[^"\\]|\\.)*",)'
        outcome = rb'outcome","run":%b,"ordinal":([0-9]+),%b"size":[0-9]+,"outcome":"(\w+)".{150}' % (run, archive_id)
        self._any = re.compile(rb'"event":"(?:%b|(\w+)","run":%b)' % (outcome, run), re.DOTALL)
        self._deleted: dict[tuple[int, int], list[tuple[int, re.Pattern[bytes]]]] = {}

    def outcomes(self, data: bytes, lines: list[bytes]) -> _Outcomes | None:
        """Find them; None where in doubt."""
        try:
            return self._mostly_deleted(data, lines) or self._mixed(data, lines)
        except ValueError:  # an ordinal with a leading zero, which is no JSON
            return None

    def _mixed(self, data: bytes, lines: list[bytes]) -> _Outcomes | None:
        facts = self._any.findall(data)
        if len(facts) != len(lines):
            return None
        ordinals = json.loads(b"[%b]" % b",".join([fact[0] or b"-1" for fact in facts]))
        others = [place for place, fact in enumerate(facts) if not fact[0]]
        return _Outcomes(ordinals, [fact[1] for fact in facts], others)

    def _mostly_deleted(self, data: bytes, lines: list[bytes]) -> _Outcomes | None:
        seq_end = data.find(b",")
        first = self._first.search(data)
        if first is None or lines[-1][seq_end : seq_end + 1] != b",":
            return None
        start, digits = seq_end + 33 + len(self._head), len(first[1])
        others = self._no_deletions(seq_end, digits, data, lines)
        if others is None:
            return None
        deletions = list(lines)
        for place in reversed(others):
            del deletions[place]
        numbers = b"".join(map(itemgetter(slice(start, start + digits + 1)), deletions)).decode()
        ordinals = json.loads(f"[{numbers[:-1]}]")  # and not int(), which takes numbers that are no JSON
        for place in others:
            ordinals.insert(place, -1)
        return _Outcomes(ordinals, [b"deleted"] * len(lines), others)

    def _no_deletions(self, seq_end: int, digits: int, data: bytes, lines: list[bytes]) -> list[int] | None:
        """Places of lines that are no deletions with numbers of this length; None if there are many.

        Each line counted here takes up one line end at least.  So a fixed skip that went over a line end shows: the
        data ends before all lines are counted.
        """
        others: list[int] = []
        place = at = 0
        while place < len(lines):
            for many, pattern in self._deletions(seq_end, digits):
                while place + many <= len(lines) and (match := pattern.match(data, at)):
                    place, at = place + many, match.end()
            if place < len(lines):
                others.append(place)
                place, at = place + 1, data.find(b"\n", at) + 1
                if at == 0 or len(others) * _LINES_A_PARSED_ONE > len(lines):
                    return None
        return others

    def _deletions(self, seq_end: int, digits: int) -> list[tuple[int, re.Pattern[bytes]]]:
        """Match some lines, whose own numbers end there, as deletions of ordinals with so many digits.

        What all lines have in common is spelt out in the first alone: to compare with that takes half as long.
        """
        if (seq_end, digits) not in self._deleted:
            line = rb".{%d}%%b[0-9]{%d},.{154}%%b[0-9]++%%b.{150}[^\n]*+\n" % (seq_end + 33, digits)
            first = line % (b"(%b)" % re.escape(self._head), b'("size":)', b'(,"outcome":"deleted")')
            other = line % (rb"\1", rb"\2", rb"\3")
            self._deleted[seq_end, digits] = [
                (many, re.compile(rb"%b(?:%b){%d}+" % (first, other, many - 1), re.DOTALL)) for many in _STRIDES
            ]
        return self._deleted[seq_end, digits]


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice: readers would differ on which one counts."""
    facts = dict(pairs)
    if len(facts) != len(pairs):
        raise ValueError("a key stands twice")
    return facts


_decode = json.JSONDecoder(object_pairs_hook=_each_once).decode


def _parse(line: bytes, run: str | None) -> tuple[dict[str, Any] | None, str]:
    """Read a line, or say why it is none."""
    if not line.endswith(b'"}\n'):
        return None, "line ends were converted" if b"\r" in line else "the record is cut off, or its end was changed"
    if not line.isascii():
        return None, "not ASCII: a byte order mark, another encoding, or a changed byte"
    try:
        said = _decode(line.decode())
        keys = list(said)
    except (ValueError, TypeError, RecursionError) as bad:
        return None, f"not JSON: {bad}"
    if keys[:4] != ["seq", "ts", "event", "run"] or keys[-2:] != ["epoch", "prev"]:
        return None, "not the keys of a record, or not in their order"
    if type(said["seq"]) is not int or type(said["epoch"]) is not int or not isinstance(said["ts"], str):
        return None, "seq, epoch or ts is of the wrong type"
    if run is not None and said["run"] != run:
        return None, f"a record of another run, {said['run']!r}"
    return said, ""


def _open(path: Path) -> IO[bytes]:
    """Open a segment for reading its plain bytes."""
    if path.suffix != ".zst":
        return path.open("rb")
    try:
        import zstandard  # noqa: PLC0415 - wanted only here, and not always there
    except ImportError:
        unpacked = subprocess.run(["zstdcat", "--", str(path)], check=True, capture_output=True).stdout  # noqa: S603, S607
        return io.BytesIO(unpacked)
    stream = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True, closefd=True)
    return io.BufferedReader(stream, _BLOCK_BYTES)


def _keep_freed_memory() -> None:
    """Have the C library keep a block's memory for the next block, where it would give it back and ask again each time.

    glibc goes by the largest piece that was ever freed (mallopt(3), M_MMAP_THRESHOLD).  Never written to, it is free.
    """
    bytes(16 * _BLOCK_BYTES)


def main() -> int:
    """Check the run folder named on the command line; print what was found; 0 as written, 4 damaged."""
    parser = argparse.ArgumentParser(description="Check a run folder's audit log for tampering.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--anchor", help="SEQ:HASH, kept from a run or an earlier check")
    parser.add_argument("--plan-digest", help="the plan's SHA-256; needs --records")
    parser.add_argument("--records", type=int, help="records in the plan's inventory")
    asked = parser.parse_args()
    plan = PlanFacts(digest=asked.plan_digest, records=asked.records or 0) if asked.plan_digest else None
    verdict = verify(asked.folder, plan=plan, anchor=asked.anchor)
    for fault in verdict.faults:
        place = "" if fault.record is None else f", record {fault.record:,}"
        sys.stdout.write(f"{fault.kind}: {fault.file}, byte {fault.offset_bytes:,}{place}: {fault.message}\n")
    for notice in verdict.notices:
        sys.stdout.write(f"note: {notice}\n")
    state = (
        "DAMAGED" if verdict.faults else "as it was written" if verdict.finished else "as it was written, not finished"
    )
    sys.stdout.write(f"{verdict.records:,} records, {verdict.counts}, {state}; anchor {verdict.anchor}\n")
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
