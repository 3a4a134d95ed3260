"""The same door over several processes: where one core is full of signing and TLS, others send for it.

Only the sending is spread.  Plan, released ranges, pace and the audit log stay in the run's own process, so there is
one budget, one journal and one chain whatever the number of senders, and nothing that keeps a purge safe has to be
agreed on between processes.  Deletes of one turn of the event loop travel as one frame.  A sender that dies leaves
its deletes without a reply, as a broken connection does: they are sent again.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from glacier_purge.errors import CredentialsFailed, RunStopped
from glacier_purge.service.frames import Answers, Frames, Renew, frame, numbered, read_answer
from glacier_purge.service.reply import Meaning, Reply
from glacier_purge.service.sender import Opening, opening_line
from glacier_purge.service.transport import open_glacier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from glacier_purge.archive import ArchiveId, Vault
    from glacier_purge.service.access import Access
    from glacier_purge.service.port import Glacier, Settle, VaultDescription
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
        senders = [await stack.enter_async_context(_sender(opening)) for _ in range(processes)]
        yield SpreadGlacier(control, senders)


class SpreadGlacier:
    """``service.port.Glacier`` over senders. Made by ``open_spread``."""

    def __init__(self, control: Glacier, senders: list[_Sender]) -> None:
        self._control = control
        self._senders = senders
        self._next = 0

    @property
    def vault(self) -> Vault:
        """The vault every call is about."""
        return self._control.vault

    @property
    def endpoint_url(self) -> str:
        """Where requests go, as resolved."""
        return self._control.endpoint_url

    def delete_archive(self, archive_id: ArchiveId, settle: Settle) -> None:
        """See ``Glacier``; the senders take turns. Raises ``RunStopped`` when none is left."""
        for _ in self._senders:
            self._next = (self._next + 1) % len(self._senders)
            if self._senders[self._next].is_alive:
                self._senders[self._next].delete(archive_id, settle)
                return
        raise RunStopped("every sending process has ended. What is on disk stays valid; the same command resumes.")

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

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._frames = Frames()
        self._waiting: dict[int, Settle] = {}
        self._orders: list[tuple[int, str]] = []
        self._numbers = 0
        self._ready: asyncio.Future[str | None] = self._loop.create_future()

    @property
    def is_alive(self) -> bool:
        """Whether the process is there to send."""
        return self._transport is not None

    def delete(self, archive_id: ArchiveId, settle: Settle) -> None:
        """Order one delete of a sender that is alive."""
        self._numbers += 1
        self._waiting[self._numbers] = settle
        if not self._orders:
            self._loop.call_soon(self._order)
        self._orders.append((self._numbers, archive_id))

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
                    self._waiting.pop(answer.number)(answer.reply())
            elif not self._ready.done():
                self._ready.set_result(said.fault)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the sender is gone, and what it had in hand may or may not have been sent."""
        self._transport = None
        waiting, self._waiting = self._waiting, {}
        for settle in waiting.values():
            settle(_DIED)
        if not self._ready.done():
            self._ready.set_result("a sending process ended at once; its message is on stderr.")

    def _order(self) -> None:
        orders, self._orders = self._orders, []
        if self._transport is not None:
            self._transport.write(numbered(orders))


@asynccontextmanager
async def _sender(opening: Opening) -> AsyncIterator[_Sender]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "glacier_purge.service.sender", str(theirs.fileno())),
            pass_fds=[theirs.fileno()],
            stdin=PIPE,
        )
    assert process.stdin is not None
    process.stdin.write(opening_line(opening))
    transport, sender = await asyncio.get_running_loop().create_unix_connection(_Sender, sock=ours)
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
