"""Reading a run's state beside the process that writes it (the journal's own recovery is tested with the journal)."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import msgspec
import pytest

from glacier_purge.audit import recovery, segments
from glacier_purge.audit.checkpoint import encode_head, read_checkpoint, write_checkpoint
from glacier_purge.audit.recovery import (
    Believed,
    FollowedLog,
    LogIdentity,
    check_reached,
    read_log,
    read_log_identity,
    read_whole_log,
    repair,
    replay,
)
from glacier_purge.audit.segments import seal, unsealed
from glacier_purge.errors import AuditDamaged, RunStopped
from glacier_purge.storage.disk import FileDisk
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import (
    PLAN,
    RUN,
    commit,
    copy_of,
    dump,
    finished_run,
    log_bytes,
    open_journal,
    outcome,
    plain_segments,
    rechained,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_without_a_log_has_nothing_done(tmp_path: Path) -> None:
    assert replay(tmp_path).counts["deleted"] == 0
    assert replay(tmp_path).records == 0


async def test_a_run_is_read_while_it_is_written_at_every_byte(tmp_path: Path) -> None:
    """No lock, no repair: wherever the writer is in its write, what is whole is read and nothing is changed."""
    disk = PretendDisk()
    journal = await open_journal(disk, records=9)
    await commit(journal, [0, 1])
    durable = len(disk.contents()["audit/000001.jsonl"])
    await commit(journal, [2])
    log = disk.contents()["audit/000001.jsonl"]
    dump({"audit/000001.jsonl": b""}, tmp_path)
    for end in range(durable, len(log) + 1):
        (tmp_path / "audit" / "000001.jsonl").write_bytes(log[:end])
        ledger = replay(tmp_path)
        assert (ledger.counts["deleted"], ledger.records) == (3 if end == len(log) else 2, 9)
    assert [path.name for path in (tmp_path / "audit").iterdir()] == ["000001.jsonl"]


async def test_what_is_committed_during_the_read_is_no_damage(tmp_path: Path) -> None:
    """The reader meets half a line, and by its second look two more commits stand behind it."""
    disk = PretendDisk()
    journal = await open_journal(disk, records=9)
    await commit(journal, [0])
    log = disk.contents()["audit/000001.jsonl"]
    for ordinal in (1, 2):
        await commit(journal, [ordinal])
    later = disk.contents()["audit/000001.jsonl"]

    ends = iter([len(log) + 40, 0])

    class Growing(PretendDisk):
        def read(self, name: str, offset: int = 0, length: int = -1) -> bytes:
            return later[offset : next(ends, len(later))]

    growing = Growing({"audit/000001.jsonl": later})
    assert recovery.read_log(growing, LogIdentity(RUN, PLAN, 9)).ledger.counts["deleted"] == 1


async def test_a_segment_sealed_between_two_reads_is_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = PretendDisk()
    await finished_run(disk, records=20, segment_records=12)
    dump(plain_segments(disk.contents()), tmp_path)
    reads = 0

    class Sealing(FileDisk):
        def read(self, name: str, offset: int = 0, length: int = -1) -> bytes:
            nonlocal reads
            reads += 1
            if reads == 3:
                for number in unsealed(self):
                    seal(self, number)
            return super().read(name, offset, length)

    monkeypatch.setattr(recovery, "FileDisk", Sealing)
    assert replay(tmp_path).counts["deleted"] == 20
    assert (tmp_path / "audit" / "000001.jsonl.zst").exists()


def test_a_log_that_never_stands_still_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Vanishing(FileDisk):
        def names(self, folder: str) -> list[str]:
            return ["000001.jsonl"]

    monkeypatch.setattr(recovery, "FileDisk", Vanishing)
    with pytest.raises(RunStopped, match="Try again"):
        replay(tmp_path)


@pytest.mark.parametrize("place", [3, 14, 40])
async def test_a_record_that_can_not_be_is_named_in_whatever_commit_it_stands(place: int, tmp_path: Path) -> None:
    """With every hash recomputed; ten outcomes are a commit."""
    disk = PretendDisk()
    await finished_run(disk, segment_records=1000)
    lines = log_bytes(disk.contents()).splitlines(keepends=True)
    [at] = [at for at, line in enumerate(lines) if b'"ordinal":%d,' % place in line]
    lines[at] = lines[at].replace(b'"ordinal":%d,' % place, b'"ordinal":0,')
    forged = rechained(lines)
    with pytest.raises(AuditDamaged) as damaged:
        replay(dump({"audit/000001.jsonl": b"".join(forged)}, tmp_path))
    assert (damaged.value.record, damaged.value.offset_bytes) == (at, len(b"".join(forged[:at])))


async def test_damage_is_refused_here_too(tmp_path: Path) -> None:
    disk = PretendDisk()
    await finished_run(disk)
    files = {name: data for name, data in disk.contents().items() if "checkpoint" not in name}
    files["audit/000001.jsonl.zst"] = files["audit/000001.jsonl.zst"][:-9] + b"damage..."
    with pytest.raises(AuditDamaged) as damaged:
        replay(dump(files, tmp_path))
    assert damaged.value.file == "audit/000001.jsonl.zst"


def test_sealing_cut_short_anywhere_is_finished_by_the_next(tmp_path: Path) -> None:
    """Stop before the 1st, 2nd, ... operation; the log reads the same, and sealing again gets to the same files."""

    class Stop(Exception):
        pass

    disk = PretendDisk()

    async def write() -> None:
        journal = await open_journal(disk, records=30, segment_records=10)
        for first in range(0, 30, 5):
            await commit(journal, range(first, first + 5))

    asyncio.run(write())
    done = copy_of(disk)
    for number in unsealed(done):
        seal(done, number)
    for at in range(100):
        stopped = copy_of(disk)

        def stop(_verb: str, _name: str, stopped: PretendDisk = stopped, at: int = at) -> None:
            if stopped.operations > at:
                raise Stop

        stopped.before = stop
        try:
            for number in unsealed(stopped):
                seal(stopped, number)
        except Stop:
            pass
        else:
            break
        stopped.before = None
        assert log_bytes(stopped.contents()) == log_bytes(disk.contents())
        for number in unsealed(stopped):
            seal(stopped, number)
        assert stopped.contents() == done.contents()
    assert at > 15


async def killed_run(*, segment_records: int = 10) -> PretendDisk:
    """A run that was killed: 26 of 30, three segments, a checkpoint in the second and one in the third."""
    disk = PretendDisk()
    journal = await open_journal(disk, records=30, segment_records=segment_records)
    for first in range(0, 25, 5):
        await commit(journal, range(first, first + 5))
        if first in (10, 20):
            await journal.checkpoint({})
    await commit(journal, [25])
    return copy_of(disk)


IDENTITY = LogIdentity(RUN, PLAN, 30)
LAST = "audit/000003.jsonl"


async def test_a_log_of_another_plan_is_not_read_for_this_one(tmp_path: Path) -> None:
    folder = dump((await killed_run()).contents(), tmp_path)
    assert replay(folder, plan_digest=PLAN).counts["deleted"] == 26
    with pytest.raises(AuditDamaged, match=r"the log is of plan .* One of them is another run's"):
        replay(folder, plan_digest="0" * 64)


async def test_whose_log_it_was_is_learnt_from_a_checkpoint_where_the_log_is_gone() -> None:
    files = (await killed_run()).contents()
    only = {name: data for name, data in files.items() if name.startswith("checkpoint")}
    assert read_log_identity(PretendDisk(only)) == IDENTITY
    assert read_log_identity(PretendDisk({"checkpoint.previous": only["checkpoint.previous"]})) == IDENTITY
    assert read_log_identity(PretendDisk({})) is None
    with pytest.raises(AuditDamaged, match=r"the log ends before record .* which checkpoint vouches for"):
        read_log(PretendDisk(only), IDENTITY)


def first_lines(files: dict[str, bytes], line: bytes) -> dict[str, bytes]:
    """A log of one segment that begins with another line."""
    return {"audit/000001.jsonl": line + b"".join(files["audit/000001.jsonl"].splitlines(keepends=True)[1:])}


async def test_the_first_record_says_whose_log_it_is_or_nothing_is_read() -> None:
    files = (await killed_run(segment_records=100)).contents()
    first, second, *_ = files["audit/000001.jsonl"].splitlines(keepends=True)
    assert read_log_identity(PretendDisk({"audit/000001.jsonl": b""})) is None
    assert read_log_identity(PretendDisk({"audit/000001.jsonl": first[:-20]})) is None  # a crash in the first commit
    for changed in (
        second,
        first.replace(b'"records":30', b'"records":-5'),
        first.replace(b"plan_digest", b"plan-digest"),
    ):
        with pytest.raises(AuditDamaged, match="the log does not say whose it is"):
            read_log_identity(PretendDisk(first_lines(files, changed)))


@pytest.mark.parametrize("number", [1, 2])
async def test_an_empty_segment_before_the_last_is_damage(number: int) -> None:
    files = (await killed_run()).contents()
    files = {name: data for name, data in files.items() if not name.startswith("checkpoint")}
    files[f"audit/00000{number}.jsonl"] = b""
    with pytest.raises(AuditDamaged, match="this segment is empty") as damaged:
        read_log(PretendDisk(files), read_log_identity(PretendDisk(files)) or IDENTITY)
    assert damaged.value.file == f"audit/00000{number}.jsonl"


async def test_a_log_has_to_bear_out_its_checkpoint() -> None:
    files = (await killed_run()).contents()
    log = files[LAST]
    checkpoint, _ = read_checkpoint(PretendDisk(files), "checkpoint") or pytest.fail("there is none")
    offset = checkpoint.position.offset
    assert 0 < offset < len(log)
    assert read_log(PretendDisk(files | {LAST: log[:offset]}), IDENTITY).ledger.counts["deleted"] == 25
    with pytest.raises(AuditDamaged, match="cut back after that was on disk") as cut:
        read_log(PretendDisk(files | {LAST: log[: offset - 1]}), IDENTITY)
    assert (cut.value.file, cut.value.offset_bytes) == (LAST, offset - 1)
    with pytest.raises(AuditDamaged, match="is not the one that checkpoint was written after") as another:
        read_log(PretendDisk(files | {LAST: log[: offset - 2] + b"X" + log[offset - 1 :]}), IDENTITY)
    assert another.value.offset_bytes == offset
    without = {name: data for name, data in files.items() if name != LAST}
    with pytest.raises(AuditDamaged, match="cut back after that was on disk"):
        read_log(PretendDisk(without), IDENTITY)


async def test_a_log_that_ends_before_an_older_checkpoint_is_refused_too() -> None:
    """The log is read from the newest checkpoint, but what an older one vouches for was durable as well."""
    files = (await killed_run()).contents()
    newest, older = (read_checkpoint(PretendDisk(files), name) for name in ("checkpoint", "checkpoint.previous"))
    assert newest is not None
    assert older is not None
    begun = Believed("checkpoint", *newest), Believed("checkpoint.previous", *older)
    check_reached(list(begun), newest[0].position)
    with pytest.raises(AuditDamaged, match=r"which checkpoint\.previous vouches for"):
        check_reached([begun[1]], msgspec.structs.replace(older[0].position, seq=older[0].position.seq - 1))


@pytest.mark.parametrize("already", ["nothing", "the same", "another", "half"])
async def test_a_torn_tail_is_kept_once_whatever_a_repair_cut_short_has_left(already: str) -> None:
    files = (await killed_run()).contents()
    *before, last = files[LAST].splitlines(keepends=True)
    files |= {LAST: b"".join(before)}
    torn = last[:50]
    left = {
        "nothing": {},
        "the same": {f"{LAST}.torn-1": torn},
        "another": {f"{LAST}.torn-1": b"of an earlier crash"},
        "half": {f"{LAST}.torn-1.tmp": torn[:7]},
    }[already]
    disk = PretendDisk(files | {LAST: files[LAST] + torn} | left)
    log = read_log(disk, IDENTITY)
    assert log.torn == torn
    owed = repair(disk, log)
    after = disk.contents()
    assert after[LAST] == files[LAST]
    kept = {name: data for name, data in after.items() if ".torn-" in name}
    expected = {f"{LAST}.torn-1": torn} if already != "another" else left | {f"{LAST}.torn-2": torn}
    assert kept == expected
    assert [note.event for note in owed] == ["recovered"] * len(expected)


async def test_a_torn_tail_is_kept_durably_before_it_is_cut_off() -> None:
    """Whoever cut it first would lose it at a power cut, and with it what a crash left."""
    files = (await killed_run()).contents()
    *before_it, last = files[LAST].splitlines(keepends=True)
    torn, kept = last[:50], list[bytes | None]()
    disk = PretendDisk(files | {LAST: b"".join(before_it) + torn})

    def before(verb: str, name: str) -> None:
        if (verb, name) == ("truncate", LAST):
            kept.append(disk.promised().get(f"{LAST}.torn-1"))

    disk.before = before
    repair(disk, read_log(disk, IDENTITY))
    assert kept == [torn]


async def test_what_stands_behind_a_torn_line_is_no_crash_however_long_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    files = (await killed_run()).contents()
    *before, last = files[LAST].splitlines(keepends=True)
    followed = PretendDisk(files | {LAST: b"".join(before) + last[:50] + b"\n" + last * 300})
    for most in (1 << 20, 1_000):
        monkeypatch.setattr(recovery, "LINE_BYTES_MAX", most)
        with pytest.raises(AuditDamaged, match="No crash does that"):
            read_log(followed, IDENTITY)


async def test_a_checkpoint_is_borne_out_however_the_log_is_cut_into_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    files = (await killed_run()).contents()
    for piece_bytes in (1, 100, 333, 5_000):
        monkeypatch.setattr(segments, "_CHUNK_BYTES", piece_bytes)
        assert read_log(PretendDisk(files), IDENTITY).ledger.counts["deleted"] == 26


async def test_a_log_that_is_followed_says_what_one_read_anew_says(tmp_path: Path) -> None:
    """Also over segments that end and are sealed between two looks, and a checkpoint that comes."""
    followed = FollowedLog(tmp_path, PLAN)
    assert (followed.look(), followed.head) == (None, None)
    journal = await open_journal(FileDisk(tmp_path), records=400, segment_records=50)
    for first in range(0, 400, 40):
        journal.record([outcome(ordinal) for ordinal in range(first, first + 40)])
        journal.note("telemetry", cause="at_limit", active_seconds=float(first), throttled=first)
        await journal.durable()
        if first == 200:
            await journal.checkpoint({})
        if first in {120, 280}:
            for number in unsealed(FileDisk(tmp_path)):
                seal(FileDisk(tmp_path), number)
        now = followed.look()
        anew = replay(tmp_path)
        assert now is not None
        assert (now.counts, now.bitmap(), now.timeline) == (anew.counts, anew.bitmap(), anew.timeline)
        assert journal.anchor is not None
        assert followed.head == journal.anchor.partition(":")[2]
    await journal.aclose()
    for name in ("checkpoint", "checkpoint.previous"):
        (tmp_path / name).unlink()
    shutil.rmtree(tmp_path / "audit")
    gone = followed.look()
    assert gone is not None
    assert gone.counts["deleted"] == 400


async def test_a_checkpoint_without_a_timeline_is_passed_over(tmp_path: Path) -> None:
    """A version that kept none wrote it: read from its beginning, the log says the same."""
    disk, identity = FileDisk(tmp_path), LogIdentity(RUN, PLAN, 40)
    journal = await open_journal(disk, records=40)
    journal.record([outcome(ordinal) for ordinal in range(40)])
    journal.note("telemetry", cause="at_limit", active_seconds=5.0)
    await journal.aclose()
    found = read_checkpoint(disk, "checkpoint")
    assert found is not None
    older = msgspec.structs.replace(found[0].ledger, timeline=None)
    head = msgspec.structs.replace(found[0], ledger=older)
    write_checkpoint(disk, encode_head(head), found[1])
    assert read_log(disk, identity).ledger.timeline == read_whole_log(disk, identity).ledger.timeline
    assert len(read_log(disk, identity).ledger.timeline.beats) == 1
