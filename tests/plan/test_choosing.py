"""Lists of ids, choices and limit together, through a whole plan."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import UsageError
from glacier_purge.plan.choices import Choices
from glacier_purge.plan.choosing import Earlier, PlanContext, open_selection
from glacier_purge.plan.decisions import DECISIONS_FILE
from glacier_purge.plan.document import PlanFinding, plan_bytes, read_plan
from glacier_purge.plan.making import NothingToDelete
from glacier_purge.plan.reasons import DELETE, DENIED, EXCLUDED, KEPT_BEFORE, NOT_LISTED, OVER_LIMIT, TOO_SMALL
from tests.plan.archives import TARGET, archive, archive_id, plan_of, snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.plan.document import Plan

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def ids(file: Path, *numbers: int) -> str:
    file.write_text("".join(f"{archive_id(number)}\n" for number in numbers))
    return str(file)


def planned(
    tmp_path: Path, choices: Choices, *deny_files: str, archives: int = 10, earlier: Earlier | None = None
) -> tuple[Plan, bytes]:
    folder = tmp_path / "run"
    spooled = snapshot(folder, [archive(number, size_bytes=number) for number in range(archives)])
    with open_selection(choices, PlanContext(now=NOW, deny_files=deny_files, earlier=earlier), folder) as selection:
        plan = plan_of(spooled, TARGET, selection)
    return plan, (folder / DECISIONS_FILE).read_bytes()


def test_lists_sizes_and_limit_each_keep_their_reason(tmp_path: Path) -> None:
    choices = Choices(
        ids=ids(tmp_path / "ids", 0, 2, 3, 4, 5, 6, 7, 99, 98),
        exclude_ids=ids(tmp_path / "not", 4, 9, 77),
        min_size="1",
        limit=2,
    )
    plan, decisions = planned(tmp_path, choices, ids(tmp_path / "never", 3, 8))
    assert list(decisions) == [
        *(TOO_SMALL, NOT_LISTED, DELETE, DENIED, EXCLUDED),
        *(DELETE, OVER_LIMIT, OVER_LIMIT, DENIED, EXCLUDED),
    ]
    assert {reason.code: reason.records for reason in plan.reasons if reason.records} == {
        "delete": 2,
        "on_deny_list": 2,
        "excluded": 2,
        "not_listed": 1,
        "smaller_than:1": 1,
        "over_limit:2": 2,
    }
    assert plan.findings == [
        PlanFinding("ids_not_in_inventory", 2, sorted([archive_id(98), archive_id(99)])),
        PlanFinding("excluded_ids_not_in_inventory", 1, [archive_id(77)]),
    ]
    assert (plan.counts.selected, plan.counts.skipped, plan.counts.inventory) == (2, 8, 10)


@pytest.mark.parametrize(
    ("limit", "deleted", "expected"),
    [
        (None, 4, [DELETE, KEPT_BEFORE, KEPT_BEFORE, DELETE, DELETE]),
        (6, 4, [DELETE, KEPT_BEFORE, KEPT_BEFORE, DELETE, OVER_LIMIT]),
        (7, 4, [DELETE, KEPT_BEFORE, KEPT_BEFORE, DELETE, DELETE]),
        (9, 0, [DELETE, KEPT_BEFORE, KEPT_BEFORE, DELETE, DELETE]),
    ],
)
def test_a_later_round_keeps_what_was_kept_and_has_what_is_left_of_the_limit(
    tmp_path: Path, limit: int | None, deleted: int, expected: list[int]
) -> None:
    earlier = Earlier(kept=lambda: [archive_id(1), archive_id(2), archive_id(77)], deleted=deleted)
    _, decisions = planned(tmp_path, Choices(limit=limit), archives=5, earlier=earlier)
    assert list(decisions) == expected


def test_a_limit_that_earlier_rounds_used_up_leaves_nothing(tmp_path: Path) -> None:
    earlier = Earlier(kept=lambda: [archive_id(1)], deleted=3)
    with pytest.raises(NothingToDelete) as caught:
        planned(tmp_path, Choices(limit=2), archives=5, earlier=earlier)
    assert caught.value.kept == 5


def test_the_digest_covers_the_moments_and_the_reasons(tmp_path: Path) -> None:
    digests = {}
    for name, age in [("a", "90d"), ("b", "2026-08-25T00:00:00Z"), ("c", "91d"), ("d", None)]:
        (tmp_path / name).mkdir()
        plan, _ = planned(tmp_path / name, Choices(older_than=age))
        digests[name] = plan.digest
    assert digests["a"] == digests["b"]
    assert len({digests[name] for name in "acd"}) == 3  # though the decisions are the same


def test_a_plan_reads_back_as_it_was_written(tmp_path: Path) -> None:
    plan, _ = planned(tmp_path, Choices(older_than="90d", limit=3))
    file = tmp_path / "plan.json"
    file.write_bytes(plan_bytes(plan, "0" * 64))
    assert read_plan(file) == plan


def test_a_list_may_be_compressed_and_hold_comments(tmp_path: Path) -> None:
    file = tmp_path / "ids"
    file.write_bytes(gzip.compress(f"# from the archive of 2020\r\n\r\n{archive_id(1)}\r\n{archive_id(2)}".encode()))
    plan, _ = planned(tmp_path, Choices(ids=str(file)))
    assert plan.counts.selected == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"short\n", "line 1: 'short' is no archive id"),
        (archive_id(1).encode() + b"\n\nx\xff\n", "line 3: 'x.' is no archive id"),
        (b"a" * 70_000, "a line of it is longer than"),
    ],
)
def test_a_list_with_anything_else_in_it_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "ids"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        planned(tmp_path, Choices(exclude_ids=str(file)))


def test_a_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*nowhere"):
        planned(tmp_path, Choices(ids=str(tmp_path / "nowhere")))


def test_a_choice_that_leaves_nothing_says_what_stays(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no archive is left to delete \(10 smaller_than:1000\)"):
        planned(tmp_path, Choices(min_size="1000"))


def test_samples_are_spread_evenly_and_are_the_same_every_time(tmp_path: Path) -> None:
    plan, _ = planned(tmp_path, Choices(), archives=5_000)
    ordinals = [sample.ordinal for sample in plan.samples]
    assert len(ordinals) == 20
    assert ordinals[0] == 0
    assert ordinals[-1] > 4_500
    assert ordinals == sorted(set(ordinals))
