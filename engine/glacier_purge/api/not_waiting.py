"""Ends a run in good order where it could only wait, for whoever waits for nothing and comes again.

A closed window and a hold on the vault keep a run in its process, which looks again by itself.  A pause that somebody
ordered stays: it ends with its process, and the next one would send.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio

from glacier_purge.deletion.pauses import Side
from glacier_purge.errors import Needs
from glacier_purge.glacier.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from glacier_purge.glacier.waiting import Waiter
    from glacier_purge.run.purge import PurgeRun

_LOOK_SECONDS = 1.0
_HOLD_LOOKED_AT_AFTER = timedelta(minutes=15)
_LEASE_LOOKED_AT_AFTER = timedelta(minutes=5)


@asynccontextmanager
async def not_waiting(run: PurgeRun, waiter: Waiter) -> AsyncIterator[None]:
    """While the run is carried out in the context, drain it when it only waits; then leave the waiting to ``waiter``.

    Raises what the waiter makes of it: ``Pending``.
    """
    waits: list[Waiting] = []

    async def look() -> None:
        while not waits:
            await anyio.sleep(_LOOK_SECONDS)
            waits.extend(waited_for(run.telemetry(), waiter.now()))
        run.drain(f"nobody waits here for {waits[0].what}")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        yield
        tasks.cancel_scope.cancel()
    if waits and (run.ledger is None or run.ledger.finished is None):
        await waiter.wait(waits[0])


def waited_for(moment: Mapping[str, Any], now: datetime) -> Iterator[Waiting]:
    """What a run waits for at a moment as its telemetry tells it; nothing while it sends, or somebody paused it."""
    sides = moment.get("paused_by") or []
    if Side.OPERATOR.value in sides:
        return
    if Side.HOLD.value in sides:
        what = f"the hold on the vault to be lifted ({moment['hold']})"
        yield Waiting(what=what, until=now + _HOLD_LOOKED_AT_AFTER, needs=Needs.OPERATOR)
    elif Side.LEASE.value in sides:
        yield Waiting(
            what=f"the bucket that says which host may send ({moment['why']})", until=now + _LEASE_LOOKED_AT_AFTER
        )
    elif sides == [Side.WINDOW.value]:
        yield Waiting(what="the hours in which it may send", until=datetime.fromisoformat(moment["until"]))
