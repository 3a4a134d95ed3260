"""Queues that hear of finished jobs: Amazon SQS behind Amazon SNS, as far as a vault's announcements go.  Pure.

A queue is subscribed to topics; what a vault announces to one of them lies in it as SNS writes it, in an envelope or
raw.  Of a queue's life there is what a reader has to cope with: a message received is hidden for a while and comes back
unless it was deleted, and only the last receipt counts.  Hiding is meant in real seconds (``real``) whatever the time
scale, like all that concerns a client's own patience; nothing is lost and nothing comes twice by chance.

Sources: SQS Developer Guide, "Visibility timeout", "Queue and message identifiers"; SNS Developer Guide, "Parsing
message formats", "Raw message delivery".
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import msgspec

from glacier_purge.archive import partition_of
from glacier_purge.simulator import dates

if TYPE_CHECKING:
    from collections.abc import Iterator

HIDDEN_SECONDS = 30
"""How long a message received stays hidden unless the reader says otherwise: the default of a new queue."""


class Message(msgspec.Struct):
    """One message. It can be received from ``visible_from`` (real seconds) on; ``receives`` counts how often it was."""

    message_id: str
    body: str
    visible_from: float = 0.0
    receives: int = 0

    @property
    def receipt(self) -> str:
        """The handle that the last receive gave."""
        return f"{self.message_id}#{self.receives}"


class Queue(msgspec.Struct):
    """A queue of an account in a region; ``raw_delivery`` is its subscription's setting."""

    account_id: str
    region: str
    name: str
    topics: list[str] = []
    raw_delivery: bool = False
    messages: list[Message] = []
    sent: int = 0
    received: int = 0
    deleted: int = 0

    @property
    def arn(self) -> str:
        """What policies call it."""
        return f"arn:{partition_of(self.region)}:sqs:{self.region}:{self.account_id}:{self.name}"

    def send(self, body: str) -> Message:
        """Put a message in."""
        self.sent += 1
        digits = hashlib.sha256(f"{self.arn} {self.sent}".encode()).hexdigest()
        message = Message(f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}", body)
        self.messages.append(message)
        return message

    def receive(self, most: int, hidden_seconds: float, real: float) -> list[Message]:
        """Take up to ``most`` messages that are not hidden, and hide them."""
        visible = [message for message in self.messages if message.visible_from <= real][:most]
        for message in visible:
            message.visible_from = real + hidden_seconds
            message.receives += 1
        self.received += len(visible)
        return visible

    def find(self, receipt: str) -> Message | None:
        """The message whose last receipt this is."""
        return next((message for message in self.messages if message.receipt == receipt), None)

    def delete(self, receipt: str) -> None:
        """Delete a message; an older receipt deletes nothing, and nobody is told."""
        message = self.find(receipt)
        if message is not None:
            self.messages.remove(message)
            self.deleted += 1


class Queues:
    """All queues there are."""

    def __init__(self, queues: list[Queue] | None = None) -> None:
        self.all = queues or []

    def place(self, queue: Queue) -> None:
        """Put a queue there, instead of one of the same name."""
        old = self.find(queue.account_id, queue.region, queue.name)
        if old is not None:
            self.all.remove(old)
        self.all.append(queue)

    def find(self, account_id: str, region: str, name: str) -> Queue | None:
        """The queue of this name; None when there is none."""
        whose = (account_id, region, name)
        return next((one for one in self.all if (one.account_id, one.region, one.name) == whose), None)

    def publish(self, topic: str, message: str, now: float) -> None:
        """Let SNS deliver a message to whoever is subscribed to ``topic``."""
        for queue in self._subscribed(topic):
            queue.send(message if queue.raw_delivery else _enveloped(topic, message, now, number=queue.sent))

    def _subscribed(self, topic: str) -> Iterator[Queue]:
        return (queue for queue in self.all if topic in queue.topics)


def _enveloped(topic: str, message: str, now: float, *, number: int) -> str:
    """A notification as SNS writes it. The signature is none: nobody has SNS's key."""
    digits = hashlib.sha256(f"{topic} {number} {message}".encode()).hexdigest()
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}",
            "TopicArn": topic,
            "Subject": "Notification From Amazon Glacier",
            "Message": message,
            "Timestamp": dates.with_milliseconds(now),
            "SignatureVersion": "1",
            "Signature": "c2ltdWxhdGVk",
            "SigningCertURL": "https://sns.invalid/simulated.pem",
            "UnsubscribeURL": "https://sns.invalid/?Action=Unsubscribe",
        }
    )
