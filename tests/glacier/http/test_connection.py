"""The connection by itself: bytes in, one reply out, and the short way through it equal to the long one."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from typing import TYPE_CHECKING

import pytest
import uvloop
from hypothesis import example, given
from hypothesis import strategies as st

from glacier_purge.glacier.http.accepted import AcceptedReplies
from glacier_purge.glacier.http.connection import REPLY_BYTES_MAX, Connection
from glacier_purge.glacier.reply import Meaning
from tests.glacier.raw_server import REQUEST_ID, refusal, reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier_purge.glacier.reply import Reply


class Wire(asyncio.Transport):
    """A transport with nothing behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False
        self.high: int | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high


class Keeper:
    """An owner that notes what it is told."""

    reply_due_at = 30.0

    def __init__(self) -> None:
        self.told: list[str] = []

    def released(self, connection: Connection) -> None:
        self.told.append("released")

    def lost(self, connection: Connection) -> None:
        self.told.append("lost")


def accepted(data: bytes) -> Reply | None:
    """What the short way makes of ``data`` when it is the first reply, which it has to make of it later, too."""
    replies = AcceptedReplies()
    first = replies.read(data)
    assert replies.read(data) == first
    return first


def exchange(*pieces: bytes) -> tuple[Reply | None, Wire, Keeper]:
    """Send a request and feed the pieces of its reply; the reply is None while it is not whole."""
    keeper, wire = Keeper(), Wire()
    settled: list[Reply] = []
    connection = Connection(keeper, AcceptedReplies(), believed)
    connection.connection_made(wire)
    connection.send(b"request", settled)
    for piece in pieces:
        connection.data_received(piece)
    return (settled[0] if settled else None), wire, keeper


def believed(settled: list[Reply], reply: Reply) -> bool:
    """Take a reply, and believe it."""
    settled.append(reply)
    return True


REPLIES = [
    reply(),
    reply("204 No Content", "Server: AmazonS3"),
    reply("204 No Content", framing="Content-Length: 0"),
    reply("204 No Content", "Connection: close"),
    reply("204 No Content", "Retry-After: 9"),
    reply("204 No Content", request_id=None),
    reply("200 OK"),
    refusal("400 Bad Request", "ThrottlingException", "Rate exceeded"),
    reply("503 Service Unavailable", framing="Transfer-Encoding: chunked", body=b"1\r\n{\r\n0\r\n\r\n"),
]


@given(st.sampled_from(REPLIES), st.integers(1, 400))
def test_a_reply_in_two_pieces_is_the_reply_in_one(whole: bytes, cut: int) -> None:
    at_once, _, _ = exchange(whole)
    in_two, wire, keeper = exchange(*filter(None, (whole[:cut], whole[cut:])))
    assert in_two == at_once
    assert keeper.told == ([] if wire.closed else ["released"])


@given(st.sampled_from(REPLIES), st.integers(0, 400), st.binary(max_size=3))
@example(reply(), len(reply()), b"\r\n")
@example(reply(), 9, b"")
def test_the_short_way_never_knows_better_than_the_parser(whole: bytes, at: int, put_in: bytes) -> None:
    """Whatever is recognised as accepted is what the parser makes of it, fed byte by byte so that it has to."""
    data = whole[:at] + put_in + whole[at:]
    short = accepted(data)
    if short is not None:
        long, wire, _ = exchange(*(data[index : index + 1] for index in range(len(data))))
        assert long == short
        assert not wire.closed


@given(st.sampled_from(REPLIES), st.integers(0, 400), st.binary(max_size=3), st.integers(0, 3))
@example(reply(), reply().index(REQUEST_ID.encode()), b"\r\n", 2)
def test_what_the_last_reply_looked_like_admits_nothing_else(whole: bytes, at: int, put_in: bytes, cut: int) -> None:
    """A reply is taken for what it is, whatever was remembered of the one before it."""
    data = whole[:at] + put_in + whole[at + cut :]
    replies = AcceptedReplies()
    replies.read(reply())
    assert replies.read(data) == AcceptedReplies().read(data)


def test_the_reply_of_the_service_takes_the_short_way() -> None:
    assert accepted(reply()) is not None
    assert accepted(reply("204 No Content", "Content-Type: application/json", framing="Content-Length: 0")) is not None
    assert accepted(reply("204 No Content", "Connection: keep-alive")) is not None
    assert accepted(reply("204 No Content", "Connection: close")) is None


@given(st.binary(max_size=200))
def test_rubbish_is_never_a_deletion(data: bytes) -> None:
    got, _, _ = exchange(data)
    assert got is None or got.meaning is not Meaning.DELETED


def test_a_reply_longer_than_any_error_is_given_up() -> None:
    got, wire, keeper = exchange(
        reply("400 Bad Request", framing="Content-Length: 99999999", body=b"x" * REPLY_BYTES_MAX)
    )
    assert got is not None
    assert (got.meaning, wire.closed, keeper.told) == (Meaning.NO_REPLY, True, [])


def test_headers_without_end_are_given_up() -> None:
    got, wire, _ = exchange(b"HTTP/1.1 204 No Content\r\n" + b"x: y\r\n" * (REPLY_BYTES_MAX // 6))
    assert got is not None
    assert (got.meaning, wire.closed) == (Meaning.NO_REPLY, True)


def test_a_request_id_after_the_body_proves_nothing() -> None:
    trailer = b"2\r\n{}\r\n0\r\nx-amzn-RequestId: abc\r\n\r\n"
    got, _, _ = exchange(reply("200 OK", framing="Transfer-Encoding: chunked", body=trailer, request_id=None))
    assert got is not None
    assert (got.meaning, got.request_id) == (Meaning.NOT_AWS, None)


@pytest.mark.parametrize("whole", [reply(), reply("204 No Content", "Retry-After: 9")], ids=["short way", "long way"])
def test_a_connection_whose_reply_is_not_believed_is_never_used_again(whole: bytes) -> None:
    keeper, wire = Keeper(), Wire()
    connection = Connection(keeper, AcceptedReplies(), lambda archive, reply: False)
    connection.connection_made(wire)
    connection.send(b"request", "archive")
    connection.data_received(whole)
    assert (wire.closed, connection.usable, keeper.told) == (True, False, [])


@pytest.mark.parametrize("whole", [reply(), refusal("403 Forbidden", "AccessDeniedException")], ids=repr)
def test_a_reply_that_comes_before_its_request_has_left_is_none(whole: bytes) -> None:
    keeper, wire = Keeper(), Wire()
    settled: list[Reply] = []
    connection = Connection(keeper, AcceptedReplies(), believed)
    connection.connection_made(wire)
    connection.send(b"request", settled)
    assert wire.high == 1
    connection.pause_writing()
    connection.data_received(whole)
    assert [(each.meaning, each.code) for each in settled] == [(Meaning.NO_REPLY, "UnsoundReply")]
    assert (wire.closed, keeper.told) == (True, [])


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_has_left_is_known_of_a_real_socket(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def meet() -> tuple[bool, bool, list[Reply]]:
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        settled, settled_once = [], asyncio.Event()

        def replied(_archive: object, got: Reply) -> bool:
            settled.append(got)
            settled_once.set()
            return True

        _, connection = await loop.create_connection(
            lambda: Connection(Keeper(), AcceptedReplies(), replied), sock=ours
        )
        request = b"r" * 500_000
        connection.send(request, "archive")
        await asyncio.sleep(0)
        before = connection._leaving
        for _ in range(1_000):
            request = request[len(await loop.sock_recv(theirs, 65_536)) :]
            if not request:
                break
        await asyncio.sleep(0.01)
        after = connection._leaving
        await loop.sock_sendall(theirs, reply())
        await settled_once.wait()
        connection.drop()
        theirs.close()
        return before, after, settled

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        before, after, settled = runner.run(asyncio.wait_for(meet(), 5))
    assert (before, after, [each.meaning for each in settled]) == (True, False, [Meaning.DELETED])


@pytest.mark.parametrize("late", [reply(), b"\r\n", b"x"])
def test_bytes_after_the_reply_end_the_connection(late: bytes) -> None:
    got, wire, keeper = exchange(reply(), late)
    assert got is not None
    assert (got.meaning, wire.closed, keeper.told) == (Meaning.DELETED, True, ["released"])


def test_what_is_dropped_is_not_settled_and_the_connection_is_not_used_again() -> None:
    connection = Connection(Keeper(), AcceptedReplies(), believed)
    wire = Wire()
    connection.connection_made(wire)
    settled: list[Reply] = []
    connection.send(b"request", settled)
    connection.drop()
    connection.data_received(reply())
    connection.connection_lost(None)
    assert settled == []
    assert wire.closed
    assert not connection.usable


@pytest.mark.parametrize("pieces", [[], [reply()[:20]], [reply("204 No Content", "Connection: close")]])
def test_a_lost_connection_is_gone_at_once_with_what_its_transport_holds(pieces: list[bytes]) -> None:
    """Of each the TLS below holds some 100 KB, and the collector hardly ever looks: an hour of resets took 150 MB."""
    connection, wire = Connection(Keeper(), AcceptedReplies(), believed), Wire()
    connection.connection_made(wire)
    connection.send(b"request", [])
    for piece in pieces:
        connection.data_received(piece)
    connection.connection_lost(None)
    left: list[weakref.ref[object]] = [weakref.ref(connection), weakref.ref(wire)]
    gc.disable()
    try:
        del connection, wire
        assert [each() for each in left] == [None, None]
    finally:
        gc.enable()
