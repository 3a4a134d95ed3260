"""The fault proxy: ends a client's connection (TCP or TLS), asks the simulator for it, and fails as it is told.

It sees what both sides really said: which DELETE was asked how often, and which request id the service gave to which
archive.  That is what a run's log is held against.  ``Strikes`` decides which request, connection or look-up of a name
is struck; a kind (``kinds``) says how.
"""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import ssl
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import trustme

from tests.reliability.network.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from random import Random

    from tests.reliability.network.kinds import Kind
    from tests.reliability.network.virtual_loop import Address

HOST = "localhost"
"""What clients connect to: a name, so that it can be looked up."""
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)
_REQUEST_ID = re.compile(rb"\r\nx-amzn-requestid: *([!-~]+)\r\n", re.IGNORECASE)
_ARCHIVE = re.compile(rb"DELETE /[^/]+/vaults/[^/]+/archives/([A-Za-z0-9_-]+) ")
_KEY = re.compile(rb"\r\nauthorization: [^\r]* Credential=([^/]+)/", re.IGNORECASE)


class HangUpError(Exception):
    """Raised by a kind that ended the connection itself."""


@dataclass(frozen=True)
class Answer:
    """What the service said: ``head`` with its empty line, and ``body``."""

    head: bytes
    body: bytes

    @property
    def whole(self) -> bytes:
        return self.head + self.body

    @property
    def request_id(self) -> bytes:
        return _REQUEST_ID.search(self.head)[1]  # type: ignore[index]  # each reply of the service has one


@dataclass
class Strikes:
    """Which of the things that can be struck are: a share of them by chance, and always the ``first``-th."""

    random: Random
    share: float
    first: int
    is_on: bool = False
    seen: int = 0
    done: int = 0

    def falls(self) -> bool:
        """Tell whether this one is struck."""
        if not self.is_on:
            return False
        self.seen += 1
        is_struck = self.seen == self.first or self.random.random() < self.share
        self.done += is_struck
        return is_struck


@dataclass
class Exchange:
    """One request of a client, and the ways to answer it."""

    proxy: FaultProxy
    link: Link
    request: bytes

    @property
    def wire(self) -> Wire:
        return self.link.wire

    @property
    def archive_id(self) -> str | None:
        found = _ARCHIVE.match(self.request)
        return None if found is None else found[1].decode()

    async def ask(self) -> Answer:
        """Have the service carry it out; what it said is on the proxy's books."""
        answer = await self.link.upstream(self.request)
        if self.archive_id is not None and answer.head.startswith(b"HTTP/1.1 204 "):
            self.proxy.accepted[answer.request_id.decode()] = self.archive_id
        return answer

    async def pass_on(self) -> Answer:
        """Answer as the service does."""
        answer = await self.ask()
        await self.wire.write(answer.whole)
        return answer


@dataclass(eq=False)
class Link:
    """One client's connection with the one behind it."""

    proxy: FaultProxy
    wire: Wire
    number: int
    task: asyncio.Task[None]
    answered: int = 0
    last_at: float = 0.0
    _unread: bytes = b""
    _behind: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self) -> bytes:
        """The next whole request; nothing when the client has left."""
        while (end := self._unread.find(b"\r\n\r\n")) < 0:
            if not (data := await self.wire.read()):
                return b""
            self._unread += data
        length = _LENGTH.search(self._unread[: end + 4])
        end += 4 + (int(length[1]) if length else 0)
        while len(self._unread) < end:
            if not (data := await self.wire.read()):
                return b""
            self._unread += data
        request, self._unread = self._unread[:end], self._unread[end:]
        return request

    async def upstream(self, request: bytes) -> Answer:
        """Ask the service."""
        if self._behind is None:
            self._behind = await asyncio.open_connection(*self.proxy.behind)
        reader, writer = self._behind
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if _CHUNKED.search(head):
            body = await _chunks(reader)
            head = _CHUNKED.sub(b"\r\nContent-Length: %d\r\n" % len(body), head)
            return Answer(head, body)
        length = _LENGTH.search(head)
        return Answer(head, await reader.readexactly(int(length[1])) if length else b"")

    def close(self) -> None:
        if self._behind is not None:
            self._behind[1].transport.abort()


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


@dataclass(frozen=True)
class Certificates:
    """What a server can show; ``ca_file`` is the authority that clients trust."""

    ca_file: Path
    good: ssl.SSLContext
    of_a_stranger: ssl.SSLContext
    expired: ssl.SSLContext
    of_another_host: ssl.SSLContext

    @classmethod
    def made_in(cls, folder: Path) -> Self:
        from datetime import UTC, datetime, timedelta

        authority, stranger = trustme.CA(), trustme.CA()
        ca_file = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        yesterday = datetime.now(UTC) - timedelta(days=1)
        return cls(
            ca_file,
            _context(authority.issue_cert(HOST)),
            _context(stranger.issue_cert(HOST)),
            _context(authority.issue_cert(HOST, not_after=yesterday)),
            _context(authority.issue_cert("login.example")),
        )


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@dataclass
class FaultProxy:
    """Listens on a loopback port for as long as its context lasts. ``behind`` is where the service listens."""

    kind: Kind
    strikes: Strikes
    certificates: Certificates | None = None
    behind: tuple[str, int] = ("127.0.0.1", 0)
    asked: Counter[str] = field(default_factory=Counter)
    """How often a whole DELETE came for an archive."""
    asked_at: list[float] = field(default_factory=list)
    accepted: dict[str, str] = field(default_factory=dict)
    """The archive whose DELETE the service accepted, by the request id it answered with."""
    signed_by: Counter[str] = field(default_factory=Counter)
    """How many DELETEs came that were signed with a key."""
    requests: int = 0
    """How many have come, of whatever kind."""
    last_said: bytes = b""
    """The last 204 that passed."""
    open: set[Link] = field(default_factory=set)
    port: int = 0
    broken_by: BaseException | None = None
    """What went wrong in the proxy itself, which is a fault of this test."""
    tells_at: int = 0
    told: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the request of that number."""
    strikes_after_deletes: int = 0
    """Strikes begin when so many deletes have come."""
    waiting_for_a_swap: asyncio.Future[tuple[Answer, asyncio.Future[Answer]]] | None = None
    is_restarting: bool = False
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _links: int = 0
    _listener: socket.socket | None = None
    _accepting: asyncio.Task[None] | None = None
    _dead: list[socket.socket] = field(default_factory=list)

    @property
    def endpoint_url(self) -> str:
        return f"{'http' if self.certificates is None else 'https'}://{HOST}:{self.port}"

    async def __aenter__(self) -> Self:
        self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.deaf()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.broken_by is not None:
            raise self.broken_by
        for each in self._dead:
            each.close()

    def names(self, host: str, port: int) -> Sequence[Address]:
        """Look a name up, as its loop asks."""
        del host
        if self.kind.names is not None and self.strikes.falls():
            return self.kind.names(self, port)
        return [(socket.AF_INET, ("127.0.0.1", port))]

    def listen(self) -> None:
        """Take connections, on the same port as before."""
        self.is_restarting = False
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen(128)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._accepting = asyncio.create_task(self._accept(self._listener))

    def deaf(self) -> None:
        """Take no more connections; who tries is refused."""
        self.is_restarting = True
        assert self._listener is not None
        assert self._accepting is not None
        self._accepting.cancel()
        self._listener.close()

    def cut_all(self) -> None:
        """Reset every connection at once, the caller's too."""
        for link in list(self.open):
            link.wire.reset_when_closed()
            link.task.cancel()

    def refusing_port(self) -> int:
        """A port at which nobody listens."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        return port

    def silent_port(self) -> int:
        """A port at which connecting never ends: whoever listens there takes nobody more."""
        if not self._dead:
            full = socket.socket()
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            self._dead.append(full)
            for _ in range(4):
                caller = socket.socket()
                caller.setblocking(False)
                assert caller.connect_ex(full.getsockname()) in {0, errno.EINPROGRESS}
                self._dead.append(caller)
        port: int = self._dead[0].getsockname()[1]
        return port

    def after(self, work: object) -> None:
        """Keep a task until the proxy ends."""
        task: asyncio.Task[None] = asyncio.create_task(work)  # type: ignore[arg-type]  # a coroutine
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self.broken_by = self.broken_by or fault

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            accepted, _ = await loop.sock_accept(listener)
            self.after(self._serve(Wire(accepted)))

    async def _serve(self, wire: Wire) -> None:
        self._links += 1
        task: asyncio.Task[None] = asyncio.current_task()  # type: ignore[assignment]  # there is one
        link = Link(self, wire, self._links, task, last_at=asyncio.get_running_loop().time())
        self.open.add(link)
        try:
            with suppress(HangUpError, OSError, asyncio.IncompleteReadError):
                await self._begin(link)
                await self._talk(link)
        finally:
            self.open.discard(link)
            link.close()
            wire.cut()

    async def _begin(self, link: Link) -> None:
        context = None if self.certificates is None else self.certificates.good
        if self.kind.connection is not None and self.strikes.falls():
            context = await self.kind.connection(link) or context
        if context is not None:
            await link.wire.secure(context)

    async def _talk(self, link: Link) -> None:
        loop = asyncio.get_running_loop()
        while request := await link.request():
            exchange = Exchange(self, link, request)
            self.requests += 1
            if self.requests == self.tells_at:
                self.told.set()
            if exchange.archive_id is not None:
                self.asked[exchange.archive_id] += 1
                self.asked_at.append(loop.time())
                self.signed_by[_KEY.search(request)[1].decode()] += 1  # type: ignore[index]  # every one is signed
                self.strikes.is_on |= 0 < self.strikes_after_deletes == len(self.asked_at)
            if self.kind.request is not None and self.kind.concerns(request) and self.strikes.falls():
                await self.kind.request(exchange)
            else:
                answer = await exchange.pass_on()
                if answer.head.startswith(b"HTTP/1.1 204 "):
                    self.last_said = answer.whole
            link.answered, link.last_at = link.answered + 1, loop.time()
            if self.kind.request is None and self.strikes.is_on and link.answered % _REQUESTS_A_CONNECTION == 0:
                await link.wire.end()  # so that there are connections to be struck
                return


_REQUESTS_A_CONNECTION = 3
