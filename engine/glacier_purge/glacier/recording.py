"""Requests and replies as they go over a connection, kept for others: ``--record-wire``.

Both transports are recorded in one place, the connection itself.  A connection's class gets a twin that shows every
byte on its way out and in to one that takes notes; nothing else of it is different, and where nothing is recorded there
is no twin.  So what is kept is what came, also where it is no reply or no HTTP, before anybody judged it.

Bytes are taken apart into whole exchanges, and of each what ``redacted`` lets stay is one line of JSON.  Only what asks
Amazon Glacier is kept: other services, and what is said to a proxy, are none of its business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import httptools
import msgspec

from glacier_purge.glacier.redacted import kept_reply, kept_request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

FORMAT = 1
"""Of the lines. The first says ``format`` and what made the file, each other one is an exchange."""

BODY_BYTES_MAX = 64 * 1024
"""A longer body is counted and not kept; whatever is not an inventory's text is shorter."""

Kind = TypeVar("Kind", bound=type)


class Recording:
    """Takes notes on connections. ``write`` gets each exchange as one line without its end."""

    def __init__(self, write: Callable[[bytes], None], now: Callable[[], datetime]) -> None:
        self._write = write
        self._now = now
        self._connections = 0

    def of(self, kind: Kind) -> Kind:
        """Make the twin of a class of connections (``asyncio.Protocol``) on which notes are taken."""
        recording = self

        class Recorded(kind):  # type: ignore[valid-type, misc]  # its base is whatever the transport connects by
            def connection_made(self, transport: Any) -> None:
                self._conversation = recording.conversation()
                super().connection_made(_Shown(transport, self._conversation.sent))

            def data_received(self, data: bytes) -> None:
                self._conversation.received(data)
                super().data_received(data)

            def connection_lost(self, exc: Exception | None) -> None:
                self._conversation.ended(exc)
                super().connection_lost(exc)

        return Recorded  # type: ignore[return-value]  # it is a subclass

    def conversation(self) -> _Conversation:
        """Take notes on one more connection."""
        self._connections += 1
        return _Conversation(self._connections, self._now, self._keep)

    def _keep(self, exchange: dict[str, Any]) -> None:
        self._write(msgspec.json.encode(exchange))


class _Shown:
    """A transport that shows what is written to it."""

    def __init__(self, transport: Any, sent: Callable[[bytes], None]) -> None:
        self._transport = transport
        self._sent = sent

    def write(self, data: bytes) -> None:
        self._sent(data)
        self._transport.write(data)

    def writelines(self, pieces: Sequence[bytes]) -> None:
        self.write(b"".join(pieces))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Conversation:
    """One connection's requests and replies, in turn; nothing is sent on it before the reply to what was sent last."""

    def __init__(self, connection: int, now: Callable[[], datetime], keep: Callable[[dict[str, Any]], None]) -> None:
        self._connection = connection
        self._now = now
        self._keep = keep
        self._out = _Requests(httptools.HttpRequestParser)
        self._in = _Replies(httptools.HttpResponseParser)
        self._began: datetime | None = None

    def sent(self, data: bytes) -> None:
        """Some bytes of a request leave."""
        self._began = self._began or self._now()
        self._out.feed(data)

    def received(self, data: bytes) -> None:
        """Some bytes of a reply have come."""
        self._in.feed(data)
        reply = self._in
        if reply.is_whole:
            self._note(kept_reply(reply.status, reply.version, reply.headers, reply.body), None)
        elif reply.fault is not None:
            self._note(None, f"what came is not HTTP as it should be: {reply.fault}")

    def ended(self, fault: Exception | None) -> None:
        """The connection is gone, perhaps with a reply that ends with it."""
        self._in.end()
        if self._in.is_whole:
            self.received(b"")
        else:
            self._note(None, f"the connection ended before a whole reply came ({type(fault or EOFError()).__name__})")

    def _note(self, reply: dict[str, Any] | None, ended: str | None) -> None:
        began, request = self._began, self._out
        if began is not None and request.is_of_glacier:
            self._keep(
                {
                    "at": f"{began:%Y-%m-%dT%H:%M:%S.%f}Z",
                    "took_seconds": round((self._now() - began).total_seconds(), 3),
                    "connection": self._connection,
                    "request": kept_request(request.method, request.target, request.headers, request.body),
                    "reply": reply,
                    "ended": ended,
                }
            )
        self._began = None
        self._out.begin()
        self._in.begin()


class _Messages:
    """The messages that go one way over a connection, one after the other; httptools calls what begins with ``on``."""

    def __init__(self, new_parser: Callable[[Any], Any]) -> None:
        self._new_parser = new_parser
        self.begin()

    def begin(self) -> None:
        """Read the next one."""
        self.parser = self._new_parser(self)
        self.headers: list[tuple[str, str]] = []
        self.has_head = self.is_whole = False
        self.fault: str | None = None
        self._pieces: list[bytes] = []
        self._body_bytes = 0

    def feed(self, data: bytes) -> None:
        """Read on; what is behind a whole message is not read."""
        if self.is_whole or self.fault is not None:
            return
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as fault:
            self.fault = str(fault)

    @property
    def body(self) -> bytes | int:
        """The body, or how many bytes it has when they are too many to be kept."""
        return b"".join(self._pieces) if self._body_bytes <= BODY_BYTES_MAX else self._body_bytes

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        if not self.is_whole:
            self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self.has_head = True

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if not self.is_whole:
            self._body_bytes += len(body)
            if self._body_bytes <= BODY_BYTES_MAX:
                self._pieces.append(body)

    def on_message_complete(self) -> None:
        """The message is whole."""
        self.is_whole = True


class _Requests(_Messages):
    """What leaves."""

    def begin(self) -> None:
        """Read the next one."""
        super().begin()
        self.target = ""

    @property
    def method(self) -> str:
        """What the request wants."""
        return str(self.parser.get_method().decode("latin-1"))

    @property
    def is_of_glacier(self) -> bool:
        """Whether it asks this service and no other."""
        return any(name.lower() == "x-amz-glacier-version" for name, _ in self.headers)

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self.target += url.decode("latin-1")


class _Replies(_Messages):
    """What comes."""

    def begin(self) -> None:
        """Read the next one."""
        super().begin()
        self.status = 0

    @property
    def version(self) -> str:
        """HTTP's."""
        return str(self.parser.get_http_version())

    def end(self) -> None:
        """Say that nothing more comes: a body without a length ends here."""
        is_framed = any(name.lower() in {"content-length", "transfer-encoding"} for name, _ in self.headers)
        self.is_whole |= self.has_head and not is_framed and self.fault is None

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if not self.is_whole:
            super().on_headers_complete()
            self.status = self.parser.get_status_code()

    def on_message_complete(self) -> None:
        """The reply is whole; an interim one (1xx) is only a forerunner."""
        if 100 <= self.status < 200:
            self.headers.clear()
            self.has_head = False
        else:
            super().on_message_complete()
