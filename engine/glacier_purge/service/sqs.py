"""A queue of Amazon SQS through aioboto3, for one question: has somebody announced that a job is done.

One call is one request: whoever listens goes on listening anyway.  This module is cheap to import; aioboto3 (half a
second) comes in when a queue is opened.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from glacier_purge.errors import CredentialsFailed, RunStopped, ServiceRefused
from glacier_purge.service.job_queue import QueueMessage
from glacier_purge.service.queue_address import queue_region

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from glacier_purge.service.access import Access
    from glacier_purge.service.session import AwsSession

WAIT_SECONDS_MAX = 20
"""The longest long poll (SQS API Reference, "ReceiveMessage")."""
MESSAGES_MAX = 10
"""Most messages in one reply (the same)."""
HIDDEN_SECONDS = 30
"""How long a message stays hidden from others when we end without letting it go, whatever the queue's own setting."""
_ANSWER_SECONDS = 5
"""What a request may take beyond the waiting it asked for."""
_RENEWABLE = {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
_LATER = {"RequestThrottled", "ThrottlingException", "Throttling", "OverLimit"}
_VISIBLE_ANYWAY = {"AWS.SimpleQueueService.MessageNotInflight", "MessageNotInflight", "ReceiptHandleIsInvalid"}


class SqsQueue:
    """``service.job_queue.JobQueue`` through the SDK. Made by ``open_queue``."""

    def __init__(self, client: Any, url: str, session: AwsSession, *, wait_seconds_max: int) -> None:
        self._client = client
        self._url = url
        self._session = session
        self._wait_seconds_max = wait_seconds_max

    @property
    def name(self) -> str:
        """What the queue is called."""
        return self._url.rpartition("/")[2]

    async def receive(self, wait_seconds: int) -> Sequence[QueueMessage]:
        """Take up to 10 messages; waits less where the settings let no request take so long."""
        answer = await self._ask(
            self._client.receive_message,
            MaxNumberOfMessages=MESSAGES_MAX,
            VisibilityTimeout=HIDDEN_SECONDS,
            WaitTimeSeconds=min(wait_seconds, self._wait_seconds_max),
        )
        return [
            QueueMessage(message_id=message["MessageId"], receipt=message["ReceiptHandle"], body=message["Body"])
            for message in answer.get("Messages", ())
        ]

    async def let_go(self, message: QueueMessage) -> None:
        """Let others see a message again at once."""
        await self._ask(self._client.change_message_visibility, ReceiptHandle=message.receipt, VisibilityTimeout=0)

    async def delete(self, message: QueueMessage) -> None:
        """Delete a message."""
        await self._ask(self._client.delete_message, ReceiptHandle=message.receipt)

    async def _ask(self, operation: Any, **arguments: object) -> Mapping[str, Any]:
        """Ask once; credentials that are not accepted are renewed and it is asked once more."""
        try:
            return await self._once(operation, **arguments)
        except CredentialsFailed:
            await self._session.credentials.renew()
            return await self._once(operation, **arguments)

    async def _once(self, operation: Any, **arguments: object) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError  # noqa: PLC0415  # heavy
        from botocore.parsers import ResponseParserError  # noqa: PLC0415  # heavy

        try:
            answer: Mapping[str, Any] = await operation(QueueUrl=self._url, **arguments)
        except NoCredentialsError as fault:
            raise CredentialsFailed(f"{fault}. Listening to queue {self._url} needs credentials.") from fault
        except ClientError as fault:
            code = fault.response["Error"].get("Code")
            if code in _VISIBLE_ANYWAY:
                return {}
            if code in _RENEWABLE:
                raise CredentialsFailed(f"queue {self._url} does not accept the credentials: {fault}.") from fault
            if code in _LATER or int(fault.response["ResponseMetadata"]["HTTPStatusCode"]) >= 500:
                raise RunStopped(f"queue {self._url} gave no answer: {fault}.") from fault
            raise ServiceRefused(
                f"queue {self._url} cannot be listened to: {fault}. It has to be there, and needs sqs:ReceiveMessage, "
                "sqs:DeleteMessage and sqs:ChangeMessageVisibility (config/iam/job-queue.json); check --job-queue."
            ) from fault
        except (BotoCoreError, ResponseParserError) as fault:
            raise RunStopped(f"queue {self._url} gave no answer: {fault}.") from fault
        return answer


@asynccontextmanager
async def open_queue(url: str, access: Access, vault_region: str) -> AsyncIterator[SqsQueue]:
    """Open the queue at ``url`` with the credentials of ``access``, which reaches a vault in ``vault_region``.

    Sends nothing.  Raises ``UsageError`` for a queue that must not be listened to, as ``queue_region`` says.
    """
    region = queue_region(url, vault_region, access.endpoint_url)
    from glacier_purge.service.session import AwsSession  # noqa: PLC0415  # heavy, see above

    session = AwsSession(access, region)
    wait_seconds_max = max(0, min(WAIT_SECONDS_MAX, int(access.request_timeout_seconds) - _ANSWER_SECONDS))
    async with session.client("sqs") as client:
        yield SqsQueue(client, url, session, wait_seconds_max=wait_seconds_max)
