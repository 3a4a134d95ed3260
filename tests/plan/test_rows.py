from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_purge.errors import UsageError
from glacier_purge.plan import rows as module
from glacier_purge.plan.rows import Rows

if TYPE_CHECKING:
    from pathlib import Path


@given(entries=st.lists(st.tuples(st.text("ab-_", min_size=1, max_size=4), st.binary(max_size=700)), max_size=60))
@settings(deadline=None, derandomize=True)
def test_rows_are_found_by_id_and_by_nothing_else(
    entries: list[tuple[str, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Rows(tmp_path_factory.getbasetemp()) as rows:
        for archive_id, row in entries:
            rows.add(archive_id, row)
        rows.seal()
        assert len(rows) == len(entries)
        for archive_id in {one for one, _ in entries}:
            found = rows.positions(archive_id)
            assert {rows.archive_id(position) for position in found} == {archive_id}
            assert sorted(map(rows.row, found)) == sorted(row for one, row in entries if one == archive_id)
        assert rows.positions("c") == []


def test_ids_whose_hashes_are_alike_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "hash", lambda _: 5, raising=False)
    with Rows(tmp_path) as rows:
        for name in ("one", "two", "one"):
            rows.add(name, name.encode())
        rows.seal()
        assert [rows.row(position) for position in rows.positions("one")] == [b"one", b"one"]
        assert [rows.row(position) for position in rows.positions("two")] == [b"two"]
        assert rows.positions("three") == []


def test_many_runs_make_one_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RUN_KEYS", 16)
    with Rows(tmp_path) as rows:
        for number in range(1_000):
            rows.add(f"id-{number}", str(number).encode())
        rows.seal()
        assert all(rows.row(rows.positions(f"id-{number}")[0]) == str(number).encode() for number in range(1_000))
        assert list(tmp_path.iterdir()) == []


def test_more_than_the_index_can_point_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SIZE_BYTES_MAX", 128)
    with Rows(tmp_path) as rows:
        rows.add("one", bytes(100))
        with pytest.raises(UsageError, match="split the manifest"):
            rows.add("two")
