"""Amazon SQS pretended as far as a reader of announcements needs it: the JSON protocol and four operations.  Pure.

ReceiveMessage, DeleteMessage, ChangeMessageVisibility and SendMessage, with the limits, codes and shapes of the
service, signatures and identity policies included.  The queue is the one that the path of ``QueueUrl`` names, in the
region that the request was signed for.

Source: botocore's service model 2012-11-05; SQS API Reference, "Making API requests" (AWS JSON protocol).
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from glacier_purge.simulator import policy
from glacier_purge.simulator.exchange import Response
from glacier_purge.simulator.queues import HIDDEN_SECONDS, Message, Queue, Queues

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier_purge.simulator.account import Caller
    from glacier_purge.simulator.exchange import Request

TARGET = "AmazonSQS."
"""What the ``x-amz-target`` of a request to SQS begins with."""
WAIT_SECONDS_MAX = 20
_HIDDEN_SECONDS_MAX = 43_200
_MESSAGES_MAX = 10
_QUEUE_URL = re.compile(r"https?://[^/]+/([0-9]{12})/([A-Za-z0-9_-]{1,80})")


class SqsRefusal(Exception):
    """SQS's no: ``code`` as its JSON protocol writes it, ``query_code`` as its older protocol did and SDKs show it."""

    def __init__(self, code: str, message: str, query_code: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.query_code = query_code or code

    def response(self) -> Response:
        """Make the reply that says so."""
        body = {"__type": f"com.amazonaws.sqs#{self.code}", "message": str(self)}
        reply = _reply(body, 400)
        reply.headers.append(("x-amzn-query-error", f"{self.query_code};Sender"))
        return reply


def wait_seconds(request: Request) -> int:
    """How long a request is ready to wait for a message; 0 for all that is no long poll."""
    try:
        return _number(_read(request), "WaitTimeSeconds", 0, WAIT_SECONDS_MAX)
    except SqsRefusal:
        return 0


def answer(queues: Queues, caller: Caller, request: Request, now: float, real: float) -> Response:
    """Answer one request. ``now`` is the service's time, ``real`` the seconds by which messages are hidden."""
    try:
        operation = request.headers["x-amz-target"].removeprefix(TARGET)
        asked = _read(request)
        perform = _OPERATIONS.get(operation)
        if perform is None:
            raise SqsRefusal("UnknownOperationException", f"The operation {operation} is not pretended.")
        return _reply(perform(_queue(queues, caller, operation, asked, now), asked, real))
    except SqsRefusal as no:
        return no.response()


def is_empty(response: Response) -> bool:
    """Tell whether a receive found nothing, so that a long poll goes on."""
    return response.body == b"{}"


def _queue(queues: Queues, caller: Caller, operation: str, asked: dict[str, Any], now: float) -> Queue:
    match = _QUEUE_URL.fullmatch(str(asked.get("QueueUrl")))
    if match is None:
        raise SqsRefusal("InvalidAddress", "The address is not valid for this endpoint.")
    account_id, name = match.groups()
    named = Queue(account_id, caller.region, name)
    if caller.policy is not None:
        question = policy.Question(
            action=f"sqs:{operation}",
            resource=named.arn,
            principal_arn=caller.principal_arn,
            account_id=caller.account_id,
            now=now,
            tags={},
            region=caller.region,
        )
        if policy.is_denied(caller.policy, question) or not policy.is_allowed(caller.policy, question):
            raise SqsRefusal(
                "AccessDeniedException",
                f"User: {caller.principal_arn} is not authorized to perform: sqs:{operation.lower()} on resource: "
                f"{named.arn} because no identity-based policy allows the sqs:{operation.lower()} action",
                "AccessDenied",
            )
    queue = queues.find(account_id, caller.region, name)
    if queue is None:
        raise SqsRefusal(
            "QueueDoesNotExist", "The specified queue does not exist.", "AWS.SimpleQueueService.NonExistentQueue"
        )
    return queue


def _receive(queue: Queue, asked: dict[str, Any], real: float) -> dict[str, Any]:
    most = _number(asked, "MaxNumberOfMessages", 1, _MESSAGES_MAX, otherwise=1)
    hidden_seconds = _number(asked, "VisibilityTimeout", 0, _HIDDEN_SECONDS_MAX, otherwise=HIDDEN_SECONDS)
    _number(asked, "WaitTimeSeconds", 0, WAIT_SECONDS_MAX)
    messages = queue.receive(most, hidden_seconds, real)
    return {"Messages": [_shown(message) for message in messages]} if messages else {}


def _shown(message: Message) -> dict[str, str]:
    return {
        "MessageId": message.message_id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": _md5(message.body),
        "Body": message.body,
    }


def _delete(queue: Queue, asked: dict[str, Any], real: float) -> dict[str, Any]:
    queue.delete(_receipt(asked))
    return {}


def _change_visibility(queue: Queue, asked: dict[str, Any], real: float) -> dict[str, Any]:
    hidden_seconds = _number(asked, "VisibilityTimeout", 0, _HIDDEN_SECONDS_MAX)
    message = queue.find(_receipt(asked))
    if message is None or message.visible_from <= real:
        raise SqsRefusal(
            "MessageNotInflight",
            "The specified message isn't in flight.",
            "AWS.SimpleQueueService.MessageNotInflight",
        )
    message.visible_from = real + hidden_seconds if hidden_seconds else 0.0
    return {}


def _send(queue: Queue, asked: dict[str, Any], real: float) -> dict[str, Any]:
    body = asked.get("MessageBody")
    if not isinstance(body, str) or not body:
        raise SqsRefusal("MissingParameter", "The request must contain the parameter MessageBody.")
    return {"MessageId": queue.send(body).message_id, "MD5OfMessageBody": _md5(body)}


_OPERATIONS: dict[str, Callable[[Queue, dict[str, Any], float], dict[str, Any]]] = {
    "ReceiveMessage": _receive,
    "DeleteMessage": _delete,
    "ChangeMessageVisibility": _change_visibility,
    "SendMessage": _send,
}


def _read(request: Request) -> dict[str, Any]:
    try:
        asked = json.loads(request.body or b"{}")
    except (ValueError, RecursionError) as error:
        raise SqsRefusal("SerializationException", "The request body is not JSON.") from error
    if not isinstance(asked, dict):
        raise SqsRefusal("SerializationException", "The request body is not an object.")
    return asked


def _number(asked: dict[str, Any], name: str, least: int, most: int, otherwise: int = 0) -> int:
    value = asked.get(name, otherwise)
    if type(value) is not int or not least <= value <= most:
        raise SqsRefusal(
            "InvalidParameterValue",
            f"Value {value} for parameter {name} is invalid. Reason: Must be >= {least} and <= {most}, if provided.",
        )
    return value


def _receipt(asked: dict[str, Any]) -> str:
    receipt = asked.get("ReceiptHandle")
    if not isinstance(receipt, str) or "#" not in receipt:
        raise SqsRefusal("ReceiptHandleIsInvalid", "The input receipt handle is not a valid receipt handle.")
    return receipt


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _reply(body: dict[str, Any], status: int = 200) -> Response:
    return Response(status, [("Content-Type", "application/x-amz-json-1.0")], json.dumps(body).encode())
