"""The ways in which a network fails, and what is right then: the campaign's oracle.

Each kind strikes where a name is looked up, where a connection is made, or where a request is answered.  What is right
depends on what the client can know, and there are four cases (``Right``).
"""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from tests.reliability.network.proxy import HangUpError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Sequence

    from tests.reliability.network.proxy import Answer, Exchange, FaultProxy, Link
    from tests.reliability.network.virtual_loop import Address


class Right(Enum):
    """What is right under a kind of fault."""

    BELIEVED = "the answer holds: it is believed, however oddly it came"
    WEATHER = "no answer, or none to be believed: it is asked again; questions end with 3 when it never ends"
    ANOTHERS = "somebody else answers: deletes stop with 3 at the first, questions end with 3 when it stays so"
    INTERCEPTED = "the certificate does not hold: everything stops with 253 at the first"


class Of(Enum):
    """Which requests a kind can strike."""

    ALL = "all"
    DELETES = "deletes, since it is about a 204"
    QUESTIONS = "all but deletes, since it is about a body"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One way to fail. ``about`` completes "the client meets ..."."""

    about: str
    right: Right = Right.WEATHER
    of: Of = Of.ALL
    needs_tls: bool = False
    lasts: bool = False
    """Whether it takes seconds, which nobody should wait for in real time."""
    names: Callable[[FaultProxy, int], Sequence[Address]] | None = None
    connection: Callable[[Link], Awaitable[ssl.SSLContext | None]] | None = None
    request: Callable[[Exchange], Awaitable[None]] | None = None

    @property
    def is_once_a_try(self) -> bool:
        """Whether each try that fails is struck by itself; an address is remembered, and a restart takes its time."""
        return self.names is None and self.request not in {_restart, _all_cut}

    def concerns(self, request: bytes) -> bool:
        """Tell whether a request can be struck."""
        return self.of is Of.ALL or (self.of is Of.DELETES) is (b"/archives/" in request.partition(b" HTTP/")[0])


PATIENCE_SECONDS = 45.0
"""Longer than a request may take."""
_ID = b"x-amzn-RequestId"
_FORGED = b"FoRgEdFoRgEdFoRgEdFoRgEdFoRgEdFoRgEd"
_PAGE = b"<html><head><title>Log in</title></head><body>Accept the terms to continue.</body></html>"
_ERROR = b'{"code":"ServiceUnavailableException","message":"Service is unavailable","type":"Server"}'


def _forged() -> bytes:
    """A request id that the service never gave; another one each time, or it would be known as a repeated one."""
    _forged_so_far[0] += 1
    return b"%b%06d" % (_FORGED, _forged_so_far[0])


_forged_so_far = [0]


def _head(status: bytes, *lines: bytes, version: bytes = b"HTTP/1.1", with_id: bool = True) -> bytes:
    head = [version + b" " + status, *([_ID + b": " + _forged()] if with_id else []), *lines]
    return b"\r\n".join(head) + b"\r\n\r\n"


def _length(body: bytes) -> bytes:
    return b"Content-Length: %d" % len(body)


# -- where names are looked up --------------------------------------------------------------------------------------


def _unknown(proxy: FaultProxy, port: int) -> Sequence[Address]:
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


def _no_such_name(proxy: FaultProxy, port: int) -> Sequence[Address]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def _v4(port: int, host: str = "127.0.0.1") -> Address:
    return (socket.AF_INET, (host, port))


def _v6(port: int) -> Address:
    return (socket.AF_INET6, ("::1", port))


# -- where connections are made --------------------------------------------------------------------------------------


async def _accept_then_close(link: Link) -> None:
    raise HangUpError


async def _accept_then_reset(link: Link) -> None:
    link.wire.reset()
    raise HangUpError


async def _silent(link: Link) -> None:
    await asyncio.sleep(PATIENCE_SECONDS)
    raise HangUpError


async def _reset_within_request(link: Link) -> None:
    if link.proxy.certificates is not None:
        await link.wire.secure(link.proxy.certificates.good)
    await link.wire.read_raw(20)
    link.wire.reset()
    raise HangUpError


async def _slow_reader(link: Link) -> None:
    await asyncio.sleep(3.0)


async def _over_the_limit(link: Link) -> None:
    if len(link.proxy.open) > 2:
        link.wire.reset()
        raise HangUpError


def _says(data: bytes) -> Callable[[Link], Awaitable[None]]:
    """Answer the client's first bytes with these, past TLS."""

    async def strike(link: Link) -> None:
        await link.wire.read_raw(4096)
        await link.wire.write_raw(data)
        await link.wire.end()
        raise HangUpError

    return strike


def _alert(number: int) -> bytes:
    return b"\x15\x03\x03\x00\x02\x02" + bytes([number])


async def _handshake_cut(link: Link) -> None:
    await link.wire.read_raw(100)
    link.wire.reset()
    raise HangUpError


async def _as_a_stranger(link: Link) -> ssl.SSLContext | None:
    assert link.proxy.certificates is not None
    return link.proxy.certificates.of_a_stranger


async def _expired(link: Link) -> ssl.SSLContext | None:
    assert link.proxy.certificates is not None
    return link.proxy.certificates.expired


async def _as_another_host(link: Link) -> ssl.SSLContext | None:
    assert link.proxy.certificates is not None
    return link.proxy.certificates.of_another_host


# -- where requests are answered: how it ends ------------------------------------------------------------------------


async def _reset_before(exchange: Exchange) -> None:
    exchange.wire.reset()
    raise HangUpError


async def _reset_after(exchange: Exchange) -> None:
    await exchange.ask()
    exchange.wire.reset()
    raise HangUpError


async def _close_before(exchange: Exchange) -> None:
    await exchange.wire.end()
    raise HangUpError


async def _close_after(exchange: Exchange) -> None:
    await exchange.ask()
    await exchange.wire.end()
    raise HangUpError


async def _half_close(exchange: Exchange) -> None:
    await exchange.ask()
    await exchange.wire.half_close()
    await asyncio.sleep(PATIENCE_SECONDS)
    raise HangUpError


def _cut(where: Callable[[Answer], int], *, reset: bool) -> Callable[[Exchange], Awaitable[None]]:
    """Send the answer up to there, then reset or close."""

    async def strike(exchange: Exchange) -> None:
        answer = await exchange.ask()
        await exchange.wire.write(answer.whole[: where(answer)])
        await asyncio.sleep(0.01)
        if reset:
            exchange.wire.reset()
        else:
            await exchange.wire.end()
        raise HangUpError

    return strike


def _in_head(answer: Answer) -> int:
    return len(answer.head) // 2


def _in_body(answer: Answer) -> int:
    return len(answer.head) + len(answer.body) // 2


async def _cut_without_goodbye(exchange: Exchange) -> None:
    answer = await exchange.ask()
    await exchange.wire.write(answer.whole[: _in_head(answer)])
    exchange.wire.cut()
    raise HangUpError


async def _damaged_record(exchange: Exchange) -> None:
    await exchange.ask()
    await exchange.wire.write_raw(b"\x17\x03\x03\x00\x40" + b"?" * 64)
    await asyncio.sleep(0.01)
    raise HangUpError


async def _answer_then_alert(exchange: Exchange) -> None:
    await exchange.ask()
    await exchange.wire.write_raw(_alert(80))
    raise HangUpError


async def _answer_then_close(exchange: Exchange) -> None:
    """A reply that promises to keep the connection, which is closed at once: the next request may be on its way."""
    await exchange.pass_on()
    await exchange.wire.end()
    raise HangUpError


async def _closed_after_an_idle_time(exchange: Exchange) -> None:
    """A connection that was closed while it was idle, and nobody told the client: what it sends is reset."""
    await exchange.pass_on()
    await exchange.link.request()
    exchange.wire.reset()
    raise HangUpError


async def _all_cut(exchange: Exchange) -> None:
    exchange.proxy.cut_all()
    await asyncio.sleep(1.0)


async def _restart(exchange: Exchange) -> None:
    proxy = exchange.proxy

    async def come_back() -> None:
        await asyncio.sleep(7.0)
        proxy.listen()

    if not proxy.is_restarting:
        proxy.deaf()
        proxy.after(come_back())
    proxy.cut_all()
    await asyncio.sleep(1.0)


# -- when it comes ----------------------------------------------------------------------------------------------------


def _late(seconds: float) -> Callable[[Exchange], Awaitable[None]]:
    async def strike(exchange: Exchange) -> None:
        answer = await exchange.ask()
        await asyncio.sleep(seconds)
        await exchange.wire.write(answer.whole)

    return strike


async def _never(exchange: Exchange) -> None:
    await asyncio.sleep(PATIENCE_SECONDS)
    raise HangUpError


def _in_pieces(piece_bytes: int, seconds: float) -> Callable[[Exchange], Awaitable[None]]:
    async def strike(exchange: Exchange) -> None:
        answer = await exchange.ask()
        if len(answer.body) > 1_000:  # job output, whose head alone goes so slowly
            await exchange.wire.write_pieces(answer.head, piece_bytes, seconds)
            await exchange.wire.write(answer.body[:-1])
            await exchange.wire.write(answer.body[-1:])
            return
        await exchange.wire.write_pieces(answer.whole, piece_bytes, seconds)

    return strike


# -- whose reply it is ------------------------------------------------------------------------------------------------


async def _twice(exchange: Exchange) -> None:
    answer = await exchange.ask()
    await exchange.wire.write(answer.whole * 2)


async def _twice_in_two_pieces(exchange: Exchange) -> None:
    answer = await exchange.pass_on()
    await asyncio.sleep(0)
    await exchange.wire.write(answer.whole)


async def _the_last_one_again(exchange: Exchange) -> None:
    if not exchange.proxy.last_said:
        await exchange.pass_on()
        return
    await exchange.wire.write(exchange.proxy.last_said)


async def _swapped(exchange: Exchange) -> None:
    """Two connections get each other's reply, both having been carried out."""
    proxy = exchange.proxy
    answer = await exchange.ask()
    if (partner := proxy.waiting_for_a_swap) is not None and not partner.done():
        mine: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        partner.set_result((answer, mine))
        await exchange.wire.write((await mine).whole)
        return
    proxy.waiting_for_a_swap = asyncio.get_running_loop().create_future()
    try:
        async with asyncio.timeout(2.0):
            got, theirs = await proxy.waiting_for_a_swap
    except TimeoutError:
        await exchange.wire.write(answer.whole)
        return
    theirs.set_result(answer)
    await exchange.wire.write(got.whole)


async def _unasked(exchange: Exchange) -> None:
    """A 204 of nobody's comes right behind the reply, when nothing is asked."""
    await exchange.pass_on()
    await asyncio.sleep(0)
    await exchange.wire.write(_head(b"204 No Content"))


# -- what it looks like -----------------------------------------------------------------------------------------------


def _changed(change: Callable[[Answer], bytes], *, then_close: bool = False) -> Callable[[Exchange], Awaitable[None]]:
    """The service's answer, changed."""

    async def strike(exchange: Exchange) -> None:
        data = change(await exchange.ask())
        await exchange.wire.write(data)
        if then_close:
            await exchange.wire.end()
            raise HangUpError

    return strike


def _instead(reply: Callable[[], bytes], *, then_close: bool = False) -> Callable[[Exchange], Awaitable[None]]:
    """A reply of somebody else's: the service was not asked."""

    async def strike(exchange: Exchange) -> None:
        await exchange.wire.write(reply())
        if then_close:
            await exchange.wire.end()
            raise HangUpError

    return strike


def _with_line(line: bytes) -> Callable[[Answer], bytes]:
    """One more line in the head."""
    return lambda answer: answer.head[:-2] + line + b"\r\n\r\n" + answer.body


def _without(name: bytes) -> Callable[[Answer], bytes]:
    """Without the lines of one header."""
    return lambda answer: re.sub(rb"(?i)\r\n%b:[^\r]*" % re.escape(name), b"", answer.head) + answer.body


def _with_length(value: bytes) -> Callable[[Answer], bytes]:
    """With another Content-Length."""

    def change(answer: Answer) -> bytes:
        bare = re.sub(rb"(?i)\r\ncontent-length:[^\r]*", b"", answer.head)
        return bare[:-2] + b"Content-Length: " + value + b"\r\n\r\n" + answer.body

    return change


def _other_length(by: int) -> Callable[[Answer], bytes]:
    return lambda answer: _with_length(b"%d" % (len(answer.body) + by))(answer)


def _in_chunks(sizes: Callable[[bytes], bytes]) -> Callable[[Answer], bytes]:
    def change(answer: Answer) -> bytes:
        if not answer.body:
            return answer.whole
        bare = re.sub(rb"(?i)\r\ncontent-length:[^\r]*", b"", answer.head)
        return bare[:-2] + b"Transfer-Encoding: chunked\r\n\r\n" + sizes(answer.body)

    return change


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def _line_ends(end: bytes) -> Callable[[Answer], bytes]:
    return lambda answer: answer.head.replace(b"\r\n", end) + answer.body


def _version(version: bytes) -> Callable[[Answer], bytes]:
    return lambda answer: answer.head.replace(b"HTTP/1.1", version, 1) + answer.body


def _status(status: bytes) -> Callable[[Answer], bytes]:
    return lambda answer: re.sub(rb"^HTTP/1.1 [^\r]*", b"HTTP/1.1 " + status, answer.head) + answer.body


def _preceded_by(data: bytes) -> Callable[[Answer], bytes]:
    return lambda answer: data + answer.whole


async def _folded_in_two_pieces(exchange: Exchange) -> None:
    """A header that goes on in another line, cut so that no piece shows it."""
    answer = await exchange.ask()
    head = _with_line(b"x-note: one\r\n two")(answer)
    at = head.index(b"\r\n two") + 2
    for piece in (head[:at], head[at:]):
        await exchange.wire.write(piece)
        await asyncio.sleep(0.01)


async def _chunk_cut(exchange: Exchange) -> None:
    answer = await exchange.ask()
    await exchange.wire.write(_in_chunks(lambda body: _chunk(body)[:-3] or b"5\r\nab")(answer))
    await exchange.wire.end()
    raise HangUpError


async def _gzipped(exchange: Exchange) -> None:
    answer = await exchange.ask()
    body = gzip.compress(answer.body)
    await exchange.wire.write(
        _with_length(b"%d" % len(body))(type(answer)(answer.head[:-2] + b"Content-Encoding: gzip\r\n\r\n", body))
    )


async def _of_another_call(exchange: Exchange) -> None:
    """The answer to a question that nobody asked, with its own request id."""
    is_tags = b"/tags" in exchange.request.partition(b"\r\n")[0]
    path = re.sub(
        rb"^[A-Z]+ (/[^/]+/vaults/[^/ ?]+)[^ ]*", rb"GET \1" + (b"" if is_tags else b"/tags"), exchange.request
    )
    other = re.sub(rb"(?is)(content-length: )[0-9]+(.*\r\n\r\n).*", rb"\g<1>0\2", path)
    await exchange.wire.write((await exchange.link.upstream(other)).whole)


def _page(status: bytes, *lines: bytes) -> Callable[[Exchange], Awaitable[None]]:
    return _instead(lambda: _head(status, b"Content-Type: text/html", *lines, _length(_PAGE), with_id=False) + _PAGE)


def _page_after(status: bytes) -> Callable[[Exchange], Awaitable[None]]:
    """A page instead of the service's answer, though the service was asked."""

    async def strike(exchange: Exchange) -> None:
        await exchange.ask()
        await _page(status)(exchange)

    return strike


def _forged_204(*lines: bytes, body: bytes = b"", version: bytes = b"HTTP/1.1", with_id: bool = True) -> Kind:
    about = b"; ".join(lines).decode("latin-1") or version.decode()
    return Kind(
        about=f"a 204 that the service did not send: {about}",
        of=Of.DELETES,
        request=_instead(lambda: _head(b"204 No Content", *lines, version=version, with_id=with_id) + body),
    )


B, A, X = Right.BELIEVED, Right.ANOTHERS, Right.INTERCEPTED

KINDS: dict[str, Kind] = {
    # Names
    "name-not-found-now": Kind(about="a look-up that fails for now", names=_unknown),
    "name-unknown": Kind(about="a name that nobody knows", names=_no_such_name),
    "name-without-address": Kind(about="a name without an address", names=lambda *_: []),
    "name-leads-nowhere": Kind(about="a name of an address that refuses", names=lambda p, _: [_v4(p.refusing_port())]),
    "name-leads-into-silence": Kind(
        about="a name of an address that never answers", lasts=True, names=lambda p, _: [_v4(p.silent_port())]
    ),
    "first-address-refuses": Kind(
        about="an address that refuses before the good one",
        right=B,
        names=lambda p, port: [_v4(p.refusing_port()), _v4(port)],
    ),
    "first-address-silent": Kind(
        about="an address that never answers before the good one",
        lasts=True,
        right=B,
        names=lambda p, port: [_v4(p.silent_port()), _v4(port)],
    ),
    "dead-ipv6-first": Kind(
        about="an IPv6 address that refuses before the good one",
        right=B,
        names=lambda p, port: [_v6(p.refusing_port()), _v4(port)],
    ),
    # Connections
    "accept-then-close": Kind(about="a connection closed as soon as made", connection=_accept_then_close),
    "accept-then-reset": Kind(about="a connection reset as soon as made", connection=_accept_then_reset),
    "accept-then-silence": Kind(about="a connection on which nothing ever comes", lasts=True, connection=_silent),
    "reset-within-request": Kind(about="a reset when part of the request had left", connection=_reset_within_request),
    "slow-reader": Kind(about="a server that reads after 3 s", lasts=True, right=B, connection=_slow_reader),
    "connection-limit": Kind(about="a server that takes two connections", connection=_over_the_limit),
    # TLS
    "plain-text-on-tls-port": Kind(
        about="a server that speaks no TLS",
        needs_tls=True,
        connection=_says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
    ),
    "tls-handshake-refused": Kind(about="handshake_failure", needs_tls=True, connection=_says(_alert(40))),
    "tls-version-refused": Kind(about="protocol_version", needs_tls=True, connection=_says(_alert(70))),
    "tls-garbage": Kind(about="noise instead of a handshake", needs_tls=True, connection=_says(b"?" * 300)),
    "tls-handshake-cut": Kind(about="a reset within the handshake", needs_tls=True, connection=_handshake_cut),
    "tls-end-without-notice": Kind(
        about="half a head and an end without close_notify", needs_tls=True, request=_cut_without_goodbye
    ),
    "tls-damaged-record": Kind(about="a record that can't be read", needs_tls=True, request=_damaged_record),
    "tls-alert-for-a-reply": Kind(about="an alert in plain text", needs_tls=True, request=_answer_then_alert),
    "certificate-of-a-stranger": Kind(
        about="a certificate of nobody's authority", right=X, needs_tls=True, connection=_as_a_stranger
    ),
    "certificate-expired": Kind(about="an expired certificate", right=X, needs_tls=True, connection=_expired),
    "certificate-of-another-host": Kind(
        about="a certificate for another name", right=X, needs_tls=True, connection=_as_another_host
    ),
    # How it ends
    "reset-before": Kind(about="a reset instead of being heard", request=_reset_before),
    "reset-after": Kind(about="a reset instead of the reply", request=_reset_after),
    "reset-in-head": Kind(about="half a head, then a reset", request=_cut(_in_head, reset=True)),
    "reset-in-body": Kind(about="half a body, then a reset", of=Of.QUESTIONS, request=_cut(_in_body, reset=True)),
    "close-before": Kind(about="an end instead of being heard", request=_close_before),
    "close-after": Kind(about="an end instead of the reply", request=_close_after),
    "close-in-head": Kind(about="half a head, then an end", request=_cut(_in_head, reset=False)),
    "close-in-body": Kind(about="half a body, then an end", of=Of.QUESTIONS, request=_cut(_in_body, reset=False)),
    "half-close": Kind(about="the other side's half closed instead of the reply", lasts=True, request=_half_close),
    "keep-alive-race": Kind(about="a reply, then an end it did not announce", right=B, request=_answer_then_close),
    "stale-connection": Kind(about="a connection that was forgotten meanwhile", request=_closed_after_an_idle_time),
    "connection-close": Kind(
        about="a reply that says it is the last",
        right=B,
        request=_changed(_with_line(b"Connection: close"), then_close=True),
    ),
    "all-cut": Kind(about="all connections reset at once", request=_all_cut),
    "proxy-restarts": Kind(about="all connections reset and 7 s of refusals", lasts=True, request=_restart),
    # When it comes
    "slow-reply": Kind(about="a reply after 5 s", lasts=True, right=B, request=_late(5.0)),
    "late-reply": Kind(about="a reply after its time", lasts=True, request=_late(PATIENCE_SECONDS)),
    "no-reply": Kind(about="nothing, ever", lasts=True, request=_never),
    "byte-a-second": Kind(about="a byte a second", lasts=True, request=_in_pieces(1, 1.0)),
    "byte-by-byte": Kind(about="each byte by itself", right=B, request=_in_pieces(1, 0.001)),
    "little-bandwidth": Kind(about="64 bytes each tenth of a second", lasts=True, right=B, request=_in_pieces(64, 0.1)),
    # Whose reply it is
    "duplicate-reply": Kind(about="the reply twice", request=_twice),
    "duplicate-reply-later": Kind(about="the reply, and again a moment later", request=_twice_in_two_pieces),
    "repeated-from-a-cache": Kind(about="the last 204 again", of=Of.DELETES, request=_the_last_one_again),
    "swapped-replies": Kind(
        about="the reply of another connection", lasts=True, right=B, of=Of.DELETES, request=_swapped
    ),
    "unasked-204": Kind(about="the reply, and a moment later one nobody asked for", request=_unasked),
    "answer-to-another-call": Kind(about="another question's answer", of=Of.QUESTIONS, request=_of_another_call),
    # Bytes before and behind it
    "bytes-behind": Kind(about="noise behind the reply", request=_changed(lambda answer: answer.whole + b"?" * 20)),
    "100-before": Kind(
        about="100 Continue before", right=B, request=_changed(_preceded_by(b"HTTP/1.1 100 Continue\r\n\r\n"))
    ),
    "103-before": Kind(
        about="103 Early Hints before",
        right=B,
        request=_changed(_preceded_by(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")),
    ),
    "100-with-junk": Kind(
        about="100 Continue with junk", request=_changed(_preceded_by(b"HTTP/1.1 100 Continue\r\njunk\r\n\r\n"))
    ),
    "101-before": Kind(
        about="a switch of protocols nobody asked for",
        request=_changed(
            _preceded_by(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
        ),
    ),
    "http-2-preface": Kind(
        about="HTTP/2's first bytes", request=_instead(lambda: b"\x00\x00\x12\x04" + bytes(23), then_close=True)
    ),
    "noise": Kind(about="noise", request=_instead(lambda: bytes(range(256)) * 2, then_close=True)),
    # How it is framed
    "chunks-for-a-length": Kind(
        about="good chunks where a length is usual",
        right=B,
        of=Of.QUESTIONS,
        request=_changed(_in_chunks(lambda body: _chunk(body[:7]) + _chunk(body[7:]) + b"0\r\n\r\n")),
    ),
    "chunks-malformed": Kind(
        about="a chunk whose size is none",
        of=Of.QUESTIONS,
        request=_changed(_in_chunks(lambda body: b"zz\r\n" + body + b"\r\n0\r\n\r\n"), then_close=True),
    ),
    "chunks-cut": Kind(about="chunks without their end", of=Of.QUESTIONS, request=_chunk_cut),
    "length-too-long": Kind(about="a longer length than body", request=_changed(_other_length(5), then_close=True)),
    "length-too-short": Kind(about="a shorter length than body", of=Of.QUESTIONS, request=_changed(_other_length(-3))),
    "length-negative": Kind(about="Content-Length: -1", request=_changed(_with_length(b"-1"), then_close=True)),
    "length-huge": Kind(
        about="a length of 2^64 and more", request=_changed(_with_length(b"36893488147419103232"), then_close=True)
    ),
    "length-no-number": Kind(about="a length in words", request=_changed(_with_length(b"many"), then_close=True)),
    "length-twice": Kind(
        about="two lengths that differ",
        request=_changed(_with_length(b"3\r\nContent-Length: 4"), then_close=True),
    ),
    "length-and-chunks": Kind(
        about="a length and chunks",
        request=_changed(
            lambda answer: (
                _with_length(b"7\r\nTransfer-Encoding: chunked")(answer)[: -len(answer.body) or None]
                + _chunk(answer.body)
                + b"0\r\n\r\n"
            ),
            then_close=True,
        ),
    ),
    # What its head is like
    "head-of-100-kB": Kind(about="a header of 100 kB", request=_changed(_with_line(b"x-pad: " + b"p" * 100_000))),
    "ten-thousand-headers": Kind(
        about="10,000 headers", request=_changed(_with_line(b"\r\n".join(b"x-%d: y" % n for n in range(10_000))))
    ),
    "header-without-colon": Kind(about="a header without a colon", request=_changed(_with_line(b"no colon here"))),
    "header-folded": Kind(
        about="a header that goes on in another line",
        of=Of.DELETES,
        request=_changed(_with_line(b"x-note: one\r\n two")),
    ),
    "header-folded-in-two-pieces": Kind(about="the same, in two pieces", of=Of.DELETES, request=_folded_in_two_pieces),
    "nul-in-a-header": Kind(about="a NUL in a header", request=_changed(_with_line(b"x-note: a\0b"))),
    "only-cr": Kind(about="CR alone ends lines", request=_changed(_line_ends(b"\r"), then_close=True)),
    "only-lf": Kind(about="LF alone ends lines", request=_changed(_line_ends(b"\n"), then_close=True)),
    "http-0.9": Kind(about="text without a head", request=_instead(lambda: b"deleted\n", then_close=True)),
    "http-1.0": Kind(about="HTTP/1.0, which ends", right=B, request=_changed(_version(b"HTTP/1.0"), then_close=True)),
    "http-2.0": Kind(about="HTTP/2.0 in its status line", request=_changed(_version(b"HTTP/2.0"))),
    "status-no-number": Kind(about="a status in letters", request=_changed(_status(b"2O4 No Content"))),
    "no-headers": Kind(about="a status line alone", request=_instead(lambda: b"HTTP/1.1 204 No Content\r\n\r\n")),
    "no-request-id": Kind(about="a 204 without a request id", of=Of.DELETES, request=_changed(_without(_ID))),
    "two-request-ids": Kind(
        about="a second request id", request=_changed(_with_line(_ID + b": another-one")), of=Of.DELETES
    ),
    "out-of-a-cache": Kind(about="a reply with an Age", of=Of.DELETES, request=_changed(_with_line(b"Age: 30"))),
    # A 204 that is none
    "204-with-body": _forged_204(b"Content-Length: 15", body=b'{"note":"body"}'),
    "204-with-length": _forged_204(b"Content-Length: 15"),
    "204-in-chunks": _forged_204(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "204-with-error": _forged_204(b"x-amzn-ErrorType: ServiceUnavailableException"),
    "204-of-http-3": _forged_204(version=b"HTTP/3.0"),
    "200-for-204": Kind(
        about="a 200 for a 204",
        of=Of.DELETES,
        request=_changed(lambda answer: _with_length(b"0")(type(answer)(_status(b"200 OK")(answer), b""))),
    ),
    # What its body is like
    "gzipped": Kind(about="a gzipped body nobody asked for", of=Of.QUESTIONS, request=_gzipped),
    "json-cut": Kind(
        about="JSON without its end, of matching length",
        of=Of.QUESTIONS,
        request=_changed(
            lambda a: _with_length(b"%d" % (len(a.body) // 2))(type(a)(a.head, a.body[: len(a.body) // 2]))
        ),
    ),
    "body-not-utf-8": Kind(
        about="a body that is no UTF-8",
        of=Of.QUESTIONS,
        request=_changed(
            lambda a: _with_length(b"%d" % (len(a.body) + 4))(type(a)(a.head, a.body + b"\xe9\xff\xfe\x80"))
        ),
    ),
    # Somebody else
    "page-not-utf-8": Kind(
        about="502 of a proxy that is no UTF-8",
        request=_instead(
            lambda: _head(b"502 Bad Gateway", b"Content-Length: 20", with_id=False) + b"Pas de r\xe9ponse \xff\xfe.."
        ),
    ),
    "refusal-not-utf-8": Kind(
        about="400 of the service that is no UTF-8",
        request=_instead(lambda: _head(b"400 Bad Request", b"Content-Length: 14") + b'{"code":"\xe9"}'),
    ),
    "error-page-500": Kind(about="500 without a request id", request=_page(b"500 Internal Server Error")),
    "bad-gateway": Kind(about="502 of a proxy", request=_page(b"502 Bad Gateway")),
    "gateway-timeout": Kind(about="504 of a proxy", request=_page(b"504 Gateway Timeout")),
    "gateway-timeout-after": Kind(about="504, though it was done", request=_page_after(b"504 Gateway Timeout")),
    "service-error": Kind(
        about="500 of the service", request=_instead(lambda: _head(b"500 Internal", _length(_ERROR)) + _ERROR)
    ),
    "network-login-511": Kind(about="511 of a network", request=_page(b"511 Network Authentication Required")),
    "login-page": Kind(about="200 and a page to log in", right=A, request=_page(b"200 OK")),
    "login-page-after": Kind(about="the page, though it was done", right=A, request=_page_after(b"200 OK")),
    "redirect": Kind(about="302 elsewhere", right=A, request=_page(b"302 Found", b"Location: http://127.0.0.1:9/")),
    "proxy-login-407": Kind(about="407 of a proxy", right=A, request=_page(b"407 Proxy Authentication Required")),
}
