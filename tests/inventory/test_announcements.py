"""Listening for a job's end: over SQS's own protocol against the simulator, with hours passing in virtual time."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from glacier_purge.errors import Pending, RunStopped, ServiceRefused
from glacier_purge.inventory.announcements import Announcements
from glacier_purge.inventory.job_choice import Wanted
from glacier_purge.inventory.retrieval import Retrieval
from glacier_purge.service.access import Access, StaticCredentials
from glacier_purge.service.sqs import open_queue
from glacier_purge.simulator import SimulatedGlacier
from glacier_purge.simulator.queues import Queue
from glacier_purge.waiting import Impatient
from tests.doors import HOUR, KEYS, VAULT, control
from tests.simulator.raw_client import ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from glacier_purge.service.control_client import ControlClient
    from glacier_purge.service.job_queue import JobQueue
    from glacier_purge.waiting import Patience, Waiting

TOPIC = "arn:aws:sns:us-east-1:123456789012:jobs"
NOTIFY = json.dumps({"SNSTopic": TOPIC, "Events": ["InventoryRetrievalCompleted"]}).encode()
STRANGE = [json.dumps({"JobId": "another's"}), "plain text", json.dumps({"Type": "Notification", "Message": "{}"})]


@dataclass
class Sleeping:
    """Sleeps on the loop's virtual time, which is the simulator's too."""

    glacier: SimulatedGlacier
    waited: list[Waiting] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.glacier.clock.now(), UTC)

    async def wait(self, waiting: Waiting) -> None:
        self.waited.append(waiting)
        await anyio.sleep(max(0.0, (waiting.until - self.now()).total_seconds()))


@dataclass
class World:
    """A vault with a topic, a queue, and somebody who listens; ``looks`` are the times of every DescribeJob."""

    glacier: SimulatedGlacier
    door: ControlClient
    listener: Announcements
    patience: Sleeping
    told: list[str]
    looks: list[float] = field(default_factory=list)

    @property
    def queue(self) -> Queue:
        (queue,) = self.glacier.service.queues.all
        return queue

    async def fetch(self, folder: Path, patience: Patience | None = None, wanted: Wanted = Wanted()) -> str:  # noqa: B008 - frozen
        retrieval = Retrieval(self.door, folder, wanted, patience or self.patience, announcements=self.listener)
        return (await retrieval.fetch())[1]

    async def begin(self, takes_seconds: float) -> str:
        """Start a job that takes no longer than this, lest a test read a queue for hours."""
        job_id = await self.door.initiate_inventory()
        vault = self.glacier.service.vault(self.door.vault.name, self.now())
        vault.facts.jobs[job_id].completes = self.now() + takes_seconds
        vault.settle()
        return job_id

    def completed(self, job_id: str) -> float:
        return self.glacier.service.vault(self.door.vault.name, self.now()).facts.jobs[job_id].completes

    def now(self) -> float:
        return self.glacier.clock.now()

    @asynccontextmanager
    async def beside(self, name: str, listener: Announcements) -> AsyncIterator[World]:
        """The same for another vault that announces to the same topic."""
        vault = replace(VAULT, name=name)
        self.glacier.service.generate_vault(name, 5, self.now())
        async with control(self.glacier.endpoint_url, vault) as door:
            it = World(self.glacier, door, listener, self.patience, self.told)
            await it.announce()
            count_looks(it)
            yield it

    async def announce(self) -> None:
        url, name = self.glacier.endpoint_url, self.door.vault.name
        await ask(url, "PUT", f"/-/vaults/{name}/notification-configuration", NOTIFY)


@asynccontextmanager
async def world(
    *,
    topics: tuple[str, ...] = (TOPIC,),
    name: str = "jobs",
    credentials: StaticCredentials = KEYS,
    **more: Any,
) -> AsyncIterator[World]:
    told: list[str] = []
    async with SimulatedGlacier(archives=20, **more) as glacier, control(glacier.endpoint_url) as door:
        glacier.service.queues.place(Queue("123456789012", "us-east-1", "jobs", list(topics)))
        url = f"{glacier.endpoint_url}/123456789012/{name}"
        access = Access(endpoint_url=glacier.endpoint_url, credentials=credentials)
        async with open_queue(url, access, "us-east-1") as queue:
            it = World(glacier, door, Announcements(queue, told.append), Sleeping(glacier), told)
            await it.announce()
            count_looks(it)
            yield it


def count_looks(it: World) -> None:
    """Write down when each DescribeJob left."""
    describe = it.door.describe_job

    async def counted(job_id: str) -> Any:
        it.looks.append(it.glacier.clock.now())
        return await describe(job_id)

    it.door.describe_job = counted  # type: ignore[method-assign]  # a spy: what is described is the service's own


@pytest.mark.looptime
async def test_a_job_is_noticed_within_seconds_of_its_message_and_the_message_deleted(tmp_path: Path) -> None:
    async with world() as it:
        job_id = await it.fetch(tmp_path)
        done = it.completed(job_id)
        assert done - it.looks[0] > 3 * HOUR
        assert 0 <= it.looks[-1] - done < 5
        assert len(it.looks) <= 2 + (done - it.looks[0]) // 600, "every ten minutes at most, besides the message's"
        assert (it.queue.messages, it.queue.deleted, it.told) == ([], 1, [])
        assert "queue jobs is listened to" in it.patience.waited[0].what


@pytest.mark.looptime
async def test_messages_of_others_and_of_nobody_are_left_where_they_are(tmp_path: Path) -> None:
    async with world() as it:
        it.queue.raw_delivery = True
        for body in STRANGE * 5:
            it.queue.send(body)
        job_id = await it.begin(900)
        await it.fetch(tmp_path)
        assert it.looks[-1] - it.completed(job_id) < 15
        await anyio.sleep(31)
        assert sorted(message.body for message in it.queue.messages) == sorted(STRANGE * 5)
        assert len(it.queue.receive(10, 30, it.glacier.clock.real_seconds())) == 10, "and anybody can have them"
        assert (it.queue.deleted, it.told) == (1, [])


@pytest.mark.looptime
async def test_a_lost_message_costs_time_and_not_the_run(tmp_path: Path) -> None:
    async with world(topics=()) as it:
        job_id = await it.begin(900)
        await it.fetch(tmp_path)
        assert 0 <= it.looks[-1] - it.completed(job_id) <= 600
        assert (it.queue.sent, it.told) == (0, [])


@pytest.mark.looptime
async def test_a_message_is_not_believed_nor_deleted_before_the_job_is_done(tmp_path: Path) -> None:
    async with world() as it:
        job_id = await it.begin(1437)
        forged = json.dumps({"JobId": job_id, "Completed": True, "StatusCode": "Succeeded"})
        for _ in range(3):
            it.queue.send(forged)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(it.fetch, tmp_path)
            await anyio.sleep(900)
            assert len(it.looks) == 2, "one for all that came together, and the one that is due anyway"
            it.queue.send(forged)
            await anyio.sleep(60)
            assert len(it.looks) == 3
            assert (len(it.queue.messages), it.queue.deleted) == (4, 0)
        assert 0 <= it.looks[-1] - it.completed(job_id) < 15
        assert (it.queue.messages, it.queue.deleted) == ([], 5)


@pytest.mark.looptime
async def test_a_job_that_failed_is_done_too(tmp_path: Path) -> None:
    async with world() as it:
        job_id = await it.begin(900)
        it.glacier.service.doom_job(job_id, "The service failed.")
        with pytest.raises(RunStopped, match="it failed: The service failed"):
            await it.fetch(tmp_path, wanted=Wanted(job_id=job_id))
        assert (it.queue.messages, it.queue.deleted) == ([], 1)


DEAF = [
    ({"name": "nobody"}, "The specified queue does not exist"),
    ({"credentials": StaticCredentials(access_key_id="READER", secret_access_key="secret")}, "is not authorized"),
]
GLACIER_ONLY = json.dumps({"Statement": {"Effect": "Allow", "Action": "glacier:*", "Resource": "*"}})


@pytest.mark.looptime
@pytest.mark.parametrize(("changes", "why"), DEAF)
async def test_a_queue_that_refuses_is_told_once_and_the_job_asked_for_as_ever(
    changes: dict[str, Any], why: str, tmp_path: Path
) -> None:
    keys = {"READER": "secret", KEYS.access_key_id: KEYS.secret_access_key}
    async with world(**changes, secret_keys=keys, policies={"READER": GLACIER_ONLY}) as it:
        job_id = await it.begin(900)
        await it.fetch(tmp_path)
        assert it.looks[-1] - it.completed(job_id) <= 600
        (told,) = it.told
    assert why in told
    assert "sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility" in told
    assert not it.listener.is_listening


async def test_without_waiting_the_queue_is_looked_at_once(tmp_path: Path) -> None:
    async with world(time_scale=0) as it:
        it.queue.send(STRANGE[0])
        hasty = Impatient(clock=it.patience.now)
        with pytest.raises(Pending, match="queue jobs is listened to"):
            await it.fetch(tmp_path, patience=hasty)
        assert it.queue.received == 1
        it.glacier.clock.step(6 * HOUR)
        await it.fetch(tmp_path, patience=hasty)
        assert ([message.body for message in it.queue.messages], it.queue.deleted) == ([STRANGE[0]], 1)


@pytest.mark.looptime
@pytest.mark.parametrize("shared", ["one listener", "one process each"])
async def test_vaults_that_share_a_queue_each_hear_of_their_own_job(shared: str, tmp_path: Path) -> None:
    seconds: dict[str, float] = {}

    async def carry(it: World) -> None:
        done = it.completed(await it.fetch(tmp_path / it.door.vault.name))
        seconds[it.door.vault.name] = next(look for look in it.looks if look >= done) - done

    async with world() as photos:
        url = f"{photos.glacier.endpoint_url}/123456789012/jobs"
        access = Access(endpoint_url=photos.glacier.endpoint_url, credentials=KEYS)
        async with open_queue(url, access, "us-east-1") as queue:
            other = photos.listener if shared == "one listener" else Announcements(queue, photos.told.append)
            async with (
                photos.beside("tapes", other) as tapes,
                photos.beside("books", other) as books,
                anyio.create_task_group() as tasks,
            ):
                for it, takes_seconds in ((photos, 700), (tapes, 701), (books, 1300)):
                    await it.begin(takes_seconds)
                    await anyio.Path(tmp_path / it.door.vault.name).mkdir()
                    tasks.start_soon(carry, it)
        assert all(0 <= late < 40 for late in seconds.values()), seconds
        assert (photos.queue.messages, photos.queue.deleted, photos.told) == ([], 3, [])


@dataclass
class Broken:
    """A queue that answers as it is told to."""

    error: Exception
    name: str = "broken"
    asked: int = 0

    async def receive(self, wait_seconds: int) -> list[Any]:
        self.asked += 1
        raise self.error

    async def let_go(self, message: object) -> None:
        raise AssertionError("there was no message")

    delete = let_go


@pytest.mark.looptime
@pytest.mark.parametrize(("error", "asked_max"), [(RunStopped("no answer."), 40), (ServiceRefused("denied."), 1)])
async def test_whatever_is_wrong_with_the_queue_the_wait_goes_on(
    error: Exception, asked_max: int, tmp_path: Path
) -> None:
    broken = Broken(error)
    queue: JobQueue = broken
    async with world(topics=()) as it:
        it.listener = Announcements(queue, it.told.append)
        job_id = await it.begin(900)
        await it.fetch(tmp_path)
        assert it.looks[-1] - it.completed(job_id) <= 600
    assert 1 <= broken.asked <= asked_max
    assert len(it.told) == 1, "told once, however often it happens"
