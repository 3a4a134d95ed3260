from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from glacier_purge.aws.access import Access
from glacier_purge.glacier.control import NoAnswer
from glacier_purge.glacier.reply import Meaning, Reply
from glacier_purge.glacier.sdk.patience import FIRST_QUESTION
from tests.clients import no_sleep


@pytest.mark.parametrize(("takes_seconds", "asked"), [(0.0, FIRST_QUESTION.attempts_max), (0.6, 1)])
async def test_a_first_question_that_hangs_is_not_asked_as_often_as_one_that_is_answered(
    takes_seconds: float, asked: int
) -> None:
    # a proxy that takes connections and says nothing kept people waiting for five time-outs of half a minute
    questions = 0

    async def ask() -> None:
        nonlocal questions
        questions += 1
        await anyio.sleep(takes_seconds)
        raise NoAnswer("none", operation="DescribeVault", reply=Reply(Meaning.NO_REPLY))

    patience = replace(FIRST_QUESTION, seconds_max=0.5, sleep=no_sleep)
    with pytest.raises(NoAnswer):
        await patience.policy()(ask)
    assert questions == asked


def test_a_hang_is_told_within_a_minute() -> None:
    access = Access()
    assert FIRST_QUESTION.seconds_max < access.request_timeout_seconds, "one time-out is enough"
    assert access.connect_timeout_seconds + access.request_timeout_seconds < 60.0
