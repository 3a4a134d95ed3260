"""One connection and its outbox, in front of desks that do one thing each."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from glacier_simulator.outbox import Outgoing
from glacier_simulator.protocol import UNANSWERED_MAX
from glacier_simulator.server import SimulatorServer
from glacier_simulator.wire import Ending, body_pieces, render_head
from tests.glacier_simulator.raw_client import RawClient, request_bytes, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from glacier_simulator.exchange import Request, Response
    from glacier_simulator.wire import Step

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Desk:
    """Answers ``ok``."""

    body_bytes_max = 1000

    def __init__(self) -> None:
        self.asked = 0

    def answer_delete(self, url: bytes, headers: list[tuple[bytes, bytes]], *, keep_alive: bool) -> Outgoing | None:
        return None

    def answer(self, request: Request, *, keep_alive: bool) -> Outgoing:
        self.asked += 1
        return Outgoing(OK)

    def refuse(self, response: Response) -> bytes:
        return render_head(response, date=b"today", keep_alive=False) + b"".join(body_pieces(response))


class FailingDesk(Desk):
    def answer(self, request: Request, *, keep_alive: bool) -> Outgoing:
        raise KeyError("a bug")


class FailingStreamDesk(Desk):
    def answer(self, request: Request, *, keep_alive: bool) -> Outgoing:
        return Outgoing(self._steps())

    @staticmethod
    def _steps() -> Iterator[Step]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive."
        raise KeyError("a bug")


class SlowDesk(Desk):
    def answer(self, request: Request, *, keep_alive: bool) -> Outgoing:
        self.asked += 1
        return Outgoing(OK, 60.0)


class SteppingDesk(Desk):
    def answer(self, request: Request, *, keep_alive: bool) -> Outgoing:
        return Outgoing([OK[:10], 30.0, OK[10:], 30.0, Ending.CLOSE])


@asynccontextmanager
async def serving(desk: Desk) -> AsyncIterator[RawClient]:
    server = SimulatorServer(desk)
    await server.start()
    try:
        async with RawClient(server.endpoint_url) as client:
            yield client
    finally:
        await server.close()


async def test_a_bug_of_ours_is_a_500_a_line_in_the_log_and_the_end_of_the_connection_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(FailingDesk()) as client:
        reply = await client.ask("GET", "/what")
        assert (reply.status, reply.headers["connection"]) == (500, "close")
        assert await client.rest() == b""
    assert "/what" in caplog.text


async def test_a_bug_in_the_middle_of_a_body_resets_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(FailingStreamDesk()) as client:
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await client.ask("GET", "/what")
    assert "middle of a reply" in caplog.text


@pytest.mark.looptime
async def test_a_client_that_pipelines_without_end_is_not_read_without_end() -> None:
    desk = SlowDesk()
    async with serving(desk) as client:
        total = UNANSWERED_MAX * 40
        client.writer.write(request_bytes("GET", "/") * total)
        await until(lambda: desk.asked > UNANSWERED_MAX)
        await asyncio.sleep(1)
        assert desk.asked < total / 2
        for _ in range(total):
            assert (await client.read()).status == 200
    assert desk.asked == total


@pytest.mark.looptime
async def test_steps_wait_and_end_the_connection() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with serving(SteppingDesk()) as client:
        assert (await client.ask("GET", "/")).body == b"ok"
        assert 30 <= loop.time() - began < 31
        assert await client.rest() == b""
        assert 60 <= loop.time() - began < 61


async def test_a_body_over_the_limit_is_refused_before_it_was_sent_and_while_it_is() -> None:
    async with serving(Desk()) as client:
        reply = await client.ask("POST", "/", headers={"Content-Length": "1001"})
        assert reply.status == 413
    async with serving(Desk()) as client:
        chunk = b"%x\r\n%b\r\n" % (600, b"x" * 600)
        client.writer.write(request_bytes("GET", "/", headers={"Transfer-Encoding": "chunked"}) + chunk * 2)
        assert (await client.read()).status == 413


async def test_a_body_at_the_limit_is_taken() -> None:
    async with serving(Desk()) as client:
        assert (await client.ask("POST", "/", b"x" * 1000)).status == 200
