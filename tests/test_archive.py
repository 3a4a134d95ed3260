"""What may stand in the path of a request that cannot be taken back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_purge.archive import ANY_LENGTH, EXACT, IdRule
from glacier_purge.errors import UsageError

GOOD = "aZ09-_" * 23
characters = st.sampled_from("aZ9-_./%é ١\n\x00")
texts = st.one_of(st.just(GOOD), st.text(characters, max_size=3), st.tuples(st.just(GOOD[1:]), characters).map("".join))


@given(st.lists(texts, max_size=6), st.sampled_from([EXACT, ANY_LENGTH]))
def test_ids_checked_together_are_those_that_pass_one_by_one(ids: list[str], id_rule: IdRule) -> None:
    if all(id_rule.holds(text) for text in ids):
        id_rule.check(ids)
    else:
        with pytest.raises(UsageError, match="is not an archive id"):
            id_rule.check(ids)


@pytest.mark.parametrize("rule", [EXACT, ANY_LENGTH])
@pytest.mark.parametrize("length", [0, 1, 137, 138, 139, 1024, 1025])
def test_a_rule_bounds_how_long_an_id_is(rule: IdRule, length: int) -> None:
    assert rule.holds("a" * length) == (length == 138 if rule is EXACT else 1 <= length <= 1024)


def test_a_short_id_is_not_made_good_by_a_long_one() -> None:
    with pytest.raises(UsageError):
        EXACT.check([GOOD[:-1], GOOD + "a"])
