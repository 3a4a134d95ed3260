"""A sender: a process that signs and sends deletes for another one, and reports each reply. ``python -m`` this module.

It has its own loop, connections and credentials, and knows nothing of plans, paces or logs: what to send, and when,
is decided where the run is.  It ends when its parent's end of the socket closes, so it can't outlive the run.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from typing import TYPE_CHECKING

import msgspec

from glacier_purge.archive import Vault  # noqa: TC001 - msgspec reads the annotations of Opening
from glacier_purge.errors import GlacierPurgeError
from glacier_purge.service.access import Access  # noqa: TC001 - and here
from glacier_purge.service.frames import Answers, Frames, Orders, Ready, Renew, answer, frame, read_order
from glacier_purge.service.transport import Choice, open_glacier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glacier_purge.service.frames import Ordered
    from glacier_purge.service.port import Glacier, Later
    from glacier_purge.service.reply import Reply

_CHUNK_BYTES = 1 << 18


class Opening(msgspec.Struct):
    """What a sender needs to know to open the service; its first line on stdin, as JSON."""

    vault: Vault
    access: Access
    choice: Choice


def opening_line(opening: Opening) -> bytes:
    """An opening as a line of JSON."""
    return msgspec.json.encode(opening, enc_hook=str) + b"\n"


def read_opening(line: bytes) -> Opening:
    """Read what ``opening_line`` wrote."""
    return msgspec.json.decode(line, type=Opening, dec_hook=lambda kind, text: kind(text))


class _Sender:
    """Sends what it is told, and reports the replies of each turn of the loop."""

    def __init__(self, service: Glacier, writer: asyncio.StreamWriter) -> None:
        self._service = service
        self._writer = writer
        service.deliver_to(self._report)
        self._under_way: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Work until the other end closes; what is under way then is of no use to anybody."""
        frames = Frames()
        async with asyncio.TaskGroup() as tasks:
            while data := await reader.read(_CHUNK_BYTES):
                for body in frames.feed(data):
                    self._obey(read_order(body), tasks)
            for task in self._under_way:
                task.cancel()

    def _obey(self, order: Orders | Renew, tasks: asyncio.TaskGroup) -> None:
        if isinstance(order, Renew):
            tasks.create_task(self._renew())
            return
        for later in self._service.delete_archives(order.deletes):
            task = tasks.create_task(_done(later))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    def _report(self, replies: Sequence[tuple[Ordered, Reply]]) -> None:
        self._writer.write(frame(Answers([answer(ordered.number, reply) for ordered, reply in replies])))

    async def _renew(self) -> None:
        try:
            await self._service.renew_credentials()
        except GlacierPurgeError as error:
            self._writer.write(frame(Ready(str(error))))
        else:
            self._writer.write(frame(Ready(None)))


async def _done(later: Later) -> None:
    await later()


async def main(handle: int) -> None:
    """Open the service as stdin says and send what comes over the socket ``handle``."""
    opening = read_opening(sys.stdin.buffer.readline())
    reader, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=handle))
    try:
        async with open_glacier(opening.choice, opening.vault, opening.access) as service:
            writer.write(frame(Ready(None)))
            await _Sender(service, writer).serve(reader)
    except GlacierPurgeError as error:
        writer.write(frame(Ready(str(error))))
        await writer.drain()
    finally:
        writer.close()


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the run decides when to end, and what is in flight has to settle
    try:
        import uvloop
    except ImportError:
        asyncio.run(main(int(sys.argv[1])))
    else:
        uvloop.run(main(int(sys.argv[1])))
