"""Expired credentials are a pause, never a failure: fetch new ones, check whose they are, go on.

The pool asks when a reply says that credentials do not hold; everything waits while this renews them with growing
waits, for as long as the settings allow.  Credentials that are fetched well and still refused (a key that was
deleted, a clock that is wrong) are not fetched for ever: five rounds without a single accepted delete end the run.
Ending is safe: nothing was marked failed and the same command resumes.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import anyio
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from tenacity.wait import wait_exponential

from glacier_purge.deletion.tally import Tally
from glacier_purge.errors import CredentialsFailed, RunStopped, WrongAccount
from glacier_purge.glacier.reply import Reply

FRUITLESS_ROUNDS_MAX = 5
_FIRST_WAIT_SECONDS = 2.0
_WAIT_SECONDS_MAX = 60.0


class Renewal:
    """Renews credentials when asked.

    ``renew`` fetches them and checks that they belong to the plan's account, raising ``WrongAccount`` otherwise;
    ``patience_seconds`` is how long one renewal may be waited for in all.
    """

    def __init__(
        self, renew: Callable[[], Awaitable[None]], *, clock: Callable[[], float], patience_seconds: float
    ) -> None:
        self._renew = renew
        self._clock = clock
        self.patience_seconds = patience_seconds
        self._asked = anyio.Event()
        self._reply: Reply | None = None
        self._accepted_before = -1
        self._fruitless_rounds = 0
        self._renewed_at = -math.inf

    def ask(self, reply: Reply, sent_at: float) -> bool:
        """Ask for new credentials, because of ``reply`` to a request sent at ``sent_at``; say whether it was news.

        It is none when newer credentials came since that request was signed.
        """
        if sent_at < self._renewed_at:
            return False
        self._reply = reply
        self._asked.set()
        return True

    async def renew_when_asked(self, tally: Tally) -> None:
        """Wait until asked, then renew. Raises ``CredentialsFailed`` when that leads nowhere."""
        await self._asked.wait()
        await anyio.sleep(self._count_round(tally.accepted))
        patient = AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            wait=wait_exponential(multiplier=_FIRST_WAIT_SECONDS, max=_WAIT_SECONDS_MAX),
            stop=self._out_of_patience,
            sleep=anyio.sleep,
            reraise=True,
        )
        await patient(self._renew)
        self._asked = anyio.Event()
        self._renewed_at = self._clock()

    def _count_round(self, accepted: int) -> float:
        """Count a round; return the seconds to wait before it, none for a first one."""
        fruitless = accepted == self._accepted_before
        self._fruitless_rounds = self._fruitless_rounds + 1 if fruitless else 0
        self._accepted_before = accepted
        if self._fruitless_rounds < FRUITLESS_ROUNDS_MAX:
            return _FIRST_WAIT_SECONDS * 2**self._fruitless_rounds if fruitless else 0.0
        code, message = (self._reply.code, self._reply.message) if self._reply else ("no code", "")
        raise CredentialsFailed(
            f"credentials were renewed {FRUITLESS_ROUNDS_MAX} times and are still refused ({code}: {message}). Check "
            "the profile, the host's clock and whether the key still exists, then run the same command again."
        )

    def _out_of_patience(self, state: RetryCallState) -> bool:
        return state.idle_for >= self.patience_seconds


def _may_pass(failure: BaseException) -> bool:
    """Tell whether waiting may help: for credentials that are late or a service that is away, not for a stranger's."""
    return isinstance(failure, CredentialsFailed | RunStopped) and not isinstance(failure, WrongAccount)
