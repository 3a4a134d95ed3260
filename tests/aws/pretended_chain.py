"""AWS's chain of credentials in virtual time: answers as a test lists them, each after its time, or never."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from glacier_purge.aws.credentials import CredentialSource, Issued
from glacier_purge.errors import CredentialsFailed, CredentialsUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier_purge.aws.credentials import Attempt, Check

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
"""What the wall shows when a test begins."""
LIMIT_SECONDS = 60.0
"""How long an attempt may take."""
STUCK = None
"""An answer that never comes, and that nothing ends."""
HANGS = CredentialsUnreachable("the helper /bin/slow gave no answer within 60 s and was ended. Try it by itself.")
"""A helper that is ended when its time is over."""


@dataclass
class Asked:
    """One attempt."""

    until: float
    now: Callable[[], float]
    outcome: Future[Issued | CredentialsFailed] = field(default_factory=Future)
    doing: str = "the helper /bin/slow"
    was_given_up: bool = False

    def __post_init__(self) -> None:
        self.outcome.set_running_or_notify_cancel()

    def seconds_left(self) -> float:
        return self.until - self.now()

    def give_up(self) -> None:
        self.was_given_up = True


class Chain:
    """``answer(n)`` says what comes of the ``n``-th attempt, after ``seconds``; ``source`` asks it."""

    def __init__(self, answer: Callable[[int], Issued | CredentialsFailed | None], *, seconds: float = 0.0) -> None:
        self._began_at = asyncio.get_running_loop().time()
        self.answer = answer
        self.seconds = seconds
        self.began: list[float] = []
        self.refused_keys: list[str | None] = []
        self.checks: list[Check | None] = []
        self.attempts: list[Asked] = []
        self.source = CredentialSource(self.begin, now=self.now, wall_now=lambda: BEGAN + timedelta(seconds=self.now()))

    def now(self) -> float:
        return asyncio.get_running_loop().time() - self._began_at

    def begin(self, refused_key: str | None, check: Check | None) -> Attempt:
        self.began.append(self.now())
        self.refused_keys.append(refused_key)
        self.checks.append(check)
        attempt = Asked(until=self.now() + LIMIT_SECONDS, now=self.now)
        self.attempts.append(attempt)
        answer = self.answer(len(self.began))
        if answer is not STUCK:
            seconds = LIMIT_SECONDS if answer is HANGS else self.seconds
            asyncio.get_running_loop().call_later(seconds, attempt.outcome.set_result, answer)
        return attempt

    async def signed_with(self) -> str:
        return (await self.source.get_frozen_credentials()).access_key

    def key(self, name: str, lasts_seconds: float) -> Issued:
        """A set that holds for so long from now on."""
        return key(name, self.now() + lasts_seconds)


def one_by_one(*answers: Issued | CredentialsFailed | None) -> Callable[[int], Issued | CredentialsFailed | None]:
    """Give the answers one by one, the last for ever."""
    return lambda number: answers[min(number, len(answers)) - 1]


def key(name: str = "AKID", ends: float | None = None) -> Issued:
    """A set that holds until so many seconds after the beginning of the test."""
    expires = None if ends is None else BEGAN + timedelta(seconds=ends)
    return Issued(access_key=name, secret_key="secret", given_by="the helper", expires=expires)
