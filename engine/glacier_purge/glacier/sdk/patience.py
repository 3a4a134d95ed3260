"""How often a question is asked, and with what waits between: one policy for all that is asked outside of the deletes.

Throttles, faults of the service and lost replies pass, and are waited out.  An answer of somebody else's, or one that
can't be right, is asked for again a few times only: weather passes, a login page stays.  A first question, whose asker
waits for it at a terminal, gets less time than one in the middle of days.  Retries are tenacity's, one policy copied
for each call.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from glacier_purge.glacier.control import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_UNBELIEVED_MAX = 3
"""Answers in a row that can't be the service's, after which it is not asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRetry:
    """How often and with what waits a control call is tried: by default for about two minutes.

    After ``seconds_max`` it is not tried again, however few attempts that were: where requests hang, each takes long.
    """

    attempts_max: int = 10
    seconds_max: float = 120.0
    first_wait_seconds: float = 0.5
    wait_seconds_max: float = 20.0
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep

    def policy(self) -> AsyncRetrying:
        """As a policy of tenacity, for ``NoAnswer``, which is raised as it is in the end."""
        backoff = wait_random_exponential(multiplier=self.first_wait_seconds, max=self.wait_seconds_max)
        return AsyncRetrying(
            retry=retry_if_exception_type(NoAnswer),
            wait=partial(_wait_seconds, backoff),
            stop=partial(_is_enough, self.attempts_max, self.seconds_max),
            sleep=self.sleep,
            reraise=True,
        )


FIRST_QUESTION = ControlRetry(attempts_max=5, first_wait_seconds=0.25, seconds_max=25.0)
"""For who we are and which vault is meant: some two seconds of waits, four at most. What hung is not asked again."""


def _is_enough(attempts_max: int, seconds_max: float, state: RetryCallState) -> bool:
    """Tell whether the last answer was one too many: weather is waited out, what is no answer is not."""
    if state.seconds_since_start is not None and state.seconds_since_start >= seconds_max:
        return True
    assert state.outcome is not None
    error = state.outcome.exception()
    assert isinstance(error, NoAnswer)
    return state.attempt_number >= (attempts_max if error.is_weather else min(attempts_max, _UNBELIEVED_MAX))


def _wait_seconds(backoff: Callable[[RetryCallState], float], state: RetryCallState) -> float:
    """Wait as the policy says, or longer where the reply asked for it."""
    assert state.outcome is not None
    error = state.outcome.exception()
    asked = error.reply.retry_after_seconds if isinstance(error, NoAnswer) else None
    return max(backoff(state), asked or 0.0)
