"""One kept connection to the service: a request out, one whole reply in, nothing else.

HTTP is parsed by httptools; this class only keeps the account of whose turn it is.  A reply counts when it has arrived
whole, with nothing behind it, after its request had left, when it is as the service would have sent it (``doubts``) and
when whoever takes it believes it.  A connection on which anything went wrong (bytes nobody asked for, a second reply,
one given before, a reply cut short, a caller that left) is dropped and never used again, so that no reply can answer a
delete it was not sent for.  It makes no task, no timer and, while all goes well, no exception; time limits are kept by
the pool, which looks at ``expires_at`` now and then.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

import httptools

from glacier_purge.glacier.doubts import UNSOUND, fault_of_reply, has_bytes_behind_head, unsound
from glacier_purge.glacier.reply import no_reply, read_reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from glacier_purge.glacier.http.accepted import AcceptedReplies
    from glacier_purge.glacier.reply import Reply

    TakesReply = Callable[[Any, Reply], bool]
    """Takes what a request was sent for, and what came back for it; tells whether it believes that."""

REPLY_BYTES_MAX = 65_536
"""An error of the service has some hundred bytes; whatever is longer than this isn't one."""

_FRAMING_HEADERS = frozenset({b"content-length", b"transfer-encoding"})
_KEPT_HEADERS = _FRAMING_HEADERS | {
    b"x-amzn-requestid",
    b"x-amzn-errortype",
    b"retry-after",
    b"x-amz-retry-after",
    b"age",
}


class Owner(Protocol):
    """Whoever keeps connections and wants to know when one can be used again, or no more."""

    reply_due_at: float
    """Until when a request that is sent now has to be answered, on the loop's clock."""

    def released(self, connection: Connection) -> None:
        """The connection has delivered its reply and can take the next request."""

    def lost(self, connection: Connection) -> None:
        """The connection is gone. Told once."""


class Connection(asyncio.Protocol):
    """One connection. ``send`` only when idle: the owner hands it to one caller at a time.

    What came back goes to ``replied``, beside what the request was sent for.
    """

    def __init__(self, owner: Owner, accepted: AcceptedReplies, replied: TakesReply) -> None:
        self.expires_at = float("inf")
        self._owner = owner
        self._read_accepted = accepted.read
        self._replied = replied
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._asked_for: Any = None
        """What the request under way was sent for; None while none is."""
        self.usable = False
        """Whether a request may be sent on it now."""
        self._leaving = False
        self._forget_reply()

    def send(self, request: bytes, archive: Any) -> None:
        """Send one request; what came back for ``archive`` may be that nothing did."""
        assert self.usable
        self.usable = False
        self.expires_at = self._owner.reply_due_at
        self._asked_for = archive
        self._write(request)

    def drop(self) -> None:
        """Close at once; what is in flight is not settled any more."""
        self.usable = False
        self._asked_for = None
        if self._transport is not None:
            self._transport.abort()

    def expire(self) -> None:
        """End a wait that took too long, or an idle time that did."""
        if self._asked_for is None:
            self.drop()
        else:
            self._fail("ReadTimeoutError", "no whole reply came in time")

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._write = self._transport.write
        self._transport.set_write_buffer_limits(high=1, low=0)  # told of what can't leave at once: to ask costs more
        self.usable = True

    def pause_writing(self) -> None:
        """Note that part of a request is here still."""
        self._leaving = True

    def resume_writing(self) -> None:
        """Note that all of it has left."""
        self._leaving = False

    def data_received(self, data: bytes) -> None:
        """Read on; deliver when the reply is whole."""
        archive = self._asked_for
        if archive is None:
            self.drop()
            return
        if self._leaving:
            self._fail(UNSOUND, "what came back is no reply to the delete: it came before the request had left")
            return
        if self._received_bytes == 0 and (reply := self._read_accepted(data)) is not None:
            self._asked_for = None
            if self._replied(archive, reply):
                self.usable = True
                self._owner.released(self)
            else:
                self.drop()
            return
        self._received_bytes += len(data)
        if self._received_bytes > REPLY_BYTES_MAX:
            self._fail("HTTPClientError", f"the reply is longer than {REPLY_BYTES_MAX} bytes")
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as fault:
            self._fail("HTTPClientError", f"the reply is not HTTP as it should be: {fault}")
            return
        if self._complete:
            self._something_behind |= self._status == 204 and has_bytes_behind_head(data)
            self._deliver()

    def eof_received(self) -> None:
        """Take no more requests: the other side has ended, and the transport closes once this returns None."""
        self.usable = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Settle what was in flight: a reply that ends with the connection is whole, any other is none."""
        self.usable = False
        if exc is None and self._ends_with_connection:
            self._complete = True
            self._deliver()
        self._fail("ConnectionClosedError", f"the connection was lost before a whole reply came ({exc or 'closed'})")
        self._transport = None
        # They lead round in a circle, which would keep some 100 KB of TLS until the collector looks: hours.
        del self._write, self._parser
        self._owner.lost(self)

    # What httptools calls.

    def on_message_begin(self) -> None:
        """Note a reply behind the reply."""
        if self._complete:
            self._something_behind = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the few headers that are read; what comes after the body (a trailer) is none of them.

        One that comes twice is kept as HTTP joins them, so that two request ids are none.
        """
        name, value = name.lower(), value.strip(b" \t")
        if name in _KEPT_HEADERS and not self._in_body and not self._complete:
            self._headers[name] = b"%b, %b" % (self._headers[name], value) if name in self._headers else value

    def on_headers_complete(self) -> None:
        """Note the status: of the reply itself, not of another one behind it."""
        if not self._complete:
            self._in_body = True
            self._status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """Keep the body; ``REPLY_BYTES_MAX`` bounds it."""
        if not self._complete:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Note the end of the reply; an interim one (1xx) is only a forerunner."""
        if self._complete:
            return
        if self._status < 200:
            self._headers.clear()
            self._in_body = False
            return
        self._complete = True
        self._stays_open = self._parser.should_keep_alive()

    @property
    def _ends_with_connection(self) -> bool:
        is_framed = not _FRAMING_HEADERS.isdisjoint(self._headers)
        return self._asked_for is not None and self._in_body and not is_framed and not self._complete

    def _deliver(self) -> None:
        archive, self._asked_for = self._asked_for, None
        reply = self._read()
        stays_open = self._stays_open and reply.status is not None
        self._forget_reply()
        if self._replied(archive, reply) and stays_open:
            self.usable = True
            self._owner.released(self)
        else:
            self.drop()

    def _read(self) -> Reply:
        """Say what came back, which may be that it is no reply."""
        text = {name: value.decode("latin-1") for name, value in self._headers.items()}
        fault = fault_of_reply(
            status=self._status,
            version=self._parser.get_http_version(),
            request_id=text.get(b"x-amzn-requestid"),
            error_type=text.get(b"x-amzn-errortype"),
            content_length=text.get(b"content-length"),
            transfer_encoding=text.get(b"transfer-encoding"),
            age=text.get(b"age"),
        )
        if self._something_behind:
            fault = "more bytes came behind it"
        return read_reply(self._status, self._headers, b"".join(self._body)) if fault is None else unsound(fault)

    def _fail(self, fault: str, message: str) -> None:
        archive = self._asked_for
        self.drop()
        if archive is not None:
            self._replied(archive, no_reply(fault, message))

    def _forget_reply(self) -> None:
        self._status = 0
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._received_bytes = 0
        self._in_body = self._complete = self._something_behind = False
        self._stays_open = False
