"""What copies out of a log get: whole lines in order, and a word where there is no more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from glacier_purge.audit.record import Line, Outcome
from glacier_purge.audit.whole_log import whole_lines
from glacier_purge.errors import AuditDamaged
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import commit, dump, finished_run, open_journal

if TYPE_CHECKING:
    from pathlib import Path


def read(disk: PretendDisk, folder: Path) -> list[Line]:
    return list(whole_lines(dump(disk.contents(), folder)))


def test_every_line_is_given(tmp_path: Path) -> None:
    disk = PretendDisk()
    asyncio.run(finished_run(disk))
    lines = read(disk, tmp_path)
    assert [line.seq for line in lines] == list(range(len(lines)))
    assert sum(isinstance(line.record, Outcome) for line in lines) == 60


def test_a_torn_tail_is_left_out(tmp_path: Path) -> None:
    disk = PretendDisk()

    async def write() -> None:
        await commit(await open_journal(disk, records=9), range(3))

    asyncio.run(write())
    cut = PretendDisk({"audit/000001.jsonl": disk.contents()["audit/000001.jsonl"][:-9]})
    assert len(read(cut, tmp_path / "cut")) == len(read(disk, tmp_path / "whole")) - 1


def test_a_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    disk = PretendDisk()
    asyncio.run(finished_run(disk, records=9))
    files = disk.contents()
    log = files["audit/000001.jsonl"]
    files["audit/000001.jsonl"] = log.replace(b'{"seq":5,', b'["seq":5,')
    with pytest.raises(AuditDamaged) as damaged:
        read(PretendDisk(files), tmp_path)
    assert damaged.value.offset_bytes == log.index(b'{"seq":5,')
    assert damaged.value.record == 5
