"""The check for tampering: reads a run's folder and names every record and file that is not as it was written.

This one file needs nothing but Python's standard library and imports nothing of ours, so that an auditor can copy it
out, read it in one sitting and run it: ``python verification.py FOLDER [--anchor SEQ:HASH]``.  Compressed segments
need the ``zstandard`` package, Python 3.14 or the ``zstdcat`` command.

Of the log is checked: every line carries the SHA-256 of the exact bytes of the line before, the first one the plan's
digest; numbers run without a gap; every segment begins as one of this run; every ordinal has one outcome at most,
inside of the plan and after its release; the manifest, checkpoints and saved torn tails fit the log; a finished log
accounts for all records.  Of the other files: plan and certificate have the digests they say, snapshot and decisions
those of the plan, and all of them are of one vault and one run.  A lifecycle's steps carry the hash of the step before,
and its rounds have the plans that its steps name; a fleet's members are the vaults it has settled.  A script's log has
``stream.json`` for a plan, whose SHA-256 its first line carries, and the ids it releases beside their ordinals.

A block of lines is checked as a whole, at a microsecond a record; only a block that fails is gone through line by line
to name the place.  Whatever bytes a file holds, and whatever stands in its place, is a fault of that file and never an
error here; nothing is waited for, and memory is bounded.  What a crash leaves behind, its recorded repair, a run not
finished and clocks that went backwards are said, but are no damage.  What can't be seen: a folder wholly rewritten by
someone who recomputes every hash, or a log cut back together with its checkpoint, unless it is held against an anchor
(``SEQ:HASH``, or a file of notes) kept elsewhere; nor lists and notes for people, which decide nothing
(``unproven.csv``, ``*.ids``, ``noticed.json``, ``waiting.json``, ``ended.json``, ``told.json``).  ``removal.jsonl`` and
``retrieval.json`` have nothing that vouches for them and are held to their form.

Sections, each with where it begins:

 1  the verdict, and what is asked for it                         Verification, verify_folder, verify_run
 2  what a crash may leave at the end of a log                    a_crash_may_leave
 3  faults, their places, and who vouches for what                _Findings, _Vouchers
 4  the files of a run beside its log                             _RunFiles, _ScriptFiles
 5  what the records say, held against each other and the plan    _Account
 6  the log: line by line, segment by segment                     _Chain
 7  reading segments, plain and compressed                        _Segment, _frames
 8  lifecycles and fleets                                         _verify_lifecycle, _verify_fleet
 9  finding the outcomes of a block at once, for speed alone      _Patterns
10  JSON, as its writer has it                                    _document, _sealed
11  files, whatever stands in their place                         _opened, _sha256
12  the command                                                   main
"""

from __future__ import annotations

import binascii
import codecs
import errno
import hashlib
import io
import json
import math
import os
import re
import stat
import subprocess
import sys
import zlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import IO, Any, NamedTuple

_OUTCOMES = frozenset({b"deleted", b"failed", b"skipped", b"invalid", b"duplicate"})
_SENT = frozenset({b"deleted", b"failed"})
_COUNTERS = ("attempts", "throttled", "server_faults", "active_seconds")
_FAULTS_MOST = 100
_MESSAGE_MOST = 400
"""Characters of a message; what it quotes is somebody else's text."""
_TAIL_BYTES_MAX = 1 << 26
"""More than any one commit writes, and so than any line."""
_DOCUMENT_BYTES_MAX = 1 << 26
_RECORDS_MAX = 1 << 33
"""A hundred times what a vault can be expected to hold; a bit of memory each."""
_CHUNK_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 17  # fits the second-level cache of most processors: a block is gone over about ten times
_SECTOR_BYTES = 512
_ONE = ord("1")
_REACH = 4  # outcomes of which each has so many ordinals to itself, or fewer, are near to each other
_LINES_A_PARSED_ONE = 32  # one line read as JSON takes as long as finding the outcomes of so many again
_STRIDES = (64, 8, 1)  # lines matched at a time; a line that is no deletion ends a stride
_HEAD = re.compile(rb'\{"seq":([0-9]{1,19}),"ts":"([0-9-]{10}T[0-9:.]{12}Z)","event":"')
_WHOLE = re.compile(_HEAD.pattern + rb'.*"prev":"[0-9a-f]{64}"\}', re.DOTALL)
_GOES_ON = re.compile(rb'"prev":"[0-9a-f]{64}"\}[^\0\n]')
"""A record's end, and something behind it."""
_ENTRY_KEYS = {"name", "records", "first_seq", "last_seq", "sha256", "last_hash", "packed_crc32", "previous"}
_ENTRY_GOES_ON = re.compile(rb'"previous":"[0-9a-f]{64}"\}[^\0\n]')
_ZEROS = re.compile(rb"\0+")
_WRITABLE = bytes([0, 10, *range(32, 127)])
"""Every byte of a log, and the zero that a crash may leave."""
_CONTROLS = bytes(range(1, 32))
"""What no line of JSON holds."""
_line_end = itemgetter(slice(-76, None))
_SEGMENT = re.compile(r"([0-9]{6,9})\.jsonl(\.zst)?")
_TORN = re.compile(r"[0-9]{6,9}\.jsonl\.torn-[0-9]{1,9}")
_DIGEST = re.compile("[0-9a-f]{64}")
_NOTE = re.compile(
    rb"(?P<text>glacier-purge/(?P<run>[!-~]{1,3000})\n(?P<records>[1-9][0-9]{0,17})\n(?P<head>[A-Za-z0-9+/]{43}=)\n"
    rb"plan (?P<plan>[0-9a-f]{64})\ntime [0-9-]{10}T[0-9:]{8}Z\n)\n"
    rb"(?P<signature>-----BEGIN SSH SIGNATURE-----\n(?:[A-Za-z0-9+/=]{1,100}\n){1,500}-----END SSH SIGNATURE-----\n)?"
    rb"\n?"
)
"""An anchor kept as a note: what is signed, an empty line, the signature if there is one, and another empty line."""
_STATEMENT = re.compile(
    rb"(?P<text>glacier-purge-(?P<purpose>approval|plan) (?P<format>[0-9]{1,6})\nplan (?P<plan>[0-9a-f]{64})\n"
    rb"run (?P<run>[0-9a-f]{64})\nvault (?P<vault>arn:[!-~]{1,400})\narchives (?P<archives>[0-9]{1,18})\n"
    rb"bytes (?P<bytes>[0-9]{1,25})\nkept (?P<kept>[0-9]{1,18})\nwho (?P<who>[!-~]{1,200})\nat (?P<at>[0-9TZ:-]{20})\n"
    rb"(?:until (?P<until>[0-9TZ:-]{20})\n)?)\n"
    rb"(?P<signature>-----BEGIN SSH SIGNATURE-----\n(?:[A-Za-z0-9+/=]{1,100}\n){1,500}-----END SSH SIGNATURE-----\n)?"
    rb"\n?"
)
"""What somebody says of a plan: that they approve it, or made it. What is signed, an empty line, the signature."""
_STATEMENT_FORMAT = 1
_STATEMENT_BYTES_MAX = 1 << 16
_SIGNER = re.compile(
    r"(?P<names>[^\s\"]+)\s+(?P<options>(?:(?:[^\s\"]|\"[^\"]*\")+\s+)?)(?:ssh|ecdsa|sk)-\S+\s+"
    r"(?P<key>AAAA[A-Za-z0-9+/=]+)(?:\s.*)?"
)
"""A line of ssh's file of allowed signers: names, options, the key."""
_SIGNATURE_SECONDS_MAX = 5.0
_APPROVAL_FILE = re.compile(r".+-([0-9a-f]{12})\.approval")
"""A document that was put there by us: its name ends with the beginning of its hash."""
_GOOD = re.compile(rb" with (\S+ key (SHA256:\S+))")
_SELECTED_AS_DIGIT = b"1" + b"0" * 255
"""A decision's byte is 0 where the plan sends a delete."""
_ABANDONED = "abandoned"
_ALLOWED = "uploads not denied any more, by somebody else"
_ALLOWED_IN = ("inventory", "plan", "approval", "purge", "verify", "delete vault")
"""The phases in which that is seen; it leads to no other."""
_NO_MORE_DENIED = frozenset({"uploads as before", "vault deleted", _ABANDONED, _ALLOWED})
_THAWED, _NOT_THAWED = b'"thawed": true\n}\n', b'"thawed": false\n}\n'
"""What ``freeze.json`` ends with."""
_ANOTHER_ROUND = frozenset(
    {
        "something is left",
        "the plan does not hold any more, and nothing was sent by it",
        "written to since it was found empty",
    }
)
_STEPS = {
    "nothing stands against it": ("inventory", "preflight"),
    "inventory fetched": ("plan", "inventory"),
    "planned": ("approval", "plan"),
    "the inventory lists nothing to delete": ("done", "plan"),
    "nothing the inventory lists is to be deleted": ("done", "plan"),
    "a newer inventory lists nothing any more": ("verify", "plan"),
    "nothing a newer inventory lists is to be deleted": ("verify", "plan"),
    "nothing is listed any more that is to be deleted, and nothing was sent": ("thaw", "plan"),
    "the inventory does not hold any more": ("inventory", "plan"),
    "approved": ("freeze", "approval"),
    "the plan does not hold any more, and nothing was sent by it": ("inventory", "approval", "freeze", "purge"),
    "uploads denied": ("purge", "freeze"),
    "uploads not denied": ("purge", "freeze"),
    "every record accounted for": ("verify", "purge"),
    "proven empty": ("delete vault", "verify"),
    "proven, and what is left is kept": ("delete vault", "verify"),
    "something is left": ("inventory", "verify"),
    "written to since it was found empty": ("inventory", "delete vault"),
    "vault deleted": ("done", "delete vault"),
    "vault kept": ("thaw", "delete vault"),
    "uploads as before": ("done", "thaw"),
    "no inventory ever came: nothing was written to it": ("done", "inventory"),
    "never inventoried, and to be removed": ("delete vault", "inventory"),
    "the inventory lists nothing, and the vault is to be removed": ("delete vault", "plan"),
}
"""The phase of a lifecycle that follows each event, and those it can happen in; it can be abandoned in all but done."""
_WRONG = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)
"""All that can come of believing that a file holds what it should."""


# -- 1. the verdict, and what is asked for it -------------------------------------------------------------------------


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

    def __str__(self) -> str:
        """The place, the kind and what is wrong, in a line."""
        record = "" if self.record is None else f", record {self.record:,}"
        return f"{self.file}, byte {self.offset_bytes:,}{record}: {self.kind}: {self.message}"


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
    run: str | None = None
    """The run that the log is of, and the digest of its plan."""
    plan: str | None = None

    @property
    def exit_code(self) -> int:
        """0 as it was written, 4 damaged."""
        return 4 if self.faults else 0


class FolderVerdict(NamedTuple):
    """The verdict on one folder: its ``name`` below the one that was asked about, and ``what`` it is of."""

    name: str
    what: str
    found: Verification


class AnchorNote(NamedTuple):
    """One note of a file of anchors: its ``text``, the ``signature`` over it (empty where nobody signed), and what that
    vouches for: the hash (hex) of record ``seq`` in the log of the plan with this digest.
    """

    text: bytes
    signature: bytes
    seq: int
    digest: str
    plan: str


class Statement(NamedTuple):
    """What somebody says of one plan, and their signature over it (empty where nobody signed).

    ``purpose`` is "approval" or "plan": that it may be carried out, ``until`` some moment, or who made it.  ``run`` is
    the hash of the ``run.json`` beside the plan; moments are UTC, ISO 8601.
    """

    text: bytes
    signature: bytes
    purpose: str
    plan: str
    run: str
    vault_arn: str
    archives: int
    size_bytes: int
    kept: int
    who: str
    at: str
    until: str | None

    @property
    def content(self) -> bytes:
        """All of it, as it stands in its file."""
        return self.text + b"\n" + self.signature


class _Asked(NamedTuple):
    """What is asked for: anchors to hold logs against, whether inventories are there to be checked, and what the terms
    of a lifecycle say of who has to approve (None: that a typed yes will do)."""

    anchor: str | None = None
    notes: tuple[AnchorNote, ...] = ()
    inventories: bool = True
    approvers: dict[str, Any] | None = None


class NotToBeChecked(ValueError):
    """There is nothing here to be checked, or nothing to check it with: the request is at fault, not a file."""


def read_notes(content: bytes) -> list[AnchorNote]:
    """Read a file of anchors: notes, one after the other. Raises ``NotToBeChecked`` for anything else."""
    notes: list[AnchorNote] = []
    at = 0
    while match := _NOTE.match(content, at):
        digest, plan = binascii.a2b_base64(match["head"]).hex(), match["plan"].decode()
        notes.append(AnchorNote(match["text"], match["signature"] or b"", int(match["records"]) - 1, digest, plan))
        at = match.end()
    if not notes or at < len(content):
        because = "its line ends were converted" if b"\r\n" in content else "it is not as one was written"
        raise NotToBeChecked(f"no file of anchors: from byte {at:,} on, {because}")
    return notes


def read_anchor(given: str) -> tuple[str | None, list[AnchorNote]]:
    """Take what was kept: ``SEQ:HASH`` itself, or the name of a file of notes. Raises ``NotToBeChecked``."""
    if re.fullmatch("[0-9]{1,18}:[0-9a-f]{64}", given):
        return given, []
    try:
        return None, read_notes(_read(Path(given)))
    except (_Bad, ValueError) as bad:
        raise NotToBeChecked(f"{given[:200]!a} is not an anchor (SEQ:HASH), and as a file: {bad}") from bad


def read_statement(content: bytes) -> Statement:
    """Read what somebody says of a plan. Raises ``NotToBeChecked`` for anything else."""
    if len(content) > _STATEMENT_BYTES_MAX:
        raise NotToBeChecked(f"it has more than {_STATEMENT_BYTES_MAX:,} bytes")
    head = re.match(rb"glacier-purge-(?:approval|plan) ([0-9]{1,6})\n", content)
    if head is not None and int(head[1]) != _STATEMENT_FORMAT:
        raise NotToBeChecked(f"it has format {int(head[1])}, and format {_STATEMENT_FORMAT} is what is known here")
    match = _STATEMENT.fullmatch(content)
    if match is None:
        because = "its line ends were converted" if b"\r\n" in content else "it is not as one was written"
        raise NotToBeChecked(f"no approval: {because}")
    said = {name: value.decode() for name, value in match.groupdict(b"").items()}
    return Statement(
        text=match["text"],
        signature=match["signature"] or b"",
        purpose=said["purpose"],
        plan=said["plan"],
        run=said["run"],
        vault_arn=said["vault"],
        archives=int(said["archives"]),
        size_bytes=int(said["bytes"]),
        kept=int(said["kept"]),
        who=said["who"],
        at=said["at"],
        until=said["until"] or None,
    )


class Signers(NamedTuple):
    """The people in a file of allowed signers: each by all names and the fingerprints of all keys that are theirs."""

    people: tuple[tuple[frozenset[str], frozenset[str]], ...]
    patterns: tuple[str, ...]
    """Names that are patterns and stand beside a key, so that whoever has it could be anybody."""
    vouches: bool
    """Whether certificates of an authority count, too: then there may be people whom the file does not name."""

    def person(self, name: str, key: str) -> frozenset[str]:
        """All names and keys of whoever has this name or this key; both are two people's only by a certificate."""
        mine = {name, key}
        for names, keys in self.people:
            if names & mine or keys & mine:
                mine |= names | keys
        return frozenset(mine)


def read_signers(text: str) -> Signers:
    """Read ssh's own file of allowed signers. Raises ``NotToBeChecked``, with the line, for anything else."""
    people: list[tuple[frozenset[str], frozenset[str]]] = []
    patterns: list[str] = []
    vouches = False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _SIGNER.fullmatch(line.strip())
        if match is None:
            raise NotToBeChecked(f"line {number} is none of allowed signers: NAME KEY-TYPE KEY")
        if "cert-authority" in match["options"].lower():
            vouches = True
            continue
        names, keys = frozenset(match["names"].split(",")), frozenset([_fingerprint(match["key"], number)])
        patterns += [name for name in sorted(names) if re.search(r"[*?!]", name)]
        same = [one for one in people if one[0] & names or one[1] & keys]
        people = [one for one in people if one not in same]
        people.append((names.union(*(one[0] for one in same)), keys.union(*(one[1] for one in same))))
    return Signers(tuple(people), tuple(patterns), vouches)


def _fingerprint(key: str, number: int) -> str:
    """What ssh calls a key by."""
    try:
        blob = binascii.a2b_base64(key, strict_mode=True)
    except ValueError as bad:
        raise NotToBeChecked(f"line {number}: its key is cut off or changed") from bad
    return f"SHA256:{binascii.b2a_base64(hashlib.sha256(blob).digest(), newline=False).decode().rstrip('=')}"


_count_bytes: ContextVar[Callable[[int], None]] = ContextVar("count_bytes", default=lambda _: None)


@contextmanager
def reading_told(count_bytes: Callable[[int], None]) -> Iterator[None]:
    """Have ``count_bytes`` told, in the context, of each so many bytes of the files that were read; in any thread."""
    token = _count_bytes.set(count_bytes)
    try:
        yield
    finally:
        _count_bytes.reset(token)


def verify_folder(
    folder: Path, *, anchor: str | None = None, notes: Iterable[AnchorNote] = (), inventories: bool = True
) -> list[FolderVerdict]:
    """Check the folder of a run, of a script's log, of a lifecycle with its rounds, or of a fleet with its members.

    ``anchor`` is a ``SEQ:HASH`` kept from an earlier check of the same log; ``notes`` are each of a log in the folder.
    Without ``inventories`` those may be missing, as in a bundle, which has their hashes alone.  Raises
    ``NotToBeChecked`` where there is none of them, for an anchor that is none, and where nothing can read compressed
    segments.
    """
    asked = _Asked(anchor, tuple(notes), inventories)
    verdicts = list(_verdicts(folder, ".", asked))
    if not verdicts:
        raise NotToBeChecked(f"{folder} is not the folder of a run, a script's log, a lifecycle or a fleet")
    if anchor is not None and [verdict.what for verdict in verdicts] not in (["run"], ["script"]):
        raise NotToBeChecked(f"an anchor is of one run, and {folder} holds more: give the run's own folder")
    there = {verdict.found.plan for verdict in verdicts}
    gone = tuple(_told_gone(note) for note in asked.notes if note.plan not in there)
    first = verdicts[0]
    return [first._replace(found=replace(first.found, faults=gone + first.found.faults)), *verdicts[1:]]


def _told_gone(note: AnchorNote) -> Fault:
    told = f"an anchor vouches for {note.seq + 1:,} records under plan {note.plan}: that log is gone, or was replaced"
    return Fault(kind="missing", file="audit", offset_bytes=0, record=None, message=told)


def _verdicts(folder: Path, name: str, asked: _Asked) -> Iterator[FolderVerdict]:
    """Give a verdict on everything the folder claims to be, so that no file more can hide what another one says."""
    if _is_of_fleet(folder):
        yield FolderVerdict(name, "fleet", _verify_fleet(folder))
        for member in _folders(folder):
            yield from _lifecycle_verdicts(folder / member, member, asked)
    yield from _lifecycle_verdicts(folder, name, asked)
    if _is_of_script(folder):
        yield FolderVerdict(name, "script", _verify_script(folder, asked))
    elif _is_any_there(folder, "plan.json", "run.json", "audit", "checkpoint"):
        yield FolderVerdict(name, "run", _verify_run(folder, asked))


def _is_of_fleet(folder: Path) -> bool:
    """Tell whether it is a fleet's; where its list is gone, by a member that is named as a fleet names it."""
    return _is_any_there(folder, "fleet.json") or any(_is_member(folder / name) for name in _folders(folder))


def _is_member(folder: Path) -> bool:
    try:
        return folder.name == _member_name(str(_document(_read(folder / "terms.json"))["vault_arn"]))
    except (_Bad, *_WRONG):
        return False


def _is_of_script(folder: Path) -> bool:
    """Tell whether a script wrote the log; where all that says so is gone, by the ids that no run's log has."""
    if _is_any_there(folder, "stream.json", "plan.json", "run.json"):
        return _is_any_there(folder, "stream.json")
    try:
        with closing(_Segment(folder / "audit", 1)) as file:
            return b',"ids":{' in file.read_lines(_BLOCK_BYTES)
    except _Bad:
        return False


def _lifecycle_verdicts(folder: Path, name: str, asked: _Asked) -> Iterator[FolderVerdict]:
    if not _is_any_there(folder, "lifecycle.jsonl", "terms.json"):
        return
    yield FolderVerdict(name, "lifecycle", _verify_lifecycle(folder))
    asked = asked._replace(approvers=_approvers_of(folder))
    for place in _folders(folder):
        begun = _is_any_there(folder / place, "plan.json", "audit", "checkpoint")
        if place.startswith("round-") and begun:  # a plan that is gone is missed by the step that made it
            found = _verify_run(folder / place, asked)
            yield FolderVerdict(place if name == "." else f"{name}/{place}", "run", found)


def _approvers_of(folder: Path) -> dict[str, Any] | None:
    """What a lifecycle's terms say of who has to approve; what they can't say, their own check tells."""
    try:
        said = _document(_read(folder / "terms.json")).get("approvers")
    except _Bad:
        return None
    return said if isinstance(said, dict) else None


def verify_run(folder: Path, *, notes: Iterable[AnchorNote] = ()) -> Verification:
    """Check a run folder: its log and every other file it claims. Raises ``NotToBeChecked`` as ``verify_folder``."""
    return _verify_run(folder, _Asked(notes=tuple(notes)))


def _verify_run(folder: Path, asked: _Asked) -> Verification:
    findings = _Findings()
    vouchers = _Vouchers(findings, asked)
    files = _RunFiles(findings, folder, inventories=asked.inventories)
    with ThreadPoolExecutor(1) as aside:  # a snapshot is about as long as its log, and hashing lets other threads run
        plan = files.read_plan()
        snapshot = aside.submit(copy_context().run, _sha256, folder / files.snapshot_name)
        files.read_identity()
        files.read_certificate(vouchers)
        files.check_lines_and_lists()
        verdict = _check_log(findings, vouchers, folder, plan, files, asked.approvers)
        files.check_snapshot(snapshot.result)
    return replace(verdict, faults=findings.in_order(), notices=tuple(findings.notices))


def verify_script(folder: Path) -> Verification:
    """Check the folder of a script's log: the log, and the document it began with. Raises as ``verify_folder``."""
    return _verify_script(folder, _Asked())


def _verify_script(folder: Path, asked: _Asked) -> Verification:
    findings = _Findings()
    files = _ScriptFiles(findings, folder)
    files.read_document()
    return _check_log(findings, _Vouchers(findings, asked), folder, None, files)


def verify(folder: Path, *, plan: PlanFacts | None = None, anchor: str | None = None) -> Verification:
    """Check the audit log alone, against what somebody who has read the plan knows of it.

    Raises ``NotToBeChecked`` for an anchor that is none and where nothing can read compressed segments.
    """
    findings = _Findings()
    return _check_log(findings, _Vouchers(findings, _Asked(anchor)), folder, plan, None)


def _check_log(
    findings: _Findings,
    vouchers: _Vouchers,
    folder: Path,
    plan: PlanFacts | None,
    files: _RunFiles | _ScriptFiles | None,
    approvers: dict[str, Any] | None = None,
) -> Verification:
    _keep_freed_memory()
    # Read before the log: a run that goes on only ever adds to what they vouch for.
    vouchers.add_checkpoints(folder)
    account = _Account(findings, folder, plan, names_ids=isinstance(files, _ScriptFiles))
    chain = _Chain(findings, vouchers, account)
    chain.read(folder)
    if files is not None:
        files.check_against(account)
    account.approvals.check(approvers)
    return Verification(
        faults=findings.in_order(),
        notices=tuple(findings.notices),
        records=findings.seq,
        counts=account.counted(),
        finished=account.finished,
        anchor=chain.anchor(),
        run=account.run,
        plan=account.plan_digest,
    )


# -- 2. what a crash may leave at the end of a log --------------------------------------------------------------------


def a_crash_may_leave(rest: bytes, *, offset_bytes: int, seq: int) -> bool:
    """Tell whether ``rest``, the log's end from its first broken line on, is what a crash may leave of one commit.

    All lines of a commit carry the same ``ts`` and no two commits in a row do; a commit is written at once, and begins
    when the one before is durable.  A crash leaves any of its 512-byte sectors as they were written, the others as
    zeros, and the file as long as it likes.  So nothing here is of a second commit; every byte is one that is written
    to a log, or a zero; zeros reach from sector to sector, from the very beginning, or to the end; a line without zeros
    is whole, but for the last one, which may be cut off; and no line begins or goes on like no record does.  A broken
    line that ends, and has no zeros in it, was durable as another one, and changed.
    """
    if len({head[2] for head in _HEAD.finditer(rest)}) > 1 or rest.translate(None, _WRITABLE):
        return False
    for zeros in _ZEROS.finditer(rest):
        to_the_end = zeros.end() == len(rest)
        begins = to_the_end or zeros.start() == 0 or (offset_bytes + zeros.start()) % _SECTOR_BYTES == 0
        if not begins or not (to_the_end or (offset_bytes + zeros.end()) % _SECTOR_BYTES == 0):
            return False
    if _GOES_ON.search(rest):
        return False
    *ended, last = rest.split(b"\n")
    lines = [*ended, last]
    if (ended and b"\0" not in lines[0]) or not _may_begin(lines[0], b'{"seq":%d,"ts":"' % seq):
        return False
    whole = [line for line in ended if b"\0" not in line]
    return all(_may_begin(line, b'{"seq":') for line in lines) and all(map(_WHOLE.fullmatch, whole))


def _may_begin(line: bytes, beginning: bytes) -> bool:
    """Tell whether a line, perhaps cut or zeroed from some byte on, may have begun so."""
    written = line[: len(beginning)].partition(b"\0")[0]
    return beginning.startswith(written)


# -- 3. faults, their places, and who vouches for what ----------------------------------------------------------------


class _TornTail(Exception):
    """The log ends in what a crash leaves."""


class _Bad(Exception):
    """A file that is not what it should be: the ``kind`` of fault, and the byte where that shows."""

    def __init__(self, kind: str, reason: str, offset: int = 0) -> None:
        super().__init__(reason)
        self.kind, self.offset = kind, offset


class _Unreadable(_Bad):
    """A segment that can't be read on from some byte of ``file``; what stands before it was read."""

    def __init__(self, file: str, bad: _Bad) -> None:
        super().__init__(bad.kind, str(bad), bad.offset)
        self.file = file


class _Place(NamedTuple):
    """Where a record begins."""

    file: str
    offset: int
    record: int


class _Findings:
    """What was found so far, and the place the check stands at: before record ``seq`` at ``offset`` in ``file``."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.notices: list[str] = []
        self.file, self.offset, self.seq = "audit", 0, 0

    def here(self) -> _Place:
        """The place the check stands at."""
        return _Place(self.file, self.offset, self.seq)

    def fault(self, kind: str, message: str, *, place: _Place | None = None) -> None:
        """Note damage to the record the check stands at, or to the one at ``place``."""
        file, offset, record = place or self.here()
        self._add(kind, file, offset, record, message)

    def file_fault(self, kind: str, file: str, message: str, *, offset: int = 0, record: int | None = None) -> None:
        """Note damage to a file that is no segment."""
        self._add(kind, file, offset, record, message)

    @contextmanager
    def judging(self, file: str) -> Iterator[None]:
        """Make whatever is wrong with one file a fault of that file."""
        try:
            yield
        except _Bad as bad:
            self.file_fault(bad.kind, file, str(bad), offset=bad.offset)
        except _WRONG as wrong:
            self.file_fault("changed", file, f"not what it should be: {wrong!r}")

    def in_order(self) -> tuple[Fault, ...]:
        """The faults by place: the first one is where the folder was first changed, as far as a log goes."""
        return tuple(sorted(self.faults, key=lambda fault: (fault.file, fault.offset_bytes)))

    def notice(self, message: str) -> None:
        """Note what is no damage."""
        if len(self.notices) < _FAULTS_MOST:
            self.notices.append(message[:_MESSAGE_MOST])

    def _add(self, kind: str, file: str, offset: int, record: int | None, message: str) -> None:
        if len(self.faults) < _FAULTS_MOST:
            message = message[:_MESSAGE_MOST]
            self.faults.append(Fault(kind=kind, file=file, offset_bytes=offset, record=record, message=message))


class _Claim(NamedTuple):
    """What somebody vouches for: the hash of a record; a checkpoint also ``of`` which run, and the outcomes so far.

    A note says of which ``plan`` it is, and vouches for nothing in the log of another.
    """

    name: str
    digest: str
    plan: str | None = None
    of: tuple[object, object, object] | None = None
    counts: dict[str, int] | None = None
    done: bytes = b""


class _Vouchers:
    """What vouches for the log from outside of it: an anchor kept elsewhere, checkpoints, a certificate."""

    def __init__(self, findings: _Findings, asked: _Asked) -> None:
        self._findings = findings
        self._claims: dict[int, list[_Claim]] = {}
        if asked.anchor is not None:
            self.add_anchor("the anchor", asked.anchor)
        for note in asked.notes:
            self._claims.setdefault(note.seq, []).append(_Claim("the anchor", note.digest, note.plan))

    def add_anchor(self, name: str, anchor: str) -> None:
        """Expect the record and hash that somebody kept. Raises ``NotToBeChecked``."""
        seq, _, digest = anchor.partition(":")
        if not re.fullmatch("[0-9]{1,18}", seq) or not _DIGEST.fullmatch(digest):
            raise NotToBeChecked(
                f"{anchor[:100]!a} is not an anchor: SEQ:HASH, as printed by a run or an earlier check"
            )
        self._claims.setdefault(int(seq), []).append(_Claim(name, digest))

    def add_checkpoints(self, folder: Path) -> None:
        """Expect what checkpoints say: each was written after its part of the log was durable."""
        if not _is_any_there(folder, "checkpoint"):
            self._findings.notice("no checkpoint: a log cut back at its end shows only against an anchor")
        for name in ("checkpoint", "checkpoint.previous"):
            if _is_any_there(folder, name):
                with self._findings.judging(name):
                    try:
                        data = _read(folder / name, _RECORDS_MAX // 8 + _DOCUMENT_BYTES_MAX)
                    except _Bad as bad:
                        if bad.kind == "missing":  # a process that goes on renews it just now
                            continue
                        raise
                    self._add_checkpoint(name, data)

    def _add_checkpoint(self, name: str, data: bytes) -> None:
        if data[-10:] != b"\n%08x\n" % zlib.crc32(memoryview(data)[:-10]):
            raise _Bad("checkpoint", "this checkpoint was changed: its CRC does not fit")
        head_bytes = data.index(b"\n")
        head, bitmap = _document(data[:head_bytes]), data[head_bytes + 1 : -10]
        seq, digest, counts = head["position"]["seq"], head["position"]["last_hash"], head["ledger"]["counts"]
        if type(seq) is not int or not 0 <= seq < 1 << 62:
            raise _Bad("checkpoint", f"it vouches for {seq!a} records")
        counts = {word: count for word, count in sorted(counts.items()) if count}
        of = head["run"], head["plan_digest"], head["records"]
        self._claims.setdefault(seq - 1, []).append(_Claim(name, digest, None, of, counts, bitmap.rstrip(b"\0")))

    def between(self, first: int, end: int, account: _Account) -> list[int]:
        """Numbers of records vouched for, from ``first`` to before ``end``."""
        of = (None, account.plan_digest)
        return [seq for seq, claims in self._claims.items() if first <= seq < end and any(c.plan in of for c in claims)]

    def deny(self, digest: str, account: _Account) -> bool:
        """Tell whether somebody vouches for another hash of the record the check stands at, or for other outcomes so
        far; say so.
        """
        denied = False
        for claim in self._claims.get(self._findings.seq, ()):
            if claim.of not in (None, account.identity()) or claim.plan not in (None, account.plan_digest):
                continue
            if claim.digest != digest:
                other = f"{claim.name} vouches for another record here, or another log before it"
                self._findings.fault("changed", other)
            elif (
                claim.counts is not None
                and account.is_whole
                and (claim.counts, claim.done) != (account.counted(), account.done())
            ):
                other = f"it has other outcomes than the log up to record {self._findings.seq:,}"
                self._findings.file_fault("checkpoint", claim.name, other)
            denied = denied or claim.digest != digest
        return denied

    def miss(self, account: _Account) -> None:
        """Say what is vouched for and did not come, and who vouches for another log."""
        end, of = self._findings.seq, account.identity()
        for seq, claim in [(at, claim) for at in sorted(self._claims) for claim in self._claims[at]]:
            if claim.of is not None and account.run is not None and claim.of != of:
                other = f"of another run or plan: {claim.of[0]!a}, plan {claim.of[1]!a}, {claim.of[2]!a} records"
                self._findings.file_fault("checkpoint", claim.name, other)
            elif seq >= end and claim.plan in (None, account.plan_digest):
                self._findings.fault(
                    "truncated", f"the log ends here, but {claim.name} vouches for records up to {seq}"
                )


# -- 4. the files of a run beside its log -----------------------------------------------------------------------------


class _RunFiles:
    """The files of a run beside its log: each held against its own hash, against the plan, and against the log."""

    def __init__(self, findings: _Findings, folder: Path, *, inventories: bool) -> None:
        self._findings = findings
        self._folder = folder
        self._inventories = inventories
        self._plan: dict[str, Any] = {}
        self._digest: str | None = None
        self._identity: dict[str, Any] = {}
        self._identity_sha256: str | None = None
        self._run_sha256: str | None = None
        """Of the ``run.json`` that was written with the plan; older plans do not tell."""
        self._certificate: dict[str, Any] = {}
        self.snapshot_name = ""

    def read_plan(self) -> PlanFacts | None:
        """Check the plan, its decisions and who they are of; None where the log can't be held against it."""
        with self._findings.judging("plan.json"):
            document = _document(_read(self._folder / "plan.json"))
            self._run_sha256 = document.get("run_sha256")
            plan, digest = _sealed(document, "plan", beside="run_sha256")
            records, name = plan["counts"]["inventory"], plan["snapshot"]["file"]
            if type(records) is not int or not 0 <= records <= _RECORDS_MAX:
                raise ValueError("counts.inventory is no number of records")
            if name not in ("inventory.json", "inventory.csv"):
                raise ValueError("snapshot.file names no inventory")
            self._plan, self._digest, self.snapshot_name = plan, digest, name
            return PlanFacts(digest=digest, records=records, selected=self._read_decisions(records))
        return None

    def _read_decisions(self, records: int) -> bytes | None:
        """Check the decisions; give a bit for each record that is sent, or None where they can't be believed."""
        findings, sha256, bits = self._findings, hashlib.sha256(), bytearray()
        before = len(findings.faults)
        with findings.judging("decisions"):
            _expect_size(self._folder / "decisions", records)
            for chunk in _chunks(self._folder / "decisions"):
                sha256.update(chunk)
                digits = chunk.translate(_SELECTED_AS_DIGIT)[::-1]  # the last record is a number's first digit
                bits += int(digits, 2).to_bytes((len(chunk) + 7) // 8, "little")
        with findings.judging("duplicates"):
            for chunk in _chunks(self._folder / "duplicates"):
                sha256.update(chunk)
        with findings.judging("decisions"):
            if len(findings.faults) == before and sha256.hexdigest() != self._plan["decisions_sha256"]:
                raise _Bad("changed", "decisions and duplicates are not, together, what was planned")
        return bytes(bits) if len(findings.faults) == before else None

    def check_snapshot(self, hashed: Callable[[], tuple[int, str]]) -> None:
        """Hold the inventory that was planned with against the plan."""
        name = self.snapshot_name
        if not name:
            return
        with self._findings.judging(f"{name}.sha256"):
            _expect_bytes(self._folder / f"{name}.sha256", f"{self._plan['snapshot']['sha256']}  {name}\n".encode())
        if not self._inventories:
            self._findings.notice(
                f"{name} was not looked for, as asked: its hash is {self._plan['snapshot']['sha256']}"
            )
            return
        with self._findings.judging(name):
            planned = self._plan["snapshot"]
            size, sha256 = hashed()
            if size != planned["size_bytes"]:
                raise _Bad("changed", f"it has {size:,} bytes, planned with {planned['size_bytes']:,}", size)
            if sha256 != planned["sha256"]:
                raise _Bad("changed", f"SHA-256 {sha256}, planned with {planned['sha256']!a}")

    def read_identity(self) -> None:
        """Check what ``run.json`` says of itself against the plan."""
        with self._findings.judging("run.json"):
            content = _read(self._folder / "run.json")
            identity = _document(content)
            missing = {
                "run",
                "vault_arn",
                "endpoint_url",
                "tool_version",
                "package_sha256",
                "created",
            } - identity.keys()
            if missing:
                raise _Bad("changed", f"without {', '.join(sorted(missing))}")
            self._identity, self._identity_sha256 = identity, hashlib.sha256(content).hexdigest()
            if self._run_sha256 not in (None, self._identity_sha256):
                raise _Bad("changed", "not what was written with the plan")
            self._check_vault(identity)
            if self._plan and identity["tool_version"] != self._plan["tool_version"]:
                raise _Bad("changed", "it has another tool_version than the plan")

    def _check_vault(self, said: dict[str, Any]) -> None:
        """Hold what a file says of vault and endpoint against the plan."""
        plan = self._plan
        if not plan:
            return
        vault = f"{plan['region']}:{plan['account_id']}:vaults/{plan['vault_name']}"
        if said["vault_arn"].split(":", 3)[3] != vault or said["endpoint_url"] != plan["endpoint_url"]:
            raise _Bad(
                "changed", f"of {said['vault_arn']!a} at {said['endpoint_url']!a}, which is not the plan's vault"
            )

    def read_certificate(self, vouchers: _Vouchers) -> None:
        """Check a certificate, if there is one; it vouches for the log."""
        if not _is_any_there(self._folder, "certificate.json"):
            if _is_any_there(self._folder, "certificate.txt"):
                self._findings.notice("certificate.txt is there without certificate.json, as a crash may leave it")
            return
        with self._findings.judging("certificate.json"):
            document = _document(_read(self._folder / "certificate.json"))
            text_sha256 = document.get("text_sha256")
            certificate, _ = _sealed(document, "certificate", beside="text_sha256")
            self._certificate = certificate
            if self._digest not in (None, certificate["plan_digest"]):
                raise _Bad("changed", f"of plan {certificate['plan_digest']!a}, which is not this run's")
            self._check_vault(certificate)
            vouchers.add_anchor("certificate.json", certificate["audit_anchor"])
            self._check_text(text_sha256)

    def _check_text(self, sha256: str | None) -> None:
        with self._findings.judging("certificate.txt"):
            content = _read(self._folder / "certificate.txt")
            if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
                raise _Bad("changed", "not the text of certificate.json")

    def check_lines_and_lists(self) -> None:
        """Check what nothing else vouches for: that it is what it should be at all."""
        if _is_any_there(self._folder, "removal.jsonl"):
            with self._findings.judging("removal.jsonl"):
                _check_lines(self._folder / "removal.jsonl", {"at", "event", "by", "answer"})
        for name in ("retrieval.json", "verification/retrieval.json"):
            if _is_any_there(self._folder, name):
                with self._findings.judging(name):
                    _document(_read(self._folder / name))
        for name in ("inventory.json", "inventory.csv"):
            later = self._folder / "verification" / name
            if self._inventories and _is_any_there(later.parent, f"{name}.sha256"):
                with self._findings.judging(f"verification/{name}"):
                    _, sha256 = _sha256(later)
                    if _read(later.with_name(f"{name}.sha256")) != f"{sha256}  {name}\n".encode():
                        raise _Bad("changed", f"not what {name}.sha256 says")

    def check_against(self, account: _Account) -> None:
        """Hold run, certificate and what each process said of itself against the log that was read."""
        with self._findings.judging("plan.json"):
            if self._digest is not None and account.written_for not in (None, self._digest):
                raise _Bad("plan", f"the log is of another plan, {account.written_for!a}")
        with self._findings.judging("run.json"):
            self._check_run(account)
        if self._plan and self._identity:
            plan, counts = self._plan, self._plan["counts"]
            stays = counts["inventory"] - counts["selected"]
            account.approvals.hold(
                str(self._identity["vault_arn"]),
                str(self._identity_sha256),
                (counts["selected"], plan["selected_bytes"], stays),
            )
            self._check_documents(account.approvals)
        with self._findings.judging("certificate.json"):
            if self._certificate and account.run not in (None, self._certificate["run"]):
                raise _Bad("changed", f"of run {self._certificate['run']!a}, not {account.run!a}")
            if (
                self._certificate
                and account.is_whole
                and self._certificate["deleted"] != account.counted().get("deleted", 0)
            ):
                raise _Bad("changed", f"{self._certificate['deleted']!a} deleted, which is not what the log says")

    def _check_documents(self, approvals: _Approvals) -> None:
        """Hold the files of those who approved, and of who made the plan, against the log that has what counted."""
        findings = self._findings
        if _is_any_there(self._folder, "plan.signed"):
            with findings.judging("plan.signed"):
                self._check_signed_plan(_read(self._folder / "plan.signed"), approvals)
        if not _is_any_there(self._folder, "approvals"):
            return
        place = self._folder / "approvals"
        with findings.judging("approvals"):
            for name in _names(place):
                if (match := _APPROVAL_FILE.fullmatch(name)) is not None:
                    with findings.judging(f"approvals/{name}"):
                        if _sha256(place / name)[1][:12] != match[1]:
                            raise _Bad("changed", "not what was written: its name has another hash")
                elif name.endswith(".approval"):
                    findings.notice(f"approvals/{name}: brought by somebody; what counted is in the log")
        if approvals.allowed_signers is not None and _is_any_there(place, "allowed_signers"):
            with findings.judging("approvals/allowed_signers"):
                _expect_bytes(place / "allowed_signers", approvals.allowed_signers.encode())

    def _check_signed_plan(self, content: bytes, approvals: _Approvals) -> None:
        statement = read_statement(content)
        counts = self._plan["counts"]
        stays = counts["inventory"] - counts["selected"]
        said = (statement.purpose, statement.plan, statement.run, statement.archives, statement.kept)
        if said != ("plan", self._digest, self._identity_sha256, counts["selected"], stays):
            raise _Bad("changed", "it does not say of this plan who made it")
        if approvals.planner not in (None, statement):
            raise _Bad("changed", "not what it was when the run was approved")
        try:
            key, told = _ssh_keygen(["-Y", "check-novalidate", "-n", "glacier-purge-plan"], statement, None)
        except _NotChecked as why:
            self._findings.notice(f"plan.signed: signature not checked: {why}")
            return
        if key is None:
            raise _Bad("changed", f"its signature does not hold: {told}")
        self._findings.notice(f"plan.signed: by {statement.who!a}, with {told}")

    def _check_run(self, account: _Account) -> None:
        if not self._identity:
            return
        if account.run not in (None, self._identity["run"]):
            raise _Bad("changed", f"of run {self._identity['run']!a}; the log is of {account.run!a}")
        for said in account.said_of_run:
            if said.get("vault_arn", self._identity["vault_arn"]) != self._identity["vault_arn"]:
                raise _Bad("changed", f"of {self._identity['vault_arn']!a}; the log is of {said['vault_arn']!a}")
            if said.get("run_sha256", self._identity_sha256) != self._identity_sha256:
                raise _Bad("changed", "not what it was when the run was approved")


class _ScriptFiles:
    """What stands for the plan where a script gives the ids: ``stream.json``.

    Its hash is nowhere but in the log, so the log is read without it, and it is held against the log.
    """

    def __init__(self, findings: _Findings, folder: Path) -> None:
        self._findings = findings
        self._folder = folder
        self._content = b""
        self._said: dict[str, Any] = {}

    def read_document(self) -> None:
        """Check that it is one, and alone."""
        with self._findings.judging("stream.json"):
            self._content = _read(self._folder / "stream.json")
            self._said = _document(self._content)
        for name in ("plan.json", "run.json"):
            if _is_any_there(self._folder, name):
                self._findings.file_fault("inserted", name, "it lies beside stream.json, and no folder has both")

    def check_against(self, account: _Account) -> None:
        """Hold it against the log that was read."""
        if not self._said or account.run is None:
            return
        with self._findings.judging("stream.json"):
            named = [("run", account.run), ("records", account.records)]
            for said in account.said_of_run:
                named += [(key, said[key]) for key in ("vault_arn", "endpoint_url") if key in said]
            for key, logged in named:
                if self._said.get(key) != logged:
                    at = max(0, self._content.find(b'"%b"' % key.encode()))
                    raise _Bad("changed", f"{key} {self._said.get(key)!a}; the log is of {logged!a}", at)
            if hashlib.sha256(self._content).hexdigest() != account.written_for:
                raise _Bad("changed", "not what the log began with: its first record carries another hash")


# -- 5. what the records say, held against each other and the plan ----------------------------------------------------


class _Account:
    """What the records say, held against each other and against the plan: each ordinal once, and only if it may be."""

    def __init__(self, findings: _Findings, folder: Path, plan: PlanFacts | None, *, names_ids: bool) -> None:
        self._findings = findings
        self._folder = folder
        self.records = plan.records if plan else 0
        self.names_ids = names_ids
        """A script's log: it names the ids it releases, and has no end."""
        self._selected: bytes | bytearray | None = plan.selected if plan else None
        """One bit an ordinal: set when it may be sent, by the plan or because the log has named its id."""
        self._done = _bits(self.records)
        """One bit an ordinal, least significant first: set when it has its outcome."""
        self._counts: Counter[bytes] = Counter()
        self._released_through: int | None = None
        self._ts, self._epoch, self._lease_epoch = "", 0, 0
        self.plan_digest = plan.digest if plan else None
        self.run: str | None = None
        self.written_for: object = None
        """The plan's digest as the log itself says it."""
        self.said_of_run: list[dict[str, Any]] = []
        """What processes said of the run when they opened it, and when it was approved."""
        self.approvals = _Approvals(findings)
        self.is_whole = True
        """Whether all of the log so far could be read; else nobody can say what is missing."""
        self.finished = False

    def identity(self) -> tuple[object, object, object]:
        """The run, plan and number of records that the log is of."""
        return self.run, self.plan_digest, self.records

    def lose_sight(self) -> None:
        """Part of the log can't be read: what it released and what became of that is not known."""
        self.is_whole, self._released_through = False, None
        if self.names_ids:
            self._selected = None

    def counted(self) -> dict[str, int]:
        """Terminal outcomes by kind."""
        return {word.decode(): count for word, count in sorted(self._counts.items()) if count}

    def done(self) -> bytes:
        """One bit an ordinal: set when it has its outcome; without the zeros at the end."""
        return bytes(self._done.rstrip(b"\0"))

    def take_outcomes(self, ordinals: list[int], words: list[bytes]) -> bool:
        """Take many outcomes if all of them may be; else change nothing."""
        all_deleted = words.count(b"deleted") == len(words)  # counting is dear, and this is how it mostly is
        counts = {b"deleted": len(words)} if all_deleted else Counter(words)
        in_order = sorted(ordinals)  # they nearly are: faster than looking for the least and the greatest
        if in_order[-1] >= self.records or not counts.keys() <= _OUTCOMES:
            return False
        sent = in_order if all_deleted else sorted(o for o, word in zip(ordinals, words, strict=True) if word in _SENT)
        bits = _as_bits(in_order) if in_order[-1] - in_order[0] < _REACH * len(in_order) else None
        if sent and not self._may_all_be_sent(sent, bits if all_deleted else None):
            return False
        if not (self._mark(in_order) if bits is None else self._mark_bits(bits, len(in_order))):
            return False
        for word, count in counts.items():
            self._counts[word] += count
        return True

    def _mark(self, ordinals: list[int]) -> bool:
        """Mark ordinals, least first, that have their outcome and say True; if one had it before, change nothing.

        Most of them are near to each other; those that are not were tried again and again, perhaps.
        """
        middle, reach = ordinals[len(ordinals) // 2], _REACH * len(ordinals)
        start, end = bisect_left(ordinals, middle - reach), bisect_left(ordinals, middle + reach)
        near, far = ordinals[start:end], ordinals[:start] + ordinals[end:]
        if len(set(far)) != len(far) or any(map(self._is_done, far)):
            return False
        if not self._mark_bits(_as_bits(near), len(near)):
            return False
        for ordinal in far:
            self._done[ordinal >> 3] |= 1 << (ordinal & 7)
        return True

    def _mark_bits(self, bits: _Bits, count: int) -> bool:
        """Mark so many ordinals all at once, if none of them is marked and none is there twice."""
        first, end, new = bits
        old = int.from_bytes(self._done[first:end], "little")
        if new.bit_count() != count or new & old:
            return False
        self._done[first:end] = (new | old).to_bytes(end - first, "little")
        return True

    def _is_done(self, ordinal: int) -> int:
        return self._done[ordinal >> 3] >> (ordinal & 7) & 1

    def _may_all_be_sent(self, ordinals: list[int], bits: _Bits | None) -> bool:
        """Tell whether all of these, least first, should have been sent; ``bits`` are theirs, if at hand."""
        if self._released_through is not None and ordinals[-1] > self._released_through:
            return False
        if self._selected is None:
            return True
        if bits is None:
            return not any(map(self._why_not_sent, ordinals))
        first, end, sent = bits
        return not sent & ~int.from_bytes(self._selected[first:end], "little")

    def _why_not_sent(self, ordinal: int) -> str:
        """Why this ordinal should not have been sent; empty if it should."""
        if self._released_through is not None and ordinal > self._released_through:
            return "before it was released"
        if self._selected is not None and not self._selected[ordinal >> 3] >> (ordinal & 7) & 1:
            return "without its id on record" if self.names_ids else "although the plan does not send it"
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
                case "opened" | "approvers" | "approval" | "approved":
                    self._take_opening(said)
                case "released":
                    self._take_release(int(said["first"]), int(said["last"]), said)
                case "recovered" | "restored":
                    self._take_loss(said)
                case "finished":
                    self._take_end(said["counts"])
            self._check_counters(said)
        except _WRONG as bad:
            self._findings.fault("changed", f"a record {said['event']!a} without its facts: {bad!a}")

    def _check_counters(self, said: dict[str, Any]) -> None:
        wrong = [key for key in _COUNTERS if not isinstance(said.get(key) or 0, int | float)]
        if wrong and said["event"] in ("telemetry", "stopped", "finished"):
            raise ValueError(f"{wrong[0]} is no number")

    def _check_frame(self, said: dict[str, Any]) -> None:
        findings = self._findings
        if (findings.offset == 0) != (said["event"] == "segment"):
            findings.fault("segment", "a segment begins with a record that says so, and only there")
        if said["ts"] < self._ts:
            findings.notice(f"record {findings.seq:,}: the clock went backwards, from {self._ts!a} to {said['ts']!a}")
        if said["epoch"] < self._epoch:
            findings.fault("changed", f"epoch {said['epoch']} after epoch {self._epoch}")
        self._ts, self._epoch = said["ts"], max(self._epoch, said["epoch"])

    def _take_lease(self, epoch: object) -> None:
        """The number of the vault's lease that a process held: one with a lower number sent while another might."""
        if epoch is None:
            return
        if type(epoch) is not int or epoch < max(1, self._lease_epoch):
            self._findings.fault("changed", f"lease epoch {epoch!a} after lease epoch {self._lease_epoch}")
            return
        self._lease_epoch = epoch

    def _take_segment(self, said: dict[str, Any], number: int) -> None:
        if self.run is None:
            self.run, self.written_for = said["run"], said["plan_digest"]
        if self.plan_digest is None:
            self.plan_digest, self.records = str(said["plan_digest"]), int(said["records"])
            self._done = _bits(self.records)
            if self.names_ids:
                self._selected = _bits(self.records)
            if said["prev"] != self.plan_digest:
                self._findings.fault("changed", "the first record does not carry the digest of the plan it names")
        if said["segment"] != number:
            self._findings.fault("segment", f"this is segment {said['segment']!a}, in the place of segment {number}")
        if (said["plan_digest"], said["records"]) != (self.plan_digest, self.records):
            other = f"{said['plan_digest']!a}, {said['records']!a} records"
            self._findings.fault("plan", f"written for another plan: {other}")

    def _take_outcome(self, ordinal: int, word: bytes) -> None:
        fault = self._findings.fault
        if type(ordinal) is not int or not 0 <= ordinal < self.records or word not in _OUTCOMES:
            fault("outcome", f"outcome {word.decode()!a} for ordinal {ordinal!a}, of {self.records} in the plan")
            return
        if self._is_done(ordinal):
            fault("outcome", f"a second terminal outcome for ordinal {ordinal}")
            return
        if word in _SENT and (why := self._why_not_sent(ordinal)):
            fault("outcome", f"ordinal {ordinal} was sent {why}")
        self._mark([ordinal])
        self._counts[word] += 1

    def _take_opening(self, said: dict[str, Any]) -> None:
        self.said_of_run.append(said)
        if said["event"] == "opened":
            self._take_lease(said.get("lease_epoch"))
        else:
            self.approvals.take(said, str(self.plan_digest), is_whole=self.is_whole)

    def _take_release(self, first: int, last: int, said: dict[str, Any]) -> None:
        if self.names_ids:
            self._take_ids(said["ids"], (first, last))
        if not 0 <= first <= last < self.records:
            self._findings.fault("changed", f"a release of ordinals {first} to {last}, of {self.records} in the plan")
        self._released_through = last if self._released_through is None else max(last, self._released_through)

    def _take_ids(self, ids: dict[str, str], reach: tuple[int, int]) -> None:
        """Take the ids of a release by ordinal: each is named once, in order, from the first to the last."""
        ordinals = [int(ordinal) for ordinal in ids]
        begins = -1 if self._released_through is None else self._released_through
        if (ordinals[0], ordinals[-1]) != reach or ordinals != sorted({*ordinals}) or ordinals[0] <= begins:
            raise ValueError(f"ids of {reach}")
        if not all(type(archive_id) is str for archive_id in ids.values()) or ordinals[-1] >= self.records:
            raise ValueError("ids")
        if isinstance(self._selected, bytearray):
            for ordinal in ordinals:
                self._selected[ordinal >> 3] |= 1 << (ordinal & 7)

    def _take_loss(self, said: dict[str, Any]) -> None:
        """Take that the end of the log was lost, in a crash or with a disk."""
        if said["event"] == "restored":
            self._take_restoring(said)
        else:
            self._take_repair(said)

    def _take_repair(self, said: dict[str, Any]) -> None:
        at = f"record {self._findings.seq:,}"
        if "claimed_seq" in said:
            self._findings.notice(
                f"{at}: the log once ended before record {said['claimed_seq']:,}, which {said['checkpoint']!a} vouched"
                f" for with {said['claimed_hash']!a}: it had been cut back, or the disk had lost what it promised"
            )
            return
        name = str(said["saved_as"])
        if not _TORN.fullmatch(name):
            raise ValueError(name)
        self._findings.notice(f"{at}: a crash left {said['bytes']:,} bytes unfinished, kept in audit/{name}")
        if not _is_any_there(self._folder / "audit", name):
            self._findings.notice(f"audit/{name} is not there any more")
            return
        with self._findings.judging(f"audit/{name}"):
            if _sha256(self._folder / "audit" / name) != (said["bytes"], said["sha256"]):
                raise _Bad("changed", "this is not what was saved here")

    def _take_restoring(self, said: dict[str, Any]) -> None:
        """Take that the folder was lost and made again from a replica: what may have been sent is said, and no more."""
        may_reach = said["may_reach"]
        if type(may_reach) is not int or not -1 <= may_reach < self.records:
            raise ValueError(f"may_reach {may_reach!a}")
        self._findings.notice(
            f"record {self._findings.seq:,}: all before it was restored from {str(said['origin'])!a}; up to ordinal"
            f" {may_reach:,}, what had no outcome by then may have been sent before"
        )

    def _take_end(self, told: dict[str, int]) -> None:
        self.finished = True
        if not self.is_whole:
            return
        told = {word: count for word, count in sorted(told.items()) if count and word.encode() in _OUTCOMES}
        if told != self.counted():
            self._findings.fault("outcome", f"the run ended with {told}, the log holds {self.counted()}")
        done = int.from_bytes(self._done, "little")
        missing = self.records - done.bit_count()
        if missing:
            first = f"the first is ordinal {(~done & (done + 1)).bit_length() - 1}"
            self._findings.fault("outcome", f"the run ended with {missing} records unaccounted for; {first}")


class _Signed(NamedTuple):
    """A statement in the log, where that stands, the key that is said to have signed it, and when it counted."""

    statement: Statement
    place: _Place
    key: str
    at: str


class _Approvals:
    """By whose documents a run was approved, where such were wanted: who may, and each document of those who did.

    That the documents say what they should is seen here; that the keys of these people signed them, ``ssh-keygen``
    sees, with the allowed signers that the log has.  Whose keys those are nobody can tell from a folder: names and
    keys are told, for who knows them from elsewhere.
    """

    def __init__(self, findings: _Findings) -> None:
        self._findings = findings
        self._settled: tuple[object, object, object] | None = None
        """How many have to sign, the file of allowed signers, and whether nobody approves their own plan."""
        self._signers = Signers((), (), vouches=False)
        self.planner: Statement | None = None
        self._planners: frozenset[str] = frozenset()
        self._signed: list[_Signed] = []
        self._people: set[str] = set()
        self._typed: _Place | None = None
        """Where the log says that somebody approved without a document."""

    @property
    def allowed_signers(self) -> str | None:
        """The file of allowed signers, where people had to sign."""
        return None if self._settled is None else str(self._settled[1])

    def take(self, said: dict[str, Any], plan_digest: str, *, is_whole: bool) -> None:
        """Take what a record says of who may approve, of somebody's approval, or that the run was approved.

        Of a log that is not ``is_whole`` nobody can say which approvals are missing.
        """
        match said["event"]:
            case "approvers":
                self._take_approvers(said)
            case "approval":
                self._take_approval(said, plan_digest)
            case _:
                self._take_yes(said, plan_digest, is_whole=is_whole)

    def _take_approvers(self, said: dict[str, Any]) -> None:
        settled = needed, allowed, not_the_planner = said["needed"], said["allowed_signers"], said["not_the_planner"]
        if self._settled not in (None, settled):
            self._findings.fault("approval", "other people, or fewer, may approve here than when the run was begun")
            return
        if type(needed) is not int or needed < 1:
            raise ValueError(f"{needed!a} approvals")
        self._settled, self._signers = settled, read_signers(str(allowed))
        if said["planner"] is not None:
            self.planner = read_statement(str(said["planner"]).encode())
            if self.planner.purpose != "plan":
                raise ValueError("planner")
        if not_the_planner and self.planner is None:
            self._findings.fault("approval", "nobody may approve their own plan, and nothing says whose it is")
        elif not_the_planner and self.planner is not None and (key := _signing_key(self.planner)):
            self._planners = self._signers.person(key, key)

    def _take_approval(self, said: dict[str, Any], plan_digest: str) -> None:
        statement = read_statement(str(said["document"]).encode())
        key, at, who = str(said["key"]).rpartition(" ")[2], str(said["counted"]), statement.who
        person = self._signers.person(who, key)
        wrong = {
            f"not the approval of this plan by {said['who']!a}": (statement.purpose, statement.plan, who)
            != ("approval", plan_digest, said["who"]),
            "signed by nobody": not statement.signature,
            f"it expired at {statement.until}, and counted at {at}": at >= str(statement.until),
            "repeated: this person, or this key, approved already and counts once": bool(person & self._people),
            "it is of who made the plan, and nobody may approve their own": bool(person & self._planners),
        }
        for told in (told for told, is_so in wrong.items() if is_so):
            self._findings.fault("approval", f"the approval of {who!a}: {told}")
        self._people |= person
        self._signed.append(_Signed(statement, self._findings.here(), key, at))

    def _take_yes(self, said: dict[str, Any], plan_digest: str, *, is_whole: bool) -> None:
        """Take the yes that a process goes by: where people have to sign, enough of them did before."""
        needed = 0 if self._settled is None else self._settled[0]
        if said.get("how") != "signed":
            self._typed = self._typed or self._findings.here()
            if needed:
                self._findings.fault("approval", f"approved by {said.get('how')!a}, and {needed} people have to sign")
        elif said["digest"] != plan_digest:
            self._findings.fault("approval", f"digest {said['digest']!a} was approved, which is not the plan's")
        elif is_whole and not 0 < int(str(needed)) <= len(self._signed):
            there = f"{len(self._signed)} of {needed} approvals are on record before it"
            self._findings.fault("approval", f"approved by signatures, and {there}")

    def hold(self, vault_arn: str, run_sha256: str, counts: tuple[int, int, int]) -> None:
        """Hold what was signed against the files of the run: its vault, its ``run.json``, its plan's counts."""
        documents = [(one.statement, one.place) for one in self._signed]
        documents += [] if self.planner is None else [(self.planner, self._findings.here())]
        for statement, place in documents:
            said = statement.archives, statement.size_bytes, statement.kept
            if (statement.vault_arn, statement.run, said) != (vault_arn, run_sha256, counts):
                told = f"what {statement.who!a} signed is of another vault or run, or of other counts than the plan's"
                self._findings.fault("approval", told, place=place)

    def check(self, terms: dict[str, Any] | None) -> None:
        """Hold who approved against a lifecycle's terms, and have ``ssh-keygen`` look at what was signed."""
        if terms is not None:
            wanted = terms.get("needed"), terms.get("allowed_signers"), terms.get("not_the_planner", False)
            if self._settled not in (None, wanted):
                told = "not those may approve whom the lifecycle's terms name, or not so many"
                self._findings.file_fault("approval", "audit", told)
            if self._settled is None and self._typed is not None:
                told = f"approved without documents, and the lifecycle's terms want {terms.get('needed')!a} of them"
                self._findings.fault("approval", told, place=self._typed)
        for one in self._signed:
            self._check_signature(one)

    def _check_signature(self, one: _Signed) -> None:
        statement, name = one.statement, f"the approval of {one.statement.who!a}"
        at = re.sub("[^0-9]", "", one.at)
        asked = ["-Y", "verify", "-I", statement.who, "-n", "glacier-purge-approval", "-O", f"verify-time={at}"]
        try:
            key, told = _ssh_keygen(asked, statement, self.allowed_signers)
        except _NotChecked as why:
            self._findings.notice(f"{name}: signature not checked: {why}")
            return
        if key is None:
            self._findings.fault("approval", f"{name}: its signature does not hold: {told!a}", place=one.place)
        elif key != one.key:
            self._findings.fault("approval", f"{name}: signed with {key}, and not with {one.key!a}", place=one.place)
        else:
            self._findings.notice(f"{name}: holds until {statement.until}, signed with {told}")


class _NotChecked(Exception):
    """Why nobody could look at a signature."""


def _signing_key(statement: Statement) -> str:
    """The key that signed a statement, whosever that is; empty where nobody can look, or none did."""
    try:
        key, _ = _ssh_keygen(["-Y", "check-novalidate", "-n", f"glacier-purge-{statement.purpose}"], statement, None)
    except _NotChecked:
        return ""
    return key or ""


def _ssh_keygen(asked: list[str], statement: Statement, allowed_signers: str | None) -> tuple[str | None, str]:
    """The key of a signature that OpenSSH finds good, with its kind; else None and what it says.

    Raises ``_NotChecked`` where nothing can be concluded.
    """
    import tempfile  # noqa: PLC0415  # rarely wanted, and dear to load

    with tempfile.TemporaryDirectory() as folder:
        signature, allowed = Path(folder, "signature"), Path(folder, "allowed_signers")
        signature.write_bytes(statement.signature)
        allowed.write_text(allowed_signers or "", "utf-8")
        named = [] if allowed_signers is None else ["-f", str(allowed)]
        kept = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "SSH_ASKPASS")}
        try:
            done = subprocess.run(  # noqa: S603 - arguments, and no shell
                ["ssh-keygen", *asked, "-s", str(signature), *named],  # noqa: S607 - whichever the auditor has
                input=statement.text,
                capture_output=True,
                timeout=_SIGNATURE_SECONDS_MAX,
                env=kept | {"LC_ALL": "C", "TZ": "UTC"},
                check=False,
            )
        except FileNotFoundError:
            raise _NotChecked("ssh-keygen is not on this host") from None
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise _NotChecked(f"ssh-keygen: {error}") from error
        said = " ".join((done.stdout + done.stderr).decode("utf-8", "replace").replace(folder, "").split())
    good = _GOOD.search(done.stdout)
    if done.returncode == 0 and good is not None:
        return good[2].decode(), good[1].decode()
    if re.search("(?i)(?:unknown|illegal|invalid|unsupported)[^:]* option|usage:", said):
        raise _NotChecked(f"this ssh-keygen is too old: {said[:100]!a}")
    return None, said


# -- 6. the log: line by line, segment by segment ---------------------------------------------------------------------


class _Chain:
    """The pass over all lines: each as it was written, each in its place."""

    def __init__(self, findings: _Findings, vouchers: _Vouchers, account: _Account) -> None:
        self._findings = findings
        self._vouchers = vouchers
        self._account = account
        self._manifest: list[dict[str, Any]] = []
        self._is_manifest_bad = False
        self._number = 0
        self._may_be_torn = self._is_last = False
        self._patterns: _Patterns | None = None
        self._last = account.plan_digest
        """The hash the next record has to carry; None where that can't be known."""
        self._before: _Place | None = None
        """The record before the one the check stands at; None for the plan."""
        self._suspects: tuple[_Place | None, _Place] | None = None
        """The records before and after a broken link: the first was changed, unless the second turns out to be."""

    def anchor(self) -> str | None:
        """The last record's number and hash."""
        return f"{self._findings.seq - 1}:{self._last}" if self._findings.seq and self._last else None

    def read(self, folder: Path) -> None:
        """Check everything."""
        segments = _segments(folder / "audit", self._findings)
        self._read_manifest(folder)
        last = max(segments, default=0)
        try:
            for number in sorted(segments):
                if number > self._number + 1:
                    self._miss_segments(number)
                self._number = number
                self._read_segment(folder / "audit", is_last=number == last)
        except _TornTail:
            pass
        self._end_suspicion()
        if self._manifest and last == len(self._manifest):
            self._miss_segments(last + 2)  # a segment is closed when the next one is there
        self._vouchers.miss(self._account)
        compressed = sum(is_compressed for is_compressed in segments.values())
        if not self._is_manifest_bad and not compressed <= len(self._manifest) <= last:
            listed = f"the manifest lists {len(self._manifest):,} segments; {compressed:,} are there compressed alone"
            self._findings.file_fault("manifest", "audit/manifest.jsonl", listed)
        if not self._account.finished and not self._account.names_ids:
            self._findings.notice("the run is not finished")

    def _miss_segments(self, next_number: int) -> None:
        findings = self._findings
        findings.file, findings.offset = f"audit/{self._number + 1:06d}.jsonl", 0
        more = next_number - self._number - 2
        findings.fault("segment", "this segment is missing" + (f", and {more:,} after it" if more else ""))
        self._last = None
        self._account.lose_sight()

    def _read_segment(self, folder: Path, *, is_last: bool) -> None:
        findings, number = self._findings, self._number
        findings.file, findings.offset = f"audit/{number:06d}.jsonl", 0
        first_seq, faults, packed = findings.seq, len(findings.faults), ""
        # The manifest's lines vouch for each other; only the newest has no other line to vouch for its SHA-256.
        whole = hashlib.sha256() if number == len(self._manifest) else None
        try:
            count_bytes, at = _count_bytes.get(), 0
            with closing(_Segment(folder, number)) as file:
                self._may_be_torn = is_last and not file.is_compressed and number > len(self._manifest)
                self._is_last = is_last
                while data := file.read_lines(0 if findings.offset == 0 else _BLOCK_BYTES):
                    if whole is not None:
                        whole.update(data)
                    self._read_block(data, file)
                    before, at = at, file.position()
                    count_bytes(at - before)
                if file.is_compressed:
                    packed = file.packed_crc32()
        except _Unreadable as bad:
            self._end_suspicion()
            findings.fault(bad.kind, str(bad), place=_Place(bad.file, bad.offset, findings.seq))
            self._last = None
            self._account.lose_sight()
            return
        if findings.offset == 0 and not self._may_be_torn:
            findings.fault("segment", "this segment is empty")
        if number <= len(self._manifest):
            self._check_manifest(self._manifest[number - 1], first_seq, None if whole is None else whole.hexdigest())
            if file.is_compressed and len(findings.faults) == faults and self._suspects is None:
                self._check_packed(self._manifest[number - 1], file.name, packed)

    def _read_block(self, data: bytes, file: _Segment) -> None:
        """Check some lines: as a whole if they are in order, else one by one."""
        lines = io.BytesIO(data).readlines()
        if not self._take_in_order(data, lines, at_the_end=self._is_last and file.is_at_end()):
            for place, line in enumerate(lines):
                self._read_line(line, lines[place + 1 :] if self._may_be_torn else [], file)

    # many lines at once

    def _take_in_order(self, data: bytes, lines: list[bytes], *, at_the_end: bool) -> bool:
        """Check a block of lines as a whole; take it and say True, or leave everything as it was and say False.

        A line is borne out by the hash in the next one; the log's last has none, so it is read.
        """
        begins_segment = self._findings.offset == 0
        if begins_segment or self._last is None or self._suspects is not None or self._patterns is None:
            return False
        if self._vouchers.between(self._findings.seq, self._findings.seq + len(lines), self._account):
            return False  # to be held against the outcomes up to that very record
        sha256 = hashlib.sha256
        hashes = [sha256(line).hexdigest() for line in lines]
        carried = '"}\n,"prev":"'.join([self._last, *hashes[:-1]])
        if b"".join(map(_line_end, lines)) != b',"prev":"%b"}\n' % carried.encode() or not data.isascii():
            return False
        if at_the_end and _parse(lines[-1], self._account.run)[0] is None:
            return False
        outcomes = self._patterns.outcomes(data, lines)
        if outcomes is None or not self._is_numbered(lines):
            return False
        findings, end = self._findings, self._findings.offset + len(data)
        self._take_block(lines, outcomes)
        findings.offset = end
        self._last = hashes[-1]
        self._before = _Place(findings.file, end - len(lines[-1]), findings.seq - 1)
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

    def _read_line(self, line: bytes, following: list[bytes], file: _Segment) -> None:
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
        here = self._findings.here()
        self._judge_link(here, linked=linked or self._last is None)  # a gap, which was told, broke it
        self._account.take(said, self._number)
        if self._patterns is None and self._account.run is not None:
            self._patterns = _Patterns(json.dumps(self._account.run).encode())
        self._last = hashlib.sha256(line).hexdigest()
        if self._vouchers.deny(self._last, self._account) and self._suspects and self._suspects[1] == here:
            self._suspects = None  # the blame is on this record
        self._before = here
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
            place = findings.here()._replace(record=seq)
            findings.fault("inserted", f"a second record numbered {seq}, or one out of its place", place=place)
            return True
        if findings.offset or self._account.is_whole:  # else it was said which part could not be read
            findings.fault("missing", f"records {findings.seq} to {seq - 1} are missing or stand elsewhere")
        findings.seq, self._last = seq, None
        self._account.lose_sight()
        return False

    def _judge_link(self, here: _Place, *, linked: bool) -> None:
        """Find out which side of a broken link was changed: the next link tells."""
        if linked:
            self._end_suspicion()
        elif self._suspects is None:
            self._suspects = (self._before, here)
        else:
            self._accuse(self._suspects[1])
            self._suspects = None

    def _end_suspicion(self) -> None:
        """The record after a broken link is borne out by its own successor: the one before the link was changed."""
        if self._suspects is not None:
            self._accuse(self._suspects[0])
            self._suspects = None

    def _accuse(self, place: _Place | None) -> None:
        if place is None:
            begin = _Place("audit/000001.jsonl", 0, 0)
            self._findings.fault("plan", "the log does not begin with the digest of this plan", place=begin)
        else:
            told = "not as it was written: the next record carries another hash"
            self._findings.fault("changed", told, place=place)

    def _is_torn_tail(self, line: bytes, following: list[bytes], file: _Segment) -> bool:
        """Tell whether the log ends here in what a crash leaves: its last commit, partly written."""
        findings = self._findings
        if not self._may_be_torn or findings.faults or self._suspects is not None:
            return False
        if self._vouchers.between(findings.seq, sys.maxsize, self._account):
            return False
        rest = line + b"".join(following)
        if rest.endswith(b"\n"):  # else the file ended here, and what comes by now is a process's that goes on
            rest += file.peek_rest()
        if len(rest) > _TAIL_BYTES_MAX or not a_crash_may_leave(rest, offset_bytes=findings.offset, seq=findings.seq):
            return False
        findings.notice(
            f"{findings.file}, byte {findings.offset:,}: a torn tail of {len(rest):,} bytes, as a crash leaves it"
        )
        return True

    def _step_over(self, line: bytes) -> None:
        self._findings.seq += 1
        self._findings.offset += len(line)

    # the manifest

    def _read_manifest(self, folder: Path) -> None:
        name = "audit/manifest.jsonl"
        if not _is_any_there(folder, name):
            return
        previous, offset, data = hashlib.sha256(b""), 0, b""
        with self._findings.judging(name):
            data = _read(folder / name)
        for number, line in enumerate(io.BytesIO(data).readlines()):
            try:
                entry = _document(line)
                expected = f"{len(self._manifest) + 1:06d}.jsonl"
                if (entry["name"], entry["previous"]) != (expected, previous.hexdigest()):
                    raise ValueError(f"this line is not the one for {expected} that follows the line before")
                if entry.keys() - _ENTRY_KEYS or line != _compact(entry):
                    raise ValueError("it is not written as such lines are")
            except (_Bad, *_WRONG) as bad:
                is_cut = b"\0" in line or not line.endswith(b"\n")
                begins = b'{"name":"%06d.jsonl"' % (len(self._manifest) + 1)
                may_be = _may_begin(line, begins) and _is_text_of_json(line.removesuffix(b"\n"))
                if not (is_cut and may_be) or _ENTRY_GOES_ON.search(
                    line
                ):  # else a crash cut short what will be written again
                    place = offset + (bad.offset if isinstance(bad, _Bad) else 0)
                    changed = f"the manifest was changed: {bad!s}"
                    self._findings.file_fault("manifest", name, changed, offset=place, record=number)
                    self._is_manifest_bad = True
                return
            self._manifest.append(entry)
            previous = hashlib.sha256(line)
            offset += len(line)

    def _check_packed(self, entry: dict[str, Any], name: str, found: str) -> None:
        """Find bits that were turned where they say nothing of what was packed; 0.1 wrote nothing to find them by."""
        if entry.get("packed_crc32") not in (None, found):
            told = f"it unpacks to the log, but its own bytes are not those that were packed: CRC-32 {found}"
            self._findings.file_fault("changed", name, told)

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
            self._findings.fault("manifest", other, place=self._before)


# -- 7. reading segments, plain and compressed ------------------------------------------------------------------------


def _segments(folder: Path, findings: _Findings) -> dict[int, bool]:
    """The segments by number, with whether there is but the compressed form; where there are both, the plain counts."""
    found: dict[int, bool] = {}
    with findings.judging("audit"):
        for name in _names(folder):
            match = _SEGMENT.fullmatch(name)
            if match and int(match[1]):
                found[int(match[1])] = match[2] is not None and found.get(int(match[1]), True)
    return found


class _Segment:
    """A segment's plain lines, read a block at a time; what stands before damage is given before that is raised."""

    def __init__(self, folder: Path, number: int) -> None:
        self._name = f"audit/{number:06d}.jsonl"
        self._bad: _Unreadable | None = None
        plain = folder / f"{number:06d}.jsonl"
        self.is_compressed = False
        try:
            try:
                self._file = _opened(plain)
            except _Bad as bad:
                if bad.kind != "missing":
                    raise
                self._file = _opened(plain.with_name(f"{plain.name}.zst"))  # sealed since it was listed, perhaps
                self.is_compressed, self._name = True, f"{self._name}.zst"
        except _Bad as bad:
            raise _Unreadable(self._name, bad) from bad
        self._pieces = _unpacked(self._file) if self.is_compressed else None
        self._rest = b""

    @property
    def name(self) -> str:
        """The file that is read."""
        return self._name

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def packed_crc32(self) -> str:
        """CRC-32 of the file itself, once it was read. Raises ``_Unreadable``."""
        crc = 0
        try:
            self._file.seek(0)
            while chunk := self._file.read(_CHUNK_BYTES):
                crc = zlib.crc32(chunk, crc)
        except OSError as error:
            raise _Unreadable(self._name, _Bad("unreadable", error.strerror or str(error))) from error
        return f"{crc:08x}"

    def read_lines(self, bytes_least: int) -> bytes:
        """Read so much and on to the end of a line. Raises ``_Unreadable`` when nothing stands before the damage."""
        if self._bad is not None:
            raise self._bad
        data = b""
        try:
            if self._pieces is None:
                data = self._file.read(bytes_least)
                data += self._file.readline(_TAIL_BYTES_MAX)
            else:
                data = self._unpack_lines(self._pieces, bytes_least)
        except OSError as error:
            self._bad = _Unreadable(self._name, _Bad("unreadable", error.strerror or str(error)))
        if len(data) - data.rfind(b"\n") > _TAIL_BYTES_MAX:
            self._bad = _Unreadable(self._name, _Bad("changed", f"a line of {_TAIL_BYTES_MAX:,} bytes or more"))
        if self._bad is not None:
            data = data[: data.rfind(b"\n") + 1]
            return data or self.read_lines(0)
        return data

    def _unpack_lines(self, pieces: Iterator[bytes], bytes_least: int) -> bytes:
        """The lines of the next frames that end one, or but the first; what is left over comes with the next."""
        parts, held_bytes, self._rest = [self._rest], len(self._rest), b""
        try:
            for piece in pieces:
                end = piece.rfind(b"\n") + 1
                parts.append(piece[:end] if end else piece)
                held_bytes += len(piece)
                if end or held_bytes > _TAIL_BYTES_MAX:
                    self._rest = piece[end:] if end else b""
                    break
        except _Bad as bad:
            self._bad = _Unreadable(self._name, bad)
        data = b"".join(parts)
        if not bytes_least:
            end = data.find(b"\n") + 1
            data, self._rest = data[:end], data[end:] + self._rest
        return data

    def position(self) -> int:
        """How far the file itself was read."""
        return self._file.tell()

    def is_at_end(self) -> bool:
        """Tell whether nothing comes after the lines read so far, as far as that can be told of a compressed one."""
        return self.is_compressed or self._file.tell() >= os.fstat(self._file.fileno()).st_size

    def peek_rest(self) -> bytes:
        """What comes after the lines read so far, as much of it as may be a crash's; they are read again later."""
        here = self._file.tell()
        try:
            rest = self._file.read(_TAIL_BYTES_MAX)
        except OSError:
            return b"?"  # no crash's doing, and told when it is read
        self._file.seek(here)
        return rest


class _Frame(NamedTuple):
    """One zstandard frame: where it begins, its bytes, and of how many blocks it is, each of 128 KiB at most."""

    offset: int
    content: bytearray
    blocks: int


_FRAME_BLOCKS_MAX = 64
"""What is unpacked at once is 8 MiB at most, whatever a frame says of itself; the log is written in frames of one."""
_FRAME_BYTES_MAX = _FRAME_BLOCKS_MAX << 17


def _frames(file: IO[bytes]) -> Iterator[_Frame]:
    """Take a file apart into frames. Raises ``_Bad`` with the beginning of the first that is none."""
    while True:
        offset = file.tell()
        try:
            frame = _frame(file, offset)
        except (OSError, ValueError) as bad:
            raise _Bad("unreadable", f"this zstandard frame can't be read: {bad}", offset) from bad
        if frame is None:
            return
        yield frame


def _frame(file: IO[bytes], offset: int) -> _Frame | None:
    """Take the next frame (RFC 8878, 3.1.1), None at the end. Raises ``ValueError`` for what is none."""
    content, blocks, is_last = bytearray(file.read(4)), 0, 0
    if not content:
        return None
    if content != b"\x28\xb5\x2f\xfd":
        raise ValueError("it does not begin as one")
    checksum_bytes = _take_frame_head(file, content)
    while not is_last:
        head = _take(file, content, 3)
        is_last, kind, length = head & 1, head >> 1 & 3, head >> 3
        blocks += 1
        if kind == 3 or length > 1 << 17 or blocks > _FRAME_BLOCKS_MAX:
            raise ValueError("it has a block that is none, or too many")
        _take(file, content, 1 if kind == 1 else length)
    _take(file, content, checksum_bytes)
    return _Frame(offset, content, blocks)


def _take_frame_head(file: IO[bytes], content: bytearray) -> int:
    """Take what stands before the blocks; give the length of the checksum behind them."""
    flags = _take(file, content, 1)
    is_single = flags >> 5 & 1
    window = 0 if is_single else _take(file, content, 1)
    _take(file, content, (0, 1, 2, 4)[flags & 3])
    plain_bytes = _take(file, content, (is_single, 2, 4, 8)[flags >> 6])
    if flags & 0x18 or window >> 3 > 13 or plain_bytes > _FRAME_BYTES_MAX:
        raise ValueError("it claims what the log never needs")
    return 4 if flags & 4 else 0


def _take(file: IO[bytes], content: bytearray, length: int) -> int:
    taken = file.read(length)
    if len(taken) < length:
        raise ValueError("it ends in the middle")
    content += taken
    return int.from_bytes(taken, "little")


def _unpacked(file: IO[bytes]) -> Iterator[bytes]:
    """Unpack frame by frame, with whatever there is to do that. Raises ``_Bad`` for one that can't be."""
    try:
        import zstandard  # noqa: PLC0415 - wanted only here, and not always there

        unpack, errors = zstandard.ZstdDecompressor().decompress, zstandard.ZstdError
    except ImportError:
        try:
            from compression import zstd  # type: ignore[import-not-found]  # noqa: PLC0415 - Python 3.14

            unpack, errors = zstd.decompress, zstd.ZstdError
        except ImportError:
            yield from _by_zstdcat(_frames(file))
            return
    for frame in _frames(file):
        try:
            yield unpack(frame.content)
        except errors as bad:
            raise _Bad("unreadable", f"this zstandard frame can't be unpacked: {bad}", frame.offset) from bad


def _by_zstdcat(frames: Iterator[_Frame]) -> Iterator[bytes]:
    """Unpack some frames with one process, to start fewer; one by one those among which is a bad one."""
    group: list[_Frame] = []
    broken: _Bad | None = None
    while True:
        try:
            frame = next(frames, None)
        except _Bad as bad:
            frame, broken = None, bad
        if group and (frame is None or sum(one.blocks for one in group) + frame.blocks > _FRAME_BLOCKS_MAX):
            yield from _zstdcat(group)
            group = []
        if frame is None:
            break
        group.append(frame)
    if broken is not None:
        raise broken


def _zstdcat(frames: list[_Frame]) -> Iterator[bytes]:
    packed = b"".join(frame.content for frame in frames)
    try:
        done = subprocess.run(["zstdcat"], input=packed, capture_output=True, check=False)  # noqa: S607 - any will do
    except OSError as error:
        raise NotToBeChecked(
            "compressed segments need the zstandard package, Python 3.14 or the zstdcat command"
        ) from error
    if done.returncode == 0:
        yield done.stdout
    elif len(frames) > 1:
        for frame in frames:
            yield from _zstdcat([frame])
    else:
        told = done.stderr.decode("ascii", "replace").strip()
        raise _Bad("unreadable", f"this zstandard frame can't be unpacked: {told}", frames[0].offset)


# -- 8. lifecycles and fleets -----------------------------------------------------------------------------------------


def _verify_lifecycle(folder: Path) -> Verification:
    """Check a lifecycle's steps and terms, and that its rounds are the ones the steps speak of."""
    findings = _Findings()
    content, terms = b"", {}
    with findings.judging("terms.json"):
        content = _read(folder / "terms.json")
        terms = _document(content)
        if missing := {"vault_arn", "endpoint_url", "begun"} - terms.keys():
            raise _Bad("changed", f"without {', '.join(sorted(missing))}")
    steps = _read_steps(folder, findings, content)
    _check_freeze_file(folder, findings, [step for _, step in steps])
    for place, step in steps:
        with findings.judging("lifecycle.jsonl"):
            _check_step(folder, findings, place, step)
            if terms.get("approvers") and step.get("event") == "approved" and step["facts"].get("how") != "signed":
                findings.fault("approval", "approved without documents, which the terms want", place=place)
    phase, number = _position(findings, steps)
    _check_nothing_is_missing(folder, findings, [step for _, step in steps], phase, number)
    plans = [
        _sealed_in(folder / name / "plan.json", "plan", beside="run_sha256")
        for name in _folders(folder)
        if name.startswith("round-")
    ]
    of = {f"{plan['region']}:{plan['account_id']}:vaults/{plan['vault_name']}" for plan, _ in plans if plan}
    for vault in of if terms else ():
        if not str(terms.get("vault_arn")).endswith(f":{vault}"):
            findings.file_fault("plan", "terms.json", f"a round is of {vault!a}, the lifecycle of another vault")
    return _verdict(findings, len(steps), finished=phase == "done")


def _read_steps(folder: Path, findings: _Findings, terms: bytes) -> list[tuple[_Place, dict[str, Any]]]:
    """Read the steps with their places. Each carries the hash of the line before, the first one that of the terms."""
    name, offset, data = "lifecycle.jsonl", 0, b""
    if _is_any_there(folder, name):
        with findings.judging(name):
            data = _read(folder / name)
    steps: list[tuple[_Place, dict[str, Any]]] = []
    before, before_at = terms, _Place("terms.json", 0, 0)
    for number, line in enumerate(io.BytesIO(data).readlines()):
        here = _Place(name, offset, number)
        follows = b'{"prev":"%b"' % hashlib.sha256(before).hexdigest().encode()
        if _is_torn(line, offset, len(data), follows, b'{"at":"'):  # the second is an older version's
            findings.notice(f"{name}, byte {offset:,}: a torn step of {len(line):,} bytes, as a crash leaves it")
            break
        try:
            step = _document(line)
            if missing := {"at", "round", "phase", "event", "facts"} - step.keys():
                raise _Bad("changed", f"a step without {', '.join(sorted(missing))}")
        except _Bad as bad:
            step = {}
            findings.fault(bad.kind, str(bad), place=here._replace(offset=offset + bad.offset))
        if step and "prev" not in step:
            findings.notice(
                f"{name}, step {number}: of an older version, which did not write the hash of what stood before"
            )
        elif step and step["prev"] != hashlib.sha256(before).hexdigest():
            findings.fault("changed", f"not what step {number} was written after", place=before_at)
        steps.append((here, step))
        before, before_at, offset = line, here, offset + len(line)
    return steps


def _check_step(folder: Path, findings: _Findings, place: _Place, step: dict[str, Any]) -> None:
    """Hold what a step settled against the round's files."""
    facts, event = step.get("facts", {}), step.get("event")
    if event in ("planned", "approved") and "digest" in facts:
        file = f"round-{step['round']}/plan.json"
        _, digest = _sealed_in(folder / file, "plan", beside="run_sha256")
        if digest != facts["digest"]:
            told = "is gone or was changed" if digest is None else f"has the digest {digest}"
            findings.fault("plan", f"{event} with digest {facts['digest']!a}, but {file} {told}", place=place)
    if event == "planned" and "run_json" in facts:
        file = f"round-{step['round']}/run.json"
        if not _is_any_there(folder, file) or _sha256(folder / file)[1] != facts["run_json"]:
            findings.fault("plan", f"planned with another {file}, or it is gone", place=place)
    rounds = [name for name in _folders(folder) if name.startswith("round-")]
    certified = str(facts.get("certified"))
    if certified in rounds and not _is_any_there(folder / certified, "certificate.json"):
        findings.fault("certificate", f"{certified}/certificate.json was written, and is gone", place=place)
    if _DIGEST.fullmatch(str(facts.get("certificate"))):
        found = {
            _sealed_in(folder / name / "certificate.json", "certificate", beside="text_sha256")[1] for name in rounds
        }
        if facts["certificate"] not in found:
            told = f"no round has the certificate with digest {facts['certificate']}"
            findings.fault("certificate", told, place=place)


def _position(findings: _Findings, steps: list[tuple[_Place, dict[str, Any]]]) -> tuple[str, int]:
    """The phase and the round that the steps lead to; no phase where they do not follow each other."""
    phase, number = "preflight", 1
    for place, step in steps:
        if "prev" not in step:  # unreadable, which was said, or an older version's
            return "", number
        event, said = str(step["event"]), (step["phase"], step["round"])
        if event == _ALLOWED:
            next_phase, phases = phase, list(_ALLOWED_IN)
        else:
            next_phase, *phases = ("done", phase) if event == _ABANDONED else _STEPS.get(event, ("",))
        if said != (phase, number) or phase not in phases or phase == "done":
            told = (
                f"{event!a} in phase {said[0]!a} of round {said[1]!a} can't follow what leads to {phase!a} of {number}"
            )
            findings.fault("changed", told, place=place)
            return "", number
        phase, number = next_phase, number + (event in _ANOTHER_ROUND)
    return phase, number


def _check_nothing_is_missing(
    folder: Path, findings: _Findings, steps: list[dict[str, Any]], phase: str, last: int
) -> None:
    """Find what only steps make that are not there: a chain of hashes does not show when its end was cut off."""
    if phase in ("", "done") and (not steps or phase == "" or steps[-1]["event"] == _ABANDONED):
        return
    made = set() if phase == "preflight" else {f"round-{number}" for number in range(1, last + 1)}
    planned = {f"round-{step['round']}" for step in steps if step["event"] == "planned"}
    planned |= {f"round-{last}"} if phase == "plan" else set()  # written before its step
    for place in _folders(folder):
        if place.startswith("round-") and place not in made:
            told = f"{place} is there, and the steps lead to {phase} of round {last}: lines are missing at the end"
            findings.file_fault("truncated", "lifecycle.jsonl", told)
        elif place in made - planned and _is_any_there(folder / place, "plan.json"):
            told = f"{place}/plan.json is there, and no step says that it was made: lines are missing at the end"
            findings.file_fault("truncated", "lifecycle.jsonl", told)
    froze = phase == "freeze" or any(str(step["event"]).startswith("uploads") for step in steps)
    if not froze and _is_any_there(folder, "freeze.json"):
        told = "freeze.json is there, and no step says that uploads were denied: lines are missing at the end"
        findings.file_fault("truncated", "lifecycle.jsonl", told)


def _check_freeze_file(folder: Path, findings: _Findings, steps: list[dict[str, Any]]) -> None:
    """Hold ``freeze.json`` against the step by which uploads were denied; putting the policy back changes its end."""
    denied = [step["facts"] for step in steps if step.get("event") == "uploads denied"]
    is_there = _is_any_there(folder, "freeze.json")
    if not (denied or is_there):
        return
    with findings.judging("freeze.json"):
        if not is_there and steps and steps[-1].get("event") in _NO_MORE_DENIED:
            findings.notice("freeze.json is gone: what the access policy was before can't be read any more")
            return
        content = _read(folder / "freeze.json")
        _document(content)
        settled = content.removesuffix(_THAWED)
        settled += _NOT_THAWED if settled != content else b""
        is_new = not denied or steps[-1].get("event") == "approved"  # written before its step
        if not is_new and hashlib.sha256(settled).hexdigest() != denied[-1]["freeze_json"]:
            raise _Bad("changed", "not what was written when uploads were denied")


def _sealed_in(path: Path, name: str, *, beside: str) -> tuple[dict[str, Any], str | None]:
    """What a file of content and digest holds; nothing where it is gone or was changed, which its run's check tells."""
    try:
        return _sealed(_document(_read(path)), name, beside=beside)
    except (_Bad, *_WRONG):
        return {}, None


def _verify_fleet(folder: Path) -> Verification:
    """Check that every member's folder is of a vault the fleet settled, and named for it."""
    findings = _Findings()
    settled: set[str] = set()
    with findings.judging("fleet.json"):
        document = _document(_read(folder / "fleet.json"))
        if "digest" in document:
            document, _ = _sealed(document, "fleet")
        else:
            findings.notice("fleet.json: of an older version, which did not write its digest")
        settled = {vault["vault_arn"] for vault in document["vaults"]}
        _check_fleet_file(folder, document["fleet_file_sha256"], findings)
    found = set()
    for member in _folders(folder):
        if _is_any_there(folder / member, "terms.json"):
            with findings.judging(f"{member}/terms.json"):
                arn = str(_document(_read(folder / member / "terms.json"))["vault_arn"])
                found.add(arn)
                if settled and arn not in settled:
                    raise _Bad("changed", f"of {arn!a}, which the fleet does not have")
                if member != _member_name(arn):
                    raise _Bad("changed", f"of {arn!a}, which has another folder")
    for arn in sorted(settled - found):
        findings.notice(f"{arn!a} has not begun, or its folder is gone")
    return _verdict(findings, 0, finished=not settled - found)


def _check_fleet_file(folder: Path, sha256: object, findings: _Findings) -> None:
    """Check the copy of the file that the fleet began with, which older versions did not keep."""
    if _is_any_there(folder, "fleet.toml"):
        with findings.judging("fleet.toml"):
            if _sha256(folder / "fleet.toml")[1] != sha256:
                raise _Bad("changed", "it is not the file that the fleet began with")


def _member_name(arn: str) -> str:
    """The name of a member's folder: account, region and vault; a very long one is cut, and told apart by its hash."""
    _, _, _, region, account, vault = arn.split(":", 5)
    name = f"{account}-{region}-{vault.removeprefix('vaults/')}"
    return name if len(name) <= 200 else f"{name[:200]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _verdict(findings: _Findings, lines: int, *, finished: bool) -> Verification:
    notices = tuple(findings.notices)
    return Verification(
        faults=findings.in_order(), notices=notices, records=lines, counts={}, finished=finished, anchor=None
    )


# -- 9. finding the outcomes of a block at once, for speed alone ------------------------------------------------------


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


# -- 10. JSON, as its writer has it -----------------------------------------------------------------------------------


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice: readers would differ on which one counts."""
    facts = dict(pairs)
    if len(facts) != len(pairs):
        raise ValueError("a key stands twice")
    return facts


class _Float(float):
    """A number and how it is written, which a digest covers. Raises ``ValueError`` for what is none to all readers."""

    def __init__(self, text: str) -> None:
        if not math.isfinite(self):
            raise ValueError(f"{text[:20]} is no number")
        self.text = text


_quoted = json.encoder.encode_basestring
_decode = json.JSONDecoder(object_pairs_hook=_each_once, parse_float=_Float, parse_constant=_Float).decode


def _parse(line: bytes, run: str | None) -> tuple[dict[str, Any] | None, str]:
    """Read a line, or say why it is none."""
    if not line.endswith(b'"}\n'):
        return None, "line ends were converted" if b"\r" in line else "the record is cut off, or its end was changed"
    if not line.isascii():
        return None, "not ASCII: a byte order mark, another encoding, or a changed byte"
    try:
        said = _decode(line.decode())
        keys = list(said)
    except _WRONG as bad:
        return None, f"not JSON: {bad}"
    if keys[:4] != ["seq", "ts", "event", "run"] or keys[-2:] != ["epoch", "prev"]:
        return None, "not the keys of a record, or not in their order"
    if any(type(said[key]) is not str for key in ("ts", "event", "run", "prev")):
        return None, "ts, event, run or prev is no text"
    if any(type(said[key]) is not int or not 0 <= said[key] < 1 << 62 for key in ("seq", "epoch")):
        return None, "seq or epoch is no number of a record"
    if run is not None and said["run"] != run:
        return None, f"a record of another run, {said['run']!a}"
    return said, ""


def _document(content: bytes) -> dict[str, Any]:
    """Read a whole JSON object. Raises ``_Bad`` with the byte where it is none."""
    try:
        text = content.decode()
    except UnicodeDecodeError as bad:
        raise _Bad("changed", f"not UTF-8: {bad.reason}", bad.start) from bad
    try:
        found = _decode(text)
    except json.JSONDecodeError as bad:
        raise _Bad("changed", f"not JSON: {bad.msg}", len(text[: bad.pos].encode())) from bad
    except _WRONG as bad:
        raise _Bad("changed", f"not JSON: {bad}") from bad
    if type(found) is not dict:
        raise _Bad("changed", "not a JSON object")
    return found


def _canonical(value: object) -> str:
    """JSON with sorted keys, no spaces and nothing escaped that need not be: what digests are of."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{_quoted(key)}:{_canonical(value[key])}" for key in sorted(value)]) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical, value)) + "]"
    return value.text if isinstance(value, _Float) else json.dumps(value)


def _sealed(document: dict[str, Any], name: str, *, beside: str = "digest") -> tuple[dict[str, Any], str]:
    """Take a document of its content and the digest of that. Raises ``_Bad`` where they do not fit.

    ``beside`` is what newer versions write beside the two: a hash of another file, which is not in the digest.
    """
    if document.keys() | {beside} != {"digest", name, beside}:
        raise _Bad("changed", f"its keys are {', '.join(sorted(document))}, not digest and {name}")
    content, digest = document[name], document["digest"]
    found = hashlib.sha256(_canonical(content).encode()).hexdigest()
    if found != digest or type(content) is not dict:
        raise _Bad("changed", f"it says digest {digest!a}, its content has {found}")
    return content, found


def _check_lines(path: Path, keys: set[str]) -> None:
    """Check that every line is an object of these keys; the last may be torn. Raises ``_Bad`` with the byte."""
    offset, data = 0, _read(path)
    for line in io.BytesIO(data).readlines():
        if _is_torn(line, offset, len(data), b'{"at":"'):
            return
        try:
            said = _document(line)
        except _Bad as bad:
            raise _Bad(bad.kind, str(bad), offset + bad.offset) from bad
        if said.keys() != keys:
            raise _Bad("changed", f"a line of {', '.join(sorted(said))}", offset)
        offset += len(line)


def _is_torn(line: bytes, offset: int, file_bytes: int, *beginnings: bytes) -> bool:
    """Tell whether a line is what a crash leaves of the last one, which began so: cut off, or with sectors of zeros."""
    if not line.endswith(b"\n"):
        return any(_may_begin(line, beginning) for beginning in beginnings) and _is_text_of_json(line)
    spans = [(offset + zeros.start(), offset + zeros.end()) for zeros in _ZEROS.finditer(line)]
    sectors = all(first in (offset, first - first % _SECTOR_BYTES) and not end % _SECTOR_BYTES for first, end in spans)
    return bool(spans) and sectors and offset + len(line) == file_bytes


def _compact(document: dict[str, Any]) -> bytes:
    """A line of numbers and of text in ASCII, as it is written."""
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def _is_text_of_json(line: bytes) -> bool:
    """Tell whether a line, perhaps cut or with zeros in it, holds but what a line of JSON holds."""
    if line.translate(None, _CONTROLS) != line:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(line.partition(b"\0")[0])
    except UnicodeDecodeError:
        return False
    return True


# -- 11. files, whatever stands in their place ------------------------------------------------------------------------


def _is_any_there(folder: Path, *names: str) -> bool:
    """Tell whether anything at all has one of these names."""
    return any(os.path.lexists(folder / name) for name in names)


def _names(folder: Path) -> list[str]:
    """The names in a folder; none where it is missing. Raises ``_Bad`` where something else stands in its place."""
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise _Bad("unreadable", "not a folder: something else stands in its place")
        return sorted(os.listdir(folder))  # noqa: PTH208 - names, not paths
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _Bad("unreadable", error.strerror or str(error)) from error


def _folders(folder: Path) -> list[str]:
    """The names of the folders in a folder, as far as they can be seen."""
    try:
        return [name for name in _names(folder) if (folder / name).is_dir()]
    except _Bad:
        return []


def _opened(path: Path) -> IO[bytes]:
    """Open a file and nothing else. Raises ``_Bad`` for one that is gone, and for whatever stands in its place."""
    flags = (getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
    try:
        handle = os.open(path, os.O_RDONLY | sum(flags))  # not blocking: a pipe would be waited for
    except FileNotFoundError:
        raise _Bad("missing", "this file is gone") from None
    except OSError as error:
        is_link = error.errno == errno.ELOOP
        reason = "a symbolic link stands in its place" if is_link else error.strerror or str(error)
        raise _Bad("unreadable", reason) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _Bad("unreadable", "not a file: a folder, a pipe or a device stands in its place")
    return os.fdopen(handle, "rb")


def _chunks(path: Path) -> Iterator[bytes]:
    """Read a file from end to end. Raises ``_Bad``."""
    with _opened(path) as file:
        try:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
                _count_bytes.get()(len(chunk))
        except OSError as error:
            raise _Bad("unreadable", error.strerror or str(error), file.tell()) from error


def _read(path: Path, bytes_most: int = _DOCUMENT_BYTES_MAX) -> bytes:
    """Read a whole file that is not too long for what it should be. Raises ``_Bad``."""
    content = bytearray()
    for chunk in _chunks(path):
        content += chunk
        if len(content) > bytes_most:
            raise _Bad("changed", f"it has more than {bytes_most:,} bytes", bytes_most)
    return bytes(content)


def _sha256(path: Path) -> tuple[int, str]:
    """A file's size in bytes and its hash. Raises ``_Bad``."""
    size, sha256 = 0, hashlib.sha256()
    for chunk in _chunks(path):
        size += len(chunk)
        sha256.update(chunk)
    return size, sha256.hexdigest()


def _expect_size(path: Path, size: int) -> None:
    with _opened(path) as file:
        found = os.fstat(file.fileno()).st_size
    if found != size:
        raise _Bad("changed", f"it has {found:,} bytes instead of {size:,}", min(found, size))


def _expect_bytes(path: Path, expected: bytes) -> None:
    found = _read(path)
    if found != expected:
        pairs = enumerate(zip(found, expected, strict=False))
        at = next((place for place, (one, other) in pairs if one != other), min(len(found), len(expected)))
        raise _Bad("changed", f"it should say {expected.decode().strip()!a}", at)


class _Bits(NamedTuple):
    """Some bytes of a bitmap as one number: bit 0 is the first of byte ``first``."""

    first: int
    end: int
    number: int


def _as_bits(ordinals: list[int]) -> _Bits:
    """Ordinals, least first and near to each other, as the digits of one binary number: so all are set at once."""
    first, end = ordinals[0] >> 3, (ordinals[-1] >> 3) + 1
    digits, units = bytearray(b"0") * (end - first << 3), (end << 3) - 1
    for ordinal in ordinals:
        digits[units - ordinal] = _ONE
    return _Bits(first, end, int(digits, 2))


def _bits(records: int) -> bytearray:
    if not 0 <= records <= _RECORDS_MAX:
        raise ValueError(f"{records} records")
    return bytearray((records + 7) // 8)


def _keep_freed_memory() -> None:
    """Have the C library keep a block's memory for the next block, where it would give it back and ask again each time.

    glibc goes by the largest piece that was ever freed (mallopt(3), M_MMAP_THRESHOLD).  Never written to, it is free.
    """
    bytes(16 * _BLOCK_BYTES)


# -- 12. the command --------------------------------------------------------------------------------------------------


def main() -> int:
    """Check the folder named on the command line; print what was found; 0 as written, 4 damaged, 2 nothing to check."""
    import argparse  # noqa: PLC0415  # the package has its own

    parser = argparse.ArgumentParser(description="Check the folder of a run, a script's log, a lifecycle or a fleet.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--anchor", help="SEQ:HASH, kept from a run or an earlier check; or a file of anchor notes")
    parser.add_argument("--without-inventories", action="store_true", help="they were left out, as in a bundle")
    asked = parser.parse_args()
    try:
        anchor, notes = (None, []) if asked.anchor is None else read_anchor(asked.anchor)
        inventories = not asked.without_inventories
        verdicts = verify_folder(asked.folder, anchor=anchor, notes=notes, inventories=inventories)
    except NotToBeChecked as refused:
        parser.error(str(refused))
    for verdict, line in zip(verdicts, verdict_lines(verdicts), strict=True):
        head = "" if len(verdicts) == 1 else f"{verdict.name}: "
        for fault in verdict.found.faults:
            sys.stdout.write(f"{head}{fault}\n")
        for notice in verdict.found.notices:
            sys.stdout.write(f"{head}note: {notice}\n")
        sys.stdout.write(f"{line}\n")
    return max(found.exit_code for _, _, found in verdicts)


def verdict_lines(verdicts: list[FolderVerdict]) -> list[str]:
    """What is printed of each folder in the end."""
    lines = []
    for name, what, found in verdicts:
        head = "" if len(verdicts) == 1 else f"{name}: "
        state = "as it was written" + ("" if found.finished else ", not finished")
        of = f"{found.records:,} records, {found.counts}" if what == "run" else f"{what} of {found.records:,} lines"
        anchor = "" if found.anchor is None else f"; anchor {found.anchor}"
        lines.append(f"{head}{of}, {'DAMAGED' if found.faults else state}{anchor}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
