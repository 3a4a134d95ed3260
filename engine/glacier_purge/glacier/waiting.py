"""The one way to wait for hours: say what for and until when, then sleep, or stop right there.

A purge waits for the service for days: for a job, for the next inventory, for the vault to be let go.  Whatever waits
does so through ``Waiter``, so that every wait is announced, ``--no-wait`` is the same code with another waiter, and
a test or a scaled clock can let days pass at once.  Nothing is held open meanwhile but the process itself: what was
reached is on disk before anybody waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar

import anyio

from glacier_purge.clock import utc_now
from glacier_purge.errors import CredentialsFailed, Needs, Pending, first_sentence
from glacier_purge.glacier.control import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_T = TypeVar("_T")
_ASK_AGAIN_AFTER = timedelta(minutes=5)
UNASKED_PATIENCE_SECONDS = 10.0
"""How long an answer is waited for that nobody asked for: without it something is only told less well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What is waited for, in words that end a sentence, when it is looked at again (UTC), and what makes it come."""

    what: str
    until: datetime
    needs: Needs = Needs.TIME


class Waiter(Protocol):
    """The time it is for the service, and how it is waited for."""

    def now(self) -> datetime:
        """The time now, UTC, by the clock that ``Waiting.until`` is meant by."""

    async def wait(self, waiting: Waiting) -> None:
        """Return when ``waiting.until`` has come. Raises ``Pending`` when it is not waited for here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepingWaiter:
    """Tells, then sleeps. ``clock`` and ``sleep`` are of one kind: a scaled clock comes with a scaled sleep."""

    tell: Callable[[Waiting], None]
    clock: Callable[[], datetime] = utc_now
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep

    def now(self) -> datetime:
        """The time now."""
        return self.clock()

    async def wait(self, waiting: Waiting) -> None:
        """Sleep until the time has come; a clock set back only makes it look again too early."""
        self.tell(waiting)
        await self.sleep(max(0.0, (waiting.until - self.now()).total_seconds()))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoWait:
    """Waits for nothing: what cannot be done now is ``Pending``."""

    clock: Callable[[], datetime] = utc_now

    def now(self) -> datetime:
        """The time now."""
        return self.clock()

    async def wait(self, waiting: Waiting) -> None:
        """Stop here."""
        raise Pending(waiting.what, until=waiting.until, needs=waiting.needs)


async def outlasting(waiter: Waiter, ask: Callable[[], Awaitable[_T]]) -> _T:
    """Ask until there is an answer: an outage, or credentials that expired overnight, is waited out like all else.

    For what was answered before: a first question that fails is better told at once.
    """
    while True:
        try:
            return await ask()
        except NoAnswer as fault:
            waiting = answer_again(fault, waiter.now())
        except CredentialsFailed as failure:
            what = f"new AWS credentials ({first_sentence(failure)})"
            waiting = Waiting(what=what, until=waiter.now() + _ASK_AGAIN_AFTER, needs=failure.needs)
        await waiter.wait(waiting)


def answer_again(fault: NoAnswer, now: datetime) -> Waiting:
    """What is waited for when the service gave no answer."""
    what = f"the service to answer again ({fault.reply.meaning.value} to {fault.operation})"
    return Waiting(what=what, until=now + _ASK_AGAIN_AFTER)
