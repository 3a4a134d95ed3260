"""A worker: takes steps of the run folders below its home, each a process of its own, and runs the workflows."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import to_builtins
from temporalio import activity
from temporalio.worker import Worker

from glacier_purge.api.sharding import ShardFiles, Standing, laid
from glacier_purge.api.step_process import StepProcess
from glacier_purge.cluster.orders import ROW, STEP, WORKFLOWS_QUEUE, Row, ShardOrder, StepReport, home_queue
from glacier_purge.cluster.workflows import Company, Shard
from glacier_purge.errors import GlacierPurgeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from temporalio.client import Client

    from glacier_purge.api.step_process import FleetStepped, Stepped

_SLICE_SECONDS = 3600.0
"""A step that sends for longer is drained and begun again, so that the other vaults of its shard get their turn."""
_TOLD_MAX = 500


class Steps:
    """Takes steps below the folder ``home``; ``options`` are the worker's own for each ``fleet`` it starts."""

    def __init__(self, home: Path, options: Sequence[str]) -> None:
        self._home = home
        self._options = options

    @activity.defn(name=STEP)
    async def take(self, order: ShardOrder) -> StepReport:
        """Start the command, tell the engine how it goes while it lives, and drain it when the engine says so."""
        files = ShardFiles(order.account_id, order.region, order.fleet_file, order.roster)
        rate = () if order.max_rate is None else ("--max-rate", str(order.max_rate))
        digests = (word for digest in order.approved for word in ("--confirm-digest", digest))
        try:
            file, folder = await asyncio.to_thread(laid, files, self._home)
            process = await StepProcess.begun(file, folder, (*self._options, *rate, *digests))
            try:
                await self._attend(process, Standing(folder), order.beat_seconds)
            finally:
                process.drain()  # nothing, once it ended
            return _report(await process.answer(), was_drained=process.was_drained)
        except GlacierPurgeError as error:
            told = str(error)[-_TOLD_MAX:]
            return StepReport(needs=error.needs.value, until=None, told=told, rows=[], was_drained=False)

    async def _attend(self, process: StepProcess, standing: Standing, beat_seconds: float) -> None:
        drain_at = time.monotonic() + _SLICE_SECONDS
        has_ended = False
        while not has_ended:
            try:
                has_ended = await process.ended(beat_seconds)
                activity.heartbeat(await standing.look())
            except asyncio.CancelledError:  # by an order, or since this worker ends
                drain_at = 0.0
            if time.monotonic() >= drain_at:
                process.drain()


def _report(answer: FleetStepped, *, was_drained: bool) -> StepReport:
    """Raises ``RuntimeError`` to be tried again soon where another process still has the folder."""
    if not answer.vaults and answer.needs == "time":
        raise RuntimeError(answer.message)
    rows = [_row(one) for one in answer.vaults]
    needs, until, told = answer.needs.value, answer.until, answer.message
    return StepReport(needs=needs, until=until, told=told, rows=rows, was_drained=was_drained)


def _row(one: Stepped) -> Row:
    told = (one.waiting_for or one.message or "")[:_TOLD_MAX]
    return {name: value for name, value in to_builtins(one).items() if name in ROW} | {"told": told}


@asynccontextmanager
async def working(client: Client, home: Path, name: str, at_once: int, options: Sequence[str]) -> AsyncIterator[None]:
    """Work in the context; at its end, steps under way are drained."""
    steps = Worker(
        client,
        task_queue=home_queue(name),
        activities=[Steps(home, options).take],
        max_concurrent_activities=at_once,
        max_heartbeat_throttle_interval=timedelta(seconds=1),
    )
    async with Worker(client, task_queue=WORKFLOWS_QUEUE, workflows=[Company, Shard]), steps:
        yield
