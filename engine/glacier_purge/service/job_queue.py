"""The door to a queue that hears of finished jobs, in the words of who listens.

What comes out of it is a stranger's text: it may say when to look, and never what is true.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMessage:
    """One message as received; ``receipt`` is what it is let go or deleted by."""

    message_id: str
    receipt: str
    body: str


class JobQueue(Protocol):
    """A queue. Every method raises ``ServiceRefused``, ``CredentialsFailed`` and ``RunStopped`` (no answer)."""

    @property
    def name(self) -> str:
        """What the queue is called."""

    async def receive(self, wait_seconds: int) -> Sequence[QueueMessage]:
        """Take up to 10 messages, which are hidden from others for half a minute.

        Waits up to ``wait_seconds`` (20 at most) for the first.
        """

    async def let_go(self, message: QueueMessage) -> None:
        """Let others see a message again at once."""

    async def delete(self, message: QueueMessage) -> None:
        """Delete a message."""
