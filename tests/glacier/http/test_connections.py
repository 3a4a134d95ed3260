"""Connections as they are shared: handed on in order, given back by whoever leaves, closed when idle."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from glacier_purge.glacier.http.connections import KEEP_ALIVE_SECONDS, SWEEP_SECONDS, ConnectionPool
from glacier_purge.glacier.http.dial import Dialer, NotConnectedError
from glacier_purge.glacier.reply import Meaning
from tests.glacier.raw_server import Exchange, answers, reply, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from glacier_purge.glacier.reply import Reply
    from tests.glacier.raw_server import Answer, RawServer

REQUEST = b"DELETE / HTTP/1.1\r\n\r\n"


@asynccontextmanager
async def pool_of(limit: int, answer: Answer) -> AsyncIterator[tuple[ConnectionPool, RawServer]]:
    async with serving(answer) as server:
        port = int(server.endpoint_url.rpartition(":")[2])
        dialer = Dialer("127.0.0.1", port, tls=None, timeout_seconds=5, patience_seconds=30)
        pool = ConnectionPool(dialer, replied, limit=limit, request_timeout_seconds=30)
        try:
            yield pool, server
        finally:
            pool.close()
            await asyncio.sleep(0)


async def ask(pool: ConnectionPool) -> Reply:
    answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    (await pool.wait()).send(REQUEST, answer)
    return await answer


def replied(answer: asyncio.Future[Reply], reply: Reply) -> bool:
    """Give a reply to whoever asks with a future, unless the test has given up on it."""
    if not answer.done():
        answer.set_result(reply)
    return True


async def test_one_after_the_other_shares_one_connection() -> None:
    async with pool_of(10, answers(reply())) as (pool, server):
        for _ in range(5):
            assert (await ask(pool)).meaning is Meaning.DELETED
    assert (server.connections, len(server.requests)) == (1, 5)


async def test_more_callers_than_connections_wait_in_line() -> None:
    async with pool_of(3, answers(reply())) as (pool, server):
        got = await asyncio.gather(*(ask(pool) for _ in range(50)))
    assert {each.meaning for each in got} == {Meaning.DELETED}
    assert server.connections == 3


async def test_a_place_in_line_outlives_lost_connections() -> None:
    async def every_other_hangs_up(exchange: Exchange) -> None:
        await exchange.send(reply() if exchange.number % 2 else reply("204 No Content", "Connection: close"))

    async with pool_of(2, every_other_hangs_up) as (pool, server):
        got = await asyncio.gather(*(ask(pool) for _ in range(20)))
    assert {each.meaning for each in got} == {Meaning.DELETED}
    assert len(server.requests) == 20


async def test_whoever_leaves_the_line_passes_on_what_was_handed_over() -> None:
    release = asyncio.Event()

    async def hold(exchange: Exchange) -> None:
        if exchange.number == 1:
            await release.wait()
        await exchange.send(reply())

    async with pool_of(1, hold) as (pool, _):
        first = asyncio.ensure_future(ask(pool))
        await asyncio.sleep(0)
        second, third = asyncio.ensure_future(ask(pool)), asyncio.ensure_future(ask(pool))
        await asyncio.sleep(0)
        release.set()
        await first
        second.cancel()
        assert (await third).meaning is Meaning.DELETED
        with pytest.raises(asyncio.CancelledError):
            await second
        assert (await ask(pool)).meaning is Meaning.DELETED


async def test_a_failed_connection_gives_its_place_back() -> None:
    async with pool_of(1, answers(reply())) as (pool, _):
        pass
    port_of_nobody = 1
    nowhere = ConnectionPool(
        Dialer("127.0.0.1", port_of_nobody, tls=None, timeout_seconds=5, patience_seconds=30),
        replied,
        limit=1,
        request_timeout_seconds=30,
    )
    got = await asyncio.gather(*(nowhere.wait() for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in got] == [NotConnectedError] * 5
    assert pool.open_connections == nowhere.open_connections == 0


@pytest.mark.looptime
async def test_idle_connections_are_closed() -> None:
    async with pool_of(10, answers(reply())) as (pool, server):
        await asyncio.gather(*(ask(pool) for _ in range(10)))
        assert pool.open_connections == server.connections
        await asyncio.sleep(KEEP_ALIVE_SECONDS + 3 * SWEEP_SECONDS)
        assert pool.open_connections == 0
        assert (await ask(pool)).meaning is Meaning.DELETED
        assert pool.open_connections == 1


async def test_after_closing_nothing_is_settled_any_more() -> None:
    arrived, closed = asyncio.Event(), asyncio.Event()
    answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    async def late(exchange: Exchange) -> None:
        arrived.set()
        await closed.wait()
        await exchange.send(reply())

    async with pool_of(1, late) as (pool, _):
        (await pool.wait()).send(REQUEST, answer)
        await arrived.wait()
        pool.close()
        closed.set()
        await asyncio.sleep(0.01)
        assert pool.open_connections == 0
    assert not answer.done()
