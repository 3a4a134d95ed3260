"""Lists of what goes, what stays and what became of it, and the files they are handed on in."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from glacier_purge.cli import main
from glacier_purge.errors import AuditDamaged, PlanRefused
from glacier_purge.plan.making import Selection
from glacier_purge.plan.selection import at_least
from glacier_purge.proof import lists
from glacier_purge.proof.lists import DECIDED, SETTLED, decided_rows, settled_rows
from glacier_purge.report.list_file import write_list
from glacier_purge.run.planned import keep_plan
from glacier_purge.storage.disk import FileDisk
from glacier_purge.storage.folder import RunFolder
from glacier_purge.text import inert
from tests.audit.logs import open_journal, outcome
from tests.inventory.test_description import NAME, cloudberry, fastglacier
from tests.plan.archives import archive, archive_id, plan_of, snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.plan.document import Plan

HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1", '"=1"', "\x1b]8;;x\x07", "a\nb", "\u202egnp", "ü"]
DESCRIPTIONS = [fastglacier(NAME), cloudberry("c:\\Summer.jpg"), *HOSTILE]


def run_of(place: Path, records: int = 30) -> tuple[Path, Plan]:
    """A run folder whose plan keeps the last ten archives, and one that stands twice."""
    archives = [
        archive(number, size_bytes=9 if number >= records - 10 else 1_000, description=DESCRIPTIONS[number % 14])
        for number in range(records)
    ]
    archives[3].archive_id = archives[2].archive_id
    spooled = snapshot(place, archives)
    plan = plan_of(spooled, selection=Selection(filters=[at_least(10)]), set_aside_defects=True)
    place.chmod(0o700)
    keep_plan(RunFolder(place), plan, retrievals_looked_at=True)
    return place, plan


def log_of(place: Path, plan: Plan, words: list[tuple[int, str]]) -> None:
    async def write() -> None:
        journal = await open_journal(FileDisk(place), records=1_000, run=place.name, plan_digest=plan.digest)
        for first in range(0, len(words), 10):
            journal.record(
                [
                    outcome(ordinal, word, archive_id=archive_id(ordinal), code=None if word == "deleted" else "Why")
                    for ordinal, word in words[first : first + 10]
                ]
            )
            await journal.durable()
        await journal.aclose()

    asyncio.run(write())


def read_csv(text: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
    table = list(csv.reader(io.StringIO(text, newline="")))
    assert tuple(table[0]) == columns
    return [dict(zip(columns, row, strict=True)) for row in table[1:]]


def test_what_goes_and_what_stays_is_the_whole_inventory(tmp_path: Path) -> None:
    place, plan = run_of(tmp_path / "run")
    goes, stays = (list(decided_rows(place, plan, going=going)) for going in (True, False))
    assert {row[0] for row in goes + stays} == set(range(30))
    assert len(goes + stays) == 30
    assert [row[0] for row in goes] == [number for number in range(20) if number != 3]
    assert len(goes) == plan.counts.selected
    decided = {row[0]: dict(zip(DECIDED, row, strict=True)) for row in goes + stays}
    assert decided[3]["decision"] == "duplicate_of:2"
    assert {decided[number]["decision"] for number in range(20, 30)} == {"smaller_than"}
    assert (decided[0]["file"], decided[0]["description"]) == (NAME, DESCRIPTIONS[0])
    assert (decided[4]["file"], decided[4]["uploaded"]) == (HOSTILE[2], "2020-01-31T12:00:00Z")


@pytest.mark.parametrize("seed", range(5))
def test_each_outcome_has_its_own_archive_beside_it_in_whatever_order_it_came(seed: int, tmp_path: Path) -> None:
    place, plan = run_of(tmp_path / "run")
    words = [(number, random.Random(seed).choice(["deleted", "failed"])) for number in range(20)]
    random.Random(seed).shuffle(words)
    log_of(place, plan, words)
    rows: list[dict[str, Any]] = [dict(zip(SETTLED, row, strict=True)) for row in settled_rows(place, plan)]
    assert [(row["ordinal"], row["outcome"]) for row in rows] == words
    for row in rows:
        assert row["description"] == DESCRIPTIONS[row["ordinal"] % 14]
        assert row["tree_hash"] == f"{row['ordinal']:064x}"
    failed = [row[0] for row in settled_rows(place, plan, "failed")]
    assert failed == [number for number, word in words if word == "failed"]


def test_an_order_that_no_run_writes_is_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "_WAITING_MAX", 10)
    place, plan = run_of(tmp_path / "run")
    log_of(place, plan, [(19, "deleted"), (0, "deleted")])
    with pytest.raises(AuditDamaged, match="no run writes its log in such an order"):
        list(settled_rows(place, plan))


def test_an_inventory_that_was_changed_is_told_beside_nothing(tmp_path: Path) -> None:
    place, plan = run_of(tmp_path / "run")
    log_of(place, plan, [(0, "deleted")])
    (place / "inventory.json").write_bytes((place / "inventory.json").read_bytes().replace(b"Summer", b"Winter"))
    with pytest.raises(PlanRefused, match=r"inventory\.json was changed"):
        list(settled_rows(place, plan))
    with pytest.raises(PlanRefused, match=r"inventory\.json was changed"):
        list(decided_rows(place, plan, going=True))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_foreign_text_is_a_formula_or_a_control_character(text: str) -> None:
    columns, written = ("ordinal", "archive_id", "code", "description"), io.StringIO(newline="")
    write_list([(7, text, text, text)], columns, "csv", written, vault="photos")
    [row] = read_csv(written.getvalue(), columns)
    assert row["ordinal"] == "7"
    assert all(row[column].startswith("'") for column in columns[1:])
    assert written.getvalue().replace("\r\n", "").isprintable()
    written = io.StringIO(newline="")
    write_list([(7, text, None, text)], columns, "jsonl", written, vault="photos")
    assert written.getvalue().isascii()
    assert json.loads(written.getvalue()) == {"ordinal": 7, "archive_id": text, "code": None, "description": text}


@given(st.lists(st.text(alphabet="a'\",\t\u202e\r ", max_size=6), min_size=3, max_size=3))
def test_a_table_has_what_was_in_it(texts: list[str]) -> None:
    columns, written = ("ordinal", "archive_id", "code", "description"), io.StringIO(newline="")
    write_list([(7, *texts), (8, "", None, "")], columns, "csv", written, vault="photos")
    assert list(csv.reader(io.StringIO(written.getvalue(), newline="")))[1:] == [
        ["7", *map(inert, texts)],
        ["8", "", "", ""],
    ]


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    place, plan = run_of(tmp_path / "run")
    log_of(place, plan, [(number, "failed" if number == 5 else "deleted") for number in range(20) if number != 3])
    return place


@pytest.mark.parametrize(
    ("arguments", "ordinals"),
    [
        (("show", "--list", "goes"), [*range(3), *range(4, 20)]),
        (("show", "--list", "stays"), [3, *range(20, 30)]),
        (("show", "--list", "failed"), [5]),
        (("audit", "export"), [*range(3), *range(4, 20)]),
        (("audit", "export", "--only", "failed"), [5]),
        (("audit", "export", "--only", "skipped"), []),
    ],
)
def test_the_verbs_write_csv_and_lines_of_json(
    arguments: tuple[str, ...], ordinals: list[int], run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, str(run_dir)]) == 0
    columns = SETTLED if "failed" in arguments or "audit" in arguments else DECIDED
    assert [int(row["ordinal"]) for row in read_csv(capsys.readouterr().out, columns)] == ordinals
    assert main([*arguments, str(run_dir), "--format", "jsonl"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["ordinal"] for one in said] == ordinals
    assert all(tuple(one) == columns for one in said)


def test_a_report_as_s3_batch_operations_writes_it(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "export", str(run_dir), "--format", "s3-batch"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 19
    assert rows[0][:6] == ["photos", archive_id(0), "", "succeeded", "", "204"]
    [failed] = [row for row in rows if row[3] == "failed"]
    assert failed[:6] == ["photos", archive_id(5), "", "failed", "'Why", ""]
    assert {len(row) for row in rows} == {7}
    assert main(["show", "--list", "goes", "--format", "s3-batch", str(run_dir)]) == 2
    assert "audit export" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "unpack"),
    [
        ("list.csv", bytes),
        ("list.csv.gz", gzip.decompress),
        ("list.csv.zst", zstandard.ZstdDecompressor().decompressobj().decompress),
    ],
)
def test_a_file_is_packed_as_its_name_says_and_never_written_over(
    name: str, unpack: object, run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(unpack)
    to = tmp_path / name
    assert main(["show", "--list", "goes", str(run_dir), "--to", str(to)]) == 0
    content = to.read_bytes()
    rows = read_csv(unpack(content).decode(), DECIDED)
    assert len(rows) == 19
    assert rows[0]["file"] == "'" + NAME
    assert main(["show", "--list", "goes", str(run_dir), "--to", str(to)]) == 2
    assert f"{to} exists already and is not written to" in capsys.readouterr().err
    assert to.read_bytes() == content


def test_half_a_list_is_taken_away(run_dir: Path, tmp_path: Path) -> None:
    (run_dir / "inventory.json").write_bytes(b"{}")
    to = tmp_path / "list.csv.gz"
    assert main(["audit", "export", str(run_dir), "--to", str(to)]) == 2
    assert not to.exists()


def test_the_list_of_what_failed_can_be_planned_with(run_dir: Path, tmp_path: Path) -> None:
    to = tmp_path / "failed.jsonl"
    assert main(["audit", "export", str(run_dir), "--only", "failed", "--format", "jsonl", "--to", str(to)]) == 0
    [failed] = [msgspec.json.decode(line) for line in to.read_bytes().splitlines()]
    assert failed["archive_id"] == archive_id(5)


def test_a_reader_that_has_seen_enough_ends_it_with_141(run_dir: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as nobody:  # noqa: PTH123 - a pipe
        ended = subprocess.run(
            [sys.executable, "-m", "glacier_purge", "show", "--list", "goes", str(run_dir)],
            stdout=nobody,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (141, b"")


READ = """
import json, sys
import duckdb
read = {"csv": "read_csv(?, header=true, all_varchar=true)", "jsonl": "read_json(?, format='newline_delimited')"}
read["s3-batch"] = "read_csv(?, header=false, all_varchar=true)"
for form, file in zip(sys.argv[1::2], sys.argv[2::2]):
    rows = duckdb.execute(f"select * from {read[form]}", [file]).fetchall()
    print(json.dumps([[None if cell is None else str(cell) for cell in row] for row in rows]))
"""


def test_a_database_that_is_not_ours_reads_the_same_rows(run_dir: Path, tmp_path: Path, witness: Path) -> None:
    """DuckDB finds quotes, packing and types by itself; what it reads is what the standard library reads."""
    files = []
    for form, name in [("csv", "a.csv"), ("csv", "b.csv.gz"), ("csv", "c.csv.zst"), ("jsonl", "d.jsonl.gz")]:
        files += [form, str(tmp_path / name)]
        assert main(["audit", "export", str(run_dir), "--format", form, "--to", files[-1]]) == 0
    files += ["s3-batch", str(tmp_path / "e.csv")]
    assert main(["audit", "export", str(run_dir), "--format", "s3-batch", "--to", files[-1]]) == 0
    read = subprocess.run([witness / "python", "-c", READ, *files], check=True, capture_output=True, text=True).stdout
    plain, packed, zstd, lines, batch = map(json.loads, read.splitlines())
    ours = [
        [cell or None for cell in row.values()] for row in read_csv((tmp_path / "a.csv").read_text("utf-8"), SETTLED)
    ]
    assert [[cell or None for cell in row] for row in plain] == ours
    assert packed == zstd == plain
    ids = [str(row[SETTLED.index("archive_id")]) for row in ours]
    assert [row[SETTLED.index("archive_id")] for row in lines] == [one.removeprefix("'") for one in ids]
    assert [row[1].removeprefix("'") for row in batch] == [one.removeprefix("'") for one in ids]
