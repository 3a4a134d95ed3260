"""What the run's process and its senders say to each other: batches of deletes one way, batches of replies the other.

A frame is four bytes of length (big-endian) and msgpack; a whole batch is one frame, so the cost of talking is paid
once for many deletes.  Pure: bytes in, values out.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import msgspec

from glacier_purge.archive import ArchiveId  # noqa: TC001 - msgspec reads the annotations of Ordered
from glacier_purge.service.reply import Meaning, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

_LENGTH = struct.Struct(">I")
_MEANINGS = tuple(Meaning)
_NUMBER_OF = {meaning: number for number, meaning in enumerate(_MEANINGS)}


class Ordered(msgspec.Struct, array_like=True, gc=False):
    """A delete to send; ``number`` comes back with the reply."""

    number: int
    archive_id: ArchiveId


class Orders(msgspec.Struct, array_like=True, tag="orders"):
    """Deletes to send."""

    deletes: list[Ordered]


class Renew(msgspec.Struct, array_like=True, tag="renew"):
    """Fetch credentials afresh."""


class Answer(msgspec.Struct, array_like=True, gc=False):
    """A reply and the number of the delete it answers; ``meaning`` is its place in ``Meaning``."""

    number: int
    meaning: int
    status: int | None
    code: str | None
    message: str
    request_id: str | None
    retry_after_seconds: float | None

    def reply(self) -> Reply:
        """The reply, as the port gives it."""
        return Reply(
            _MEANINGS[self.meaning], self.status, self.code, self.message, self.request_id, self.retry_after_seconds
        )


class Answers(msgspec.Struct, array_like=True, tag="answers"):
    """Replies that came, in the order in which they came."""

    answers: list[Answer]


class Ready(msgspec.Struct, array_like=True, tag="ready"):
    """The sender is open, or its credentials are renewed; ``fault`` is the message when that failed."""

    fault: str | None


_TO_SENDER: msgspec.msgpack.Decoder[Orders | Renew] = msgspec.msgpack.Decoder(Orders | Renew)
_FROM_SENDER: msgspec.msgpack.Decoder[Answers | Ready] = msgspec.msgpack.Decoder(Answers | Ready)
_ENCODER = msgspec.msgpack.Encoder()


def answer(number: int, reply: Reply) -> Answer:
    """Put a reply into the form it travels in."""
    return Answer(
        number,
        _NUMBER_OF[reply.meaning],
        reply.status,
        reply.code,
        reply.message,
        reply.request_id,
        reply.retry_after_seconds,
    )


def frame(message: Orders | Renew | Answers | Ready) -> bytes:
    """A message as it goes over the wire."""
    body = _ENCODER.encode(message)
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Cuts a stream of bytes into frames: feed what came, iterate over what is whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes and give the bodies of all frames that are whole now."""
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, at)
            end = at + _LENGTH.size + length
            if len(self._buffer) < end:
                break
            yield bytes(self._buffer[at + _LENGTH.size : end])
            at = end
        del self._buffer[:at]


def read_order(body: bytes) -> Orders | Renew:
    """What a sender was told. Raises ``msgspec.MsgspecError`` for anything else."""
    return _TO_SENDER.decode(body)


def read_answer(body: bytes) -> Answers | Ready:
    """What a sender says. Raises ``msgspec.MsgspecError`` for anything else."""
    return _FROM_SENDER.decode(body)
