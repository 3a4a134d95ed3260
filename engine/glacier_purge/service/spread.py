"""The same door over several processes: where one core is full of signing and TLS, others send for it.

Only the sending is spread.  Plan, released ranges, pace and the audit log stay in the run's own process, so there is
one budget, one journal and one chain whatever the number of senders, and nothing that keeps a purge safe has to be
agreed on between processes.  Deletes that are sent together travel as one frame.  A sender that dies leaves
its deletes without a reply, as a broken connection does: they are sent again.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, cast

from glacier_purge.errors import CredentialsFailed, RunStopped
from glacier_purge.service.frames import Answers, Frames, Ordered, Orders, Renew, frame, read_answer
from glacier_purge.service.replies import Replies
from glacier_purge.service.reply import Meaning, Reply
from glacier_purge.service.sender import Opening, opening_line
from glacier_purge.service.transport import open_glacier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from glacier_purge.archive import Vault
    from glacier_purge.service.access import Access
    from glacier_purge.service.port import Addressed, Glacier, Later, Settle, VaultDescription
    from glacier_purge.service.transport import Choice

_ENDING_SECONDS_MAX = 5.0
_DIED = Reply(Meaning.NO_REPLY, code="SenderDied", message="the sending process ended")


@asynccontextmanager
async def open_spread(choice: Choice, vault: Vault, access: Access, processes: int) -> AsyncIterator[SpreadGlacier]:
    """Open the service over ``processes`` senders; leaving the context ends them.

    Raises ``CredentialsFailed`` when a sender can't open the service, and what ``open_glacier`` raises.
    """
    share = replace(access, max_in_flight=-(-access.max_in_flight // processes))
    opening = Opening(vault, share, choice)
    async with AsyncExitStack() as stack:
        control = await stack.enter_async_context(open_glacier(choice, vault, access))
        replies = Replies()
        senders = [await stack.enter_async_context(_sender(opening, replies)) for _ in range(processes)]
        yield SpreadGlacier(control, senders, replies)


class SpreadGlacier:
    """``service.port.Glacier`` over senders. Made by ``open_spread``."""

    def __init__(self, control: Glacier, senders: list[_Sender], replies: Replies) -> None:
        self._control = control
        self._senders = senders
        self._replies = replies
        self._turn = 0

    @property
    def vault(self) -> Vault:
        """The vault every call is about."""
        return self._control.vault

    @property
    def endpoint_url(self) -> str:
        """Where requests go, as resolved."""
        return self._control.endpoint_url

    def deliver_to(self, settle: Settle) -> None:
        """See ``Glacier``."""
        self._replies.deliver_to(settle)

    def delete_archives(self, archives: Sequence[Addressed]) -> Sequence[Later]:
        """See ``Glacier``; the senders get equal shares. Raises ``RunStopped`` when none is left."""
        alive = [sender for sender in self._senders if sender.is_alive]
        if not alive:
            raise RunStopped("every sending process has ended. What is on disk stays valid; the same command resumes.")
        for index, sender in enumerate(alive):
            sender.delete(archives[(index - self._turn) % len(alive) :: len(alive)])
        self._turn = (self._turn + len(archives)) % len(alive)
        return ()

    async def describe_vault(self) -> VaultDescription:
        """Ask for the vault's description; raises as ``Glacier.describe_vault`` says."""
        return await self._control.describe_vault()

    async def renew_credentials(self) -> None:
        """Fetch credentials afresh, everywhere. Raises ``CredentialsFailed`` when a process gets none."""
        await self._control.renew_credentials()
        for sender in self._senders:
            await sender.renew()


class _Sender(asyncio.Protocol):
    """This end of the socket to one sender."""

    def __init__(self, replies: Replies) -> None:
        self._loop = asyncio.get_running_loop()
        self._replies = replies
        self._transport: asyncio.Transport | None = None
        self._frames = Frames()
        self._waiting: dict[int, Addressed] = {}
        self._numbers = count(1)
        self._ready: asyncio.Future[str | None] = self._loop.create_future()

    @property
    def is_alive(self) -> bool:
        """Whether the process is there to send."""
        return self._transport is not None

    def delete(self, archives: Sequence[Addressed]) -> None:
        """Order deletes of a sender that is alive."""
        if archives and self._transport is not None:
            numbered = dict(zip(self._numbers, archives, strict=False))
            self._waiting |= numbered
            orders = [Ordered(number, archive.archive_id) for number, archive in numbered.items()]
            self._transport.write(frame(Orders(orders)))

    async def opened(self) -> None:
        """Wait until the sender is ready. Raises ``CredentialsFailed`` with its message when it can't be."""
        fault = await self._ready
        self._ready = self._loop.create_future()
        if fault is not None:
            raise CredentialsFailed(fault)

    async def renew(self) -> None:
        """Have the sender fetch credentials afresh. Raises ``CredentialsFailed``."""
        if self._transport is not None:
            self._transport.write(frame(Renew()))
            await self.opened()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket is there."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without being its subclass

    def data_received(self, data: bytes) -> None:
        """asyncio: the sender says something."""
        for body in self._frames.feed(data):
            said = read_answer(body)
            if isinstance(said, Answers):
                for answer in said.answers:
                    self._replies.add(self._waiting.pop(answer.number), answer.reply())
            elif not self._ready.done():
                self._ready.set_result(said.fault)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the sender is gone, and what it had in hand may or may not have been sent."""
        self._transport = None
        waiting, self._waiting = self._waiting, {}
        for archive in waiting.values():
            self._replies.add(archive, _DIED)
        if not self._ready.done():
            self._ready.set_result("a sending process ended at once; its message is on stderr.")


@asynccontextmanager
async def _sender(opening: Opening, replies: Replies) -> AsyncIterator[_Sender]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "glacier_purge.service.sender", str(theirs.fileno())),
            pass_fds=[theirs.fileno()],
            stdin=PIPE,
        )
    assert process.stdin is not None
    process.stdin.write(opening_line(opening))
    transport, sender = await asyncio.get_running_loop().create_unix_connection(lambda: _Sender(replies), sock=ours)
    try:
        await sender.opened()
        yield sender
    finally:
        transport.close()
        await _end(process)


async def _end(process: Process) -> None:
    with suppress(TimeoutError, ProcessLookupError):
        async with asyncio.timeout(_ENDING_SECONDS_MAX):
            await process.wait()
            return
    process.kill()
    await process.wait()
