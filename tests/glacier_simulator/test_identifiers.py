from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from glacier_purge.archive import EXACT
from glacier_simulator.identifiers import JOB_ID_LENGTH, Identifiers

MAKER = Identifiers(7)


@given(shelf=st.integers(0, 2**24 - 1), index=st.integers(0, 2**40 - 1))
def test_an_archive_id_tells_its_place(shelf: int, index: int) -> None:
    archive_id = MAKER.archive_id(shelf, index)
    assert EXACT.holds(archive_id)
    assert MAKER.locate(archive_id) == (shelf, index)


@given(index=st.integers(0, 2**40 - 1), place=st.integers(0, 137), other=st.sampled_from("-_09azAZ+/= é"))
def test_an_id_with_one_character_changed_is_unknown(index: int, place: int, other: str) -> None:
    archive_id = MAKER.archive_id(1, index)
    changed = archive_id[:place] + other + archive_id[place + 1 :]
    assert (MAKER.locate(changed) is None) is (changed != archive_id)


@given(st.text(max_size=200))
def test_no_text_ends_the_search_for_a_place(text: str) -> None:
    assert MAKER.locate(text) is None


def test_some_ids_begin_with_a_hyphen() -> None:
    starts = [MAKER.archive_id(1, index)[0] for index in range(6400)]
    assert 50 < starts.count("-") < 150


def test_ids_of_another_seed_are_unknown() -> None:
    assert MAKER.locate(Identifiers(8).archive_id(1, 1)) is None


def test_job_and_request_ids_look_real_and_never_come_twice() -> None:
    jobs = [MAKER.next_id() for _ in range(200)]
    requests = [MAKER.next_request_id() for _ in range(200)]
    assert all(re.fullmatch(rf"[A-Za-z0-9_-]{{{JOB_ID_LENGTH}}}", one) for one in jobs)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{48}", one) for one in requests)
    assert len({*jobs, *requests}) == 400


def test_ids_go_on_where_they_were_left() -> None:
    first = Identifiers(3)
    first.next_id()
    assert Identifiers(3, first.spent).next_id() == first.next_id()


def test_chance_depends_on_what_it_is_asked_about_alone() -> None:
    draws = [MAKER.chance("job", number) for number in range(500)]
    assert draws == [MAKER.chance("job", number) for number in range(500)]
    assert 0 <= min(draws) < 0.05
    assert 0.95 < max(draws) < 1
