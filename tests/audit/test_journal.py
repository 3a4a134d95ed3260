from __future__ import annotations

import asyncio
import errno
import os
import random
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_purge.audit.record import Outcome, read_line
from glacier_purge.audit.recovery import LogIdentity, read_log, read_log_identity
from glacier_purge.audit.segments import MANIFEST
from glacier_purge.audit.verification import verify
from glacier_purge.errors import AuditDamaged, DiskFailed, InvariantBroken
from glacier_purge.storage.pretend_disk import PretendDisk, Survival
from tests.at_length import examples
from tests.audit.logs import (
    PLAN,
    RUN,
    Clock,
    commit,
    copy_of,
    dump,
    events,
    finished_run,
    log_bytes,
    open_journal,
    outcome,
    rechained,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from glacier_purge.audit.journal import Journal


class Sleepy(PretendDisk):
    """A disk whose writer takes its time, so that things happen while it works."""

    async def in_writer(self, work):  # type: ignore[no-untyped-def]  # as in Disk
        await anyio.sleep(0.02)
        return work()


async def test_the_first_records_say_whose_log_it_is() -> None:
    disk = PretendDisk()
    journal = await open_journal(disk, records=5)
    journal.note("opened", tool_version="1.0")
    await journal.aclose()
    first = read_line(log_bytes(disk.contents()).splitlines()[0])
    assert (first.seq, first.run, first.epoch, first.prev) == (0, RUN, 1, PLAN)
    assert read_log_identity(disk) == LogIdentity(RUN, PLAN, 5)
    assert events(disk.contents()) == ["segment", "opened"]


async def test_nothing_counts_before_it_is_durable() -> None:
    """I6: the ledger speaks of what was fsynced and of nothing else."""
    disk = PretendDisk()
    journal = await open_journal(disk, records=5)
    journal.record([outcome(0), outcome(1)])
    assert (journal.pending, journal.ledger.counts["deleted"], journal.ledger.done(0)) == (2, 0, False)
    await journal.durable()
    assert (journal.pending, journal.ledger.counts["deleted"], journal.ledger.done(0)) == (0, 2, True)
    assert log_bytes(disk.promised()) == log_bytes(disk.contents())


async def none_pending(journal: Journal) -> None:
    while journal.pending:  # noqa: ASYNC110 - seen from outside, as nobody asked for it
        await anyio.sleep(0.01)


@pytest.mark.looptime
async def test_a_commit_comes_after_100_ms_or_1024_records() -> None:
    disk = Sleepy()
    journal = await open_journal(disk, records=2000)
    loop = asyncio.get_running_loop()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.run)
        began = loop.time()
        journal.record([outcome(0)])
        await none_pending(journal)
        assert 0.1 <= loop.time() - began <= 0.15
        began = loop.time()
        journal.record([outcome(ordinal) for ordinal in range(1, 1025)])
        await none_pending(journal)
        assert loop.time() - began <= 0.05
        began = loop.time()
        journal.record([outcome(1500)])
        await journal.durable()
        assert loop.time() - began <= 0.05
        await journal.aclose()


@pytest.mark.looptime
async def test_one_commit_is_one_write_and_one_fdatasync() -> None:
    verbs: list[str] = []
    disk = PretendDisk(before=lambda verb, name: verbs.append(verb) if name.endswith("1.jsonl") else None)
    journal = await open_journal(disk, records=1000)
    journal.record([outcome(ordinal) for ordinal in range(200)])
    await journal.durable()
    journal.record([outcome(ordinal) for ordinal in range(200, 400)])
    await journal.durable()
    assert verbs == ["create", "append", "sync", "append", "sync"]


async def test_neighbouring_commits_never_carry_the_same_stamp() -> None:
    disk = PretendDisk()
    journal = await open_journal(disk, records=9, clock=lambda: 1_795_360_443.0)
    for ordinal in range(9):
        await commit(journal, [ordinal])
    stamps = [read_line(line).ts for line in log_bytes(disk.contents()).splitlines()][1:]
    assert all(before != after for before, after in pairwise(stamps))


@pytest.mark.looptime
async def test_room_waits_for_the_disk() -> None:
    """I15: what waits to become durable is bounded."""
    journal = await open_journal(Sleepy(), records=100_000)
    most = 0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.run)
        for first in range(0, 30_000, 64):
            journal.record([outcome(ordinal) for ordinal in range(first, first + 64)])
            most = max(most, journal.pending)
            await journal.room()
        await journal.aclose()
    assert most <= 4 * 1024 + 64
    assert journal.ledger.counts["deleted"] == 30_016


@pytest.mark.parametrize(
    "again",
    [[outcome(3)], [outcome(4), outcome(4)], [outcome(10)], [outcome(-1)], [Outcome(5, "x", 1, "gone")]],
    ids=["durable before", "in one batch", "beyond the plan", "negative", "no such outcome"],
)
async def test_an_impossible_outcome_never_reaches_the_log(again: list[Outcome]) -> None:
    disk = PretendDisk()
    journal = await open_journal(disk, records=10)
    await commit(journal, [3])
    with pytest.raises(InvariantBroken, match="ordinal"):
        journal.record(again)
    await journal.aclose()
    assert (await open_journal(copy_of(disk), records=10)).ledger.done(3)


async def test_segments_are_closed_compressed_and_listed(tmp_path: Path) -> None:
    disk = PretendDisk()
    await finished_run(disk, records=60, segment_records=25)
    assert sorted(disk.contents()) == [
        "audit/000001.jsonl.zst",
        "audit/000002.jsonl.zst",
        "audit/000003.jsonl",
        MANIFEST,
        "checkpoint",
    ]
    assert verify(dump(disk.contents(), tmp_path)).faults == ()


@pytest.mark.looptime
async def test_a_run_seals_its_closed_segments_itself() -> None:
    disk = Sleepy()
    journal = await open_journal(disk, records=60, segment_records=20)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.run)
        for first in range(0, 60, 10):
            await commit(journal, range(first, first + 10))
        await anyio.sleep(1)
        await journal.aclose()
    assert [name for name in disk.names("audit") if name.endswith(".zst")] == [
        "000001.jsonl.zst",
        "000002.jsonl.zst",
        "000003.jsonl.zst",
    ]


async def test_a_second_process_goes_on_where_the_first_ended() -> None:
    disk = PretendDisk()
    journal = await open_journal(disk, records=9)
    journal.note("released", first=0, last=5)
    await commit(journal, [0, 1])
    second = await open_journal(disk, records=9)
    assert second.epoch == second.ledger.epoch == 2
    assert [second.ledger.maybe_sent(ordinal) for ordinal in range(7)] == [False, False, True, True, True, True, False]
    await commit(second, [2])
    assert second.anchor == "4:" + second.anchor.partition(":")[2] if second.anchor else None


async def test_a_checkpoint_keeps_the_pacer_and_spares_the_replay() -> None:
    disk = PretendDisk()
    journal = await open_journal(disk, records=9)
    await commit(journal, [0, 1])
    await journal.checkpoint({"rate": 98.5})
    await commit(journal, [2])
    files = disk.contents()
    # A first line no replay from the beginning would get past shows that it is not read.
    files["audit/000001.jsonl"] = files["audit/000001.jsonl"].replace(b'"event":"segment"', b'"event":"sEgment"')
    second = await open_journal(PretendDisk(files), records=9)
    assert second.pacer_state == {"rate": 98.5}
    assert second.ledger.counts["deleted"] == 3


@pytest.mark.parametrize("damage", ["missing", "corrupt", "of another plan"])
async def test_a_checkpoint_that_does_not_serve_costs_only_time(damage: str) -> None:
    """I9."""
    disk = PretendDisk()
    journal = await open_journal(disk, records=9)
    await commit(journal, [0, 1])
    await journal.checkpoint({})
    files = disk.contents()
    if damage == "missing":
        del files["checkpoint"]
    elif damage == "corrupt":
        files["checkpoint"] = files["checkpoint"][:50] + b"#" + files["checkpoint"][51:]
    else:
        other = PretendDisk()
        await finished_run(other, records=9, plan_digest="0" * 64)
        files["checkpoint"] = other.contents()["checkpoint"]
    assert (await open_journal(PretendDisk(files), records=9)).ledger.counts["deleted"] == 2


async def test_a_log_cut_back_below_its_checkpoint_is_refused(tmp_path: Path) -> None:
    """The checkpoint was written when the log was on disk: no crash takes that back, whole records or half of one."""
    disk = PretendDisk()
    journal = await open_journal(disk, records=9)
    await commit(journal, [0])
    short = disk.contents()["audit/000001.jsonl"]
    await commit(journal, [1])
    await journal.checkpoint({})
    for end in (len(short), len(short) + 100, 0):
        files = disk.contents() | {"audit/000001.jsonl": disk.contents()["audit/000001.jsonl"][:end]}
        assert verify(dump(files, tmp_path / str(end))).exit_code == 4
        cut = PretendDisk(files)
        with pytest.raises(AuditDamaged, match="checkpoint vouches for") as damaged:
            await open_journal(cut, records=9)
        assert (damaged.value.file, damaged.value.offset_bytes) == ("audit/000001.jsonl", end)
        assert cut.contents() == files


@pytest.mark.parametrize("keep", [b"", b"{", b'{"seq":3', None], ids=["nothing", "a brace", "a start", "all but one"])
async def test_a_torn_tail_is_kept_cut_off_and_told_of(keep: bytes | None) -> None:
    """I8."""
    disk = PretendDisk()
    journal = await open_journal(disk, records=9)
    await commit(journal, [0, 1])
    whole = disk.contents()["audit/000001.jsonl"]
    await commit(journal, [2])
    torn = disk.contents()["audit/000001.jsonl"][len(whole) :][:-1] if keep is None else keep
    crashed = PretendDisk({"audit/000001.jsonl": whole + torn})
    second = await open_journal(crashed, records=9)
    assert second.ledger.counts["deleted"] == 2
    files = crashed.contents()
    if torn:
        assert files["audit/000001.jsonl.torn-1"] == torn
        told = read_line(files["audit/000001.jsonl"].splitlines()[-1]).record
        assert not isinstance(told, Outcome)
        assert (told.event, told.facts["saved_as"], told.facts["bytes"]) == (
            "recovered",
            "000001.jsonl.torn-1",
            len(torn),
        )
    else:
        assert "recovered" not in events(files)


async def test_a_log_is_bound_to_a_plan_by_its_digest_or_not_begun() -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        await open_journal(PretendDisk(), records=1, plan_digest="plan.json")


async def refused(files: dict[str, bytes], **identity: object) -> AuditDamaged:
    with pytest.raises(AuditDamaged) as damaged:
        await open_journal(PretendDisk(files), **({"records": 60} | identity))  # type: ignore[arg-type]  # by name
    return damaged.value


async def test_damage_before_the_last_commit_is_never_repaired() -> None:
    disk = PretendDisk()
    journal = await open_journal(disk, records=60)
    for ordinal in range(10):
        await commit(journal, [ordinal])
    lines = disk.contents()["audit/000001.jsonl"].splitlines(keepends=True)
    lines[4] = lines[4].replace(b"deleted", b"skipped")
    damaged = await refused({"audit/000001.jsonl": b"".join(lines)})
    assert (damaged.file, damaged.record) == ("audit/000001.jsonl", 5)
    lines[4] = b"#" + lines[4][1:]
    damaged = await refused({"audit/000001.jsonl": b"".join(lines)})
    assert (damaged.record, damaged.offset_bytes) == (4, sum(map(len, lines[:4])))
    assert damaged.exit_code == 4


async def test_a_log_of_another_run_plan_or_inventory_is_refused() -> None:
    disk = PretendDisk()
    await finished_run(disk)
    files = {name: data for name, data in disk.contents().items() if name != "checkpoint"}
    for identity in ({"run": "other"}, {"plan_digest": "0" * 64}, {"records": 61}):
        assert (await refused(files, **identity)).exit_code == 4


async def test_a_missing_segment_is_refused() -> None:
    disk = PretendDisk()
    await finished_run(disk)
    files = disk.contents()
    del files["audit/000002.jsonl.zst"]
    assert (await refused(files)).file == "audit/000002.jsonl"


async def test_two_outcomes_for_one_ordinal_in_the_log_are_refused() -> None:
    disk = PretendDisk()
    journal = await open_journal(disk, records=9)
    await commit(journal, [3, 4])
    lines = log_bytes(disk.contents()).replace(b'"ordinal":4', b'"ordinal":3').splitlines(keepends=True)
    forged = {"audit/000001.jsonl": b"".join(rechained(lines))}
    assert "second terminal outcome" in str(await refused(forged, records=9))


@pytest.mark.looptime
async def test_an_outcome_is_taken_once_whether_on_disk_or_not() -> None:
    disk = PretendDisk()
    journal = await open_journal(disk, records=20)
    await commit(journal, [3])
    journal.record([outcome(11)])
    for again in (3, 11):
        with pytest.raises(InvariantBroken, match=f"has one outcome \\(ordinal {again}, second 'deleted'"):
            journal.record([outcome(again), outcome(0)])
    await journal.aclose()
    resumed = await open_journal(disk, records=20)
    assert [ordinal for ordinal in range(20) if resumed.ledger.done(ordinal)] == [3, 11]
    for again in (3, 11):
        with pytest.raises(InvariantBroken, match="has one outcome"):
            resumed.record([outcome(again)])
    await resumed.aclose()


@pytest.mark.looptime
async def test_what_is_taken_one_by_one_is_committed_without_being_asked_for() -> None:
    """One record calls the committer; the next ones need not, whether they come before, in or after a commit."""
    disk = Sleepy()
    journal = await open_journal(disk, records=2000)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.run)
        for ordinal in range(2000):
            journal.record((outcome(ordinal),))
            if ordinal % 7 == 0:
                await anyio.sleep(0.004)
        await anyio.sleep(5)
        assert (journal.pending, journal.ledger.counts["deleted"]) == (0, 2000)
        await journal.aclose()


async def cancelled_at_a_commit(journal: Journal) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.run)
        journal.record([outcome(0)])
        await anyio.sleep(0.11)  # in the middle of the write
        journal.record([outcome(1)])
        tasks.cancel_scope.cancel()


@pytest.mark.looptime
async def test_a_cancelled_run_still_knows_what_became_durable() -> None:
    disk = Sleepy()
    journal = await open_journal(disk, records=9)
    await cancelled_at_a_commit(journal)
    assert (journal.ledger.done(0), journal.ledger.done(1), journal.pending) == (True, False, 1)
    await journal.aclose()
    assert (await open_journal(copy_of(disk), records=9)).ledger.counts["deleted"] == 2


@pytest.mark.looptime
async def test_a_commit_interrupted_by_force_is_the_last() -> None:
    """A task cancelled past anyio's shield leaves a write under way: writing on could break the chain."""
    disk = Sleepy()
    journal = await open_journal(disk, records=9)
    running = asyncio.ensure_future(journal.run())
    journal.record([outcome(0)])
    await asyncio.sleep(0.11)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(DiskFailed, match="interrupted"):
        await journal.durable()
    operations = disk.operations
    await journal.aclose()
    assert disk.operations == operations


def failing(at: int, error: int) -> Callable[[str, str], None]:
    count = 0

    def before(_verb: str, _name: str) -> None:
        nonlocal count
        count += 1
        if count == at + 1:
            raise OSError(error, os.strerror(error))

    return before


async def work(disk: PretendDisk) -> Journal:
    """A run with everything that touches the disk: commits, rotation, sealing, checkpoints."""
    journal = await open_journal(disk, records=40, segment_records=12)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(journal.run)
            if journal.ledger.released_through < 39:
                journal.note("released", first=0, last=39)
            for ordinal in range(40):
                if not journal.ledger.done(ordinal):
                    journal.record([outcome(ordinal, redelete=journal.ledger.maybe_sent(ordinal))])
                if ordinal % 4 == 3:
                    await journal.durable()
                    await anyio.lowlevel.checkpoint()
                if ordinal % 16 == 15:
                    await journal.checkpoint({"rate": 5.0})
            if journal.ledger.finished is None:
                journal.note("finished", counts=journal.ledger.counts)
            await journal.durable()
            await anyio.sleep(0.2)
            await journal.aclose()
    except BaseExceptionGroup as group:
        await journal.aclose()
        raise group.exceptions[0] from None
    return journal


@pytest.mark.looptime
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC, half written"])
async def test_after_the_nth_operation_fails_nothing_more_is_tried_and_a_new_start_goes_on(
    error: int, tmp_path: Path
) -> None:
    """I10, in the way of SQLite's tests: fail at the 1st, 2nd, ... operation until the work gets through."""
    for at in range(1000):
        disk = PretendDisk(before=failing(at, error))
        try:
            await work(disk)
        except DiskFailed:
            assert disk.operations == at + 1
        else:
            break
        again = disk
        for files in (disk.contents(), disk.promised()):
            again = PretendDisk(files)
            durable = read_log(again, LogIdentity(RUN, PLAN, 40)).ledger.counts["deleted"]
            journal = await work(again)
            assert journal.ledger.counts["deleted"] == 40
            assert journal.ledger.counts["deleted"] >= durable
        if at % 10 == 0:
            assert verify(dump(again.contents(), tmp_path / str(at))).faults == ()
    assert at > 40


@pytest.mark.looptime
class KilledError(BaseException):
    """What a kill -9 is in one process: what it wrote is there for the next one, and no promise was kept yet."""


@pytest.mark.parametrize("at", range(1, 30))
async def test_what_a_killed_process_wrote_is_made_durable_before_it_counts(at: int) -> None:
    """Else the next process's checkpoint vouches for a record that a power cut takes after all."""

    def kill(verb: str, name: str) -> None:
        del verb, name
        if disk.operations == at:
            raise KilledError

    disk = PretendDisk(before=kill)
    with suppress(KilledError):
        journal = await open_journal(disk, records=40)
        for ordinal in range(20):
            await commit(journal, [ordinal])
    disk.before = None
    journal = await open_journal(disk, records=40)
    counted = {ordinal for ordinal in range(20) if journal.ledger.done(ordinal)}
    await journal.checkpoint({})
    found = disk.after_power_cut(Survival(appended=lambda *_: b"", names=lambda *_: 0, cut=lambda _: False))
    log = read_log(found, LogIdentity(RUN, PLAN, 40))
    assert {ordinal for ordinal in range(40) if log.ledger.done(ordinal)} == counted


async def test_a_failed_fsync_is_told_to_everyone_who_waits() -> None:
    disk = Sleepy()
    journal = await open_journal(disk, records=100_000)
    journal.note("opened")
    await journal.durable()
    disk.before = failing(1, errno.EIO)  # append succeeds, fdatasync does not
    told: list[str] = []

    async def wait(what: Callable[[], object]) -> None:
        with pytest.raises(DiskFailed) as failed:
            await what()  # type: ignore[misc]  # both are coroutine functions
        told.append(str(failed.value))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, journal.run)
        await anyio.lowlevel.checkpoint()
        journal.record([outcome(ordinal) for ordinal in range(5000)])
        tasks.start_soon(wait, journal.room)
        tasks.start_soon(wait, journal.durable)
    assert len(told) == 3
    assert "Input/output error" in told[0]
    assert "5,000 records are not on disk" in told[0]
    assert journal.ledger.counts["deleted"] == 0
    with pytest.raises(DiskFailed):
        await journal.checkpoint({})
    operations = disk.operations
    await journal.aclose()
    assert (journal.pending, disk.operations) == (5000, operations)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.integers(1, 6)),
        st.tuples(st.just("note"), st.integers(0, 39)),
        st.tuples(st.just("commit"), st.just(0)),
        st.tuples(st.just("checkpoint"), st.just(0)),
        st.tuples(st.just("reopen"), st.integers(0, 3)),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=examples(150))
@given(steps, st.integers(0, 2**32))
def test_replay_is_live_state_for_any_records_and_crashes(done: list[tuple[str, int]], seed: int) -> None:
    asyncio.run(live_against_replay(done, random.Random(seed)))


async def live_against_replay(done: list[tuple[str, int]], rng: random.Random) -> None:
    disk, clock = PretendDisk(), Clock()
    journal = await open_journal(disk, records=40, clock=clock, segment_records=8)
    left = list(range(40))
    rng.shuffle(left)
    for step, number in done:
        if step == "record":
            word = rng.choice(["deleted", "failed", "skipped"])
            journal.record([outcome(left.pop(), word, attempts=number) for _ in range(min(number, len(left)))])
        elif step == "note":
            journal.note("released", first=0, last=number)
            journal.note("telemetry", attempts=number, throttled=number // 2, active_seconds=number * 0.5)
        elif step == "commit":
            await journal.durable()
        elif step == "checkpoint":
            await journal.checkpoint({})
        else:
            if number:
                await journal.durable()
            left = [ordinal for ordinal in range(40) if not journal.ledger.done(ordinal)]
            disk = PretendDisk(disk.promised())
            journal = await open_journal(disk, records=40, clock=clock, segment_records=8)
        replayed = read_log(copy_of(disk), LogIdentity(RUN, PLAN, 40)).ledger
        assert replayed.bitmap() == journal.ledger.bitmap()
        if replayed.epoch == journal.ledger.epoch:
            assert replayed.state() == journal.ledger.state()
