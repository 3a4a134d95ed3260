"""The credentials requests are signed with, kept fresh without asking too often.

AWS's own provider chain supplies them and renews them ahead of their expiry.  It has two habits that hurt a run of
days: inside the last ten minutes of a token it starts a failing helper again for *every* request, each time with a
traceback in the log, and tokens it read from a file or the environment are never read again.  So the chain is asked at
most once in ``RECHECK_SECONDS``, a failure is remembered as long, and ``renew`` starts the chain over.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from glacier_purge.errors import CredentialsFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

RECHECK_SECONDS = 5.0
"""How long the chain's answer is taken as it is; the chain renews 10-15 minutes ahead of expiry (botocore)."""


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


class Provider(Protocol):
    """What the chain answers with: something that can be asked for the set that is valid now."""

    async def get_frozen_credentials(self) -> FrozenCredentials:
        """Return the valid set, renewing it first where that is due."""


class CredentialSource:
    """The one place a transport asks for credentials. ``open_chain`` starts AWS's provider chain from scratch."""

    def __init__(
        self, open_chain: Callable[[], Awaitable[Provider | None]], *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._open_chain = open_chain
        self._now = now
        self._lock = asyncio.Lock()
        self._provider: Provider | None = None
        self._frozen: FrozenCredentials | None = None
        self._failure: CredentialsFailed | None = None
        self._ask_again_at = 0.0

    def fresh(self) -> FrozenCredentials | None:
        """Return the set to sign with when it is known without asking anybody."""
        return self._frozen if self._now() < self._ask_again_at else None

    async def get_frozen_credentials(self) -> FrozenCredentials:
        """Return the set to sign with (the name is botocore's). Raises ``CredentialsFailed`` when there is none."""
        if (fresh := self.fresh()) is not None:
            return fresh
        async with self._lock:
            if self._now() >= self._ask_again_at:
                await self._ask()
            if self._frozen is None:
                assert self._failure is not None
                raise CredentialsFailed(str(self._failure)) from self._failure.__cause__
            return self._frozen

    async def renew(self) -> None:
        """Forget everything and go through AWS's chain again. Raises ``CredentialsFailed`` when it yields nothing."""
        async with self._lock:
            self._provider = None
            self._ask_again_at = 0.0
        await self.get_frozen_credentials()

    async def lifetime(self) -> Lifetime:
        """Say how long the credentials last. Raises ``CredentialsFailed`` when there are none."""
        frozen = await self.get_frozen_credentials()
        if hasattr(self._provider, "refresh_needed"):  # what botocore's own renewing credentials have
            return Lifetime.RENEWED
        return Lifetime.LASTING if frozen.token is None else Lifetime.TEMPORARY

    async def _ask(self) -> None:
        try:
            if self._provider is None:
                self._provider = await self._open_chain()
            if self._provider is None:
                raise CredentialsFailed(
                    "no AWS credentials were found. Log in, or set --profile, AWS_PROFILE or AWS_ACCESS_KEY_ID."
                )
            self._frozen, self._failure = _sendable(await self._provider.get_frozen_credentials()), None
        except CredentialsFailed as failure:
            self._frozen, self._failure = None, failure
        except Exception as fault:  # whatever keeps a chain of files, helpers and services from answering
            self._frozen, self._failure = (
                None,
                CredentialsFailed(
                    f"AWS credentials could not be had: {type(fault).__name__}: {fault}. Renew them, then resume."
                ),
            )
            self._failure.__cause__ = fault
        finally:
            self._ask_again_at = self._now() + RECHECK_SECONDS


def _sendable(frozen: FrozenCredentials) -> FrozenCredentials:
    """Refuse a key or token that could not stand in a header, as a damaged file may yield."""
    if not all(part.isascii() and part.isprintable() for part in (frozen.access_key, frozen.token or "")):
        raise CredentialsFailed("the AWS credentials hold characters no credentials have. Check where they come from.")
    return frozen
