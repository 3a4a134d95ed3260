"""Making connections: families in turn, the first to answer wins, and every fault is a reply."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing

import pytest

from glacier_purge.glacier.http.accepted import AcceptedReplies
from glacier_purge.glacier.http.connection import Connection
from glacier_purge.glacier.http.dial import Dialer, NotConnectedError, first_to_connect, interleaved
from glacier_purge.glacier.reply import Meaning
from tests.glacier.raw_server import answers, reply, serving

V4, V6 = socket.AF_INET, socket.AF_INET6


def test_families_take_turns_and_the_resolvers_first_begins() -> None:
    found = [(V6, ("a",)), (V6, ("b",)), (V6, ("c",)), (V4, ("d",))]
    assert [address for _, (address,) in interleaved(found)] == ["a", "d", "b", "c"]
    assert interleaved([]) == []


async def test_an_address_that_refuses_gives_way_to_the_next() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        nobody = gone.getsockname()
    async with serving(answers(reply())) as server:
        port = int(server.endpoint_url.rpartition(":")[2])
        with closing(await first_to_connect([(V4, nobody), (V4, ("127.0.0.1", port))])) as connected:
            assert connected.getpeername() == ("127.0.0.1", port)


@pytest.mark.looptime
async def test_an_address_that_does_not_answer_is_overtaken() -> None:
    """A listener whose backlog is full lets further connections wait; the next address is tried meanwhile."""
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        crowd = [socket.socket() for _ in range(8)]
        for each in crowd:
            each.setblocking(False)
            each.connect_ex(silent.getsockname())
        async with serving(answers(reply())) as server:
            port = int(server.endpoint_url.rpartition(":")[2])
            with closing(await first_to_connect([(V4, silent.getsockname()), (V4, ("127.0.0.1", port))])) as connected:
                assert connected.getpeername() == ("127.0.0.1", port)
        for each in crowd:
            each.close()


async def test_the_first_fault_is_told_when_all_addresses_fail() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        nobody = gone.getsockname()
    with pytest.raises(ConnectionRefusedError):
        await first_to_connect([(V4, nobody), (V4, nobody)])
    with pytest.raises(OSError, match="no address"):
        await first_to_connect([])


class Nobody:
    reply_due_at = 30.0

    def released(self, connection: Connection) -> None: ...

    def lost(self, connection: Connection) -> None: ...

    def replied(self, archive: object, outcome: object) -> bool:
        return True


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
