"""One client connection: bytes in, whole requests to the desk, their replies to the outbox.

httptools parses; this file keeps the limits.  Whatever a client sends, the connection is all that can end: a request
that is malformed or too large is refused and the connection closed, and a fault in our own desk is logged and
answered with 500.  It never takes a request apart beyond its URL, headers and body: that is the desk's.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol, cast

import httptools

from glacier_simulator.exchange import Request, Response
from glacier_simulator.outbox import LastSaid, Outbox, Outgoing
from glacier_simulator.wire import Ending, read_request

HEAD_BYTES_MAX = 64 * 1024
URL_BYTES_MAX = 8 * 1024
HEADERS_MAX = 200
UNANSWERED_MAX = 256  # pipelined requests waiting for their reply before the connection is no longer read

_log = logging.getLogger("glacier_simulator")


class Desk(Protocol):
    """What a connection needs to know of the service behind it."""

    body_bytes_max: int

    def answer_delete(self, url: bytes, headers: list[tuple[bytes, bytes]], *, keep_alive: bool) -> Outgoing | None:
        """Answer a plain DeleteArchive by the short way; None means that it must go the long way."""

    def answer(self, request: Request, *, keep_alive: bool) -> Outgoing:
        """Answer a request that arrived whole."""

    def refuse(self, response: Response) -> bytes:
        """Write this refusal as the last reply of its connection."""


class Host(Protocol):
    """Whoever must know which connections are open. ``said`` is what was last said on any of them."""

    said: LastSaid

    def joined(self, connection: Connection) -> None:
        """It is open."""

    def left(self, connection: Connection) -> None:
        """It is closed."""


class Connection(asyncio.Protocol):
    """Serves one client until either side closes."""

    def __init__(self, desk: Desk, loop: asyncio.AbstractEventLoop, host: Host) -> None:
        self._desk = desk
        self._loop = loop
        self._host = host
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._outbox: Outbox | None = None
        self._is_last = False  # no further request is taken
        self._is_paused = False
        self._refusal: Response | None = None
        self._heard_at = loop.time()
        self._is_head_from_before = False
        self._began_at: float | None = None  # when the first byte of an unfinished request came
        self._reset_message()

    def is_stale(self, now: float, *, idle_seconds: float, request_seconds: float) -> bool:
        """Whether it has been silent, sending one request, or not reading its reply, for too long."""
        outbox = self._outbox
        for since in (self._began_at, None if outbox is None else outbox.paused_at):
            if since is not None and now - since > request_seconds:
                return True
        return (outbox is None or outbox.is_empty) and now - self._heard_at > idle_seconds

    def drop(self) -> None:
        """End the connection at once, whatever it was doing."""
        if self._transport is not None:
            self._transport.abort()

    # What the loop tells us.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._outbox = Outbox(self._transport, self._loop, self._drained, self._host.said)
        self._host.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone, for whatever reason."""
        self._host.left(self)
        if self._outbox is not None:
            self._outbox.discard()
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Some bytes of some requests have come."""
        self._heard_at = self._loop.time()
        outbox = self._outbox
        if self._is_last or outbox is None:
            return
        if self._began_at is None:
            self._began_at = self._heard_at
        outbox.cork()
        self._parse(data)
        if self._refusal is not None and not self._is_last:
            self._is_last = True
            outbox.put(self._last_words(self._refusal))
        if not outbox.is_closed:
            outbox.uncork()
        self._drained()

    def eof_received(self) -> bool:
        """The client sends no more; it still gets the replies it is owed (not over TLS: loops do not offer that)."""
        self._is_last = True
        owes = self._outbox is not None and not self._outbox.is_empty
        return owes and self._transport is not None and self._transport.get_extra_info("ssl_object") is None

    def pause_writing(self) -> None:
        """The client reads slowly."""
        if self._outbox is not None:
            self._outbox.pause()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._outbox is not None:
            self._outbox.resume()

    def _drained(self) -> None:
        if self._outbox is None or self._transport is None or self._outbox.is_closed:
            return
        waiting = self._outbox.waiting
        if waiting > UNANSWERED_MAX and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        elif self._is_paused and waiting < UNANSWERED_MAX // 2:
            self._is_paused = False
            self._transport.resume_reading()
        if self._is_last and self._outbox.is_empty:
            self._outbox.end(Ending.CLOSE)

    # What the parser tells us.

    def _parse(self, data: bytes) -> None:
        self._is_head_from_before = self._is_in_head
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._is_last = True  # an offer that is declined: the request was answered, and what follows is not HTTP
        except httptools.HttpParserError as error:
            self._refuse(400, f"The request is not HTTP/1.1: {error}.")
        if self._is_in_head and self._is_head_from_before:  # the parser tells of no header before it is whole
            self._unparsed_bytes += len(data)
            if self._unparsed_bytes > HEAD_BYTES_MAX:
                self._refuse_head()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._reset_message()
        self._is_in_head = True
        self._is_head_from_before = False

    def on_url(self, url: bytes) -> None:
        """A piece of its URL."""
        self._url += url
        if len(self._url) > URL_BYTES_MAX:
            self._refuse(414, f"The URL is longer than {URL_BYTES_MAX} bytes.")

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers.append((name, value))
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > HEAD_BYTES_MAX or len(self._headers) > HEADERS_MAX:
            self._refuse_head()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._is_in_head = False
        if self._parser.get_http_version() not in {"1.1", "1.0"}:
            self._refuse(505, "This service speaks HTTP/1.1.")
        if self._began_at is None:  # a pipelined request within one read
            self._began_at = self._heard_at
        for name, value in self._headers:
            if len(name) == 6 and name.lower() == b"expect" and value.lower() == b"100-continue":
                self._say_continue()
            elif len(name) == 14 and name.lower() == b"content-length" and int(value) > self._desk.body_bytes_max:
                self._refuse_body()

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        if self._refusal is None:
            self._body.append(body)
            self._body_bytes += len(body)
            if self._body_bytes > self._desk.body_bytes_max:
                self._refuse_body()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._began_at = None
        if self._refusal is not None or self._is_last or self._outbox is None:
            return
        keep_alive = self._parser.should_keep_alive() and not self._parser.should_upgrade()
        try:
            outgoing = self._answer(keep_alive)
        except Exception:  # a fault of ours must neither look like one of the client's nor end the server
            _log.exception("the simulator failed on %r %r", self._parser.get_method(), self._url[:200])
            keep_alive = False
            outgoing = self._last_words(_plain(500, "The simulator failed; its log on stderr says where."))
        self._is_last = not keep_alive or outgoing.close
        self._outbox.put(outgoing)

    def _answer(self, keep_alive: bool) -> Outgoing:
        method = self._parser.get_method()
        if method == b"DELETE" and not self._body:
            outgoing = self._desk.answer_delete(self._url, self._headers, keep_alive=keep_alive)
            if outgoing is not None:
                return outgoing
        request = read_request(method, self._url, self._headers, b"".join(self._body))
        return self._desk.answer(request, keep_alive=keep_alive)

    def _last_words(self, refusal: Response) -> Outgoing:
        """A reply, then silence: closing at once would reset a client that is still sending, before it could read."""
        return Outgoing((self._desk.refuse(refusal), Ending.HALF_CLOSE))

    def _say_continue(self) -> None:
        if self._outbox is not None and self._outbox.is_empty:
            self._outbox.put(Outgoing(b"HTTP/1.1 100 Continue\r\n\r\n"))

    def _refuse_head(self) -> None:
        self._refuse(431, f"The head is longer than {HEAD_BYTES_MAX} bytes or {HEADERS_MAX} headers.")

    def _refuse_body(self) -> None:
        self._refuse(413, f"The body is longer than {self._desk.body_bytes_max} bytes.")

    def _refuse(self, status: int, message: str) -> None:
        if self._refusal is None:
            self._refusal = _plain(status, message)

    def _reset_message(self) -> None:
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = 0
        self._unparsed_bytes = 0
        self._is_in_head = False


def _plain(status: int, message: str) -> Response:
    return Response(status, [("Content-Type", "text/plain; charset=utf-8")], f"{message}\n".encode())
