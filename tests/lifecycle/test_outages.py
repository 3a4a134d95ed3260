"""An outage in the middle of a lifecycle is waited out; a first question that fails is told at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.glacier.control import NoAnswer
from glacier_purge.glacier.reply import Meaning, Reply, no_reply
from glacier_purge.glacier.waiting import NoWait, Waiter, Waiting
from glacier_purge.lifecycle.lifecycle import Lifecycle
from glacier_purge.lifecycle.phases import Event

if TYPE_CHECKING:
    from glacier_purge.lifecycle.context import PhaseResult

RESET = no_reply("ClientOSError", "reset by peer")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Noting:
    """Lets time pass at once, and notes what for."""

    def __init__(self) -> None:
        self.waited: list[Waiting] = []
        self._now = NOON

    def now(self) -> datetime:
        return self._now

    async def wait(self, waiting: Waiting) -> None:
        self.waited.append(waiting)
        self._now = waiting.until


def lifecycle(waiter: Waiter, *, was_answered: bool) -> Lifecycle:
    context: Any = SimpleNamespace(waiter=waiter)
    made = Lifecycle(context)
    made._was_answered = was_answered
    return made


class Phase:
    """Gets no answer so many times."""

    def __init__(self, unanswered: int, reply: Reply = RESET) -> None:
        self._unanswered = unanswered
        self._reply = reply

    async def __call__(self, _: object) -> PhaseResult:
        if self._unanswered:
            self._unanswered -= 1
            raise NoAnswer("no reply came", operation="DescribeVault", reply=self._reply)
        return Event.ACCOUNTED, {}


async def test_an_outage_is_waited_out_once_the_process_was_answered() -> None:
    waiter = Noting()
    _, facts = await lifecycle(waiter, was_answered=True)._outlasting_outages(Phase(unanswered=20))
    assert facts == {}
    assert len(waiter.waited) == 20
    assert waiter.now() - NOON == timedelta(minutes=100)
    assert {waiting.what for waiting in waiter.waited} == {"the service to answer again (no reply to DescribeVault)"}


async def test_a_first_question_that_fails_is_told_at_once() -> None:
    waiter = Noting()
    with pytest.raises(NoAnswer):
        await lifecycle(waiter, was_answered=False)._outlasting_outages(Phase(unanswered=1))
    assert not waiter.waited


async def test_what_stays_until_somebody_mends_it_is_not_waited_for() -> None:
    waiter, page = Noting(), Reply(Meaning.NOT_AWS, 200, None, "a login page")
    with pytest.raises(NoAnswer):
        await lifecycle(waiter, was_answered=True)._outlasting_outages(Phase(1, page))
    assert not waiter.waited


async def test_so_it_is_where_nobody_waits() -> None:
    with pytest.raises(NoAnswer, match="no reply"):
        await lifecycle(NoWait(), was_answered=True)._outlasting_outages(Phase(unanswered=1))
