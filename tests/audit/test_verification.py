"""Tampering: each kind, at many places, is found and the right record named; what is no tampering raises no alarm."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import zstandard

import glacier_purge.audit.verification as standalone
from glacier_purge.audit.verification import PlanFacts, Verification, verify
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import (
    PLAN,
    RUN,
    commit,
    dump,
    finished_run,
    log_bytes,
    open_journal,
    outcome,
    plain_segments,
    rechained,
)
from tests.e2e.claimed import certified

if TYPE_CHECKING:
    from collections.abc import Callable

Files = dict[str, bytes]
PLACES = int(os.environ.get("TAMPER_PLACES", "12"))


class Tampered(NamedTuple):
    """Files somebody changed, the record that must be named (None: a file is), and what the log is held against."""

    files: Files
    record: int | None
    anchor: str | None = None
    plan: PlanFacts | None = None


@cache
def whole_run(run: str = RUN, plan: str = PLAN) -> tuple[Files, str]:
    disk = PretendDisk()
    anchor = asyncio.run(finished_run(disk, run=run, plan_digest=plan))
    return disk.contents(), anchor


def lines_of(files: Files) -> list[bytes]:
    return log_bytes(files).splitlines(keepends=True)


def shapes(files: Files) -> list[int]:
    return [len(data.splitlines()) for data in plain_segments(files).values()]


def packed(files: Files, lines: list[bytes], shape: list[int] | None = None) -> Files:
    """Put lines back into segments of the given lengths (the last takes the rest), compressed where they were."""
    changed = dict(files)
    lengths = shape or shapes(files)
    lines = list(lines)
    for place, name in enumerate(plain_segments(files)):
        length = len(lines) if place == len(lengths) - 1 else lengths[place]
        data, lines = b"".join(lines[:length]), lines[length:]
        if name + ".zst" in files:
            changed[name + ".zst"] = zstandard.ZstdCompressor(3, write_checksum=True).compress(data)
        else:
            changed[name] = data
    return changed


def segment_of(files: Files, seq: int) -> int:
    for place, length in enumerate(shapes(files)):
        if seq < length:
            return place
        seq -= length
    raise AssertionError


def without(shape: list[int], segment: int, records: int = 1) -> list[int]:
    return [length - records * (place == segment) for place, length in enumerate(shape)]


def unvouched(files: Files) -> Files:
    return {name: data for name, data in files.items() if "manifest" not in name and "checkpoint" not in name}


def any_record(rng: random.Random, files: Files) -> int:
    return rng.randrange(1, len(lines_of(files)) - 1)


def outcome_record(rng: random.Random, files: Files) -> int:
    return rng.choice([seq for seq, line in enumerate(lines_of(files)) if b'"event":"outcome"' in line])


def one_byte(rng: random.Random, files: Files) -> Tampered:
    """Any byte of any record: fields, separators, hashes, all but the line's end."""
    lines = lines_of(files)
    seq = rng.randrange(len(lines))
    at = rng.randrange(len(lines[seq]) - 1)
    other = rng.choice([byte for byte in range(32, 127) if byte != lines[seq][at]])
    lines[seq] = lines[seq][:at] + bytes([other]) + lines[seq][at + 1 :]
    return Tampered(packed(files, lines), seq)


def one_field(rng: random.Random, files: Files) -> Tampered:
    lines = lines_of(files)
    seq = outcome_record(rng, files)
    said = json.loads(lines[seq])
    key = rng.choice(list(said))
    said[key] = said[key] + 1 if isinstance(said[key], int | float) else str(said[key])[:-1] + "0"
    changed = json.dumps(said, separators=(",", ":")).encode() + b"\n"
    if changed == lines[seq]:
        return one_field(rng, files)
    lines[seq] = changed
    return Tampered(packed(files, lines), seq)


def line_end(rng: random.Random, files: Files) -> Tampered:
    lines = lines_of(files)
    seq = any_record(rng, files)
    lines[seq] = lines[seq][:-1] + b" "
    return Tampered(packed(files, lines), seq)


def delete_one(rng: random.Random, files: Files) -> Tampered:
    lines, seq = lines_of(files), any_record(rng, files)
    del lines[seq]
    return Tampered(packed(files, lines, without(shapes(files), segment_of(files, seq))), seq)


def delete_some(rng: random.Random, files: Files) -> Tampered:
    lines, shape = lines_of(files), shapes(files)
    seq = rng.randrange(1, 15)
    many = rng.randrange(2, 8)
    del lines[seq : seq + many]
    return Tampered(packed(files, lines, without(shape, 0, many)), seq)


def swap_two(rng: random.Random, files: Files) -> Tampered:
    lines = lines_of(files)
    first, second = sorted(rng.sample(range(1, len(lines) - 1), 2))
    lines[first], lines[second] = lines[second], lines[first]
    return Tampered(packed(files, lines), first)


def insert_forged(rng: random.Random, files: Files) -> Tampered:
    """A well-made record that carries the right hash and number: the one after it can't be right any more."""
    lines, shape = lines_of(files), shapes(files)
    seq = outcome_record(rng, files)
    said = json.loads(lines[seq]) | {"ordinal": 3, "outcome": "skipped"}
    lines.insert(seq, json.dumps(said, separators=(",", ":")).encode() + b"\n")
    return Tampered(packed(files, lines, without(shape, segment_of(files, seq), -1)), seq)


def duplicate_record(rng: random.Random, files: Files) -> Tampered:
    lines, shape = lines_of(files), shapes(files)
    seq = any_record(rng, files)
    lines.insert(seq, lines[seq])
    return Tampered(packed(files, lines, without(shape, segment_of(files, seq), -1)), seq)


def last_name(files: Files) -> str:
    return list(plain_segments(files))[-1]


def cut_at_record(rng: random.Random, files: Files) -> Tampered:
    lines, shape = lines_of(files), shapes(files)
    left = rng.randrange(sum(shape[:-1]) + 1, len(lines))
    return Tampered(packed(files, lines[:left]), left)


def cut_in_record(rng: random.Random, files: Files) -> Tampered:
    lines, shape = lines_of(files), shapes(files)
    left = rng.randrange(sum(shape[:-1]) + 1, len(lines))
    part = lines[left][: rng.randrange(1, len(lines[left]))]
    return Tampered(packed(files, [*lines[:left], part]), left)


def cut_at_segment(rng: random.Random, files: Files) -> Tampered:
    changed, shape = dict(files), shapes(files)
    del changed[last_name(files)]
    return Tampered(changed, sum(shape[:-1]))


def remove_segment(rng: random.Random, files: Files) -> Tampered:
    changed, shape = dict(files), shapes(files)
    segment = rng.randrange(2)
    del changed[f"audit/{segment + 1:06d}.jsonl.zst"]
    return Tampered(changed, sum(shape[:segment]))


def swap_segments(rng: random.Random, files: Files) -> Tampered:
    one, two = "audit/000001.jsonl.zst", "audit/000002.jsonl.zst"
    return Tampered(files | {one: files[two], two: files[one]}, 0)


def duplicate_segment(rng: random.Random, files: Files) -> Tampered:
    segment = rng.randrange(1, 3)
    changed = files | {"audit/000003.jsonl": plain_segments(files)[f"audit/{segment:06d}.jsonl"]}
    return Tampered(changed, sum(shapes(files)[: segment - 1]))


def splice_other_run(rng: random.Random, files: Files) -> Tampered:
    """In the first segment nothing says which run is the right one but the manifest, by the segment's last record."""
    other, _ = whole_run("other-2026-11-22T15-14-03Z")
    name, record = rng.choice([("audit/000001.jsonl.zst", 24), ("audit/000002.jsonl.zst", 25)])
    return Tampered(files | {name: other[name]}, record)


def change_checkpoint(rng: random.Random, files: Files) -> Tampered:
    data = bytearray(files["checkpoint"])
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return Tampered(files | {"checkpoint": bytes(data)}, None)


def remove_checkpoint_and_cut(rng: random.Random, files: Files) -> Tampered:
    changed = cut_at_record(rng, files)
    return Tampered(
        {name: data for name, data in changed.files.items() if name != "checkpoint"},
        changed.record,
        anchor=whole_run()[1],
    )


def rechain_a_change(rng: random.Random, files: Files) -> Tampered:
    """Every hash recomputed after one change: the checkpoint was written after another log."""
    lines, seq = lines_of(files), outcome_record(rng, files)
    lines[seq] = lines[seq].replace(b'"ms":41.25', b'"ms":14.52')
    changed = packed(files, rechained(lines))
    del changed["audit/manifest.jsonl"]
    return Tampered(changed, len(lines) - 1)


def rewrite_everything(rng: random.Random, files: Files) -> Tampered:
    """Log, manifest and checkpoint all made anew: only an anchor kept elsewhere tells."""
    lines, seq = lines_of(files), outcome_record(rng, files)
    lines[seq] = lines[seq].replace(b'"ms":41.25', b'"ms":14.52')
    plain = unvouched(packed(files, rechained(lines)))
    return Tampered(plain, len(lines) - 1, anchor=whole_run()[1])


def roll_back(rng: random.Random, files: Files) -> Tampered:
    """An older copy of the folder, whole in itself."""
    disk = PretendDisk()

    async def begin() -> None:
        journal = await open_journal(disk, records=60, segment_records=25)
        await commit(journal, range(rng.randrange(1, 20)))
        await journal.aclose()

    asyncio.run(begin())
    return Tampered(disk.contents(), len(lines_of(disk.contents())), anchor=whole_run()[1])


def second_outcome(rng: random.Random, files: Files) -> Tampered:
    lines = lines_of(files)
    first, second = sorted(rng.sample([n for n, line in enumerate(lines) if b'"event":"outcome"' in line], 2))
    said = json.loads(lines[second]) | {"ordinal": json.loads(lines[first])["ordinal"]}
    lines[second] = json.dumps(said, separators=(",", ":")).encode() + b"\n"
    return Tampered(unvouched(packed(files, rechained(lines))), second)


def outcome_not_in_plan(rng: random.Random, files: Files) -> Tampered:
    lines, seq = lines_of(files), outcome_record(rng, files)
    said = json.loads(lines[seq]) | {"ordinal": 60 + rng.randrange(100)}
    lines[seq] = json.dumps(said, separators=(",", ":")).encode() + b"\n"
    return Tampered(unvouched(packed(files, rechained(lines))), seq)


def outcome_not_selected(rng: random.Random, files: Files) -> Tampered:
    seq = outcome_record(rng, files)
    ordinal = json.loads(lines_of(files)[seq])["ordinal"]
    selected = bytearray(b"\xff" * 8)
    selected[ordinal >> 3] ^= 1 << (ordinal & 7)
    return Tampered(files, seq, plan=PlanFacts(digest=PLAN, records=60, selected=bytes(selected)))


def outcome_before_release(rng: random.Random, files: Files) -> Tampered:
    """I3: every release but the first says less than it did."""
    lines = lines_of(files)
    later = [n for n, line in enumerate(lines) if b'"event":"released"' in line][1:]
    seq = rng.choice(later)
    said = json.loads(lines[seq])
    lines[seq] = json.dumps(said | {"last": said["first"]}, separators=(",", ":")).encode() + b"\n"
    segment_begins = any(b'"event":"segment"' in line for line in lines[seq + 1 : seq + 3])
    return Tampered(unvouched(packed(files, rechained(lines))), seq + 2 + segment_begins)


def other_plan(rng: random.Random, files: Files) -> Tampered:
    return Tampered(files, 0, plan=PlanFacts(digest=hashlib.sha256(rng.randbytes(4)).hexdigest(), records=60))


def trailing_garbage(rng: random.Random, files: Files) -> Tampered:
    name = last_name(files)
    return Tampered(files | {name: files[name] + rng.randbytes(rng.randrange(1, 600))}, len(lines_of(files)))


def crlf(rng: random.Random, files: Files) -> Tampered:
    segment = rng.randrange(3)
    lines, first = lines_of(files), sum(shapes(files)[:segment])
    last = first + shapes(files)[segment]
    lines[first:last] = [line.replace(b"\n", b"\r\n") for line in lines[first:last]]
    return Tampered(packed(files, lines), first)


def byte_order_mark(rng: random.Random, files: Files) -> Tampered:
    segment = rng.randrange(3)
    lines, first = lines_of(files), sum(shapes(files)[:segment])
    lines[first] = b"\xef\xbb\xbf" + lines[first]
    return Tampered(packed(files, lines), first)


def invalid_utf8(rng: random.Random, files: Files) -> Tampered:
    lines, seq = lines_of(files), any_record(rng, files)
    at = rng.randrange(len(lines[seq]) - 1)
    lines[seq] = lines[seq][:at] + bytes([rng.randrange(128, 256)]) + lines[seq][at + 1 :]
    return Tampered(packed(files, lines), seq)


def change_manifest(rng: random.Random, files: Files) -> Tampered:
    data = bytearray(files["audit/manifest.jsonl"])
    at = rng.choice([place for place in range(len(data)) if data[place : place + 1].isalnum()])
    data[at] = data[at] + 1 if chr(data[at]) in "abcdef012345678" else ord("0")
    if bytes(data) == files["audit/manifest.jsonl"]:
        return change_manifest(rng, files)
    return Tampered(files | {"audit/manifest.jsonl": bytes(data)}, None)


def remove_manifest(rng: random.Random, files: Files) -> Tampered:
    changed = dict(files)
    del changed["audit/manifest.jsonl"]
    return Tampered(changed, None)


KINDS: list[Callable[[random.Random, Files], Tampered]] = [
    one_byte,
    one_field,
    line_end,
    delete_one,
    delete_some,
    swap_two,
    insert_forged,
    duplicate_record,
    cut_at_record,
    cut_in_record,
    cut_at_segment,
    remove_segment,
    swap_segments,
    duplicate_segment,
    splice_other_run,
    change_checkpoint,
    remove_checkpoint_and_cut,
    rechain_a_change,
    rewrite_everything,
    roll_back,
    second_outcome,
    outcome_not_in_plan,
    outcome_not_selected,
    outcome_before_release,
    other_plan,
    trailing_garbage,
    crlf,
    byte_order_mark,
    invalid_utf8,
    change_manifest,
    remove_manifest,
]


@pytest.mark.parametrize("tamper", KINDS, ids=lambda kind: kind.__name__)
def test_tampering_is_found_and_the_right_record_named(
    tamper: Callable[[random.Random, Files], Tampered], tmp_path: Path
) -> None:
    files, _ = whole_run()
    rng = random.Random(tamper.__name__)
    for place in range(PLACES):
        tampered = tamper(rng, files)
        verdict = verify(dump(tampered.files, tmp_path / str(place)), plan=tampered.plan, anchor=tampered.anchor)
        assert verdict.exit_code == 4
        if tampered.record is None:
            assert verdict.faults[0].file.startswith(("checkpoint", "audit/manifest", "audit/0"))
        else:
            assert tampered.record in [fault.record for fault in verdict.faults][:2], verdict.faults


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
    assert verify(dump(files, tmp_path)).faults == ()
    (tmp_path / "audit" / "000001.jsonl.torn-1").write_bytes(b'{"seq":3,')
    [fault] = verify(tmp_path).faults
    assert fault.file == "audit/000001.jsonl.torn-1"
    (tmp_path / "audit" / "000001.jsonl.torn-1").unlink()
    assert verify(tmp_path).faults == ()


@pytest.mark.parametrize("change", [{"counts": {"deleted": 59}}, {"counts": None}, {"counts": {"deleted": "many"}}])
def test_an_end_that_does_not_add_up_is_found(change: dict[str, Any], tmp_path: Path) -> None:
    files, _ = whole_run()
    lines = lines_of(files)
    lines[-1] = json.dumps(json.loads(lines[-1]) | change).encode() + b"\n"
    verdict = verify(dump(unvouched(packed(files, rechained(lines))), tmp_path))
    assert [fault.record for fault in verdict.faults if fault.kind != "manifest"] == [len(lines) - 1]


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
