"""The parts that faults are made of: replies given instead, changes to a reply, and ways of sending it badly.

Pure: bytes and steps in, bytes and steps out.  What strikes whom is decided in ``faults``, which kind is made of which
parts in ``fault_kinds``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple, Protocol

from glacier_simulator.exchange import Response
from glacier_simulator.refusal import Refusal
from glacier_simulator.wire import Ending, Step


class Strike(Protocol):
    """What a part may know of the fault it belongs to (see ``faults.Fault``)."""

    @property
    def seconds(self) -> float:
        """How long to wait, for parts that wait."""

    @property
    def draw(self) -> float:
        """0 up to 1, by the seed: where to cut, what noise."""


class Whole(NamedTuple):
    """The reply as it would have been sent: its head, and its body piece by piece."""

    head: bytes
    pieces: Iterator[bytes]
    length_bytes: int


Instead = Callable[[str, Strike], Response]
"""(request id, strike) to the reply given instead of the service's."""
Change = Callable[[Response, Strike], Response]
"""The service's reply to another one."""
Wire = Callable[["Whole", Strike], "Iterable[Step]"]
"""The reply to the steps in which it is sent."""


def code(code: str, message: str, *headers: tuple[str, str]) -> Instead:
    """An error of the service by its code, with more headers."""

    def response(request_id: str, strike: Strike) -> Response:
        reply = Refusal(code, message).response()
        reply.headers.extend([("x-amzn-RequestId", request_id), *headers])
        return reply

    return response


def json(status: int, body: bytes, *headers: tuple[str, str]) -> Instead:
    """A reply with a JSON body, or what passes for one."""

    def response(request_id: str, strike: Strike) -> Response:
        named = [("x-amzn-RequestId", request_id), ("Content-Type", "application/json"), *headers]
        return Response(status, named, body)

    return response


def waiting(status: int, body: bytes, header: str, unit: float) -> Instead:
    """A refusal that says how long to stay away: ``seconds`` of the rule, in the header's own unit."""

    def response(request_id: str, strike: Strike) -> Response:
        return json(status, body, (header, f"{strike.seconds * unit:.0f}"))(request_id, strike)

    return response


def _page(status: int, title: str) -> bytes:
    return f"<html><head><title>{title}</title></head><body><h1>{status} {title}</h1></body></html>\n".encode()


def html(status: int, title: str, *headers: tuple[str, str]) -> Instead:
    """A page from a box in between: it has no request id, since the service never saw the request."""

    def response(request_id: str, strike: Strike) -> Response:
        return Response(status, [("Content-Type", "text/html"), *headers], _page(status, title))

    return response


def html_with_id(status: int, title: str) -> Instead:
    """A page that does carry a request id."""

    def response(request_id: str, strike: Strike) -> Response:
        return html(status, title, ("x-amzn-RequestId", request_id))(request_id, strike)

    return response


def accepted(*headers: tuple[str, str], with_id: bool = True) -> Instead:
    """A 204 that the service never said: with these headers, and with or without a request id of its own."""

    def response(request_id: str, strike: Strike) -> Response:
        return Response(204, [("x-amzn-RequestId", request_id), *headers] if with_id else list(headers))

    return response


# Changes to the service's own reply.


def with_header(name: str, value: str) -> Change:
    """One header more."""

    def changed(response: Response, strike: Strike) -> Response:
        return Response(response.status, [*response.headers, (name, value)], response.body, response.length_bytes)

    return changed


def length_off(difference: int) -> Change:
    """Say another Content-Length than is sent; a reply without a body is given one to be wrong about."""

    def changed(response: Response, strike: Strike) -> Response:
        body = b"".join(_pieces(response)) or b'{"note":"a body"}'
        status = 200 if response.status == 204 else response.status
        return Response(status, [*response.headers, ("Content-Length", str(max(0, len(body) + difference)))], body)

    return changed


def truncated(response: Response, strike: Strike) -> Response:
    """A shorter output whose length is right as far as HTTP can tell."""
    body = b"".join(_pieces(response))
    return Response(response.status, _without_lengths(response), body[: int(len(body) * (0.2 + 0.7 * strike.draw))])


def corrupted(response: Response, strike: Strike) -> Response:
    """One bit of the body changed; nothing on the wire shows it."""
    body = bytearray(b"".join(_pieces(response)))
    if body:
        body[int(len(body) * strike.draw)] ^= 0x04
    return Response(response.status, _without_lengths(response), bytes(body))


def _without_lengths(response: Response) -> list[tuple[str, str]]:
    return [(name, value) for name, value in response.headers if name.lower() != "content-length"]


def _pieces(response: Response) -> Iterable[bytes]:
    return (response.body,) if isinstance(response.body, bytes) else response.body


# Ways of putting a reply on the wire.


def ends(*steps: Step) -> Wire:
    """Nothing of the reply, but these steps."""
    return lambda whole, strike: steps


def silence(whole: Whole, strike: Strike) -> Iterable[Step]:
    """Nothing for ``seconds``, then a close."""
    return (strike.seconds, Ending.CLOSE)


def late(whole: Whole, strike: Strike) -> Iterable[Step]:
    """The reply, ``seconds`` later."""
    return chain((strike.seconds, whole.head), whole.pieces)


def slow_head(whole: Whole, strike: Strike) -> Iterable[Step]:
    """The head one byte at a time, ``seconds`` apart."""
    return chain(_dripped(whole.head, strike.seconds), whole.pieces)


def slow_body(whole: Whole, strike: Strike) -> Iterable[Step]:
    """The body one byte at a time; a reply without one has its head dripped."""
    if not whole.length_bytes:
        return slow_head(whole, strike)
    return chain((whole.head,), *(_dripped(piece, strike.seconds) for piece in whole.pieces))


def _dripped(text: bytes, seconds: float) -> Iterator[Step]:
    for position in range(len(text)):
        yield text[position : position + 1]
        yield seconds


def head_cut(ending: Ending) -> Wire:
    """A part of the head, then the end."""

    def steps(whole: Whole, strike: Strike) -> Iterable[Step]:
        return (whole.head[: 1 + int((len(whole.head) - 4) * strike.draw)], ending)

    return steps


def body_cut(*then: Step) -> Wire:
    """Part of the body, then ``then``; a reply without a body is cut in its head."""

    def steps(whole: Whole, strike: Strike) -> Iterable[Step]:
        if not whole.length_bytes:
            return chain((whole.head[:-4],), then)
        keep_bytes = int(whole.length_bytes * (0.1 + 0.8 * strike.draw))
        return chain((whole.head,), _first(whole.pieces, keep_bytes), then)

    return steps


def stalled(whole: Whole, strike: Strike) -> Iterable[Step]:
    """Part of the body, then nothing for ``seconds``."""
    return body_cut(strike.seconds, Ending.CLOSE)(whole, strike)


def _first(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[:count]
        count -= len(piece)
        if count <= 0:
            return


def then(*steps: Step) -> Wire:
    """The reply, then these steps."""
    return lambda whole, strike: chain((whole.head,), whole.pieces, steps)


def garbage(whole: Whole, strike: Strike) -> Iterable[Step]:
    """Noise instead of the reply."""
    return (_noise(strike), Ending.CLOSE)


def reply_then_garbage(whole: Whole, strike: Strike) -> Iterable[Step]:
    """The reply, and noise behind it."""
    return chain((whole.head,), whole.pieces, (_noise(strike),))


def _noise(strike: Strike) -> bytes:
    return random.Random(strike.draw).randbytes(256)  # noqa: S311 - repeatable on purpose


def twice(whole: Whole, strike: Strike) -> Iterable[Step]:
    """The reply, and the same again."""
    body = b"".join(islice(whole.pieces, 64))
    return (whole.head + body + whole.head + body,)


def with_a_stray_one(whole: Whole, strike: Strike) -> Iterable[Step]:
    """The reply, and in one piece with it a 204 that nobody asked for."""
    stray = b"HTTP/1.1 204 No Content\r\nx-amzn-RequestId: %b\r\n\r\n" % _noise(strike)[:24].hex().encode()
    return (b"".join((whole.head, *whole.pieces, stray)),)


def head_with(extra: bytes) -> Wire:
    """The reply with more lines in its head."""
    return lambda whole, strike: chain((whole.head[:-2] + extra + b"\r\n",), whole.pieces)


def head_replaced(old: bytes, new: bytes) -> Wire:
    """The reply with something else in its head; the connection ends."""
    return lambda whole, strike: chain((whole.head.replace(old, new, 1), *whole.pieces, Ending.CLOSE))


def preceded(by: bytes) -> Wire:
    """Bytes before the reply."""
    return lambda whole, strike: chain((by + whole.head,), whole.pieces)


def broken_chunks(whole: Whole, strike: Strike) -> Iterable[Step]:
    """A chunked reply whose second chunk has no size."""
    lines = [line for line in whole.head[:-4].split(b"\r\n") if not line.lower().startswith(b"content-length:")]
    lines[0] = lines[0].replace(b"204 No Content", b"200 OK")
    return (b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", b'5\r\n{"a":\r\nzz\r\n']), Ending.CLOSE)
