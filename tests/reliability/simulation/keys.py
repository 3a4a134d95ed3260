"""The host's chain of credentials, as ``aws.chain`` goes through it in a thread: what it gives, when, and to whom."""

from __future__ import annotations

import math
from asyncio import get_running_loop
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from glacier_purge.aws.credentials import Issued
from glacier_purge.errors import CredentialsFailed, CredentialsUnreachable
from glacier_simulator.refusal import Refusal, foreign_account

if TYPE_CHECKING:
    import asyncio

    from glacier_purge.aws.credentials import Check
    from tests.reliability.simulation.machine import Machine

LASTING = "AKIDEXAMPLE"
STRANGERS = "ASIASTRANGER"


class Attempt:
    """One way through the chain, which takes its time."""

    doing = "the helper"

    def __init__(self, keys: Keys, check: Check | None) -> None:
        self.outcome: Future[Issued | CredentialsFailed] = Future()
        self._keys = keys
        self._check = check
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Set out."""

        self._task = get_running_loop().create_task(self._go())

    async def _go(self) -> None:
        outcome: Issued | CredentialsFailed
        try:
            await anyio.sleep(self._keys.takes_seconds)
            outcome = self._keys.give()
            if self._check is not None and isinstance(outcome, Issued):
                await self._check(outcome)
        except CredentialsFailed as failed:
            outcome = failed
        self.outcome.set_result(outcome)

    def seconds_left(self) -> float:
        """Enough."""
        return 60.0

    def give_up(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()


@dataclass
class Keys:
    """What the chain has to give. ``life_seconds`` None is a key that lasts."""

    machine: Machine
    life_seconds: float | None = None
    takes_seconds: float = 0.1
    fails: bool = False
    """Whether there is nothing to be had now."""
    strange: bool = False
    """Whether the key that is given now is another account's."""
    issued: dict[str, float] = field(default_factory=dict)
    """Keys that were given, and until when they hold, in true time."""
    used: set[str] = field(default_factory=set)
    """Keys that signed a delete."""

    def refusal(self, authorization: str) -> Refusal | None:
        """How the service refuses what was signed like that; None when it does not."""
        key = self.key(authorization)
        if key.startswith(STRANGERS):
            return foreign_account("123456789012")
        if self.issued.get(key, math.inf) < self.machine.true_seconds():
            return Refusal("ExpiredTokenException", "The security token included in the request is expired")
        return None

    @staticmethod
    def key(authorization: str) -> str:
        """The key that something was signed with."""
        return authorization.partition("Credential=")[2].partition("/")[0]

    def begin(self, refused_key: str | None, check: Check | None) -> Attempt:
        """See ``Chain.begin``."""
        del refused_key
        attempt = Attempt(self, check)
        attempt.begin()
        return attempt

    def give(self) -> Issued:
        """One set. Raises ``CredentialsUnreachable`` where there is none to be had."""
        if self.fails:
            raise CredentialsUnreachable("the helper: it gives nothing at the moment. Look at it.")
        if self.life_seconds is None:
            return Issued(access_key=LASTING, secret_key="secret", given_by="the file")
        key = f"{STRANGERS if self.strange else 'ASIAEXAMPLE'}{len(self.issued)}"
        self.issued[key] = self.machine.true_seconds() + self.life_seconds
        self.machine.tell(f"credentials {key}")
        expires = self.machine.now + timedelta(seconds=self.life_seconds)
        return Issued(
            access_key=key,
            secret_key="secret",
            token="token",
            given_by="the helper",
            expires=expires,
            is_renewed=True,
        )
