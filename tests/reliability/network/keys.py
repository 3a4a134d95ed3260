"""A helper that gives credentials, and what the service thinks of them: both as a case says, on the loop's time."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from glacier_purge.aws.credentials import CredentialSource, Issued
from glacier_purge.clock import utc_now
from glacier_purge.errors import CredentialsFailed, CredentialsUnreachable
from glacier_simulator.account import Credential

if TYPE_CHECKING:
    from glacier_purge.aws.credentials import Check
    from glacier_simulator import SimulatedGlacier

ACCOUNT, STRANGER = "123456789012", "210987654321"
_ATTEMPT_SECONDS = 60.0
HELPER = "the helper /bin/login"


class Mood(Enum):
    """What the helper does when it is asked."""

    WELL = "gives a new key"
    HANGS = "gives no answer within its time"
    FAILS = "ends with an error"
    STRANGE = "gives a key of another account"
    NO_TOKEN = "gives a key without its session token"
    REVOKED = "gives a key that the service does not take"
    OVER = "gives a key that is over"


@dataclass
class _Attempt:
    """One time that the helper is asked."""

    until: float
    outcome: Future[Issued | CredentialsFailed] = field(default_factory=Future)
    doing: str = HELPER

    def seconds_left(self) -> float:
        return self.until - asyncio.get_running_loop().time()

    def give_up(self) -> None:
        """Nothing is left running: what it does is a task of the loop, which ends with it."""


@dataclass
class Helper:
    """Gives keys that last ``lasts_seconds`` (None: until the service takes them no more), in its ``mood``."""

    service: SimulatedGlacier
    lasts_seconds: float | None
    takes_seconds: float
    mood: Mood = Mood.WELL
    asked: int = 0
    strange: set[str] = field(default_factory=set)
    """The keys of another account that it gave."""
    _working: set[asyncio.Task[None]] = field(default_factory=set)

    def source(self) -> CredentialSource:
        """The credentials of one process."""
        loop = asyncio.get_running_loop()
        return CredentialSource(self._begin, now=loop.time, wall_now=utc_now)

    def end_all(self) -> None:
        """Have the service take none of the keys that were given so far."""
        self._known.clear()

    @property
    def _known(self) -> dict[str, Credential]:
        known: Any = self.service.service._credentials
        assert isinstance(known, dict)
        return known

    def _begin(self, _refused_key: str | None, check: Check | None) -> _Attempt:
        self.asked += 1
        loop = asyncio.get_running_loop()
        attempt = _Attempt(until=loop.time() + _ATTEMPT_SECONDS)
        attempt.outcome.set_running_or_notify_cancel()
        task = loop.create_task(self._work(attempt, self.mood, check))
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        return attempt

    async def _work(self, attempt: _Attempt, mood: Mood, check: Check | None) -> None:
        await asyncio.sleep(_ATTEMPT_SECONDS if mood is Mood.HANGS else self.takes_seconds)
        try:
            issued = self._issue(mood)
            if check is not None:
                await check(issued)
        except CredentialsFailed as failed:
            attempt.outcome.set_result(failed)
        else:
            attempt.outcome.set_result(issued)

    def _issue(self, mood: Mood) -> Issued:
        if mood is Mood.HANGS:
            raise CredentialsUnreachable(f"{HELPER} gave no answer within 60 s and was ended. Try it by itself.")
        if mood is Mood.FAILS:
            raise CredentialsFailed(f'{HELPER} ended with exit code 1, saying "session expired". Log in again.')
        key, account = f"ASIA{self.asked:04d}", ACCOUNT
        if mood is Mood.STRANGE:
            account = STRANGER
            self.strange.add(key)
        ends = None if self.lasts_seconds is None else utc_now() + timedelta(seconds=self.lasts_seconds)
        if mood is Mood.OVER:
            ends = utc_now() - timedelta(seconds=5.0)
        secret, token = f"secret of {key}", f"token of {key}"
        if mood is not Mood.REVOKED:
            expires = None if ends is None else ends.timestamp()
            arn = f"arn:aws:sts::{account}:assumed-role/purge/helper"
            self._known[key] = Credential(secret, account, arn, token, expires)
        given = None if mood is Mood.NO_TOKEN else token
        return Issued(access_key=key, secret_key=secret, token=given, given_by=HELPER, expires=ends)
