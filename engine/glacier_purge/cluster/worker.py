"""A worker: takes steps of the run folders below its home, each a process of its own, and runs the workflows."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from temporalio import activity
from temporalio.worker import Worker

from glacier_purge.api.sharding import TOLD_MAX, ShardFiles, Standing, given_to_step, laid, row_of
from glacier_purge.api.step_process import StepProcess
from glacier_purge.cluster.orders import STEP, WORKFLOWS_QUEUE, ShardOrder, StepReport, home_queue
from glacier_purge.cluster.workflows import Company, Shard
from glacier_purge.errors import GlacierPurgeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from temporalio.client import Client

    from glacier_purge.api.step_process import FleetStepped

_SLICE_SECONDS = 3600.0
"""A step that sends for longer is drained and begun again, so that the other vaults of its shard get their turn."""


class Steps:
    """Takes steps below the folder ``home``, so many at once; ``options`` are the worker's own for each ``fleet``."""

    def __init__(self, home: Path, disk: str, at_once: int, options: Sequence[str]) -> None:
        self._home = home
        self._disk = disk
        self._free = asyncio.Semaphore(at_once)
        self._options = options

    @activity.defn(name=STEP)
    async def take(self, order: ShardOrder) -> StepReport:
        """Start the command, tell the engine how it goes while it lives, and drain it when the engine says so."""
        files = ShardFiles(order.account_id, order.region, order.fleet_file, order.roster)
        while not await self._has_turn(order.beat_seconds):
            activity.heartbeat([])
        try:
            file, folder = await asyncio.to_thread(laid, files, self._home)
            given = await asyncio.to_thread(given_to_step, folder, order.approved, order.documents, order.max_rate)
            process = await StepProcess.begun(file, folder, (*self._options, *given))
            try:
                await self._attend(process, Standing(folder), order.beat_seconds)
            finally:
                process.drain()  # nothing, once it ended
            return self._report(await process.answer(), was_drained=process.was_drained)
        except GlacierPurgeError as error:
            needs, told = error.needs.value, str(error)[-TOLD_MAX:]
            return StepReport(needs=needs, until=None, told=told, rows=[], was_drained=False, disk=self._disk)
        finally:
            self._free.release()

    async def _has_turn(self, within_seconds: float) -> bool:
        try:
            return await asyncio.wait_for(self._free.acquire(), within_seconds)
        except TimeoutError:
            return False

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

    def _report(self, answer: FleetStepped, *, was_drained: bool) -> StepReport:
        """Raises ``RuntimeError`` to be tried again soon where another process still has the folder."""
        if not answer.vaults and answer.needs == "time":
            raise RuntimeError(answer.message)
        rows, told = [row_of(one) for one in answer.vaults], answer.message
        needs, until = answer.needs.value, answer.until
        return StepReport(needs=needs, until=until, told=told, rows=rows, was_drained=was_drained, disk=self._disk)


@asynccontextmanager
async def working(
    client: Client, home: Path, name: str, at_once: int, options: Sequence[str], *, disk: str
) -> AsyncIterator[None]:
    """Work in the context; at its end, steps under way are drained.

    ``disk`` names the one that ``home`` is on, where its folders can be had on others, too; else it is empty.
    """
    steps = Steps(home, disk, at_once, options)
    async with AsyncExitStack() as workers:
        await workers.enter_async_context(Worker(client, task_queue=WORKFLOWS_QUEUE, workflows=[Company, Shard]))
        for queue in sorted({home_queue(name), home_queue(name, disk)}):
            worker = Worker(
                client,
                task_queue=queue,
                activities=[steps.take],
                max_concurrent_activities=at_once,
                max_heartbeat_throttle_interval=timedelta(seconds=1),
            )
            await workers.enter_async_context(worker)
        yield
