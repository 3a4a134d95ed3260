"""The host's chain of credentials, as ``aws.chain`` goes through it in a thread: what it gives, when, and to whom."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from glacier_purge.aws.credentials import Issued
from glacier_purge.errors import CredentialsFailed, CredentialsUnreachable

if TYPE_CHECKING:
    import asyncio

    from glacier_purge.aws.credentials import Check
    from tests.reliability.simulation.machine import Machine

LASTING = "AKIDEXAMPLE"


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
        import asyncio

        self._task = asyncio.get_running_loop().create_task(self._go())

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
    issued: list[str] = field(default_factory=list)

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
        key = f"{'ASIASTRANGER' if self.strange else 'ASIAEXAMPLE'}{len(self.issued)}"
        self.issued.append(key)
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
