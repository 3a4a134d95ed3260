"""Making a plan: what is in doubt is refused with its place, and the same choices give the same plan."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from glacier_purge.archive import Vault
from glacier_purge.errors import InventoryDamaged, UsageError
from tests.plan.archives import TARGET, archive, archive_id, plan_of, snapshot

if TYPE_CHECKING:
    from pathlib import Path


def test_everything_goes_unless_something_speaks_against_it(tmp_path: Path) -> None:
    plan = plan_of(snapshot(tmp_path / "run", [archive(n) for n in range(50)]), TARGET)
    counts = plan.counts
    assert (counts.inventory, counts.selected, counts.skipped, counts.invalid, counts.duplicates) == (50, 50, 0, 0, 0)
    assert plan.selected_bytes == 50_000
    assert len(plan.samples) == 20
    assert (tmp_path / "run" / "decisions").read_bytes() == bytes(50)


def test_the_same_inventory_gives_the_same_digest_wherever_it_is_planned(tmp_path: Path) -> None:
    archives = [archive(n) for n in range(50)]
    first = plan_of(snapshot(tmp_path / "here", archives), TARGET)
    elsewhere = replace(TARGET, inventory_name="another-name.json")
    assert plan_of(snapshot(tmp_path / "there", archives), elsewhere) == first
    url = replace(TARGET, endpoint_url="http://127.0.0.1:5000")
    assert plan_of(snapshot(tmp_path / "url", archives), url).digest != first.digest


def test_a_repeated_id_is_refused_where_it_stands_the_second_time(tmp_path: Path) -> None:
    kept = snapshot(tmp_path / "run", [archive(0), archive(1), archive(2), archive(3, archive_id=archive_id(1))])
    needle = archive_id(1).encode()
    second = [match.start() for match in re.finditer(needle, kept.path.read_bytes())][1]
    with pytest.raises(InventoryDamaged, match="record 3 repeats the archive id of record 1") as caught:
        plan_of(kept, TARGET)
    assert (caught.value.file, caught.value.offset_bytes) == ("inventory", second)


def test_a_wrong_record_is_refused_where_it_begins(tmp_path: Path) -> None:
    kept = snapshot(tmp_path / "run", [archive(0), archive(1, archive_id=".."), archive(2)])
    with pytest.raises(InventoryDamaged, match="add --set-aside-defects") as caught:
        plan_of(kept, TARGET)
    assert kept.path.read_bytes()[caught.value.offset_bytes :].startswith(b'{"ArchiveId":".."')


def test_defects_that_are_set_aside_stay_and_are_counted(tmp_path: Path) -> None:
    archives = [archive(0), archive(1, archive_id=".."), archive(2), archive(3, archive_id=archive_id(0)), archive(4)]
    plan = plan_of(snapshot(tmp_path / "run", archives), TARGET, set_aside_defects=True)
    counts = plan.counts
    assert (counts.inventory, counts.selected, counts.invalid, counts.duplicates) == (5, 3, 1, 1)
    assert (tmp_path / "run" / "decisions").read_bytes() == bytes([0, 1, 0, 2, 0])
    assert [sample.ordinal for sample in plan.samples] == [0, 2, 4]


@pytest.mark.parametrize(
    "vault",
    [
        Vault(account_id="123456789012", region="eu-west-1", name="videos"),
        Vault(account_id="123456789012", region="eu-west-2", name="photos"),
        Vault(account_id="210987654321", region="eu-west-1", name="photos"),
    ],
)
def test_another_vaults_inventory_is_refused_where_it_says_so(vault: Vault, tmp_path: Path) -> None:
    kept = snapshot(tmp_path / "run", [archive(0)])
    with pytest.raises(InventoryDamaged, match="it is the inventory of arn:aws:glacier:eu-west-1") as caught:
        plan_of(kept, replace(TARGET, vault=vault))
    assert kept.path.read_bytes()[caught.value.offset_bytes :].startswith(TARGET.vault.arn.encode())
    assert not (tmp_path / "run" / "decisions").exists()


def test_an_empty_inventory_needs_no_plan(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lists no archive to delete"):
        plan_of(snapshot(tmp_path / "run", []), TARGET)


def test_dates_that_are_none_are_neither_oldest_nor_newest(tmp_path: Path) -> None:
    dates = ["yesterday", "2020-05-01T00:00:00Z", "2020-05-01T00:00:00.500Z", "9999", ""]
    archives = [archive(number, created=date) for number, date in enumerate(dates)]
    plan = plan_of(snapshot(tmp_path / "run", archives), TARGET)
    assert (plan.oldest, plan.newest) == ("2020-05-01T00:00:00Z", "2020-05-01T00:00:00.500Z")
