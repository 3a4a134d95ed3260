from __future__ import annotations

import asyncio
import csv
import io
from typing import TYPE_CHECKING

import pytest

from glacier_purge.audit.export import COLUMNS, export_csv
from glacier_purge.errors import AuditDamaged
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import archive_id, commit, dump, finished_run, open_journal, outcome

if TYPE_CHECKING:
    from pathlib import Path


def exported(disk: PretendDisk, folder: Path) -> tuple[int, str]:
    target = io.StringIO(newline="")
    return export_csv(dump(disk.contents(), folder), target), target.getvalue()


def test_every_outcome_is_a_row(tmp_path: Path) -> None:
    disk = PretendDisk()
    asyncio.run(finished_run(disk))
    rows, text = exported(disk, tmp_path)
    table = list(csv.reader(io.StringIO(text)))
    assert rows == len(table) - 1 == 60
    assert tuple(table[0]) == COLUMNS
    assert table[1][:9] == ["0", "'" + archive_id(0), "1000", "deleted", "1", "204", "", "'" + "R" * 48, "41.25"]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1", '"=1"', "\x1b]8;;x\x07", "a\nb"]
)
def test_no_foreign_text_is_a_formula_or_a_control_character(text: str, tmp_path: Path) -> None:
    disk = PretendDisk()

    async def write() -> None:
        journal = await open_journal(disk, records=1)
        journal.record([outcome(0, "failed", archive_id=text, code=text, request_id=text)])
        await journal.aclose()

    asyncio.run(write())
    _, exported_text = exported(disk, tmp_path)
    [_, row] = list(csv.reader(io.StringIO(exported_text)))
    assert all(row[COLUMNS.index(column)].startswith("'") for column in ("archive_id", "code", "request_id"))
    assert exported_text.replace("\r\n", "").isprintable()


def test_a_torn_tail_is_left_out(tmp_path: Path) -> None:
    disk = PretendDisk()

    async def write() -> None:
        await commit(await open_journal(disk, records=9), range(3))

    asyncio.run(write())
    cut = PretendDisk({"audit/000001.jsonl": disk.contents()["audit/000001.jsonl"][:-9]})
    assert exported(cut, tmp_path)[0] == 2


def test_a_line_that_cannot_be_read_ends_the_table_and_is_named(tmp_path: Path) -> None:
    disk = PretendDisk()
    asyncio.run(finished_run(disk, records=9))
    files = disk.contents()
    log = files["audit/000001.jsonl"]
    files["audit/000001.jsonl"] = log.replace(b'{"seq":5,', b'["seq":5,')
    with pytest.raises(AuditDamaged) as damaged:
        exported(PretendDisk(files), tmp_path)
    assert damaged.value.offset_bytes == log.index(b'{"seq":5,')
