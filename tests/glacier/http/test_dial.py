"""Making connections: families in turn, the first to answer wins, and every fault is a reply."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from glacier_purge.glacier.http.accepted import AcceptedReplies
from glacier_purge.glacier.http.connection import Connection
from glacier_purge.glacier.http.dial import Dialer, NotConnectedError
from glacier_purge.glacier.reply import Meaning
from tests.glacier.raw_server import answers, reply, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

V4, V6 = socket.AF_INET, socket.AF_INET6


class Nobody:
    reply_due_at = 30.0

    def released(self, connection: Connection) -> None: ...

    def lost(self, connection: Connection) -> None: ...

    def replied(self, archive: object, outcome: object) -> bool:
        return True


class Found:
    """A dialer of a name that has these addresses, and which of them it tries."""

    def __init__(self, *addresses: tuple[socket.AddressFamily, tuple[str, int]], timeout_seconds: float = 5) -> None:
        self.tried: list[tuple[str, int]] = []
        loop = asyncio.get_running_loop()
        connect = loop.sock_connect

        async def getaddrinfo(host: str, port: int, **rest: int) -> object:
            return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address) for family, address in addresses]

        async def sock_connect(runner: socket.socket, address: tuple[str, int]) -> None:
            self.tried.append(address)
            await connect(runner, address)

        loop.getaddrinfo = getaddrinfo  # type: ignore[method-assign, assignment]  # the outside world, pretended
        loop.sock_connect = sock_connect  # type: ignore[method-assign, assignment]  # the same, counted
        self._dialer = Dialer("name", 1, tls=None, timeout_seconds=timeout_seconds, patience_seconds=30)

    async def dial(self) -> Connection:
        return await self._dialer.dial(lambda: Connection(Nobody(), AcceptedReplies(), Nobody().replied))


@contextmanager
def nobody_listens() -> Iterator[tuple[str, int]]:
    """An address that refuses connections."""
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()


@contextmanager
def nobody_answers() -> Iterator[tuple[str, int]]:
    """An address that lets connections wait: a listener whose backlog is full."""
    with ExitStack() as opened:
        silent = opened.enter_context(closing(socket.socket()))
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for _ in range(8):
            each = opened.enter_context(closing(socket.socket()))
            each.setblocking(False)
            each.connect_ex(silent.getsockname())
        yield silent.getsockname()


@asynccontextmanager
async def somebody() -> AsyncIterator[tuple[str, int]]:
    async with serving(answers(reply())) as server:
        yield "127.0.0.1", int(server.endpoint_url.rpartition(":")[2])


def open_sockets() -> list[str]:
    return sorted(link for file in Path("/proc/self/fd").iterdir() if (link := _target(file)).startswith("socket:"))


def _target(file: Path) -> str:
    try:
        return os.readlink(file)  # noqa: PTH115 - a Path would be made of what is none
    except FileNotFoundError:
        return ""


async def test_families_take_turns_and_the_resolvers_first_begins() -> None:
    with nobody_listens() as one, nobody_listens() as other, nobody_listens() as third:
        found = Found((V6, ("::1", one[1])), (V6, ("::1", other[1])), (V4, third))
        with pytest.raises(NotConnectedError):
            await found.dial()
    assert found.tried == [("::1", one[1]), third, ("::1", other[1])]


async def test_an_address_that_refuses_gives_way_to_the_next() -> None:
    with nobody_listens() as nobody:
        async with somebody() as address:
            found = Found((V4, nobody), (V4, address))
            connection = await found.dial()
            connection.drop()
    assert found.tried == [nobody, address]


@pytest.mark.looptime
async def test_an_address_that_does_not_answer_is_overtaken_and_left() -> None:
    loop = asyncio.get_running_loop()
    with nobody_answers() as silent:
        async with somebody() as address:
            before, begun = open_sockets(), loop.time()
            found = Found((V4, silent), (V4, address))
            connection = await found.dial()
            assert loop.time() - begun == pytest.approx(0.25, abs=0.01)
            assert len(open_sockets()) - len(before) <= 2, "ours and the server's, and not the one that waits"
            connection.drop()
    assert found.tried == [silent, address]


async def test_all_faults_are_told_when_all_addresses_fail() -> None:
    with nobody_listens() as nobody:
        with pytest.raises(NotConnectedError, match=r"Connect call failed|Connection refused"):
            await Found((V4, nobody), (V4, nobody)).dial()
        with pytest.raises(NotConnectedError, match="no connection to name:1: the name has no address"):
            await Found().dial()


@pytest.mark.looptime
@pytest.mark.parametrize("addresses", [1, 3])
async def test_no_socket_is_left_when_nobody_answers_or_whoever_dials_is_cancelled(addresses: int) -> None:
    with nobody_answers() as silent:
        before = open_sockets()
        found = Found(*[(V4, silent)] * addresses)
        with pytest.raises(NotConnectedError) as fault:
            await found.dial()
        assert fault.value.reply.code == "ConnectTimeoutError"
        assert open_sockets() == before
        dialing = asyncio.ensure_future(found.dial())
        await asyncio.sleep(0.3)
        dialing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialing
        assert open_sockets() == before
    assert len(found.tried) == addresses + min(addresses, 2), "the third begins after half a second"


async def test_a_refused_connection_is_a_reply() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        port = gone.getsockname()[1]
    dialer = Dialer("127.0.0.1", port, tls=None, timeout_seconds=5, patience_seconds=30)
    with pytest.raises(NotConnectedError) as fault:
        await dialer.dial(lambda: Connection(Nobody(), AcceptedReplies(), Nobody().replied))
    assert fault.value.reply.meaning is Meaning.NO_REPLY
    assert fault.value.reply.code == "EndpointConnectionError"
    assert f"127.0.0.1:{port}" in fault.value.reply.message


async def test_a_moved_service_is_found_again() -> None:
    """After a failure the name is looked up anew for the next connection."""
    asked: list[str] = []
    loop = asyncio.get_running_loop()
    look_up = loop.getaddrinfo

    async def getaddrinfo(host: str, port: int, **rest: int) -> object:
        asked.append(host)
        return await look_up(host, port, **rest)

    loop.getaddrinfo = getaddrinfo  # type: ignore[method-assign, assignment]  # the outside world, counted
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        port = gone.getsockname()[1]
    dialer = Dialer("localhost", port, tls=None, timeout_seconds=5, patience_seconds=30)
    for _ in range(2):
        with pytest.raises(NotConnectedError):
            await dialer.dial(lambda: Connection(Nobody(), AcceptedReplies(), Nobody().replied))
    async with serving(answers(reply())) as server:
        dialer = Dialer(
            "localhost",
            int(server.endpoint_url.rpartition(":")[2]),
            tls=None,
            timeout_seconds=5,
            patience_seconds=30,
        )
        for _ in range(3):
            (await dialer.dial(lambda: Connection(Nobody(), AcceptedReplies(), Nobody().replied))).drop()
    assert len(asked) == 3


@pytest.mark.looptime
async def test_a_tls_handshake_that_never_ends_is_given_up() -> None:
    import ssl

    async with serving(answers(reply())) as server:
        port = int(server.endpoint_url.rpartition(":")[2])
        context = ssl.create_default_context()
        dialer = Dialer("127.0.0.1", port, tls=context, timeout_seconds=5, patience_seconds=30)
        with pytest.raises(NotConnectedError) as fault:
            await dialer.dial(lambda: Connection(Nobody(), AcceptedReplies(), Nobody().replied))
    assert fault.value.reply.code == "ConnectTimeoutError"
