"""What is tried again, how often and after how long: one tenacity policy for each meaning of a reply.

Throttling, faults of the service, lost replies and expired credentials are weather: they use up no attempts, however
long they last, because a 60 s outage would otherwise mark hundreds of archives failed that nobody refused.  Only an
answer that nobody knows (``Meaning.UNKNOWN``) counts, and three of them make a failed archive.

The policies are asked, not entered: a worker must not sleep with an archive in its hand, so the wait only orders
the queue of those whose turn comes again (``deletion.turns``).  Nothing here is touched by a delete that succeeds
at once.  So any policy will do, also a caller's own: of it ``stop`` and ``wait`` are asked, and nothing else.

A reply that concerns every archive of the run alike is not tried again: it ends the run (``refusal``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction
from math import inf

from tenacity import AsyncRetrying, BaseRetrying, RetryCallState, stop_after_attempt, stop_never
from tenacity.wait import wait_base, wait_none

from glacier_purge.archive import Vault
from glacier_purge.errors import RunStopped, ServiceRefused, UsageError
from glacier_purge.glacier.control import NotTrusted
from glacier_purge.glacier.reply import PAUSES_THE_RUN, Meaning, Reply

TRANSIENT = (Meaning.THROTTLED, Meaning.SERVER_FAULT, Meaning.NO_REPLY)

RETRIED = {
    "throttled": Meaning.THROTTLED,
    "server_fault": Meaning.SERVER_FAULT,
    "no_reply": Meaning.NO_REPLY,
    "unknown": Meaning.UNKNOWN,
}
"""What a policy of a caller's own may be for, by the name it is given under.

Expired credentials are none of it: they pause the whole run, however often one archive met them.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicySettings:
    """How patiently a refused delete is tried again."""

    unknown_attempts_max: int = 3
    first_wait_seconds: float = 0.5
    wait_seconds_max: float = 20.0


class FullJitter(wait_base):
    """Wait a random share of a ceiling that doubles with each attempt (AWS Builders' Library, "full jitter")."""

    def __init__(self, settings: RetryPolicySettings, random: Callable[[], float]) -> None:
        self._settings = settings
        self._random = random

    def __call__(self, retry_state: RetryCallState) -> float:
        """Seconds to wait after attempt ``retry_state.attempt_number``."""
        doublings = min(retry_state.attempt_number - 1, 30)
        ceiling = min(self._settings.first_wait_seconds * 2.0**doublings, self._settings.wait_seconds_max)
        return ceiling * self._random()


class RetryPolicy:
    """Tells whether and when a delete that was not accepted has its next turn.

    ``own`` has policies that replace the ones made of ``settings``.
    """

    def __init__(
        self,
        settings: RetryPolicySettings,
        random: Callable[[], float],
        own: Mapping[Meaning, BaseRetrying] | None = None,
    ) -> None:
        self._soonest_seconds = dict.fromkeys(set(TRANSIENT) - set(own or {}), settings.first_wait_seconds)
        jitter = FullJitter(settings, random)
        for_ever = AsyncRetrying(stop=stop_never, wait=jitter)
        self._by_meaning: dict[Meaning, BaseRetrying] = {
            **dict.fromkeys(TRANSIENT, for_ever),
            # The whole run waits until credentials are renewed; the archive need not wait besides.
            **dict.fromkeys(PAUSES_THE_RUN, AsyncRetrying(stop=stop_never, wait=wait_none())),
            Meaning.UNKNOWN: AsyncRetrying(stop=stop_after_attempt(settings.unknown_attempts_max), wait=jitter),
            **(own or {}),
        }

    def wait_seconds(self, meaning: Meaning, times: int, seconds_since_first: float = 0.0) -> float | None:
        """Seconds until the next turn after ``times`` replies of this ``meaning`` (>= 1); None when it was the last.

        ``seconds_since_first`` have passed since the archive's delete was sent for the first time.  Meanings that end
        the run have no policy: asking for them raises ``KeyError``.
        """
        seconds, is_last = _ask(self._by_meaning[meaning], times, seconds_since_first)
        return None if is_last else seconds

    def soonest_seconds(self, meaning: Meaning, wait_seconds: float) -> float:
        """Seconds until the next turn where nothing else can be sent, ``wait_seconds`` being its wait.

        Of weather, that is the first wait: it uses up no attempts, and the pace is the pacer's.  What counts attempts,
        and whatever a caller's own policy is for, waits as long as it says.
        """
        return min(wait_seconds, self._soonest_seconds.get(meaning, wait_seconds))


def own_policies(retry: Mapping[str, BaseRetrying] | None) -> dict[Meaning, BaseRetrying]:
    """A caller's own policies by meaning.

    Raises ``UsageError`` for a name nobody knows and for what cannot be asked: no policy, one whose answers have to be
    awaited, and one that wants to see an exception, since a reply is none.
    """
    own: dict[Meaning, BaseRetrying] = {}
    for name, policy in (retry or {}).items():
        if name not in RETRIED:
            raise UsageError(f"retry has no {name!r}; it may have {', '.join(RETRIED)}. Nothing was sent.")
        own[RETRIED[name]] = _answering(name, policy)
    return own


def _answering(name: str, policy: BaseRetrying) -> BaseRetrying:
    """Ask ``policy`` once, so that what cannot answer is refused before anything is sent and not in the middle."""
    try:
        if any(iscoroutinefunction(asked) for asked in (policy.stop, policy.wait)):
            raise TypeError("its answers have to be awaited")
        seconds, _ = _ask(policy, 1, 0.0)
        if not 0.0 <= seconds < inf:
            raise ValueError(f"it would wait {seconds!r} seconds")
    except Exception as odd:
        raise UsageError(
            f"retry[{name!r}] can't be asked how to go on ({odd}). Give a policy of tenacity that goes by attempts and "
            "time: AsyncRetrying(stop=stop_after_delay(600), wait=wait_random_exponential(max=60)). Nothing was sent."
        ) from odd
    return policy


def _ask(policy: BaseRetrying, times: int, seconds_since_first: float) -> tuple[float, bool]:
    """Seconds to wait after so many attempts in so many seconds, and whether there was the last of them."""
    state = RetryCallState(policy, None, (), {})
    state.attempt_number = times
    state.start_time, state.outcome_timestamp = 0.0, seconds_since_first
    state.upcoming_sleep = seconds = float(policy.wait(state))
    return seconds, policy.stop(state)


_REFUSALS: dict[Meaning, str] = {
    Meaning.REFUSED: "the service denied DeleteArchive. Check the role's permission (config/iam/delete.json), "
    "the vault's access policy and its vault lock",
    Meaning.VAULT_MISSING: "the vault was not found. Check its name, region and account; it may have been deleted",
    Meaning.WRONG_VAULT: "the service says these archive ids belong to another vault: "
    "the inventory is not this vault's",
    Meaning.NO_LONGER_SUPPORTED: "the account counts as a new customer, for whom the service is closed: it holds no "
    "archives here any more, or never did",
    Meaning.NOT_AWS: "the answer did not come from AWS but from something in between (a proxy or a login page)",
}


def refusal(vault: Vault, reply: Reply) -> ServiceRefused | RunStopped:
    """Make the error that ends the run from a reply whose meaning is in ``glacier.reply.ENDS_THE_RUN``.

    What is not AWS has refused nothing: it is no answer.
    """
    if reply.meaning is Meaning.UNTRUSTED:
        what = f"{vault.arn}: {reply.message}. Dispatch stopped; nothing is marked failed."
        return NotTrusted(what, operation="DeleteArchive", reply=reply)
    kind = RunStopped if reply.meaning is Meaning.NOT_AWS else ServiceRefused
    detail = " ".join(part for part in (reply.code, reply.message) if part)
    return kind(
        f"{vault.arn}: {_REFUSALS[reply.meaning]}. The service answered "
        f"{reply.status or 'nothing'}: {detail or 'no text'}. Dispatch stopped; nothing is marked failed."
    )
