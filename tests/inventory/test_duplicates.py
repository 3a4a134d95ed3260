from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glacier_purge.archive import Archive, ArchiveId
from glacier_purge.inventory import duplicates
from glacier_purge.inventory.batch import Batch
from glacier_purge.inventory.duplicates import DuplicateFinder, sorted_on_disk
from tests.at_length import examples
from tests.inventory.inventories import archive_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL = {"_RUN_IDS": 7, "_SORT_LINES": 3, "_READ_BYTES": 50}
"""Sizes at which a handful of ids goes the way of a hundred million."""


def inventory(ids: list[str], size: int = 4) -> list[Batch]:
    archives = [Archive(ArchiveId(one), "", "", 1, "", n) for n, one in enumerate(ids)]
    return [Batch(n, len(archives[n : n + size]), archives[n : n + size], []) for n in range(0, len(ids), size)]


def found(folder: Path, batches: list[Batch]) -> list[tuple[int, int]]:
    readings = []

    def again() -> Iterator[Batch]:
        readings.append(1)
        return iter(batches)

    with DuplicateFinder(folder) as finder:
        for batch in batches:
            finder.add(batch.archives)
        pairs = list(finder.duplicates(again))
    assert len(readings) == (1 if pairs else 0), "it is read again only if need be"
    assert list(folder.iterdir()) == []
    return pairs


def modelled(ids: list[str]) -> list[tuple[int, int]]:
    first: dict[str, int] = {}
    return [(n, first[one]) for n, one in enumerate(ids) if first.setdefault(one, n) != n]


@pytest.mark.parametrize("sizes", [{}, SMALL], ids=["in memory", "on disk"])
@given(numbers=st.lists(st.integers(0, 30), max_size=60))
@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_exactly_the_records_that_repeat_an_id_are_found(
    tmp_path: Path, sizes: dict[str, int], numbers: list[int]
) -> None:
    ids = [archive_id(number) for number in numbers]
    with pytest.MonkeyPatch.context() as patch:
        for name, size in sizes.items():
            patch.setattr(duplicates, name, size)
        assert found(tmp_path, inventory(ids)) == modelled(ids)


@pytest.mark.parametrize("sizes", [{}, SMALL], ids=["in memory", "on disk"])
def test_ids_whose_hashes_collide_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: dict[str, int]
) -> None:
    for name, size in sizes.items():
        monkeypatch.setattr(duplicates, name, size)
    monkeypatch.setattr(duplicates, "hash", lambda text: int(text[-1]) % 2, raising=False)
    ids = [archive_id(number) for number in [1, 3, 5, 2, 4, 3, 6, 1, 8]]
    assert found(tmp_path, inventory(ids)) == [(5, 1), (7, 0)]


def test_a_large_inventory_listed_twice(tmp_path: Path) -> None:
    ids = [archive_id(number) for number in range(150_000)] + [archive_id(number) for number in range(0, 150_000, 1000)]
    assert found(tmp_path, inventory(ids, 1000)) == [(150_000 + n, n * 1000) for n in range(150)]


def test_defects_leave_gaps_in_the_ordinals(tmp_path: Path) -> None:
    archives = [Archive(ArchiveId(archive_id(1)), "", "", 1, "", n) for n in (3, 9, 4_000_000_000)]
    assert found(tmp_path, [Batch(0, 4_000_000_001, archives, [])]) == [(9, 3), (4_000_000_000, 3)]


@given(lines=st.lists(st.text(alphabet="ab0 -", max_size=5).map(lambda text: text + "\n"), max_size=40))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sorting_on_disk_is_sorting(tmp_path: Path, lines: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, size in SMALL.items():
            patch.setattr(duplicates, name, size)
        assert list(sorted_on_disk(iter(lines), tmp_path)) == sorted(lines)
