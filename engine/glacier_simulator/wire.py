"""HTTP/1.1 as bytes: how a reply looks on the wire, piece by piece.

A reply is a series of steps: bytes to send, seconds to wait, or a way for the connection to end.  Ordinary replies
are one step; a streamed inventory is many; a fault is whatever it needs.  The connection only walks the steps, so
everything that can go wrong on a wire is decided here and in ``faults`` without a socket.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from http import HTTPStatus
from itertools import chain
from urllib.parse import parse_qsl

from glacier_simulator.exchange import Request, Response


class Ending(Enum):
    """How a connection ends: flushed and closed, reset (RST), or closed for writing only (FIN, reading goes on)."""

    CLOSE = "close"
    RESET = "reset"
    HALF_CLOSE = "half-close"


class Again(Enum):
    """A 204 that was sent before, byte for byte: the last one of this connection, or of any."""

    HERE = "here"
    ANYWHERE = "anywhere"


Step = bytes | float | Ending | Again
"""Bytes to send, seconds to wait, the end of the connection, or what was sent before."""

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_NO_BREAKS = {0: " ", 10: " ", 13: " "}
_BODILESS = frozenset({100, 101, 204, 304})


def read_request(method: bytes, url: bytes, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Request:
    """What was parsed off the wire, as the pretended service takes it."""
    path, _, query = url.decode("latin-1").partition("?")
    fields = dict(parse_qsl(query, keep_blank_values=True))
    named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
    return Request(method.decode("latin-1"), path, fields, named, body)


def render_head(response: Response, *, date: bytes, keep_alive: bool) -> bytes:
    """The status line and headers of ``response``. A body of unknown length is announced as chunked.

    Line breaks cannot come out of it inside a header, whatever an archive's description holds.
    """
    named = {name.lower() for name, _ in response.headers}
    lines = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Unknown')}", f"Date: {date.decode()}"]
    lines.extend(f"{name}: {value}".translate(_NO_BREAKS) for name, value in response.headers)
    if response.status not in _BODILESS and "content-length" not in named:
        length_bytes = body_length_bytes(response)
        lines.append("Transfer-Encoding: chunked" if length_bytes is None else f"Content-Length: {length_bytes}")
    if not keep_alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def body_length_bytes(response: Response) -> int | None:
    """How many bytes the body will have, or None when only its end will tell."""
    return len(response.body) if isinstance(response.body, bytes) else response.length_bytes


def body_pieces(response: Response) -> Iterator[bytes]:
    """The body as it goes on the wire: framed in chunks when its length is not known beforehand."""
    if response.status in _BODILESS:
        return iter(())
    if isinstance(response.body, bytes):
        return iter((response.body,) if response.body else ())
    if response.length_bytes is not None:
        return iter(response.body)
    return chain(_chunks(response.body), (b"0\r\n\r\n",))


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
