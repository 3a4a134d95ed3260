"""Queues that hear of finished jobs, as botocore asks them: over HTTP, signed, in virtual time, and by policy."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from glacier_purge.service.access import Access, StaticCredentials
from glacier_purge.service.session import AwsSession
from glacier_purge.simulator import SimulatedGlacier
from glacier_purge.simulator.queues import Queue
from tests.doors import HOUR, KEYS
from tests.simulator.raw_client import ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOPIC = "arn:aws:sns:us-east-1:123456789012:jobs"
NEW_JOB = b'{"Type": "inventory-retrieval"}'
EVENTS = b'{"SNSTopic": "%b", "Events": ["InventoryRetrievalCompleted"]}' % TOPIC.encode()


@asynccontextmanager
async def sqs(endpoint_url: str, credentials: StaticCredentials = KEYS) -> AsyncIterator[Any]:
    async with AwsSession(Access(endpoint_url=endpoint_url, credentials=credentials), "us-east-1").client("sqs") as it:
        yield it


def place(glacier: SimulatedGlacier, *topics: str, raw: bool = False) -> str:
    """Put a queue there and give its URL."""
    glacier.service.queues.place(Queue("123456789012", "us-east-1", "jobs", list(topics), raw))
    return f"{glacier.endpoint_url}/123456789012/jobs"


async def start_job(glacier: SimulatedGlacier, body: bytes = NEW_JOB) -> str:
    return (await ask(glacier.endpoint_url, "POST", "/-/vaults/photos/jobs", body)).headers["x-amz-job-id"]


@pytest.mark.parametrize("raw", [False, True])
async def test_a_finished_job_is_announced_to_the_vaults_topic_as_it_is_described(raw: bool) -> None:
    async with SimulatedGlacier(archives=5, time_scale=0) as glacier, sqs(glacier.endpoint_url) as client:
        url = place(glacier, TOPIC, raw=raw)
        await ask(glacier.endpoint_url, "PUT", "/-/vaults/photos/notification-configuration", EVENTS)
        job_id = await start_job(glacier)
        assert "Messages" not in await client.receive_message(QueueUrl=url)
        glacier.clock.step(6 * HOUR)
        (message,) = (await client.receive_message(QueueUrl=url))["Messages"]
        described = (await ask(glacier.endpoint_url, "GET", f"/-/vaults/photos/jobs/{job_id}")).json
    told = json.loads(message["Body"])
    if not raw:
        assert (told["Type"], told["TopicArn"]) == ("Notification", TOPIC)
        told = json.loads(told["Message"])
    assert told == described
    assert (told["JobId"], told["StatusCode"], told["Completed"]) == (job_id, "Succeeded", True)


async def test_a_jobs_own_topic_hears_of_it_beside_the_vaults() -> None:
    job = b'{"Type": "inventory-retrieval", "SNSTopic": "%b"}' % TOPIC.encode()
    async with SimulatedGlacier(archives=5, time_scale=0) as glacier, sqs(glacier.endpoint_url) as client:
        url = place(glacier, TOPIC)
        await start_job(glacier, job)
        await ask(glacier.endpoint_url, "PUT", "/-/vaults/photos/notification-configuration", EVENTS)
        await start_job(glacier, job)
        glacier.clock.step(6 * HOUR)
        told = (await client.receive_message(QueueUrl=url, MaxNumberOfMessages=10))["Messages"]
    assert len(told) == 4, "each job's own and the vault's, as of the time when it is done"


async def test_a_message_received_is_hidden_until_it_is_let_go_and_deleted_by_its_last_receipt() -> None:
    async with SimulatedGlacier(time_scale=0) as glacier, sqs(glacier.endpoint_url) as client:
        url = place(glacier)
        sent = await client.send_message(QueueUrl=url, MessageBody="hello")
        (first,) = (await client.receive_message(QueueUrl=url, VisibilityTimeout=600))["Messages"]
        assert (first["MessageId"], first["Body"]) == (sent["MessageId"], "hello")
        assert "Messages" not in await client.receive_message(QueueUrl=url)
        again = {"QueueUrl": url, "ReceiptHandle": first["ReceiptHandle"], "VisibilityTimeout": 0}
        await client.change_message_visibility(**again)
        with pytest.raises(ClientError, match="isn't in flight"):
            await client.change_message_visibility(**again)
        (second,) = (await client.receive_message(QueueUrl=url))["Messages"]
        await client.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
        (queue,) = glacier.service.queues.all
        assert len(queue.messages) == 1, "an older receipt deletes nothing"
        await client.delete_message(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"])
        assert (queue.messages, queue.deleted, queue.received) == ([], 1, 2)


async def test_a_long_poll_ends_with_the_message_or_with_its_seconds() -> None:
    async with SimulatedGlacier(archives=5, time_scale=36_000) as glacier, sqs(glacier.endpoint_url) as client:
        url = place(glacier, TOPIC)
        assert "Messages" not in await client.receive_message(QueueUrl=url, WaitTimeSeconds=1)
        await ask(glacier.endpoint_url, "PUT", "/-/vaults/photos/notification-configuration", EVENTS)
        await start_job(glacier)
        assert (await client.receive_message(QueueUrl=url, WaitTimeSeconds=20))["Messages"], "hours, in under a second"


REFUSALS = [
    ({"QueueUrl": "{url}-2"}, "AWS.SimpleQueueService.NonExistentQueue"),
    ({"QueueUrl": "nonsense"}, "InvalidAddress"),
    ({"MaxNumberOfMessages": 11}, "InvalidParameterValue"),
    ({"WaitTimeSeconds": 21}, "InvalidParameterValue"),
]


@pytest.mark.parametrize(("changes", "code"), REFUSALS)
async def test_what_the_service_refuses_is_refused(changes: dict[str, Any], code: str) -> None:
    async with SimulatedGlacier(time_scale=0) as glacier, sqs(glacier.endpoint_url) as client:
        url = place(glacier)
        changes = {name: value.format(url=url) if isinstance(value, str) else value for name, value in changes.items()}
        with pytest.raises(ClientError) as refused:
            await client.receive_message(**({"QueueUrl": url} | changes))
    assert refused.value.response["Error"]["Code"] == code


async def test_signatures_and_identity_policies_hold_for_queues_too() -> None:
    allowed = {"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": "arn:aws:sqs:us-east-1:123456789012:jobs"}
    reader = StaticCredentials(access_key_id="READER", secret_access_key="secret")
    keys = {"READER": "secret", KEYS.access_key_id: "another"}
    policies = {"READER": json.dumps({"Statement": [allowed]})}
    async with SimulatedGlacier(time_scale=0, secret_keys=keys, policies=policies) as glacier:
        url = place(glacier)
        async with sqs(glacier.endpoint_url, reader) as client:
            assert "Messages" not in await client.receive_message(QueueUrl=url)
            with pytest.raises(ClientError, match="not authorized to perform: sqs:sendmessage") as refused:
                await client.send_message(QueueUrl=url, MessageBody="hello")
        async with sqs(glacier.endpoint_url) as stranger:
            with pytest.raises(ClientError, match="signature"):
                await stranger.receive_message(QueueUrl=url)
    assert refused.value.response["Error"]["Code"] == "AccessDenied"


async def test_queues_and_what_lies_in_them_survive_a_restart(tmp_path: Path) -> None:
    async with SimulatedGlacier(time_scale=0, state_dir=tmp_path) as glacier, sqs(glacier.endpoint_url) as client:
        url = place(glacier, TOPIC)
        await client.send_message(QueueUrl=url, MessageBody="hello")
        before = glacier.service.queues.all
    async with SimulatedGlacier(time_scale=0, state_dir=tmp_path) as glacier:
        assert glacier.service.queues.all == before


async def test_a_queue_is_placed_by_the_simulators_own_page() -> None:
    async with SimulatedGlacier(time_scale=0) as glacier:
        order = b'{"name": "jobs", "topics": ["%b"], "raw_delivery": true}' % TOPIC.encode()
        placed = (await ask(glacier.endpoint_url, "POST", "/_simulator/queues", order)).json
        assert (await ask(glacier.endpoint_url, "GET", "/_simulator/queues")).json == placed
    (queue,) = placed["queues"]
    assert (queue["name"], queue["topics"], queue["raw_delivery"], queue["messages"]) == ("jobs", [TOPIC], True, [])
