"""What workflows do with what steps answer and people order: on a real server, with steps that a script answers for.

Each history is run again at the end: a worker that dies is replaced by one that does the same.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.worker import Replayer, Worker

from glacier_purge.cluster.client import Pair, ask, ended, pairs, start
from glacier_purge.cluster.orders import (
    SHARD,
    STEP,
    WORKFLOWS_QUEUE,
    CompanyOrder,
    ShardOrder,
    StepReport,
    home_queue,
    workflow_id,
)
from glacier_purge.cluster.workflows import Company, Shard
from glacier_purge.errors import UsageError
from tests.cluster.dev_server import DevServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from temporalio.client import WorkflowHandle

    Handle = WorkflowHandle[Shard, list[dict[str, Any]]]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
EVENTS_MAX = 60
"""After so many events the server wants a new history; some fifty thousand in earnest."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    server = DevServer(tmp_path_factory.mktemp("engine"))
    server.start("--dynamic-config-value", f"limit.historyCount.suggestContinueAsNew={EVENTS_MAX}")
    yield server
    server.kill()


def row(*digests: str, needs: str = "approval") -> dict[str, Any]:
    return {"vault_arn": "arn", "needs": needs, "state": "pending", "confirm_digests": list(digests)}


def answer(needs: str = "nothing", *rows: dict[str, Any], until: str | None = None) -> StepReport:
    return StepReport(needs=needs, until=until, told=None, rows=[*rows], was_drained=False)


SENDS = "sends until it is drained"


class Script:
    """Answers for steps, one after the other; the last again and again."""

    def __init__(self, *answers: StepReport | str | Exception) -> None:
        self.answers = [*answers]
        self.orders: list[ShardOrder] = []
        self.asked = asyncio.Condition()

    @activity.defn(name=STEP)
    async def take(self, order: ShardOrder) -> StepReport:
        async with self.asked:
            self.orders.append(order)
            self.asked.notify_all()
        reply = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, StepReport):
            return reply
        try:
            while True:
                activity.heartbeat()
                await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            return StepReport(needs="time", until=None, told=None, rows=[], was_drained=True)

    async def was_asked(self, times: int) -> None:
        async with self.asked:
            await self.asked.wait_for(lambda: len(self.orders) >= times)


def order(home: str, *, look_every_seconds: float = 3600.0, region: str = "eu-west-1") -> ShardOrder:
    return ShardOrder(
        company="company",
        account_id=uuid.uuid4().hex[:12],
        region=region,
        home=home,
        fleet_file="",
        roster="",
        look_every_seconds=look_every_seconds,
        beat_seconds=0.5,
    )


@asynccontextmanager
async def carried(server: DevServer, script: Script, look_every_seconds: float = 3600.0) -> AsyncIterator[Handle]:
    """A shard under way; at the end its history is run again."""
    client = await Client.connect(server.address)
    shard = order(uuid.uuid4().hex, look_every_seconds=look_every_seconds)
    queue = home_queue(shard.home)
    async with Worker(client, task_queue=queue, workflows=[Shard], activities=[script.take]):
        handle: Handle = await client.start_workflow(
            Shard.run, shard, id=workflow_id(shard.pair), task_queue=queue, memo={"company": "company", "home": "home"}
        )
        yield handle
        await Replayer(workflows=[Shard]).replay_workflow(await handle.fetch_history())
        await handle.terminate() if (await handle.describe()).close_time is None else None


async def shows(shard: Handle, rows: list[dict[str, Any]]) -> None:
    """Wait until that is what the table says of it."""
    while (await (await shard.describe()).memo()).get("rows") != rows:
        pass


async def test_an_approval_goes_to_the_next_step_once_and_no_other_digest_does(server: DevServer) -> None:
    script = Script(answer("approval", row("a" * 64)), answer("approval", row("b" * 64)), answer())
    async with carried(server, script) as shard:
        await shows(shard, [row("a" * 64)])
        for wrong in ("b" * 64, "a" * 63, "", "A" * 64):
            with pytest.raises(WorkflowUpdateFailedError):
                await shard.execute_update(Shard.approve, args=[[wrong], [], "ada"])
        await shard.execute_update(Shard.approve, args=[["a" * 64], [], "ada"])
        await shows(shard, [row("b" * 64)])
        with pytest.raises(WorkflowUpdateFailedError) as twice:
            await shard.execute_update(Shard.approve, args=[["a" * 64], [], "ada"])
        assert "waits for ada's approval" in str(twice.value.cause)
        await shard.execute_update(Shard.approve, args=[["b" * 64], [], "bob"])
        await shard.result()
    assert [one.approved for one in script.orders] == [[], ["a" * 64], ["a" * 64, "b" * 64]]


async def test_what_people_signed_is_carried_to_the_step_where_it_is_about_a_plan_that_waits(server: DevServer) -> None:
    script = Script(answer("approval", row("a" * 64)), answer())
    signed = f"glacier-purge-approval 1\nplan {'a' * 64}\nwho ada\n"
    async with carried(server, script) as shard:
        await shows(shard, [row("a" * 64)])
        for wrong in (signed.replace("a" * 64, "b" * 64), f"plan {'a' * 64}", "", signed + "x" * 20_000):
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await shard.execute_update(Shard.approve, args=[[], [wrong], "eve"])
            assert "signed about no plan that waits here" in str(refused.value.cause)
        await shard.execute_update(Shard.approve, args=[[], [signed], "eve"])
        await shard.result()
    assert [(one.approved, one.documents) for one in script.orders] == [([], []), ([], [signed])]


async def test_a_pair_stays_with_its_disk_and_goes_to_another_worker_when_nobody_is_there(server: DevServer) -> None:
    client = await Client.connect(server.address)
    waits = replace(answer("time", row(), until="2020-01-01T00:00:00Z"), disk="first")
    script, first = Script(waits, answer()), Script(waits, RuntimeError("its worker is gone"))
    shard = replace(order(uuid.uuid4().hex), beat_seconds=0.2)
    queue = home_queue(shard.home)
    async with Worker(client, task_queue=queue, workflows=[Shard], activities=[script.take]):
        async with Worker(client, task_queue=home_queue(shard.home, "first"), activities=[first.take]):
            handle = await client.start_workflow(Shard.run, shard, id=workflow_id(shard.pair), task_queue=queue)
            await first.was_asked(3)
        assert len(script.orders) == 1, "whoever is on the disk goes on, and is tried once more when it was gone"
        await handle.result()
    assert [one.disk for one in script.orders] == ["", ""]
    assert {one.disk for one in first.orders} == {"first"}


async def test_an_approval_that_comes_while_another_vault_is_sent_does_not_wait_for_it(server: DevServer) -> None:
    script = Script(answer("approval", row("a" * 64), row("b" * 64)), SENDS, answer())
    async with carried(server, script) as shard:
        await shows(shard, [row("a" * 64), row("b" * 64)])
        await shard.execute_update(Shard.approve, args=[["a" * 64], [], "ada"])
        await script.was_asked(2)
        await shard.execute_update(Shard.approve, args=[["b" * 64], [], "ada"])
        await shard.result()
    assert script.orders[-1].approved == ["a" * 64, "b" * 64]


async def test_paused_it_is_drained_and_begins_nothing_until_it_is_resumed(server: DevServer) -> None:
    script = Script(SENDS, answer())
    async with carried(server, script) as shard:
        await script.was_asked(1)
        await shard.execute_update(Shard.pause, "ada")
        with pytest.raises(WorkflowUpdateFailedError):
            await shard.execute_update(Shard.pause, "ada")
        await asyncio.sleep(2.0)
        assert len(script.orders) == 1
        await shard.execute_update(Shard.resume, "ada")
        await shard.result()
    assert len(script.orders) == 2


async def test_a_rate_is_checked_and_counts_from_the_next_process_on(server: DevServer) -> None:
    script = Script(SENDS, SENDS, answer())
    async with carried(server, script) as shard:
        await script.was_asked(1)
        for wrong in (0.0, -1.0):
            with pytest.raises(WorkflowUpdateFailedError):
                await shard.execute_update(Shard.rate, args=[wrong, "ada"])
        await shard.execute_update(Shard.rate, args=[20.0, "ada"])
        await script.was_asked(2)
        await shard.execute_update(Shard.rate, args=[None, "ada"])
        await shard.result()
    assert [one.max_rate for one in script.orders] == [None, 20.0, None]


async def test_stopped_it_is_drained_and_ends_with_how_the_vaults_stand(server: DevServer) -> None:
    script = Script(answer("approval", row("a" * 64)), SENDS)
    async with carried(server, script) as shard:
        await shows(shard, [row("a" * 64)])
        await shard.execute_update(Shard.resume, "ada")  # somebody did what it took, or thinks so
        await script.was_asked(2)
        await shard.execute_update(Shard.stop, "ada")
        assert await shard.result() == [row("a" * 64)]
    assert len(script.orders) == 2


async def test_it_looks_again_at_its_time_and_at_the_latest_after_so_long(server: DevServer) -> None:
    passed = "2020-01-01T00:00:00Z"
    script = Script(answer("time", row(), until=passed), answer("time", row(), until="2099-01-01T00:00:00Z"), answer())
    async with carried(server, script, look_every_seconds=2.0) as shard:
        await shard.result()
    assert len(script.orders) == 3


async def test_a_step_that_breaks_is_tried_again(server: DevServer) -> None:
    script = Script(RuntimeError("another process has the folder"), answer())
    async with carried(server, script) as shard:
        await shard.result()
    assert len(script.orders) == 2


async def test_a_history_that_grew_long_is_gone_on_with_as_a_new_one_and_nothing_is_forgotten(
    server: DevServer,
) -> None:
    waits = answer("approval", row("a" * 64))
    script = Script(
        waits, waits, *[answer("time", row("b" * 64), until="2020-01-01T00:00:00Z")] * 15, answer("nothing")
    )
    async with carried(server, script) as shard:
        await shows(shard, [row("a" * 64)])
        await shard.execute_update(Shard.rate, args=[7.0, "ada"])
        await shard.execute_update(Shard.approve, args=[["a" * 64], [], "ada"])
        await shard.result()
        last = await shard.describe()
        assert (last.run_id != shard.first_execution_run_id, (await last.memo())["company"]) == (True, "company")
    assert (script.orders[-1].max_rate, script.orders[-1].approved) == (7.0, ["a" * 64])


async def test_two_companies_never_carry_one_pair_and_what_ended_is_still_told(server: DevServer) -> None:
    client = await Client.connect(server.address)
    home = uuid.uuid4().hex
    script = Script(answer("approval", row("a" * 64)), answer("nothing", row(needs="nothing")))
    both, alone = order(home), order(home)
    workers = (
        Worker(client, task_queue=WORKFLOWS_QUEUE, workflows=[Company, Shard]),
        Worker(client, task_queue=home_queue(home), activities=[script.take]),
    )
    async with workers[0], workers[1]:
        await start(client, CompanyOrder(name="first", shards=[both]))
        with pytest.raises(UsageError, match="first goes on already"):
            await start(client, CompanyOrder(name="first", shards=[both]))
        going_on: list[Pair] = []
        while not (going_on and going_on[0].rows):
            going_on = [one for one in await pairs(client) if one.pair == both.pair]
        assert [(one.company, one.home, one.rows) for one in going_on] == [("first", home, [row("a" * 64)])]
        await start(client, CompanyOrder(name="second", shards=[both, alone]))
        second = client.get_workflow_handle_for(Company.run, workflow_id("second"))
        assert len(await second.result()) == 1, "the pair of the first company is no business of the second"
        with pytest.raises(UsageError, match="no plan with the digest"):
            await ask(client, going_on, "approve", lambda _: (["c" * 64], [], "ada"))
        await ask(client, going_on, "approve", lambda _: (["a" * 64], [], "ada"))
        await client.get_workflow_handle(workflow_id("first")).result()
        assert await ended(client) == [row(needs="nothing")] * 2
        await Replayer(workflows=[Company]).replay_workflow(await second.fetch_history())
    kinds = [one.workflow_type async for one in client.list_workflows(f"WorkflowType = '{SHARD}'")]
    assert kinds, "it is found by the name it is listed by"
