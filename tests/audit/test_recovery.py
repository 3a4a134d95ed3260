"""Reading a run's state beside the process that writes it (the journal's own recovery is tested with the journal)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from glacier_purge.audit import recovery
from glacier_purge.audit.recovery import LogIdentity, replay
from glacier_purge.audit.segments import seal, unsealed
from glacier_purge.errors import AuditDamaged, RunStopped
from glacier_purge.storage.disk import FileDisk
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import PLAN, RUN, commit, copy_of, dump, finished_run, log_bytes, open_journal, plain_segments

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
