"""Lines that are checked many at once are held to the same rules as lines checked one by one.

Each log here is long enough for the quick way (a block of deletions with few other lines), and forged with every number
and hash recomputed, so that only what the records say can give it away.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.audit import verification
from glacier_purge.audit.verification import PlanFacts, verify
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import PLAN, RUN, dump, log_bytes, open_journal, outcome, rechained

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OUTCOMES = 600
FIRST = 2
"""Before the outcomes stand the segment's own record and one release."""

ORDINALS = {
    "in order": list(range(OUTCOMES)),
    "as replies come": sorted(range(OUTCOMES), key=lambda ordinal: ordinal + random.Random(ordinal).randrange(60)),
    "far apart": random.Random(1).sample(range(70_000), OUTCOMES),
}


@cache
def log(order: str) -> list[bytes]:
    """A log of 600 deletions behind one release, all in one segment."""
    disk, ordinals = PretendDisk(), ORDINALS[order]

    async def write() -> None:
        journal = await open_journal(disk, records=70_001)
        journal.note("released", first=0, last=69_999)
        for first in range(0, OUTCOMES, 150):
            journal.record([outcome(ordinal) for ordinal in ordinals[first : first + 150]])
            await journal.durable()
        await journal.aclose()

    asyncio.run(write())
    return log_bytes(disk.contents()).splitlines(keepends=True)


def with_facts(lines: list[bytes], seq: int, **facts: Any) -> list[bytes]:
    said = json.loads(lines[seq]) | facts
    return [*lines[:seq], json.dumps(said).encode() + b"\n", *lines[seq + 1 :]]


def faults(lines: list[bytes], folder: Path, *, plan: PlanFacts | None = None) -> list[int | None]:
    verdict = verify(dump({"audit/000001.jsonl": b"".join(lines)}, folder), plan=plan)
    return [fault.record for fault in verdict.faults]


FORGERIES: dict[str, Callable[[list[bytes], int], list[bytes]]] = {
    "second outcome of a neighbour": lambda lines, seq: with_facts(
        lines, seq, ordinal=json.loads(lines[seq - 1])["ordinal"]
    ),
    "second outcome of the first": lambda lines, seq: with_facts(
        lines, seq, ordinal=json.loads(lines[FIRST])["ordinal"]
    ),
    "not in the plan": lambda lines, seq: with_facts(lines, seq, ordinal=70_001),
    "far beyond the plan": lambda lines, seq: with_facts(lines, seq, ordinal=10**30),
    "not released": lambda lines, seq: with_facts(lines, seq, ordinal=70_000),
    "no such outcome": lambda lines, seq: with_facts(lines, seq, outcome="deletedd"),
    "no outcome": lambda lines, seq: with_facts(lines, seq, outcome=""),
    "of another run": lambda lines, seq: with_facts(lines, seq, run="photos-2026-11-22T15-14-04Z"),
    "not a number": lambda lines, seq: with_facts(lines, seq, ordinal="7"),
    "a key hidden in the id": lambda lines, seq: with_facts(lines, seq, archive_id='","outcome":"deleted', ordinal=-1),
}


@pytest.mark.parametrize("order", ORDINALS)
def test_a_log_that_is_as_it_was_written_passes(order: str, tmp_path: Path) -> None:
    verdict = verify(dump({"audit/000001.jsonl": b"".join(log(order))}, tmp_path))
    assert (verdict.faults, verdict.records, verdict.counts) == ((), FIRST + OUTCOMES, {"deleted": OUTCOMES})


@pytest.mark.at_length(one_in=4)
@pytest.mark.parametrize("order", ORDINALS)
@pytest.mark.parametrize(("every", "most"), [(OUTCOMES, 5), (40, 5 + OUTCOMES // 40), (2, 5)])
def test_hardly_a_line_is_read_by_itself(
    every: int, most: int, order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line read as JSON takes as long as thirty others: a few are, at the ends, and where one is no deletion."""
    lines, parsed = list(log(order)), list[bytes]()
    for seq in range(FIRST, len(lines), every):
        lines = with_facts(lines, seq, outcome="skipped")
    parse = verification._parse

    def parsing(line: bytes, run: str | None) -> tuple[dict[str, Any] | None, str]:
        parsed.append(line)
        return parse(line, run)

    monkeypatch.setattr(verification, "_parse", parsing)
    verdict = verify(dump({"audit/000001.jsonl": b"".join(rechained(lines))}, tmp_path))
    assert verdict.faults == ()
    assert len(parsed) <= most, [line[:80] for line in parsed]


def test_a_changed_record_is_named_wherever_in_a_block_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the next record's hash tells, which may be the next block's."""
    monkeypatch.setattr(verification, "_BLOCK_BYTES", 5_000)
    for seq in range(FIRST + 1, FIRST + 40):
        lines = list(log("in order"))
        lines[seq] = lines[seq].replace(b'"ms":41.25', b'"ms":14.52')
        [fault] = verify(dump({"audit/000001.jsonl": b"".join(lines)}, tmp_path)).faults
        assert (fault.kind, fault.record, fault.offset_bytes) == ("changed", seq, len(b"".join(lines[:seq])))


@pytest.mark.parametrize("order", ORDINALS)
@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("seq", [FIRST + 1, FIRST + 97, FIRST + 98, FIRST + 250, FIRST + OUTCOMES - 1])
def test_a_forged_record_among_many_good_ones_is_named(forgery: str, seq: int, order: str, tmp_path: Path) -> None:
    forged = rechained(FORGERIES[forgery](list(log(order)), seq))
    assert faults(forged, tmp_path) == [seq]


def rehashed(lines: list[bytes]) -> list[bytes]:
    """Hashes recomputed in lines that are no JSON, and not all ours."""
    prev, chained = PLAN.encode(), []
    for line in lines:
        chained.append(line[:-67] + prev + b'"}\n')
        prev = hashlib.sha256(chained[-1]).hexdigest().encode()
    return chained


def test_an_ordinal_that_is_no_json_is_named(tmp_path: Path) -> None:
    lines = list(log("in order"))
    lines[300] = lines[300].replace(b'"ordinal":298,', b'"ordinal":098,').replace(b"298", b"098", 1)
    assert faults(rehashed(lines), tmp_path) == [300]


@pytest.mark.parametrize("pairs", [1, 2, 30, 2000])
def test_a_line_too_short_for_a_deletion_is_named_whatever_the_next_one_holds(pairs: int, tmp_path: Path) -> None:
    """The next one holds what should follow the ordinal, just where a longer line would have it."""
    lines = list(log("in order"))
    begin = len(lines)
    frame = b'{"seq":%d,"ts":"2026-11-22T15:15:00.%03dZ","event":"%b,"prev":"' + bytes(64) + b'"}\n'
    for seq in range(begin, begin + 2 * pairs, 2):
        short = frame % (seq, seq % 1000, b'outcome","run":"%b","ordinal":%d' % (RUN.encode(), 100 + seq))
        before = 154 - len(b'"prev":""}\n') - 64 - len(b'{"seq":%d,"ts":"","event":"' % (seq + 1)) - 24
        filled = b"-" * before + b'"size":1,"outcome":"deleted","":"%b"' % (b"-" * 150)
        lines += [short, frame % (seq + 1, (seq + 1) % 1000, filled)]
    assert faults(rehashed(lines), tmp_path)[:100] == list(range(begin, len(lines)))[:100]


@pytest.mark.parametrize("order", ORDINALS)
@pytest.mark.parametrize("seq", [FIRST + 300, FIRST + OUTCOMES - 2, FIRST + OUTCOMES - 1])
@pytest.mark.parametrize("change", [b'"outcome:"', b'"outcome\\":"', b'"outcome\0":"'])
def test_a_changed_record_is_no_torn_tail(change: bytes, seq: int, order: str, tmp_path: Path) -> None:
    """Zeros are what a crash leaves, but then no other record carries the hash of that."""
    lines = list(log(order))
    lines[seq] = lines[seq].replace(b'"outcome":"', change)
    rechained_to_the_end = rehashed(lines)
    if b"\0" not in change:
        assert faults(lines, tmp_path / "as it was") == [seq]
    if b"\0" not in change or seq < len(lines) - 1:
        assert faults(rechained_to_the_end, tmp_path / "rehashed") == [seq]


@pytest.mark.parametrize("late", [1, 5, 40])
@pytest.mark.parametrize("again", [0, 1])
def test_outcomes_that_come_late_are_taken_once(late: int, again: int, tmp_path: Path) -> None:
    """Archives tried again for long: their ordinals lie far before all others of the block."""
    lines = list(log("in order"))
    for number in range(FIRST + 100, len(lines)):
        lines = with_facts(lines, number, ordinal=json.loads(lines[number])["ordinal"] + 50_000)
    for number in range(late):
        lines = with_facts(lines, FIRST + 300 + 3 * number, ordinal=1_000 + number)
    if again:
        lines = with_facts(lines, FIRST + 300 + 3 * late, ordinal=1_000)
    assert faults(rechained(lines), tmp_path) == [FIRST + 300 + 3 * late] * again


@pytest.mark.parametrize("order", ORDINALS)
@pytest.mark.parametrize("word", ["skipped", "failed", "invalid"])
@pytest.mark.parametrize("every", [2, 40, 300])
def test_other_outcomes_are_counted_among_deletions(word: str, every: int, order: str, tmp_path: Path) -> None:
    lines = list(log(order))
    for seq in range(FIRST, len(lines), every):
        lines = with_facts(lines, seq, outcome=word)
    verdict = verify(dump({"audit/000001.jsonl": b"".join(rechained(lines))}, tmp_path))
    others = len(range(0, OUTCOMES, every))
    assert (verdict.faults, verdict.counts) == ((), {"deleted": OUTCOMES - others, word: others})


@pytest.mark.parametrize("order", ORDINALS)
def test_a_deletion_that_the_plan_does_not_select_is_named(order: str, tmp_path: Path) -> None:
    selected = bytearray(b"\xff" * 8751)
    unselected = ORDINALS[order][333]
    selected[unselected >> 3] ^= 1 << (unselected & 7)
    plan = PlanFacts(digest=PLAN, records=70_001, selected=bytes(selected))
    assert faults(log(order), tmp_path, plan=plan) == [FIRST + 333]


@pytest.mark.parametrize("missing", [0, 7, 8, 599])
def test_the_first_ordinal_without_an_outcome_is_named_at_the_end(missing: int, tmp_path: Path) -> None:
    """Of 600 deletions one is made another's, at the end of the plan; the run said that it was finished."""
    lines = [with_facts([line], 0, records=601)[0] if b'"records"' in line else line for line in log("in order")]
    lines[1] = with_facts(lines, 1, last=600)[1]
    lines = with_facts(lines, FIRST + missing, ordinal=600)
    end = {"seq": 0, "ts": "2026-11-22T15:20:00.000Z", "event": "finished", "run": json.loads(lines[0])["run"]}
    lines.append(json.dumps({**end, "counts": {"deleted": OUTCOMES}, "epoch": 1, "prev": ""}).encode() + b"\n")
    verdict = verify(dump({"audit/000001.jsonl": b"".join(rechained(lines))}, tmp_path))
    assert [fault.message for fault in verdict.faults] == [
        f"the run ended with 1 records unaccounted for; the first is ordinal {missing}"
    ]
