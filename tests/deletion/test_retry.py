from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import AsyncRetrying, wait_fixed

from glacier_purge.deletion.retry import TRANSIENT, RetryPolicy, RetryPolicySettings
from glacier_purge.glacier.reply import ENDS_THE_RUN, PAUSES_THE_RUN, Meaning


def longest(settings: RetryPolicySettings | None = None) -> RetryPolicy:
    """A policy whose chance always falls on the whole ceiling."""
    return RetryPolicy(settings or RetryPolicySettings(), random=lambda: 1.0)


@pytest.mark.parametrize("meaning", TRANSIENT)
@pytest.mark.parametrize("times", [1, 2, 100, 1_000_000])
def test_weather_never_uses_up_its_attempts(meaning: Meaning, times: int) -> None:
    assert longest().wait_seconds(meaning, times) is not None


@pytest.mark.parametrize(
    ("times", "seconds"),
    [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 8.0), (6, 16.0), (7, 20.0), (8, 20.0), (500, 20.0)],
)
def test_the_ceiling_doubles_up_to_its_limit(times: int, seconds: float) -> None:
    assert longest().wait_seconds(Meaning.THROTTLED, times) == seconds


@given(times=st.integers(1, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_a_wait_is_a_random_part_of_the_ceiling(times: int, chance: float) -> None:
    policy = RetryPolicy(RetryPolicySettings(), random=lambda: chance)
    ceiling, wait = longest().wait_seconds(Meaning.NO_REPLY, times), policy.wait_seconds(Meaning.NO_REPLY, times)
    assert ceiling is not None
    assert wait == ceiling * chance


def test_an_answer_nobody_knows_is_heard_three_times() -> None:
    policy = longest()
    assert [policy.wait_seconds(Meaning.UNKNOWN, times) for times in (1, 2, 3)] == [0.5, 1.0, None]


@pytest.mark.parametrize("attempts", [1, 2, 10])
def test_how_often_it_is_heard_can_be_set(attempts: int) -> None:
    policy = longest(RetryPolicySettings(unknown_attempts_max=attempts))
    assert policy.wait_seconds(Meaning.UNKNOWN, attempts) is None
    assert attempts == 1 or policy.wait_seconds(Meaning.UNKNOWN, attempts - 1) is not None


def test_an_archive_does_not_wait_besides_for_credentials() -> None:
    for meaning in PAUSES_THE_RUN:
        assert [longest().wait_seconds(meaning, times) for times in (1, 1_000)] == [0.0, 0.0]


@pytest.mark.parametrize("meaning", [*sorted(ENDS_THE_RUN, key=str), Meaning.DELETED])
def test_what_is_not_tried_again_has_no_policy(meaning: Meaning) -> None:
    with pytest.raises(KeyError):
        longest().wait_seconds(meaning, 1)


def test_every_meaning_has_its_way() -> None:
    waited_for = {*TRANSIENT, *PAUSES_THE_RUN, Meaning.UNKNOWN}
    assert waited_for | ENDS_THE_RUN | {Meaning.DELETED} == set(Meaning)


@pytest.mark.parametrize("meaning", [Meaning.THROTTLED, Meaning.SERVER_FAULT, Meaning.NO_REPLY])
def test_weather_need_not_be_waited_for_longer_than_at_first_where_nothing_else_can_be_sent(meaning: Meaning) -> None:
    assert longest().soonest_seconds(meaning, 20.0) == 0.5
    assert longest().soonest_seconds(meaning, 0.2) == 0.2


def test_what_counts_attempts_and_what_a_caller_decides_waits_as_long_as_it_says() -> None:
    own = {Meaning.THROTTLED: AsyncRetrying(wait=wait_fixed(9.0))}
    policy = RetryPolicy(RetryPolicySettings(), lambda: 1.0, own)
    assert policy.soonest_seconds(Meaning.THROTTLED, 9.0) == 9.0
    assert policy.soonest_seconds(Meaning.UNKNOWN, 9.0) == 9.0
    assert policy.soonest_seconds(Meaning.SERVER_FAULT, 9.0) == 0.5
