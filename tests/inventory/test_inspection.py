from __future__ import annotations

import hashlib
import io
import json
import sys
from typing import TYPE_CHECKING

import pytest

from glacier_purge.cli import main
from glacier_purge.errors import InventoryDamaged, UsageError
from glacier_purge.inventory.batch import Duplicate
from glacier_purge.inventory.inspection import SAMPLES_MAX, inspect
from tests.inventory.inventories import HEADER, VAULT_ARN, as_csv, as_glacier_json, record

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """3,000 records, 30 of them invalid and 40 repeated."""
    inventory = [record(n, **({"Size": -1} if n % 100 == 50 else {})) for n in range(2960)]
    inventory += [record(n) for n in range(40)]
    path = tmp_path / "mixed.json"
    path.write_bytes(as_glacier_json(inventory))
    return path


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_sound_inventory_is_summed_up(tmp_path: Path, kind: str) -> None:
    inventory = [record(n) for n in range(500)]
    content = as_glacier_json(inventory) if kind == "json" else as_csv(inventory)
    (tmp_path / "inventory").write_bytes(content)
    found = inspect(str(tmp_path / "inventory"))
    assert found.is_sound
    assert (found.format, found.mode) == (("json", "fast") if kind == "json" else ("csv", "csv"))
    assert (found.records, found.archives, found.invalid, found.duplicates) == (500, 500, 0, 0)
    assert found.archive_bytes == sum(one["Size"] for one in inventory)
    assert (found.oldest, found.newest) == ("2017-08-01T08:16:34Z", "2017-08-28T08:16:34Z")
    assert (found.size_bytes, found.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    header = (found.vault_arn, found.inventory_date)
    assert header == ((VAULT_ARN, HEADER["InventoryDate"]) if kind == "json" else (None, None))


def test_faults_are_counted_and_the_first_of_them_kept(mixed: Path) -> None:
    found = inspect(str(mixed))
    assert not found.is_sound
    assert (found.records, found.archives, found.invalid, found.duplicates) == (3000, 2970, 30, 40)
    assert [defect.ordinal for defect in found.defects] == list(range(50, 2000, 100))
    assert found.first_duplicates == [Duplicate(2960 + n, n) for n in range(SAMPLES_MAX)]


def test_standard_input_is_read_like_a_file(mixed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(mixed.read_bytes())))
    by_name, by_pipe = inspect(str(mixed)), inspect("-")
    by_name.seconds = by_pipe.seconds = 0.0
    assert by_name == by_pipe


def test_an_inventory_of_an_empty_vault_is_sound(tmp_path: Path) -> None:
    (tmp_path / "inventory").write_bytes(as_glacier_json([]))
    found = inspect(str(tmp_path / "inventory"))
    assert found.is_sound
    assert (found.records, found.oldest) == (0, None)


def test_damage_names_the_file_also_when_it_came_by_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torn = as_glacier_json([record(1)])[:-5]
    (tmp_path / "torn").write_bytes(torn)
    with pytest.raises(InventoryDamaged, match=rf"torn, byte {len(torn)}: it ends inside of the record"):
        inspect(str(tmp_path / "torn"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(torn)))
    with pytest.raises(InventoryDamaged, match=rf"standard input, byte {len(torn)}"):
        inspect("-")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        inspect(str(tmp_path / "missing"))


def test_the_command_prints_json_and_ends_with_2_for_a_faulty_inventory(
    mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inventory", "inspect", str(mixed), "--output", "json"]) == 2
    result = json.loads(capsys.readouterr().out)
    assert (result["file"], result["records"], result["invalid"], result["duplicates"]) == (str(mixed), 3000, 30, 40)
    assert result["defects"][0]["ordinal"] == 50
    assert mixed.read_bytes()[result["defects"][0]["offset_bytes"] :].startswith(b'{"ArchiveId":"')


def test_the_command_prints_text_for_people(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inventory", "inspect", str(mixed)]) == 2
    text = capsys.readouterr().out
    assert "record 50, byte " in text
    assert "Size is not between 0 and 2^63 - 1" in text
    assert "... and 10 more invalid records" in text
    assert "record 2,960 repeats the archive id of record 0" in text
    assert "... and 20 more repeated ids" in text


def test_the_command_ends_with_0_for_a_sound_inventory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "inventory"
    path.write_bytes(as_csv([record(n, ArchiveId=f"{n:032}") for n in range(3)]))
    assert main(["inventory", "inspect", str(path), "--any-id-length"]) == 0
    assert "records" in capsys.readouterr().out
    assert main(["inventory", "inspect", str(path)]) == 2


def test_the_command_ends_with_2_for_a_damaged_inventory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "inventory"
    path.write_bytes(b"<html>")
    assert main(["inventory", "inspect", str(path)]) == 2
    assert "byte 0: it is a web page or XML, as a login page" in capsys.readouterr().err


def test_the_command_reads_standard_input(
    mixed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(mixed.read_bytes())))
    assert main(["inventory", "inspect", "-", "--output", "json"]) == 2
    assert json.loads(capsys.readouterr().out)["records"] == 3000


def test_a_misspelt_option_is_not_taken_for_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inventory", "inspect", "--outptu"]) == 2
    assert "unknown option --outptu" in capsys.readouterr().err
