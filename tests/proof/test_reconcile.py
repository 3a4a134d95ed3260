"""A later inventory held against a run: every combination, duplicates, and a property against a plain reckoning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_purge.archive import Archive, ArchiveId
from glacier_purge.inventory.batch import Batch, Defect
from glacier_purge.proof.outcomes import Outcomes
from glacier_purge.proof.reconcile import Reconciliation, reconcile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def archive_id(number: int) -> ArchiveId:
    return ArchiveId(f"{number:->138}")


def inventory(numbers: Sequence[int], defects: int = 0) -> Callable[[], list[Batch]]:
    """An inventory of archives with these numbers, in two batches, the second with unreadable records."""

    def batches() -> list[Batch]:
        archives = [
            Archive(
                ordinal=ordinal,
                archive_id=archive_id(number),
                size_bytes=1,
                created="2020-01-01T00:00:00Z",
                description="",
                tree_hash="0" * 64,
            )
            for ordinal, number in enumerate(numbers)
        ]
        half = len(archives) // 2
        bad = [
            Defect(ordinal=len(archives) + number, offset_bytes=0, reason="bad", text="x") for number in range(defects)
        ]
        return [
            Batch(first_ordinal=0, records=half, archives=archives[:half], defects=[]),
            Batch(first_ordinal=half, records=len(archives) - half + defects, archives=archives[half:], defects=bad),
        ]

    return batches


def outcomes_of(outcomes: Sequence[str]) -> Outcomes:
    known = Outcomes(len(outcomes))
    for ordinal, outcome in enumerate(outcomes):
        known.note(ordinal, outcome)
    return known


@pytest.mark.parametrize(
    ("outcomes", "later", "expected"),
    [
        (["deleted", "skipped", "skipped", "deleted"], [1], {"gone": 2, "kept": 1, "kept_gone": 1}),
        (["deleted", "skipped", "skipped", "deleted"], [], {"gone": 2, "kept_gone": 2}),
        (["deleted", "skipped", "failed", "duplicate"], [], {"gone": 1, "kept_gone": 1}),
        (["deleted"] * 4, [], {"gone": 4}),
        (["deleted"] * 4, [2], {"gone": 3, "still_listed": 1}),
        (["deleted", "failed", "deleted", "deleted"], [1], {"gone": 3, "never_deleted": 1}),
        (["deleted", "failed", "deleted", "deleted"], [], {"gone": 3}),
        (["deleted", "skipped", "invalid", "deleted"], [1], {"gone": 2, "kept": 1}),
        (["deleted"] * 4, [7, 9], {"gone": 4, "new_since": 2}),
        (
            ["deleted", "deleted", "failed", "skipped"],
            [1, 2, 3, 9],
            {"gone": 1, "still_listed": 1, "never_deleted": 1, "kept": 1, "new_since": 1},
        ),
    ],
)
def test_archives_are_told_apart(
    outcomes: list[str], later: list[int], expected: dict[str, int], tmp_path: Path
) -> None:
    kinds = ("gone", "still_listed", "never_deleted", "kept", "kept_gone", "new_since", "unreadable")
    found = reconcile(inventory(range(4)), inventory(later), outcomes_of(outcomes), tmp_path)
    counts = dict.fromkeys(kinds, 0) | {"listed": len(later)} | expected
    assert found == msgspec.convert(counts | {"kept_gone_first": found.kept_gone_first}, Reconciliation)
    assert len(found.kept_gone_first) == found.kept_gone
    assert found.vault_is_empty is (not later)


def test_ids_that_need_attention_are_listed_in_files(tmp_path: Path) -> None:
    reconcile(inventory(range(3)), inventory([0, 1, 8]), outcomes_of(["deleted", "failed", "deleted"]), tmp_path)
    assert (tmp_path / "still-listed.ids").read_text("ascii") == archive_id(0) + "\n"
    assert (tmp_path / "never-deleted.ids").read_text("ascii") == archive_id(1) + "\n"
    assert (tmp_path / "new-since.ids").read_text("ascii") == archive_id(8) + "\n"


@pytest.mark.parametrize("marks", [1 << 25, 1], ids=["none is suspected", "all are suspected"])
def test_kept_archives_that_are_gone_are_counted_named_and_all_in_a_file(
    marks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glacier_purge.proof.reconcile._MARKS", marks)
    outcomes = outcomes_of(["skipped"] * 9 + ["deleted"])
    found = reconcile(inventory(range(10)), inventory([3]), outcomes, tmp_path)
    gone = [archive_id(number) for number in range(9) if number != 3]
    assert (found.kept, found.kept_gone, found.gone) == (1, 8, 1)
    assert found.kept_gone_first == tuple(gone[:5])
    assert (tmp_path / "kept-gone.ids").read_text("ascii").split() == gone


def test_a_repeated_id_follows_the_record_that_was_deleted(tmp_path: Path) -> None:
    outcomes = outcomes_of(["deleted", "duplicate", "deleted"])
    listed = reconcile(inventory([5, 5, 6]), inventory([5]), outcomes, tmp_path)
    assert (listed.gone, listed.still_listed, listed.kept) == (1, 1, 0)
    twice = reconcile(inventory([5, 5, 6]), inventory([5, 5]), outcomes, tmp_path)
    assert (twice.listed, twice.still_listed) == (2, 1)


def test_records_nobody_can_read_prove_nothing(tmp_path: Path) -> None:
    found = reconcile(inventory([1]), inventory([], defects=2), outcomes_of(["deleted"]), tmp_path)
    assert (found.unreadable, found.is_proven, found.vault_is_empty) == (2, False, False)


@settings(max_examples=30, deadline=None)
@given(
    outcomes=st.lists(st.sampled_from(["deleted", "failed", "skipped"]), max_size=30),
    later=st.sets(st.integers(0, 40)),
)
def test_it_agrees_with_a_plain_reckoning(
    outcomes: list[str], later: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = reconcile(
        inventory(range(len(outcomes))), inventory(sorted(later)), outcomes_of(outcomes), tmp_path_factory.getbasetemp()
    )
    by_outcome = {
        outcome: {number for number, own in enumerate(outcomes) if own == outcome}
        for outcome in ("deleted", "failed", "skipped")
    }
    assert found.gone == len(by_outcome["deleted"] - later)
    assert found.still_listed == len(by_outcome["deleted"] & later)
    assert found.never_deleted == len(by_outcome["failed"] & later)
    assert found.kept == len(by_outcome["skipped"] & later)
    assert found.kept_gone == len(by_outcome["skipped"] - later)
    assert found.new_since == len(later - set(range(len(outcomes))))
    assert found.is_proven is not bool(later & (by_outcome["deleted"] | by_outcome["failed"]))
