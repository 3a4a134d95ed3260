"""What is no tampering raises no alarm, and what is said of a log. (Tampering itself is the campaign `tamper`.)"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import glacier_purge.audit.verification as standalone
from glacier_purge.audit.verification import FolderVerdict, PlanFacts, Verification, verify
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import (
    PLAN,
    RUN,
    commit,
    dump,
    open_journal,
    outcome,
    rechained,
)
from tests.e2e.claimed import certified
from tests.reliability.log_tampering import lines_of, packed, unvouched, whole_run

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_whole_run_is_as_it_was_written(tmp_path: Path) -> None:
    files, anchor = whole_run()
    plan = PlanFacts(digest=PLAN, records=60, selected=b"\xff" * 8)
    verdict = verify(dump(files, tmp_path), plan=plan, anchor=anchor)
    counts = {"deleted": 60}
    assert verdict == Verification(
        faults=(), notices=(), records=71, counts=counts, finished=True, anchor=anchor, run=RUN, plan=PLAN
    )
    assert verdict.exit_code == 0


def test_a_fault_names_the_byte_in_the_plain_segment(tmp_path: Path) -> None:
    files, _ = whole_run()
    lines = lines_of(files)
    lines[30] = b"#" + lines[30][1:]
    [fault] = verify(dump(packed(files, lines), tmp_path)).faults[:1]
    assert (fault.file, fault.record) == ("audit/000002.jsonl", 30)
    assert fault.offset_bytes == sum(map(len, lines[25:30]))


def test_a_run_not_finished_is_said_and_is_no_damage(tmp_path: Path) -> None:
    disk = PretendDisk()

    async def begin() -> None:
        journal = await open_journal(disk, records=60)
        await commit(journal, range(7))
        await journal.aclose()

    asyncio.run(begin())
    verdict = verify(dump(disk.contents(), tmp_path))
    assert (verdict.exit_code, verdict.finished, verdict.notices) == (0, False, ("the run is not finished",))


def test_a_torn_tail_is_said_and_is_no_damage(tmp_path: Path) -> None:
    disk = PretendDisk()

    async def begin() -> None:
        journal = await open_journal(disk, records=60)
        await commit(journal, range(7))

    asyncio.run(begin())
    files = disk.contents()
    torn = files["audit/000001.jsonl"][:-1500] + bytes(1500)
    verdict = verify(dump({"audit/000001.jsonl": torn}, tmp_path))
    assert verdict.exit_code == 0
    assert any("torn tail" in notice for notice in verdict.notices)


def test_a_clock_that_went_backwards_is_said_and_is_no_damage(tmp_path: Path) -> None:
    """I13."""
    disk = PretendDisk()
    times = iter([1_795_360_443.0, 1_795_360_444.0, 1_795_000_000.0])

    async def begin() -> None:
        journal = await open_journal(disk, records=3, clock=lambda: next(times))
        for ordinal in range(2):
            await commit(journal, [ordinal])
        journal.note("telemetry", rate=1)
        await journal.durable()

    asyncio.run(begin())
    verdict = verify(dump(disk.contents(), tmp_path))
    assert verdict.exit_code == 0
    assert any("clock went backwards" in notice for notice in verdict.notices)


def test_a_saved_torn_tail_that_was_changed_is_found(tmp_path: Path) -> None:
    disk = PretendDisk()

    async def crash_and_go_on() -> PretendDisk:
        journal = await open_journal(disk, records=3)
        await commit(journal, [0])
        crashed = PretendDisk({"audit/000001.jsonl": disk.contents()["audit/000001.jsonl"] + b'{"seq":2,'})
        await open_journal(crashed, records=3)
        return crashed

    files = asyncio.run(crash_and_go_on()).contents()
    found = verify(dump(files, tmp_path))
    assert found.faults == ()
    assert "record 2: a crash left 9 bytes unfinished, kept in audit/000001.jsonl.torn-1" in found.notices
    (tmp_path / "audit" / "000001.jsonl.torn-1").write_bytes(b'{"seq":3,')
    [fault] = verify(tmp_path).faults
    assert fault.file == "audit/000001.jsonl.torn-1"
    (tmp_path / "audit" / "000001.jsonl.torn-1").unlink()
    found = verify(tmp_path)
    assert found.faults == ()
    assert "audit/000001.jsonl.torn-1 is not there any more" in found.notices


def test_that_a_log_once_ended_too_early_is_said_for_ever(tmp_path: Path) -> None:
    files, _ = whole_run()
    lines = lines_of(files)
    cut_back = {"checkpoint": "checkpoint", "claimed_seq": 7, "claimed_hash": "0" * 64}
    said = json.loads(lines[-2]) | {"event": "recovered"}
    kept = {key: value for key, value in said.items() if key in {"seq", "ts", "event", "run"}}
    lines[-1:] = [json.dumps({**kept, **cut_back, "epoch": 1, "prev": ""}).encode() + b"\n"]
    found = verify(dump(unvouched(packed(files, rechained(lines))), tmp_path))
    assert [fault.kind for fault in found.faults] == ["manifest"]
    assert [notice for notice in found.notices if "the log once ended before record 7, which 'checkpoint'" in notice]


def test_without_a_checkpoint_it_is_said_what_can_not_be_seen(tmp_path: Path) -> None:
    files, _ = whole_run()
    told = "no checkpoint: a log cut back at its end shows only against an anchor"
    assert told not in verify(dump(files, tmp_path)).notices
    (tmp_path / "checkpoint").unlink()
    assert told in verify(tmp_path).notices


def in_the_last_segment(files: dict[str, bytes]) -> int:
    return len(lines_of(files)) - 10


def test_records_that_are_gone_are_told_alone(tmp_path: Path) -> None:
    """And not also what the run then ended without: what they said is not known."""
    files, _ = whole_run()
    lines, seq = lines_of(files), in_the_last_segment(files)
    del lines[seq : seq + 2]
    assert [(fault.kind, fault.record) for fault in verify(dump(packed(files, lines), tmp_path)).faults] == [
        ("missing", seq)
    ]


def test_of_a_broken_link_the_side_is_named_that_the_anchor_does_not_bear_out(tmp_path: Path) -> None:
    files, _ = whole_run()
    lines, seq = lines_of(files), in_the_last_segment(files)
    anchor = f"{seq}:{hashlib.sha256(lines[seq]).hexdigest()}"
    lines[seq] = lines[seq][:-67] + b"0" * 64 + lines[seq][-3:]
    faults = verify(dump(packed(files, lines), tmp_path), anchor=anchor).faults
    assert {fault.record for fault in faults} == {seq}


@pytest.mark.parametrize("many", [1, 2])
def test_a_record_behind_a_broken_link_that_is_one_too_many_is_told_beside_it(many: int, tmp_path: Path) -> None:
    files, _ = whole_run()
    lines, seq = lines_of(files), in_the_last_segment(files)
    for changed in range(seq, seq + many):
        lines[changed] = lines[changed].replace(b'"ms":41.25', b'"ms":14.52')
    lines.insert(seq + 2, lines[seq - 1])
    faults = verify(dump(packed(files, lines), tmp_path)).faults
    expected = [("changed", changed) for changed in range(seq, seq + many)]
    assert [(fault.kind, fault.record) for fault in faults] == [*expected, ("inserted", seq - 1)]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (lambda said: said | {"ts": 5}, "ts, event, run or prev is no text"),
        (lambda said: said | {"event": None}, "ts, event, run or prev is no text"),
        (lambda said: said | {"epoch": "1"}, "seq or epoch is no number of a record"),
        (lambda said: said | {"epoch": -1}, "seq or epoch is no number of a record"),
        (lambda said: said | {"epoch": True}, "seq or epoch is no number of a record"),
        (lambda said: said | {"run": "others-2026-11-22T15-14-03Z"}, "a record of another run"),
        (lambda said: {"more": 1, **said}, "not the keys of a record, or not in their order"),
        (lambda said: {key: said[key] for key in said if key != "epoch"}, "not the keys of a record, or not"),
    ],
)
def test_what_is_no_record_is_told(
    changed: Callable[[dict[str, Any]], dict[str, Any]], told: str, tmp_path: Path
) -> None:
    files, _ = whole_run()
    lines = lines_of(files)
    lines[-1] = json.dumps(changed(json.loads(lines[-1]))).encode() + b"\n"
    faults = verify(dump(unvouched(packed(files, rechained(lines))), tmp_path)).faults
    assert [fault.message.startswith(told) for fault in faults if fault.record is not None] == [True]


def test_a_verdict_is_told_in_a_line_each_and_by_name_where_there_are_several() -> None:
    run = Verification(faults=(), notices=(), records=1_071, counts={"deleted": 60}, finished=False, anchor="7:ab")
    damage = standalone.Fault(kind="changed", file="a", offset_bytes=0, record=None, message="b")
    steps = replace(run, records=3, finished=True, anchor=None, faults=(damage,))
    told = "1,071 records, {'deleted': 60}, as it was written, not finished; anchor 7:ab"
    one, other = FolderVerdict("round-1", "run", run), FolderVerdict(".", "lifecycle", steps)
    assert standalone.verdict_lines([one]) == [told]
    assert standalone.verdict_lines([other, one]) == [".: lifecycle of 3 lines, DAMAGED", f"round-1: {told}"]


def test_who_wants_to_be_told_of_the_reading_is_told_as_long_as_he_said(tmp_path: Path) -> None:
    files, _ = whole_run()
    folder, told = dump(files, tmp_path), list[int]()
    with standalone.reading_told(told.append):
        verify(folder)
    assert sum(told) >= sum((folder / name).stat().st_size for name in files if "jsonl" in name)
    before = len(told)
    verify(folder)
    assert len(told) == before


@pytest.mark.parametrize("change", [{"counts": {"deleted": 59}}, {"counts": None}, {"counts": {"deleted": "many"}}])
def test_an_end_that_does_not_add_up_is_found(change: dict[str, Any], tmp_path: Path) -> None:
    files, _ = whole_run()
    lines = lines_of(files)
    lines[-1] = json.dumps(json.loads(lines[-1]) | change).encode() + b"\n"
    verdict = verify(dump(unvouched(packed(files, rechained(lines))), tmp_path))
    assert [fault.record for fault in verdict.faults if fault.kind != "manifest"] == [len(lines) - 1]


@pytest.mark.parametrize(
    ("epochs", "fault"),
    [
        ([1, 2], None),
        ([3, 3, 7], None),
        ([None, 2, None, 2], None),
        ([5, 4], "lease epoch 4 after lease epoch 5"),
        ([5, None, 4], "lease epoch 4 after lease epoch 5"),
        ([0], "lease epoch 0 after lease epoch 0"),
        (["2"], "lease epoch '2' after lease epoch 0"),
        ([True], "lease epoch True after lease epoch 0"),
    ],
)
def test_the_number_of_the_lease_never_goes_back(epochs: list[object], fault: str | None, tmp_path: Path) -> None:
    """I21."""
    files, _ = whole_run()
    lines = lines_of(files)
    opened = next(json.loads(line) for line in lines if json.loads(line)["event"] == "opened")
    end = {key: opened.pop(key) for key in ("epoch", "prev")}
    more = [json.dumps(opened | ({} if epoch is None else {"lease_epoch": epoch}) | end).encode() for epoch in epochs]
    faults = verify(dump(unvouched(packed(files, rechained([*lines[:2], *more, *lines[2:]]))), tmp_path)).faults
    assert [found.message for found in faults if "lease" in found.message] == ([] if fault is None else [fault])


def test_records_without_an_outcome_at_the_end_are_found(tmp_path: Path) -> None:
    """I1."""
    disk = PretendDisk()

    async def end_early() -> None:
        journal = await open_journal(disk, records=3)
        await commit(journal, [0, 2])
        journal.note("finished", counts=journal.ledger.counts)
        await journal.aclose()

    asyncio.run(end_early())
    [fault] = verify(dump(disk.contents(), tmp_path)).faults
    assert "1 records unaccounted for; the first is ordinal 1" in fault.message


@pytest.mark.parametrize("anchor", ["", "5", "5:abc", "x:" + PLAN, "-1:" + PLAN])
def test_what_is_no_anchor_is_refused(anchor: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not an anchor"):
        verify(tmp_path, anchor=anchor)


def test_ids_of_any_length_and_any_text_pass(tmp_path: Path) -> None:
    disk = PretendDisk()
    hostile = ['x","size":5,"outcome":"deleted', "", "é\udc80\n\\", "-" * 300, "}\n{"]

    async def write() -> None:
        journal = await open_journal(disk, records=5)
        for ordinal, text in enumerate(hostile):
            journal.record([outcome(ordinal, "invalid", archive_id=text)])
        await journal.aclose()

    asyncio.run(write())
    verdict = verify(dump(disk.contents(), tmp_path))
    assert (verdict.faults, verdict.counts) == ((), {"invalid": 5})


def test_the_check_runs_alone_with_the_standard_library_only(tmp_path: Path) -> None:
    """An auditor copies one file out and needs nothing of ours; compressed segments take Python 3.14 or zstdcat."""
    if sys.version_info < (3, 14) and shutil.which("zstdcat") is None:
        pytest.skip("zstdcat is missing")
    folder = asyncio.run(certified(tmp_path / "run"))
    anchor = verify(folder.path).anchor
    alone = tmp_path / "verification.py"
    shutil.copy(Path(standalone.__file__), alone)
    # -I -S: no site-packages, so neither this package nor zstandard can be imported.
    command = [sys.executable, "-I", "-S", str(alone), str(folder.path), "--anchor", str(anchor)]
    good = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout == f"71 records, {{'deleted': 60}}, as it was written; anchor {anchor}\n"
    log = folder.path / "audit" / "000003.jsonl"
    log.write_bytes(log.read_bytes().replace(b"41.25", b"41.52", 1))
    bad = subprocess.run(command, capture_output=True, text=True, check=False)
    assert bad.returncode == 4
    assert "audit/000003.jsonl, byte 263, record 51: changed" in bad.stdout
