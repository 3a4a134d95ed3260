"""Carries several vaults through their lifecycles side by side: what ends one does not end another.

One task group owns a task a vault.  All begin at once, so every inventory is asked for before anything else happens and
their hours pass together.  How each vault ended is kept as a value: done, pending (somebody's approval, or a time to
come again), stopped, or failed with its message and exit code.

Stopping has two steps: a vault that is sending deletes is drained, one that only waits is let go of at once; being
cancelled from outside ends them all.  Everything a vault reached is in its own folder, so the same fleet goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, Self

import anyio

from glacier_purge.archive import Vault
from glacier_purge.errors import (
    ApprovalWanted,
    GlacierPurgeError,
    Interrupted,
    Needs,
    Pending,
    RunStopped,
    each_error,
    told,
)
from glacier_purge.host_faults import as_ours

_UNEXPECTED = GlacierPurgeError.exit_code
_FOLDER_NAME_MAX = 200
"""File systems allow 255 bytes; a vault's name alone may be that long."""


class State(StrEnum):
    """How a vault stands when its fleet's process ends."""

    DONE = "done"
    PENDING = "pending"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How it ended for one vault. ``message`` is for people; ``until`` is when to come again, where that is known.

    ``needs`` is what it takes to go on, and ``digest`` that of the plan which waits for an approval.
    """

    state: State
    exit_code: int = 0
    message: str = ""
    until: datetime | None = None
    needs: Needs = Needs.NOTHING
    digest: str | None = None

    @classmethod
    def by(cls, error: Exception) -> Self:
        """What an error makes of it, or a bundle of them: a stranger's first, for then it is a bug."""
        causes = []
        for cause in each_error(error):
            if (known := as_ours(cause)) is None:
                message = f"unexpected error: {type(cause).__name__}: {cause}"
                return cls(state=State.FAILED, exit_code=_UNEXPECTED, message=message, needs=Needs.OPERATOR)
            causes.append(known)
        ours = causes[0]
        if isinstance(ours, Pending):
            return cls(
                state=State.PENDING,
                exit_code=ours.exit_code,
                message=ours.what,
                until=ours.until,
                needs=ours.needs,
                digest=ours.digest if isinstance(ours, ApprovalWanted) else None,
            )
        message = "; ".join(dict.fromkeys(map(told, causes)))
        state = State.STOPPED if isinstance(ours, RunStopped) else State.FAILED
        return cls(state=state, exit_code=ours.exit_code, message=message, needs=ours.needs)

    @property
    def is_unexpected(self) -> bool:
        """Whether a bug ended it."""
        return self.exit_code == _UNEXPECTED


class Carried(Protocol):
    """One vault on its way."""

    async def go_on(self) -> None:
        """Go on until the vault is done; raises what ends it before."""

    def drain(self, reason: str) -> bool:
        """End its deletes in good order; False when it sends none, and may be let go of at once."""


class Fleet:
    """Vaults on their way, by name. ``go_on`` does it once; ``endings`` tells of each how it ended."""

    def __init__(self, carried: Mapping[str, Carried]) -> None:
        self._carried = carried
        self._scopes = {name: anyio.CancelScope() for name in carried}
        self._stopped_by: type[RunStopped] | None = None
        self.endings: dict[str, Ending] = {}

    async def go_on(self) -> None:
        """Carry all of them until each is done or cannot go on here."""
        async with anyio.create_task_group() as tasks:
            for name in self._carried:
                tasks.start_soon(self._carry, name)

    def stop(self, reason: str, error: type[RunStopped] = Interrupted) -> None:
        """Drain what sends, let go of what waits; those count as ended by ``error``."""
        self._stopped_by = error
        for name, one in self._carried.items():
            if name not in self.endings and not one.drain(reason):
                self._scopes[name].cancel()

    @property
    def exit_code(self) -> int:
        """What the process ends with: that it was stopped, else that something is pending, else the worst of all."""
        endings = self.endings.values()
        if self._stopped_by is not None and any(ending.state is State.STOPPED for ending in endings):
            return self._stopped_by.exit_code
        if any(ending.state is State.PENDING for ending in endings):
            return Pending.exit_code
        return max((ending.exit_code for ending in endings), default=0)

    async def _carry(self, name: str) -> None:
        with self._scopes[name]:
            try:
                await self._carried[name].go_on()
            except Exception as error:  # whatever it is, it is this vault's alone
                self.endings[name] = self._ending(error)
            else:
                self.endings[name] = Ending(state=State.DONE)
            finally:  # cancelled: let go of by ``stop``, or everything with it
                self.endings.setdefault(name, self._stopped("at once"))

    def _ending(self, error: Exception) -> Ending:
        ending = Ending.by(error)
        if self._stopped_by is not None and ending.state is State.STOPPED:
            return self._stopped("in good order")
        return ending

    def _stopped(self, how: str) -> Ending:
        error = self._stopped_by or RunStopped
        message = f"{how}; the same command goes on"
        return Ending(state=State.STOPPED, exit_code=error.exit_code, message=message, needs=error.needs)


def folder_name(vault: Vault) -> str:
    """The name of a vault's folder below its fleet's; a very long one is cut, and told apart by its hash."""
    name = f"{vault.account_id}-{vault.region}-{vault.name}"
    if len(name) <= _FOLDER_NAME_MAX:
        return name
    return f"{name[:_FOLDER_NAME_MAX]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
