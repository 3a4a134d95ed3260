"""The credentials requests are signed with: renewed early and elsewhere, so that nothing has to wait for them.

AWS's own chain of files, helpers, roles and services may take its time, hang, or ask a person for a code.  So it is
gone through in a thread (``chain``), from scratch each time, and only when a set of credentials nears its end or was
refused; whoever signs meanwhile signs with the set that still holds.  What the chain renews by itself, it renews while
a request waits: inside the last ten minutes of a token it starts a failing helper again for *every* request.

A failure is remembered: it is what everybody is told who asks before the chain is asked again, after growing waits.  A
renewed key may be another account's, so it is held against whose it has to be before anything is signed with it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from glacier_purge.clock import utc_now
from glacier_purge.errors import CredentialsFailed, CredentialsUnreachable
from glacier_purge.long_work import undisturbed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from concurrent.futures import Future
    from datetime import datetime

    Check = Callable[["Issued"], Awaitable[None]]
    """Asks whose a set is; raises ``CredentialsFailed`` for another's, and where nobody says."""

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))

EARLY_SECONDS = 600.0
"""So long before its end a set is renewed, or at half of its life: botocore's mandatory window, in which a cached role
session counts as expired (its window for those is 15 minutes) and is not handed out again."""

AGAIN_SECONDS = 5.0
"""The least time between two goes through the chain; doubled with each that fails, to ``AGAIN_SECONDS_MAX``."""
AGAIN_SECONDS_MAX = 60.0

LATE_SECONDS = 2.0
"""So long after a renewal a refusal is taken for one of the set before, with which others signed as well."""

SOON_SECONDS = 2.0
"""As long as a helper or STS may well take, after hours in which nothing was sent."""

STUCK_SECONDS = 5.0
"""How long past its time an attempt is waited for that does not even notice that it is over."""


class Lifetime(Enum):
    """How long credentials last."""

    LASTING = "they do not expire"
    RENEWED = "they are renewed by themselves"
    TEMPORARY = "they expire, and nothing renews them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The account and ARN that requests are signed as. ``is_root`` marks the account's root user."""

    account_id: str
    arn: str

    @property
    def is_root(self) -> bool:
        """Tell whether this is the account's root user, with whom nothing should ever be purged."""
        return self.arn.endswith(":root")


class FrozenCredentials(Protocol):
    """One consistent set, as botocore freezes it."""

    @property
    def access_key(self) -> str: ...  # noqa: D102
    @property
    def secret_key(self) -> str: ...  # noqa: D102
    @property
    def token(self) -> str | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A set of credentials, who gave it (in words), until when it holds (UTC; None: for good) and whether another can
    be had there. Secrets never show in a ``repr``."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False, default=None)
    given_by: str
    expires: datetime | None = None
    is_renewed: bool = False

    @property
    def lifetime(self) -> Lifetime:
        """How long they last."""
        if self.is_renewed:
            return Lifetime.RENEWED
        return Lifetime.LASTING if self.token is None else Lifetime.TEMPORARY


class Attempt(Protocol):
    """One way through the chain, under way elsewhere. ``doing`` is what it is at, in words that begin a sentence."""

    @property
    def outcome(self) -> Future[Issued | CredentialsFailed]:
        """What comes of it; an error is a value here."""

    @property
    def doing(self) -> str:
        """What it is at."""

    def seconds_left(self) -> float:
        """How long it may take yet; below zero where it should have come to an end."""

    def give_up(self) -> None:
        """End it, and the helper it may have started."""


class CredentialSource:
    """The one place a transport asks for credentials.

    ``begin`` starts an attempt, past a key that AWS refused where it is kept of earlier ones; the set is handed to the
    check that comes with it before it is given.  ``now`` is monotonic seconds.
    """

    def __init__(
        self,
        begin: Callable[[str | None, Check | None], Attempt],
        *,
        now: Callable[[], float] = time.monotonic,
        wall_now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._begin = begin
        self._now = now
        self._wall_now = wall_now
        self._check: Check | None = None
        self._attempt: Attempt | None = None
        self._held: Issued | None = None
        self._renewed_at = -math.inf
        self._holds_until = -math.inf
        self._due_at = -math.inf
        self._look_at = -math.inf
        self._failure: CredentialsFailed | None = None
        self._failures = 0
        self._refused_key: str | None = None
        self._told: list[Callable[[], None]] = []

    @classmethod
    def of(cls, issued: Issued) -> CredentialSource:
        """Make a source of this one set, for who has to ask something with it."""

        def nothing_more(refused_key: str | None, check: Check | None) -> Attempt:
            raise AssertionError("a set that was given is not had again")

        source = cls(nothing_more)
        source._hold(issued, source._now(), math.inf)
        return source

    def check_renewed_by(self, check: Check) -> None:
        """Have keys that are not the first checked before anything is signed with them."""
        self._check = self._check or check

    @contextmanager
    def telling(self, renewed: Callable[[], None]) -> Iterator[None]:
        """Have ``renewed`` called from the event loop after another set came, until the context is left."""
        self._told.append(renewed)
        try:
            yield
        finally:
            self._told.remove(renewed)

    def fresh(self) -> Issued | None:
        """Return the set to sign with when there is one; a new one is fetched meanwhile where that is due."""
        now = self._now()
        if now >= self._look_at:
            self._look(now)
        return self._held if now < self._holds_until else None

    async def get_frozen_credentials(self) -> Issued:
        """Return the set to sign with, waited for (the name is botocore's). Raises ``CredentialsFailed``."""
        while (fresh := self.fresh()) is None:
            if self._attempt is None:
                assert self._failure is not None
                raise type(self._failure)(*self._failure.args) from self._failure.__cause__
            with undisturbed():  # it may be a person who is asked for a code
                await self._ended(self._attempt)
        return fresh

    async def soon(self) -> Issued:
        """Return the set to sign a delete with. Raises ``CredentialsFailed`` rather than wait for long for another.

        A delete that waits is one under way, and keeps a run from stopping.
        """
        if self._held is None:
            return await self.get_frozen_credentials()
        try:
            async with asyncio.timeout(SOON_SECONDS):
                return await self.get_frozen_credentials()
        except TimeoutError:
            doing = "nothing" if self._attempt is None else self._attempt.doing
            raise CredentialsUnreachable(f"the credentials are over, and {doing} has given no others yet.") from None

    async def renew(self) -> None:
        """Give up the set that AWS refuses, if that is not news already, and wait for another.

        Raises ``CredentialsFailed`` when there is none.
        """
        if (refused := self.fresh()) is not None and self._now() >= self._renewed_at + LATE_SECONDS:
            self._holds_until = self._due_at = self._look_at = -math.inf
            self._refused_key = refused.access_key
        await self.get_frozen_credentials()

    async def lifetime(self) -> Lifetime:
        """Say how long the credentials last. Raises ``CredentialsFailed`` when there are none."""
        return (await self.get_frozen_credentials()).lifetime

    def close(self) -> None:
        """End what is under way."""
        if self._attempt is not None:
            self._attempt.give_up()

    def _look(self, now: float) -> None:
        """Take what has come, begin what is due."""
        if self._attempt is not None and self._attempt.outcome.done():
            self._take(self._attempt, now)
        if self._attempt is None and now >= self._due_at:
            check = self._check_unknown if self._check is not None and self._held is not None else None
            self._attempt = self._begin(self._refused_key, check)
        self._look_at = -math.inf if self._attempt is not None else self._due_at

    def _take(self, attempt: Attempt, now: float) -> None:
        self._attempt = None
        outcome = attempt.outcome.result()
        if isinstance(outcome, Issued) and (life_seconds := self._life_seconds(outcome)) > 0.0:
            self._hold(outcome, now, life_seconds)
        elif isinstance(outcome, Issued):
            assert outcome.expires is not None
            self._fail(
                CredentialsFailed(
                    f"{outcome.given_by} gave credentials that expired at {outcome.expires:%Y-%m-%dT%H:%M:%SZ}, "
                    f"{-life_seconds:,.0f} s ago. Look at it and at this host's clock, then run the same command again."
                ),
                now,
            )
        else:
            self._fail(outcome, now)

    def _life_seconds(self, issued: Issued) -> float:
        return math.inf if issued.expires is None else (issued.expires - self._wall_now()).total_seconds()

    def _fail(self, failure: CredentialsFailed, now: float) -> None:
        self._failure = failure
        self._failures += 1
        self._due_at = now + min(AGAIN_SECONDS * 2.0 ** (self._failures - 1), AGAIN_SECONDS_MAX)
        if now < self._holds_until:
            _log.warning(
                "credentials.not_renewed", because=str(failure), held_for_seconds=round(self._holds_until - now)
            )

    def _hold(self, issued: Issued, now: float, life_seconds: float) -> None:
        if self._held is not None:
            self._renewed_at = now
            for renewed in self._told:  # not at once: this may be in the middle of sending
                asyncio.get_running_loop().call_soon(renewed)
        self._held = issued
        self._holds_until = now + life_seconds
        early_seconds = max(life_seconds - EARLY_SECONDS, life_seconds / 2, AGAIN_SECONDS)
        self._due_at = self._look_at = now + min(early_seconds, life_seconds)
        self._failure, self._failures = None, 0

    async def _check_unknown(self, issued: Issued) -> None:
        """Ask whose a key is that was not the last one. Called from the attempt's own thread."""
        assert self._check is not None
        if self._held is None or issued.access_key != self._held.access_key:
            await self._check(issued)

    async def _ended(self, attempt: Attempt) -> None:
        """Wait for an attempt. Raises ``CredentialsFailed`` for one that is stuck where nothing ends it."""
        while not attempt.outcome.done():
            patience_seconds = attempt.seconds_left() + STUCK_SECONDS
            if patience_seconds <= 0.0:
                raise CredentialsFailed(
                    f"{attempt.doing} does not come to an end. Is the file system there that the AWS configuration is "
                    "on? Then run the same command again."
                )
            await asyncio.wait({asyncio.wrap_future(attempt.outcome)}, timeout=patience_seconds)
