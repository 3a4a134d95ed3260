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
from binascii import unhexlify
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_OUTCOMES = frozenset({b"deleted", b"failed", b"skipped", b"invalid", b"duplicate"})
_SENT = frozenset({b"deleted", b"failed"})
_FAULTS_MOST = 100
_TAIL_BYTES_MAX = 1 << 26
_BLOCK_BYTES = 1 << 20
_HEAD = re.compile(rb'\{"seq":([0-9]+),"ts":"([0-9-]{10}T[0-9:.]{12}Z)","event":"')
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
    check = _Check(folder, plan)
    if anchor is not None:
        check.watch_anchor(anchor)
    for name in ("checkpoint", "checkpoint.previous"):
        check.watch_checkpoint(name)
    check.read_all()
    return check.verdict()


def written_by_later_commit(rest: bytes) -> bool:
    """Tell whether ``rest``, which begins with a broken line, holds lines of more than one commit.

    All lines of a commit carry the same ``ts`` and no two commits in a row do; a commit begins once the one before is
    durable.  So whatever stands before a line of a later commit had been durable: its damage is no crash's doing.
    """
    heads = (_HEAD.match(line) for line in rest.split(b"\n"))
    return len({head[2] for head in heads if head is not None}) > 1


class _TornTail(Exception):  # noqa: N818 - not an error: the readable log ends here
    """The log ends in what a crash leaves."""


class _Check:
    """One pass over a log. ``seq``, ``last`` (a hash) and ``offset`` say where it stands: before the next record."""

    def __init__(self, folder: Path, plan: PlanFacts | None) -> None:
        self.folder = folder
        self.plan = plan
        self.faults: list[Fault] = []
        self.notices: list[str] = []
        self.counts: Counter[bytes] = Counter()
        self.watched: dict[int, list[tuple[str, str]]] = {}
        self.manifest: list[dict[str, Any]] = []
        self.run: str | None = None
        self.plan_digest = plan.digest if plan else None
        self.records = plan.records if plan else 0
        self.done = bytearray(self.records)
        self.finished: dict[str, Any] | None = None
        self.released_through: int | None = None
        self.ts, self.epoch = "", 0
        self.seq = 0
        self.last: bytes | None = unhexlify(plan.digest) if plan else None
        """The hash the next record has to carry; None where that can't be known."""
        self.suspect: int | None = None
        """The record before a broken link: it was changed, unless the one after turns out to be."""
        self.file, self.offset, self.number, self.may_be_torn = "audit", 0, 0, False
        self.pattern: re.Pattern[bytes] | None = None

    # what the log is held against

    def watch_anchor(self, anchor: str) -> None:
        """Expect the record and hash that somebody kept elsewhere."""
        seq, _, digest = anchor.partition(":")
        if not seq.isdecimal() or not re.fullmatch("[0-9a-f]{64}", digest):
            raise ValueError(f"{anchor!r} is not an anchor: SEQ:HASH, as printed by a run or an earlier check")
        self.watched.setdefault(int(seq), []).append(("the anchor", digest))

    def watch_checkpoint(self, name: str) -> None:
        """Expect what a checkpoint says: it was written after that part of the log was durable."""
        path = self.folder / name
        if not path.exists():
            if name == "checkpoint":
                self.notices.append("there is no checkpoint: a log cut back at its end shows only against an anchor")
            return
        data = path.read_bytes()
        try:
            if data[-10:] != b"\n%08x\n" % zlib.crc32(data[:-10]):
                raise ValueError("its CRC does not fit")
            position = json.loads(data[: data.index(b"\n")])["position"]
            seq, digest = int(position["seq"]) - 1, str(position["last_hash"])
        except (ValueError, KeyError, TypeError) as bad:
            self._fault("checkpoint", f"this checkpoint was changed: {bad}", file=name, whole_file=True)
            return
        if seq >= 0:
            self.watched.setdefault(seq, []).append((name, digest))

    def _check_watched(self, seq: int, digest: str) -> None:
        for name, expected in self.watched.get(seq, ()):
            if digest == expected:
                continue
            if self.suspect == seq - 1:
                self.suspect = None
            self._fault(
                "changed", f"{name} vouches for another record here, and so for another log before it", record=seq
            )

    # reading

    def read_all(self) -> None:
        """Read every segment, then look at what is missing."""
        segments = self._segments()
        self._read_manifest()
        try:
            for number in range(1, max(segments, default=0) + 1):
                self._read_segment(number, segments.get(number), is_last=number == max(segments))
        except _TornTail:
            pass
        self._end_suspicion()
        self._check_end(segments)

    def _segments(self) -> dict[int, Path]:
        found: dict[int, Path] = {}
        folder = self.folder / "audit"
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            match = _SEGMENT.fullmatch(path.name)
            if match and (match[2] is None or int(match[1]) not in found):
                found[int(match[1])] = path
        return found

    def _read_segment(self, number: int, path: Path | None, *, is_last: bool) -> None:
        self.file, self.offset, self.number = f"audit/{number:06d}.jsonl", 0, number
        if path is None:
            self._fault("segment", "this segment is missing")
            self.last = None
            return
        self.may_be_torn = is_last and path.suffix != ".zst"
        first_seq = self.seq
        # The manifest's lines vouch for each other; only the newest has no other line to vouch for its SHA-256.
        whole = hashlib.sha256() if number == len(self.manifest) else None
        with closing(_open(path)) as file:
            while lines := file.readlines(_BLOCK_BYTES):
                if whole is not None:
                    whole.update(b"".join(lines))
                self._read_block(lines, file)
        if number <= len(self.manifest):
            self._check_manifest(self.manifest[number - 1], first_seq, whole)

    def _read_block(self, lines: list[bytes], file: IO[bytes]) -> None:
        """Check some lines: as a whole if they are in order, else one by one. A segment's first stands alone."""
        if self.offset == 0:
            self._read_line(lines[0], lines[1:], file)
            lines = lines[1:]
        if lines and not self._in_order(lines):
            for place, line in enumerate(lines):
                self._read_line(line, lines[place + 1 :] if self.may_be_torn else [], file)

    # many lines at once

    def _in_order(self, lines: list[bytes]) -> bool:
        """Check a block of lines as a whole; take it and say True, or leave everything as it was and say False."""
        if self.pattern is None or self.last is None or self.suspect is not None:
            return False
        sha256 = hashlib.sha256
        hashes = [sha256(line).digest() for line in lines]
        data = b"".join(lines)
        try:
            carried = unhexlify(b"".join([line[-67:-3] for line in lines]))
        except ValueError:
            return False
        if carried != self.last + b"".join(hashes[:-1]) or not data.isascii() or lines[-1][-3:] != b'"}\n':
            return False
        facts = self.pattern.findall(data)
        first, final = _HEAD.match(lines[0]), _HEAD.match(lines[-1])
        if first is None or final is None or len(facts) != len(lines):
            return False
        if int(first[1]) != self.seq or int(final[1]) != self.seq + len(lines) - 1:
            return False
        self._take_block(lines, facts, hashes)
        return True

    def _take_block(self, lines: list[bytes], facts: list[tuple[bytes, ...]], hashes: list[bytes]) -> None:
        """Take lines whose chain is in order: runs of outcomes together, other events one by one."""
        first_seq, start = self.seq, 0
        for place in (*(place for place, fact in enumerate(facts) if fact[2]), len(lines)):
            outcomes = lines[start:place]
            if outcomes and self._take_outcomes(facts[start:place]):
                self.seq += len(outcomes)
                self.offset += sum(map(len, outcomes))
                outcomes = []
            for line in (*outcomes, *lines[place : place + 1]):
                said, reason = _parse(line, self.run)
                if said is None:
                    self._fault("changed", reason)
                else:
                    self._take_meaning(said)
                self._step_over(line)
            start = place + 1
        self.last = hashes[-1]
        for seq in [seq for seq in self.watched if first_seq <= seq < self.seq]:
            self._check_watched(seq, hashes[seq - first_seq].hex())

    def _take_outcomes(self, facts: list[tuple[bytes, ...]]) -> bool:
        """Mark a run of outcomes as done if every one of them may be; else change nothing."""
        numbers, words, _ = zip(*facts, strict=True)
        ordinals: list[int] = json.loads(b"[%b]" % b",".join(numbers))
        counts = Counter(words)
        if max(ordinals) >= self.records or len(set(ordinals)) != len(ordinals) or not counts.keys() <= _OUTCOMES:
            return False
        done = self.done
        if any(map(done.__getitem__, ordinals)):
            return False
        if not counts.keys().isdisjoint(_SENT) and not self._may_be_sent(ordinals, words):
            return False
        for ordinal in ordinals:
            done[ordinal] = 1
        self.counts += counts
        return True

    def _may_be_sent(self, ordinals: list[int], words: tuple[bytes, ...]) -> bool:
        selected = self.plan.selected if self.plan else None
        if selected is None and (self.released_through is None or max(ordinals) <= self.released_through):
            return True
        sent = [ordinal for ordinal, word in zip(ordinals, words, strict=True) if word in _SENT]
        return not any(self._wrongly_sent(ordinal) for ordinal in sent)

    def _wrongly_sent(self, ordinal: int) -> str:
        """Why this ordinal should not have been sent; empty if it should."""
        if self.released_through is not None and ordinal > self.released_through:
            return "before it was released"
        selected = self.plan.selected if self.plan else None
        if selected is not None and not selected[ordinal >> 3] >> (ordinal & 7) & 1:
            return "although the plan does not send it"
        return ""

    # one line

    def _read_line(self, line: bytes, following: list[bytes], file: IO[bytes]) -> None:
        """Check one line, name what is wrong with it, and find the way back to the next good one."""
        said, reason = _parse(line, self.run)
        linked = said is not None and (self.last is None or said["prev"] == self.last.hex())
        if (said is None or not linked or said["seq"] != self.seq) and self._is_torn_tail(line, following, file):
            raise _TornTail
        if said is None:
            self._end_suspicion()
            self._fault("changed", reason)
            self.last = None
            self._step_over(line)
            return
        if self._is_additional(said["seq"], linked=linked and self.last is not None):
            self.offset += len(line)
            return
        self._judge_link(linked=linked)
        self._take_meaning(said)
        digest = hashlib.sha256(line)
        self.last = digest.digest()
        self._check_watched(self.seq, digest.hexdigest())
        self._step_over(line)

    def _is_additional(self, seq: int, *, linked: bool) -> bool:
        """Judge a record by its number: it may have been changed, come after a gap, or be one too many."""
        if seq == self.seq:
            return False
        if linked:
            self._fault("changed", f"this record is numbered {seq}")
            return False
        self._end_suspicion()
        if seq < self.seq:
            self._fault("inserted", f"a second record numbered {seq}, or one out of its place", record=seq)
            return True
        self._fault("missing", f"records {self.seq} to {seq - 1} are missing or stand elsewhere")
        self.seq, self.last = seq, None
        return False

    def _judge_link(self, *, linked: bool) -> None:
        """Find out which side of a broken link was changed: the next link tells."""
        if linked or self.last is None:
            self._end_suspicion()
        elif self.suspect is None:
            self.suspect = self.seq - 1
        else:
            self._accuse(self.suspect + 1)
            self.suspect = None

    def _end_suspicion(self) -> None:
        """The record after a broken link is borne out by its own successor: the one before the link was changed."""
        if self.suspect is not None:
            self._accuse(self.suspect)
            self.suspect = None

    def _accuse(self, seq: int) -> None:
        if seq < 0:
            self._fault("plan", "the log does not begin with the digest of this plan", record=0)
        else:
            self._fault(
                "changed", "this record is not as it was written: the next one carries another hash", record=seq
            )

    def _is_torn_tail(self, line: bytes, following: list[bytes], file: IO[bytes]) -> bool:
        """Tell whether the log ends here in what a crash leaves: its last commit, partly written."""
        if not self.may_be_torn or self.finished or self.faults or self.suspect is not None:
            return False
        if any(seq >= self.seq for seq in self.watched):
            return False
        here = file.tell()
        rest = line + b"".join(following) + file.read(_TAIL_BYTES_MAX)
        if len(rest) > _TAIL_BYTES_MAX or written_by_later_commit(rest):
            file.seek(here)
            return False
        self.notices.append(
            f"{self.file}, byte {self.offset:,}: a torn tail of {len(rest):,} bytes, as a crash leaves it"
        )
        return True

    def _step_over(self, line: bytes) -> None:
        self.seq += 1
        self.offset += len(line)

    # what a record says

    def _take_meaning(self, said: dict[str, Any]) -> None:
        event = said["event"]
        if (self.offset == 0) != (event == "segment"):
            self._fault("segment", "a segment begins with a record that says so, and only there")
        if said["ts"] < self.ts:
            self.notices.append(f"record {self.seq:,}: the clock went backwards, from {self.ts} to {said['ts']}")
        if said["epoch"] < self.epoch:
            self._fault("changed", f"epoch {said['epoch']} after epoch {self.epoch}")
        self.ts, self.epoch = said["ts"], max(self.epoch, said["epoch"])
        take = _MEANINGS.get(event)
        if take is None:
            return
        try:
            take(self, said)
        except (KeyError, TypeError, ValueError) as bad:
            self._fault("changed", f"a record {event!r} without its facts: {bad}")

    def take_segment(self, said: dict[str, Any]) -> None:
        """Take in a record of this event."""
        if self.number == 1:
            self.run = said["run"]
            self.pattern = _pattern(json.dumps(said["run"]).encode())
            if self.plan is None:
                self.plan_digest, self.records = said["plan_digest"], int(said["records"])
                self.done = bytearray(self.records)
                if said["prev"] != self.plan_digest:
                    self._fault("changed", "the first record does not carry the digest of the plan it names")
        if said["segment"] != self.number:
            self._fault("segment", f"this is segment {said['segment']}, in the place of segment {self.number}")
        if (said["plan_digest"], said["records"]) != (self.plan_digest, self.records):
            self._fault("plan", f"written for another plan: {said['plan_digest']}, {said['records']} records")

    def take_outcome(self, said: dict[str, Any]) -> None:
        """Take in a record of this event."""
        ordinal, word = said["ordinal"], str(said["outcome"]).encode()
        if type(ordinal) is not int or not 0 <= ordinal < self.records or word not in _OUTCOMES:
            self._fault(
                "outcome", f"outcome {said['outcome']!r} for ordinal {ordinal!r}, of {self.records} in the plan"
            )
            return
        if self.done[ordinal]:
            self._fault("outcome", f"a second terminal outcome for ordinal {ordinal}")
        elif word in _SENT and (why := self._wrongly_sent(ordinal)):
            self._fault("outcome", f"ordinal {ordinal} was sent {why}")
        self.done[ordinal] = 1
        self.counts[word] += 1

    def take_released(self, said: dict[str, Any]) -> None:
        """Take in a record of this event."""
        first, last = int(said["first"]), int(said["last"])
        if not 0 <= first <= last < self.records:
            self._fault("changed", f"a release of ordinals {first} to {last}, of {self.records} in the plan")
        self.released_through = max(last, self.released_through if self.released_through is not None else -1)

    def take_recovered(self, said: dict[str, Any]) -> None:
        """Take in a record of this event."""
        if "claimed_seq" in said:
            self.notices.append(
                f"record {self.seq:,}: the log once ended before record {said['claimed_seq']:,}, which"
                f" {said['checkpoint']} vouched for with {said['claimed_hash']}: it had been cut back, or the disk had"
                " lost what it promised"
            )
            return
        name = str(said["saved_as"])
        self.notices.append(
            f"record {self.seq:,}: a crash left {said['bytes']:,} bytes unfinished, kept in audit/{name}"
        )
        path = self.folder / "audit" / Path(name).name
        if not path.is_file():
            self.notices.append(f"audit/{name} is not there any more")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != said["sha256"]:
            self._fault("changed", f"audit/{name} is not what was saved there", file=f"audit/{name}", whole_file=True)

    def take_finished(self, said: dict[str, Any]) -> None:
        """Take in a record of this event."""
        self.finished = said
        told = {word: count for word, count in said["counts"].items() if count and word.encode() in _OUTCOMES}
        if told != self._counts():
            self._fault("outcome", f"the run ended with {told}, the log holds {self._counts()}")
        missing = self.done.count(0)
        if missing:
            self._fault("outcome", f"the run ended with {missing} records unaccounted for, first {self.done.index(0)}")

    def _counts(self) -> dict[str, int]:
        return {word.decode(): count for word, count in sorted(self.counts.items()) if count}

    # the manifest

    def _read_manifest(self) -> None:
        path = self.folder / "audit" / "manifest.jsonl"
        previous, offset = hashlib.sha256(b""), 0
        for line in path.read_bytes().splitlines(keepends=True) if path.is_file() else []:
            try:
                entry = json.loads(line)
                if entry["previous"] != previous.hexdigest():
                    raise ValueError("its line does not follow the one before it")
                expected = f"{len(self.manifest) + 1:06d}.jsonl"
                if entry["name"] != expected:
                    raise ValueError(f"it lists {entry['name']!r} in the place of {expected}")
            except (ValueError, KeyError, TypeError) as bad:
                if line.endswith(b"\n"):
                    self._fault(
                        "manifest", f"the manifest was changed: {bad}", file="audit/manifest.jsonl", offset=offset
                    )
                return
            self.manifest.append(entry)
            previous = hashlib.sha256(line)
            offset += len(line)

    def _check_manifest(self, entry: dict[str, Any], first_seq: int, whole: hashlib._Hash | None) -> None:
        last_hash = self.last.hex() if self.last else ""
        found = {
            "records": self.seq - first_seq,
            "first_seq": first_seq,
            "last_seq": self.seq - 1,
            "last_hash": last_hash,
        }
        if whole is not None:
            found["sha256"] = whole.hexdigest()
        wrong = [key for key, value in found.items() if entry.get(key) != value]
        if not wrong:
            return
        # The one hash of a segment's last record covers all of it, so this record is where a change ends at the latest.
        self._fault("manifest", f"the manifest has other {', '.join(wrong)} for this segment", record=self.seq - 1)

    # the end

    def _check_end(self, segments: dict[int, Path]) -> None:
        for seq, watchers in sorted(self.watched.items()):
            if seq >= self.seq:
                self._fault("truncated", f"the log ends here; {watchers[0][0]} vouches for records up to {seq}")
        sealed = sum(path.suffix == ".zst" for path in segments.values())
        if len(self.manifest) not in {sealed, sealed - 1, len(segments) - 1}:
            self._fault(
                "manifest",
                f"the manifest lists {len(self.manifest)} of {sealed} closed segments",
                file="audit/manifest.jsonl",
                whole_file=True,
            )
        if self.finished is None:
            self.notices.append("the run is not finished")

    def verdict(self) -> Verification:
        """Sum up."""
        return Verification(
            faults=tuple(self.faults),
            notices=tuple(self.notices),
            records=self.seq,
            counts=self._counts(),
            finished=self.finished is not None,
            anchor=f"{self.seq - 1}:{self.last.hex()}" if self.seq and self.last else None,
        )

    def _fault(
        self,
        kind: str,
        message: str,
        *,
        record: int | None = None,
        file: str | None = None,
        offset: int | None = None,
        whole_file: bool = False,
    ) -> None:
        at = None if file is not None else self.seq if record is None else record
        where = 0 if whole_file else self.offset if offset is None else offset
        fault = Fault(kind=kind, file=file or self.file, offset_bytes=where, record=at, message=message)
        if len(self.faults) < _FAULTS_MOST:
            self.faults.append(fault)


_MEANINGS = {
    "segment": _Check.take_segment,
    "outcome": _Check.take_outcome,
    "released": _Check.take_released,
    "recovered": _Check.take_recovered,
    "finished": _Check.take_finished,
}


def _pattern(run: bytes) -> re.Pattern[bytes]:
    """Find in each line either (ordinal, outcome, nothing) or (nothing, nothing, event); 138 is an id's length."""
    any_id = rb'"archive_id":"(?:[^"\\]|\\.)*",'
    outcome = rb'outcome","run":%b,"ordinal":([0-9]+),(?:.{154}|%b)"size":[0-9]+,"outcome":"(\w+)"' % (
        re.escape(run),
        any_id,
    )
    return re.compile(rb'"event":"(?:%b|(\w+)","run":%b)' % (outcome, re.escape(run)), re.DOTALL)


def _parse(line: bytes, run: str | None) -> tuple[dict[str, Any] | None, str]:
    """Read a line, or say why it is none."""
    if not line.endswith(b'"}\n'):
        return None, "line ends were converted" if b"\r" in line else "the record is cut off, or its end was changed"
    if not line.isascii():
        return None, "not ASCII: a byte order mark, another encoding, or a changed byte"
    try:
        said = json.loads(line, object_pairs_hook=_each_once)
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


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice: readers would differ on which one counts."""
    facts = dict(pairs)
    if len(facts) != len(pairs):
        raise ValueError("a key stands twice")
    return facts


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
