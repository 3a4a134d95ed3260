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

from glacier_purge.aws.faults import SET_THE_CLOCK
from glacier_purge.deletion.tally import Tally
from glacier_purge.errors import ClockWrong, CredentialsFailed, RunStopped, WrongAccount, first_sentence
from glacier_purge.glacier.reply import Meaning, Reply

FRUITLESS_ROUNDS_MAX = 5
_FIRST_WAIT_SECONDS = 2.0
_WAIT_SECONDS_MAX = 60.0


class Renewal:
    """Renews credentials when asked.

    ``renew`` fetches them and checks that they belong to the plan's account, raising ``WrongAccount`` otherwise;
    ``patience_seconds`` is how long it is waited for in all, from the moment it was asked for.
    """

    def __init__(
        self, renew: Callable[[], Awaitable[None]], *, clock: Callable[[], float], patience_seconds: float
    ) -> None:
        self._renew = renew
        self._clock = clock
        self.patience_seconds = patience_seconds
        self._asked = anyio.Event()
        self._asked_at = -math.inf
        self._reply: Reply | None = None
        self._accepted_before = -1
        self._fruitless_rounds = 0
        self._renewed_at = -math.inf

    def ask(self, reply: Reply, sent_at: float) -> str | None:
        """Ask for new credentials, because of ``reply`` to a request sent at ``sent_at``; give the reason in words.

        None where it is no news: newer credentials came since that request was signed, or they are asked for already.
        """
        if sent_at < self._renewed_at or self._asked.is_set():
            return None
        self._reply = reply
        self._asked_at = self._clock()
        self._asked.set()
        refused = f"credentials were not accepted ({reply.code})"
        why = first_sentence(reply.message) if reply.status is None and reply.message else refused
        return f"{why}: paused until they are renewed, {self.patience_seconds:,.0f} s at most"

    async def renew_when_asked(self, tally: Tally, tell: Callable[[str], None]) -> None:
        """Wait until asked, then renew; ``tell`` why nothing came of a try. Raises ``CredentialsFailed`` and
        ``RunStopped`` when that leads nowhere.
        """
        await self._asked.wait()
        failures: list[BaseException] = []

        def failed(state: RetryCallState) -> None:
            assert state.outcome is not None
            assert state.next_action is not None
            failure = state.outcome.exception()
            assert failure is not None
            failures[:] = [failure]
            tell(
                f"{first_sentence(failure)}: paused until credentials can be had; they are asked for again in "
                f"{state.next_action.sleep:,.0f} s, for {self._seconds_left:,.0f} s at most"
            )

        patient = AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            wait=wait_exponential(multiplier=_FIRST_WAIT_SECONDS, max=_WAIT_SECONDS_MAX),
            before_sleep=failed,
            sleep=anyio.sleep,
            reraise=True,
        )
        with anyio.move_on_after(self._seconds_left) as patience:
            await anyio.sleep(self._count_round(tally.accepted))
            await patient(self._renew)
        if patience.cancelled_caught:
            raise self._out_of_patience(failures)
        self._asked = anyio.Event()
        self._renewed_at = self._clock()

    @property
    def _seconds_left(self) -> float:
        return self._asked_at + self.patience_seconds - self._clock()

    def _out_of_patience(self, failures: list[BaseException]) -> BaseException:
        waited = f"New credentials were waited for, for {self.patience_seconds:,.0f} s (credentials_patience_seconds)."
        if not failures:
            said = first_sentence(self._reply.message) if self._reply else ""
            return CredentialsFailed(f"{said or 'new credentials did not come'}. {waited} The same command goes on.")
        failures[0].add_note(waited)
        return failures[0]

    def _count_round(self, accepted: int) -> float:
        """Count a round; return the seconds to wait before it, none for a first one."""
        fruitless = accepted == self._accepted_before
        self._fruitless_rounds = self._fruitless_rounds + 1 if fruitless else 0
        self._accepted_before = accepted
        if self._fruitless_rounds < FRUITLESS_ROUNDS_MAX:
            return _FIRST_WAIT_SECONDS * 2**self._fruitless_rounds if fruitless else 0.0
        code, message = (self._reply.code, self._reply.message) if self._reply else ("no code", "")
        what = f"credentials were renewed {FRUITLESS_ROUNDS_MAX} times and are still refused ({code}: {message})."
        if self._reply is not None and self._reply.meaning is Meaning.CLOCK:
            raise ClockWrong(f"{what} This host's clock is not the service's. {SET_THE_CLOCK}")
        raise CredentialsFailed(
            f"{what} Check the profile and whether the key still exists, then run the same command again."
        )


def _may_pass(failure: BaseException) -> bool:
    """Tell whether waiting may help: for credentials that are late or a service that is away, not for a stranger's."""
    return isinstance(failure, CredentialsFailed | RunStopped) and not isinstance(failure, WrongAccount)
