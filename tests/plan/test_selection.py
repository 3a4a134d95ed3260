"""Filters: what each lets go, and that together they are the "and" of their predicates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_purge.errors import UsageError
from glacier_purge.plan import reasons as r
from glacier_purge.plan import selection as s
from glacier_purge.plan.counting import Counting
from tests.plan.archives import archive, archive_id, batch

if TYPE_CHECKING:
    from glacier_purge.archive import Archive

NOON = datetime(2020, 1, 31, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("one", "facts", "decision"),
    [
        (s.older_than(NOON + SECOND), {}, r.DELETE),
        (s.older_than(NOON), {}, r.NOT_OLDER),
        (s.older_than(NOON), {"created": "2020-01-31T11:59:59.999Z"}, r.DELETE),
        (s.older_than(NOON), {"created": "yesterday"}, r.NO_DATE),
        (s.newer_than(NOON - SECOND), {}, r.DELETE),
        (s.newer_than(NOON), {}, r.NOT_NEWER),
        (s.newer_than(NOON), {"created": "2020-02-31T12:00:00Z"}, r.NO_DATE),
        (s.described_like("photo *"), {}, r.DELETE),
        (s.described_like("photo"), {}, r.DESCRIPTION_DIFFERS),
        (s.described_like("PHOTO *"), {}, r.DESCRIPTION_DIFFERS),
        (s.described_like("*"), {"description": "two\nlines"}, r.DELETE),
        (s.described_like("/oto [0-9]/"), {}, r.DELETE),
        (s.described_like("/^oto/"), {}, r.DESCRIPTION_DIFFERS),
        (s.described_like("/"), {"description": "/"}, r.DELETE),
        (s.at_least(1_000), {}, r.DELETE),
        (s.at_least(1_001), {}, r.TOO_SMALL),
        (s.at_most(1_000), {}, r.DELETE),
        (s.at_most(999), {}, r.TOO_LARGE),
        (s.not_held(frozenset({archive_id(0)})), {}, r.IN_RETRIEVAL),
        (s.not_held(frozenset()), {}, r.DELETE),
    ],
)
def test_a_filter_lets_go_or_names_its_reason(one: s.Filter, facts: dict[str, object], decision: int) -> None:
    assert one.judge(archive(0, **facts)) == decision
    assert decision == r.DELETE or decision in one.reasons


@pytest.mark.parametrize("pattern", ["(", "[", "a{1,99999999999}", "(" * 5_000])
def test_a_regular_expression_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError) as refused:
        s.described_like(f"/{pattern}/")
    said = refused.value.args[0]
    assert said.startswith(f"--description /{pattern}/ is not a regular expression: ")


def test_every_decision_has_a_name_of_its_own() -> None:
    decisions = [value for name, value in vars(r).items() if name.isupper() and type(value) is int]
    assert sorted(decisions) == sorted(r.REASONS) == list(range(len(r.REASONS)))
    assert len(set(r.REASONS.values())) == len(r.REASONS)


@given(
    archives=st.lists(st.tuples(st.integers(0, 4), st.sampled_from("ab"), st.integers(1, 28)), max_size=30),
    days=st.tuples(st.integers(1, 28), st.integers(1, 28)),
    sizes=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    letter=st.sampled_from("ab*"),
    order=st.permutations(range(5)),
    limit=st.integers(1, 30),
)
@settings(deadline=None, derandomize=True)
def test_filters_together_are_the_and_of_their_predicates_in_any_order(
    archives: list[tuple[int, str, int]],
    days: tuple[int, int],
    sizes: tuple[int, int],
    letter: str,
    order: list[int],
    limit: int,
) -> None:
    before, after = (datetime(2020, 1, day, tzinfo=UTC) for day in days)
    listed = [
        archive(number, size_bytes=size, description=text, created=f"2020-01-{day:02}T00:00:00Z")
        for number, (size, text, day) in enumerate(archives)
    ]

    def wanted(one: Archive) -> bool:
        created = datetime.fromisoformat(one.created)
        return after < created < before and sizes[0] <= one.size_bytes <= sizes[1] and letter in {"*", one.description}

    filters = [
        s.older_than(before),
        s.newer_than(after),
        s.at_least(sizes[0]),
        s.at_most(sizes[1]),
        s.described_like(letter),
    ]
    chosen = [*(filters[number] for number in order), s.first_of(limit)]
    counting = Counting(chosen)
    decisions = s.decisions_of(batch(listed), {}, chosen)
    counting.take(batch(listed), decisions)
    assert [one for one in listed if decisions[one.ordinal] == r.DELETE] == [one for one in listed if wanted(one)][
        :limit
    ]
    counts = counting.counts
    assert counts.inventory == len(listed) == counts.selected + counts.skipped
    assert sum(reason.records for reason in counting.reasons) == len(listed)


def test_invalid_and_repeated_records_are_not_judged_again() -> None:
    listed = [archive(number) for number in range(3)]
    limit = s.first_of(1)
    assert list(s.decisions_of(batch(listed), {0: 7}, [limit])) == [r.DUPLICATE, r.DELETE, r.OVER_LIMIT]
