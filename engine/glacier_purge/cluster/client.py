"""What people ask of the engine: to begin, how it stands, and to take their orders."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from glacier_purge.cluster.orders import COMPANY, SHARD, WORKFLOWS_QUEUE, CompanyOrder, Row, workflow_id
from glacier_purge.cluster.workflows import Company
from glacier_purge.errors import HostFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from temporalio.client import WorkflowExecution

__all__ = ["Client", "Pair", "answered", "ask", "ended", "pairs", "start"]

_QUERY_SECONDS = 5.0
_THERE = "the Temporal server at {} does not do what it was asked"
_NAME_IT = "Start it, or name another: TEMPORAL_ADDRESS=HOST:PORT."


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A shard that goes on."""

    pair: str
    company: str
    home: str
    standing: str
    until: str | None
    max_rate: float | None
    rows: list[Row]


async def answered(work: Callable[[Client], Awaitable[int]]) -> int:
    """Do the work with the server that Temporal's own variables and file name, which is this machine's where none do.

    Raises ``HostFailed`` where it does not answer.
    """
    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", "127.0.0.1:7233")
    try:
        client = await Client.connect(**config)
    except RuntimeError as error:
        raise HostFailed(f"{_THERE.format(config['target_host'])} ({error}). {_NAME_IT}") from error
    try:
        return await work(client)
    except RPCError as error:
        raise HostFailed(f"{_THERE.format(config['target_host'])} ({error.message}). {_NAME_IT}") from error


async def start(client: Client, order: CompanyOrder) -> None:
    """Begin; raises ``UsageError`` where it goes on already."""
    try:
        await client.start_workflow(COMPANY, order, id=workflow_id(order.name), task_queue=WORKFLOWS_QUEUE)
    except WorkflowAlreadyStartedError as error:
        raise UsageError(f"{order.name} goes on already. glacier-purge cluster status shows it.") from error


async def pairs(client: Client) -> list[Pair]:
    """The shards that go on, from the engine's list: one question for all of them."""
    found = client.list_workflows(f"WorkflowType = '{SHARD}' AND ExecutionStatus = 'Running'")
    return [await _pair(one) async for one in found]


async def _pair(one: WorkflowExecution) -> Pair:
    what_is_empty: dict[str, Any] = {"until": None, "max_rate": None, "rows": []}  # and so is not kept by the engine
    return Pair(pair=one.id.partition("/")[2], **{**what_is_empty, **await one.memo()})


async def ended(client: Client) -> list[Row]:
    """The vaults whose shards ended, as the newest start of each company has them; a question a company."""
    newest: dict[str, Any] = {}
    async for one in client.list_workflows(f"WorkflowType = '{COMPANY}'"):
        if one.id not in newest or newest[one.id].start_time < one.start_time:
            newest[one.id] = one
    asked = [client.get_workflow_handle_for(Company.run, one) for one in newest]
    patience = timedelta(seconds=_QUERY_SECONDS)
    try:
        return [row for one in asked for row in await one.query(Company.ended, rpc_timeout=patience)]
    except RPCError as error:
        raise HostFailed(f"no worker answers ({error.message}). Start one: glacier-purge cluster worker.") from error


async def ask(client: Client, asked: list[Pair], update: str, order: Callable[[str], Sequence[object]]) -> None:
    """Give each its order; raises ``UsageError`` with what the first shard refuses it for that does."""
    handles = {one.pair: client.get_workflow_handle(workflow_id(one.pair)) for one in asked}
    try:
        await asyncio.gather(*(one.execute_update(update, args=order(pair)) for pair, one in handles.items()))
    except WorkflowUpdateFailedError as error:
        raise UsageError(str(error.cause)) from error
