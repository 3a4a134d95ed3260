"""Decisions on disk: one byte a record, read back in step with the snapshot, and not to be changed unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glacier_purge.errors import NotAsApproved, PlanRefused
from glacier_purge.inventory.batch import Batch, Defect
from glacier_purge.plan.decisions import (
    DecidedBatch,
    bound_decisions,
    check_counts,
    check_decisions,
    decided,
    decisions_sha256,
    merged_batches,
    selected_bitmap,
    writing,
)
from glacier_purge.plan.reasons import DELETE, DUPLICATE, INVALID, TOO_SMALL
from tests.plan.archives import archive, plan_of, snapshot

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, *batches: tuple[bytes, dict[int, int]]) -> None:
    with writing(folder) as writer:
        for decisions, duplicates in batches:
            writer.write(decisions, duplicates)


def batch(first: int, records: int, invalid: tuple[int, ...] = ()) -> Batch:
    ordinals = range(first, first + records)
    return Batch(
        first,
        records,
        [archive(ordinal) for ordinal in ordinals if ordinal not in invalid],
        [Defect(ordinal, 0, "", "") for ordinal in ordinals if ordinal in invalid],
    )


def read(folder: Path, *batches: Batch) -> list[DecidedBatch]:
    with bound_decisions(folder, decisions_sha256(folder)) as files:
        return list(decided(files, batches))


def test_decisions_come_back_with_their_records_however_these_are_cut(tmp_path: Path) -> None:
    write(tmp_path, (bytes([DELETE, INVALID, DELETE]), {}), (bytes([DUPLICATE, DELETE, DUPLICATE]), {3: 0, 5: 2}))
    for lengths in ([6], [1, 5], [4, 2], [1] * 6):
        firsts = [sum(lengths[:index]) for index in range(len(lengths))]
        come = read(tmp_path, *(batch(*one, invalid=(1,)) for one in zip(firsts, lengths, strict=True)))
        assert b"".join(one.decisions for one in come) == bytes([0, 1, 0, 2, 0, 2])
        assert [one.first_ordinal for one in come] == firsts
        for one in come:
            own = range(one.first_ordinal, one.first_ordinal + len(one.decisions))
            assert one.duplicates == {ordinal: first for ordinal, first in {3: 0, 5: 2}.items() if ordinal in own}


@pytest.mark.parametrize(
    ("decisions", "duplicates", "invalid"),
    [
        (bytes(5), {}, ()),
        (bytes(7), {}, ()),
        (bytes([0, INVALID, 0, 0, 0, 0]), {}, ()),
        (bytes(6), {}, (1,)),
        (bytes([0, TOO_SMALL, INVALID, 0, 0, 0]), {}, (1,)),
        (bytes([0, DUPLICATE, 0, 0, 0, 0]), {}, ()),
        (bytes(6), {1: 0}, ()),
        (bytes([0, DUPLICATE, 0, 0, 0, 0]), {2: 0}, ()),
        (bytes(6), {9: 0}, ()),
    ],
)
def test_decisions_that_do_not_fit_the_inventory_stop_before_they_are_handed_on(
    tmp_path: Path, decisions: bytes, duplicates: dict[int, int], invalid: tuple[int, ...]
) -> None:
    write(tmp_path, (decisions, duplicates))
    with pytest.raises(NotAsApproved, match=r"does not fit|goes on where"):
        read(tmp_path, batch(0, 6, invalid))


def test_every_byte_counts(tmp_path: Path) -> None:
    write(tmp_path, (bytes([DELETE, DUPLICATE]), {1: 0}))
    sha256 = decisions_sha256(tmp_path)
    check_decisions(tmp_path, sha256)
    for name in ("decisions", "duplicates"):
        kept = (tmp_path / name).read_bytes()
        for spoilt in (kept + b"\0", kept[:-1], bytes([kept[0] ^ 1]) + kept[1:]):
            (tmp_path / name).write_bytes(spoilt)
            with pytest.raises(PlanRefused, match="was changed after planning"):
                check_decisions(tmp_path, sha256)
        (tmp_path / name).unlink()
        with pytest.raises(PlanRefused, match="The plan is not whole"):
            check_decisions(tmp_path, sha256)
        (tmp_path / name).write_bytes(kept)
    check_decisions(tmp_path, sha256)


def test_nothing_that_is_there_is_written_over(tmp_path: Path) -> None:
    write(tmp_path, (b"\0", {}))
    with pytest.raises(FileExistsError):
        write(tmp_path, (b"\1", {}))
    assert (tmp_path / "decisions").read_bytes() == b"\0"


@given(decisions=st.binary(max_size=100))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_bitmap_has_a_bit_for_what_goes_and_for_nothing_else(tmp_path: Path, decisions: bytes) -> None:
    (tmp_path / "decisions").write_bytes(decisions)
    bitmap = selected_bitmap(tmp_path)
    assert len(bitmap) == (len(decisions) + 7) // 8
    bits = [bool(bitmap[ordinal >> 3] & 1 << (ordinal & 7)) for ordinal in range(8 * len(bitmap))]
    assert bits == [decision == DELETE for decision in decisions] + [False] * (len(bits) - len(decisions))


@pytest.mark.parametrize(("records_least", "sizes"), [(1, [1, 2, 3]), (3, [3, 3]), (4, [6]), (100, [6])])
def test_batches_are_put_together_until_they_are_large_enough(records_least: int, sizes: list[int]) -> None:
    firsts = {0: 1, 1: 2, 3: 3}
    batches = [
        DecidedBatch(first, [archive(first)], [], bytes(records), {first: 0}) for first, records in firsts.items()
    ]
    merged = list(merged_batches(iter(batches), records_least))
    assert [len(one.decisions) for one in merged] == sizes
    assert [one.ordinal for each in merged for one in each.archives] == list(firsts)
    assert {ordinal for each in merged for ordinal in each.duplicates} == set(firsts)


def test_of_no_batches_none_is_made() -> None:
    assert list(merged_batches(iter([]), 1)) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"selected": 2, "inventory": 4},
        {"selected": 2},
        {"inventory": 4},
        {"duplicates": 1},
        {"invalid": 1},
    ],
)
def test_counts_that_people_approve_are_held_against_the_decisions(tmp_path: Path, changed: dict[str, int]) -> None:
    plan = plan_of(snapshot(tmp_path / "run", [archive(number) for number in range(3)]))
    with bound_decisions(tmp_path / "run", plan.decisions_sha256) as files:
        check_counts(files, plan)
        check_counts(files, msgspec.structs.replace(plan, reasons=[one for one in plan.reasons if one.records]))
        counts = msgspec.structs.replace(plan.counts, **changed)
        with pytest.raises(PlanRefused, match="Plan again"):
            check_counts(files, msgspec.structs.replace(plan, counts=counts))
