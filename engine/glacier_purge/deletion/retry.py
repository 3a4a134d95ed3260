"""What is tried again, how often and after how long: one tenacity policy for each meaning of a reply.

Throttling, faults of the service, lost replies and expired credentials are weather: they use up no attempts, however
long they last, because a 60 s outage would otherwise mark hundreds of archives failed that nobody refused.  Only an
answer that nobody knows (``Meaning.UNKNOWN``) counts, and three of them make a failed archive.

The policies are asked, not entered: a worker must not sleep with an archive in its hand, so the wait only orders
the queue of those whose turn comes again (``deletion.turns``).  Nothing here is touched by a delete that succeeds
at once.

What a reply that concerns every archive of the run alike is called when it ends the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenacity import AsyncRetrying, RetryCallState, stop_after_attempt, stop_never
from tenacity.wait import wait_base, wait_none

from glacier_purge.errors import ServiceRefused
from glacier_purge.glacier.reply import Meaning

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier_purge.archive import Vault
    from glacier_purge.glacier.reply import Reply

WEATHER = (Meaning.THROTTLED, Meaning.SERVER_FAULT, Meaning.NO_REPLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """How patiently a refused delete is tried again."""

    unknown_attempts_max: int = 3
    first_wait_seconds: float = 0.5
    wait_seconds_max: float = 20.0


class FullJitter(wait_base):
    """Wait a random share of a ceiling that doubles with each attempt (AWS Builders' Library, "full jitter")."""

    def __init__(self, settings: RetrySettings, random: Callable[[], float]) -> None:
        self._settings = settings
        self._random = random

    def __call__(self, retry_state: RetryCallState) -> float:
        """Seconds to wait after attempt ``retry_state.attempt_number``."""
        doublings = min(retry_state.attempt_number - 1, 30)
        ceiling = min(self._settings.first_wait_seconds * 2.0**doublings, self._settings.wait_seconds_max)
        return ceiling * self._random()


class RetryPolicy:
    """Tells whether and when a delete that was not accepted has its next turn."""

    def __init__(self, settings: RetrySettings, random: Callable[[], float]) -> None:
        jitter = FullJitter(settings, random)
        weather = AsyncRetrying(stop=stop_never, wait=jitter)
        self._by_meaning: dict[Meaning, AsyncRetrying] = {
            **dict.fromkeys(WEATHER, weather),
            # The whole run waits until credentials are renewed; the archive need not wait besides.
            Meaning.CREDENTIALS: AsyncRetrying(stop=stop_never, wait=wait_none()),
            Meaning.UNKNOWN: AsyncRetrying(stop=stop_after_attempt(settings.unknown_attempts_max), wait=jitter),
        }

    def wait_seconds(self, meaning: Meaning, times: int) -> float | None:
        """Seconds until the next turn after ``times`` replies of this ``meaning`` (>= 1); None when it was the last.

        Meanings that end the run have no policy: asking for them raises ``KeyError``.
        """
        policy = self._by_meaning[meaning]
        state = RetryCallState(policy, None, (), {})
        state.attempt_number = times
        if policy.stop(state):
            return None
        return policy.wait(state)


_REFUSALS: dict[Meaning, str] = {
    Meaning.REFUSED: "the service denied DeleteArchive. Check the role's permission (config/iam/delete.json), "
    "the vault's access policy and its vault lock",
    Meaning.VAULT_MISSING: "the vault was not found. Check its name, region and account; it may have been deleted",
    Meaning.WRONG_VAULT: "the service says these archive ids belong to another vault: "
    "the inventory is not this vault's",
    Meaning.NO_LONGER_SUPPORTED: "the account counts as a new customer, for whom the service is closed: it holds no "
    "archives here any more, or never did",
    Meaning.NOT_AWS: "the answer did not come from AWS but from something in between (a proxy or a login page)",
    Meaning.UNTRUSTED: "the server's TLS certificate does not hold: someone may stand in between",
}


def refusal(vault: Vault, reply: Reply) -> ServiceRefused:
    """Make the error that ends the run from a reply whose meaning is in ``glacier.reply.ENDS_THE_RUN``."""
    detail = " ".join(part for part in (reply.code, reply.message) if part)
    return ServiceRefused(
        f"{vault.arn}: {_REFUSALS[reply.meaning]}. The service answered "
        f"{reply.status or 'nothing'}: {detail or 'no text'}. Dispatch stopped; nothing is marked failed."
    )
