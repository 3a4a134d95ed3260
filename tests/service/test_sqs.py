"""The adapter to a queue: what is asked, how long a request may wait, and what each refusal means."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.stub import AioStubber

from glacier_purge.errors import CredentialsFailed, RunStopped, ServiceRefused, UsageError
from glacier_purge.service.access import Access
from glacier_purge.service.job_queue import QueueMessage
from glacier_purge.service.sqs import SqsQueue, open_queue
from tests.doors import KEYS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HERE = "http://127.0.0.1:9"
URL = f"{HERE}/123456789012/jobs"
MESSAGE = QueueMessage(message_id="m", receipt="r", body="b")
RECEIVED = {"MessageId": "m", "ReceiptHandle": "r", "Body": "b"}


@asynccontextmanager
async def stubbed(timeout_seconds: float = 30.0) -> AsyncIterator[tuple[SqsQueue, AioStubber]]:
    access = Access(endpoint_url=HERE, credentials=KEYS, request_timeout_seconds=timeout_seconds)
    async with open_queue(URL, access, "us-east-1") as queue:
        with AioStubber(queue._client) as stub:
            yield queue, stub


@pytest.mark.parametrize(("timeout_seconds", "asked", "waits"), [(30, 20, 20), (30, 0, 0), (12, 20, 7), (2, 20, 0)])
async def test_a_request_waits_no_longer_than_it_was_asked_to_or_may_take(
    timeout_seconds: float, asked: int, waits: int
) -> None:
    async with stubbed(timeout_seconds) as (queue, stub):
        expected = {"QueueUrl": URL, "MaxNumberOfMessages": 10, "VisibilityTimeout": 30, "WaitTimeSeconds": waits}
        stub.add_response("receive_message", {"Messages": [RECEIVED]}, expected)
        assert await queue.receive(asked) == [MESSAGE]
        stub.add_response("receive_message", {}, expected)
        assert await queue.receive(asked) == []


async def test_a_message_is_let_go_and_deleted_by_its_receipt() -> None:
    async with stubbed() as (queue, stub):
        receipt = {"QueueUrl": URL, "ReceiptHandle": "r"}
        stub.add_response("change_message_visibility", {}, {**receipt, "VisibilityTimeout": 0})
        stub.add_response("delete_message", {}, receipt)
        await queue.let_go(MESSAGE)
        await queue.delete(MESSAGE)
        stub.assert_no_pending_responses()


REFUSALS = [
    ("AccessDenied", 403, ServiceRefused),
    ("AWS.SimpleQueueService.NonExistentQueue", 400, ServiceRefused),
    ("KmsAccessDenied", 400, ServiceRefused),
    ("RequestThrottled", 400, RunStopped),
    ("InternalFailure", 500, RunStopped),
    ("ServiceUnavailable", 503, RunStopped),
    ("ExpiredToken", 403, CredentialsFailed),
    ("InvalidClientTokenId", 403, CredentialsFailed),
]


@pytest.mark.parametrize(("code", "status", "error"), REFUSALS)
async def test_each_refusal_says_whose_fault_it_is(code: str, status: int, error: type[Exception]) -> None:
    async with stubbed() as (queue, stub):
        for _ in range(2):
            stub.add_client_error("receive_message", code, "no", status)
        with pytest.raises(error, match=f"{URL}.*no"):
            await queue.receive(20)


async def test_credentials_that_expired_are_renewed_once_and_it_is_asked_again() -> None:
    async with stubbed() as (queue, stub):
        stub.add_client_error("receive_message", "ExpiredToken", "no", 403)
        stub.add_response("receive_message", {"Messages": [RECEIVED]})
        assert await queue.receive(20) == [MESSAGE]


async def test_a_message_that_others_see_already_needs_no_letting_go() -> None:
    async with stubbed() as (queue, stub):
        stub.add_client_error("change_message_visibility", "AWS.SimpleQueueService.MessageNotInflight", "no", 400)
        await queue.let_go(MESSAGE)


async def test_a_queue_that_does_not_answer_is_waited_for() -> None:
    access: dict[str, Any] = {"credentials": KEYS, "connect_timeout_seconds": 2.0, "request_timeout_seconds": 2.0}
    async with open_queue(URL, Access(endpoint_url=HERE, **access), "us-east-1") as queue:
        with pytest.raises(RunStopped, match="gave no answer"):
            await queue.receive(0)
    assert queue.name == "jobs"


@pytest.mark.parametrize(
    ("url", "region", "host"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/jobs", "eu-central-1", "sqs.eu-west-1.amazonaws.com"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/jobs", "cn-north-1", "sqs.cn-north-1.amazonaws.com.cn"),
    ],
)
async def test_a_queue_of_aws_is_asked_where_it_is_and_nowhere_else(
    url: str, region: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "https://evil.example")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://evil.example")
    async with open_queue(url, Access(credentials=KEYS), region) as queue:
        assert queue._client.meta.endpoint_url == f"https://{host}"


async def test_a_queue_elsewhere_is_not_opened() -> None:
    with pytest.raises(UsageError, match="is refused"):
        async with open_queue("https://evil.example/123456789012/jobs", Access(credentials=KEYS), "eu-west-1"):
            pass
