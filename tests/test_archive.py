"""What may stand in the path of a request that cannot be taken back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_purge.archive import check_archive_ids, is_archive_id
from glacier_purge.errors import UsageError

GOOD = "aZ09-_" * 23
characters = st.sampled_from("aZ9-_./%é ١\n\x00")
texts = st.one_of(st.just(GOOD), st.text(characters, max_size=3), st.tuples(st.just(GOOD[1:]), characters).map("".join))


@given(st.lists(texts, max_size=6), st.booleans())
def test_ids_checked_together_are_those_that_pass_one_by_one(ids: list[str], any_length: bool) -> None:
    if all(is_archive_id(text, any_length=any_length) for text in ids):
        check_archive_ids(ids, any_length=any_length)
    else:
        with pytest.raises(UsageError, match="is not an archive id"):
            check_archive_ids(ids, any_length=any_length)


def test_a_short_id_is_not_made_good_by_a_long_one() -> None:
    with pytest.raises(UsageError):
        check_archive_ids([GOOD[:-1], GOOD + "a"])
