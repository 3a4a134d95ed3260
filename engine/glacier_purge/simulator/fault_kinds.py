"""The ways in which a service, a network and the boxes between them fail: one table, each row with its own few lines.

A kind is made of at most three parts: a reply given instead of the service's, a change to the service's reply, and
a way of putting it on the wire.  ``reaches_service`` says whether the request took effect, which is the
whole point of most of them: a client must not be able to tell, and must cope with both.

Kinds that wait do so in real seconds (it is the client's patience they try), for ``Fault.seconds``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple, Protocol

from glacier_purge.simulator.exchange import Response
from glacier_purge.simulator.refusal import Refusal
from glacier_purge.simulator.wire import Ending, Step

_PATIENCE_SECONDS = 600.0  # longer than any sensible client waits


class Strike(Protocol):
    """What a kind may know of the fault it carries out (see ``faults.Fault``)."""

    @property
    def seconds(self) -> float:
        """How long to wait where the kind waits."""

    @property
    def draw(self) -> float:
        """0 up to 1, by the seed."""


class Whole(NamedTuple):
    """The reply as it would have been sent: its head, and its body piece by piece."""

    head: bytes
    pieces: Iterator[bytes]
    length_bytes: int


Instead = Callable[[str, Strike], Response]
Change = Callable[[Response, Strike], Response]
Wire = Callable[[Whole, Strike], Iterable[Step]]


class Kind(NamedTuple):
    """One way to fail. ``about`` completes the sentence "the client sees …"."""

    about: str
    reaches_service: bool
    instead: Instead | None = None
    change: Change | None = None
    wire: Wire | None = None
    seconds: float = 0.0


# Replies given instead: (request id, strike) -> response.


def _code(code: str, message: str, *headers: tuple[str, str]) -> Instead:
    def response(request_id: str, strike: Strike) -> Response:
        reply = Refusal(code, message).response(request_id)
        reply.headers.extend(headers)
        return reply

    return response


def _json(status: int, body: bytes, *headers: tuple[str, str]) -> Instead:
    def response(request_id: str, strike: Strike) -> Response:
        named = [("x-amzn-RequestId", request_id), ("Content-Type", "application/json"), *headers]
        return Response(status, named, body)

    return response


def _waiting(status: int, body: bytes, header: str, unit: float) -> Instead:
    """A refusal that says how long to stay away: ``seconds`` of the rule, in the header's own unit."""

    def response(request_id: str, strike: Strike) -> Response:
        return _json(status, body, (header, f"{strike.seconds * unit:.0f}"))(request_id, strike)

    return response


def _page(status: int, title: str) -> bytes:
    return f"<html><head><title>{title}</title></head><body><h1>{status} {title}</h1></body></html>\n".encode()


def _html(status: int, title: str, *headers: tuple[str, str]) -> Instead:
    """A page from a box in between: it has no request id, since the service never saw the request."""

    def response(request_id: str, strike: Strike) -> Response:
        return Response(status, [("Content-Type", "text/html"), *headers], _page(status, title))

    return response


def _html_with_id(status: int, title: str) -> Instead:
    def response(request_id: str, strike: Strike) -> Response:
        return _html(status, title, ("x-amzn-RequestId", request_id))(request_id, strike)

    return response


# Changes to the service's own reply.


def _with_header(name: str, value: str) -> Change:
    def changed(response: Response, strike: Strike) -> Response:
        return Response(response.status, [*response.headers, (name, value)], response.body, response.length_bytes)

    return changed


def _length_off(difference: int) -> Change:
    """Say another Content-Length than is sent; a reply without a body is given one to be wrong about."""

    def changed(response: Response, strike: Strike) -> Response:
        body = b"".join(_pieces(response)) or b'{"note":"a body"}'
        status = 200 if response.status == 204 else response.status
        return Response(status, [*response.headers, ("Content-Length", str(max(0, len(body) + difference)))], body)

    return changed


def _truncated(response: Response, strike: Strike) -> Response:
    """A shorter output whose length is right as far as HTTP can tell."""
    body = b"".join(_pieces(response))
    return Response(response.status, _without_lengths(response), body[: int(len(body) * (0.2 + 0.7 * strike.draw))])


def _corrupted(response: Response, strike: Strike) -> Response:
    body = bytearray(b"".join(_pieces(response)))
    if body:
        body[int(len(body) * strike.draw)] ^= 0x04
    return Response(response.status, _without_lengths(response), bytes(body))


def _without_lengths(response: Response) -> list[tuple[str, str]]:
    return [(name, value) for name, value in response.headers if name.lower() != "content-length"]


def _pieces(response: Response) -> Iterable[bytes]:
    return (response.body,) if isinstance(response.body, bytes) else response.body


# Ways of putting a reply on the wire.


def _ends(*steps: Step) -> Wire:
    return lambda whole, strike: steps


def _silence(whole: Whole, strike: Strike) -> Iterable[Step]:
    return (strike.seconds, Ending.CLOSE)


def _late(whole: Whole, strike: Strike) -> Iterable[Step]:
    return chain((strike.seconds, whole.head), whole.pieces)


def _slow_head(whole: Whole, strike: Strike) -> Iterable[Step]:
    return chain(_dripped(whole.head, strike.seconds), whole.pieces)


def _slow_body(whole: Whole, strike: Strike) -> Iterable[Step]:
    if not whole.length_bytes:
        return _slow_head(whole, strike)
    return chain((whole.head,), *(_dripped(piece, strike.seconds) for piece in whole.pieces))


def _dripped(text: bytes, seconds: float) -> Iterator[Step]:
    for position in range(len(text)):
        yield text[position : position + 1]
        yield seconds


def _head_cut(ending: Ending) -> Wire:
    def steps(whole: Whole, strike: Strike) -> Iterable[Step]:
        return (whole.head[: 1 + int((len(whole.head) - 4) * strike.draw)], ending)

    return steps


def _body_cut(*then: Step) -> Wire:
    """Part of the body, then ``then``; a reply without a body is cut in its head."""

    def steps(whole: Whole, strike: Strike) -> Iterable[Step]:
        if not whole.length_bytes:
            return chain((whole.head[:-4],), then)
        keep_bytes = int(whole.length_bytes * (0.1 + 0.8 * strike.draw))
        return chain((whole.head,), _first(whole.pieces, keep_bytes), then)

    return steps


def _stalled(whole: Whole, strike: Strike) -> Iterable[Step]:
    return _body_cut(strike.seconds, Ending.CLOSE)(whole, strike)


def _first(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[:count]
        count -= len(piece)
        if count <= 0:
            return


def _then(*steps: Step) -> Wire:
    return lambda whole, strike: chain((whole.head,), whole.pieces, steps)


def _garbage(whole: Whole, strike: Strike) -> Iterable[Step]:
    return (_noise(strike), Ending.CLOSE)


def _reply_then_garbage(whole: Whole, strike: Strike) -> Iterable[Step]:
    return chain((whole.head,), whole.pieces, (_noise(strike),))


def _noise(strike: Strike) -> bytes:
    return random.Random(strike.draw).randbytes(256)  # noqa: S311 - repeatable on purpose


def _twice(whole: Whole, strike: Strike) -> Iterable[Step]:
    body = b"".join(islice(whole.pieces, 64))
    return (whole.head + body + whole.head + body,)


def _head_with(extra: bytes) -> Wire:
    """The reply with more lines in its head."""
    return lambda whole, strike: chain((whole.head[:-2] + extra + b"\r\n",), whole.pieces)


def _head_replaced(old: bytes, new: bytes) -> Wire:
    return lambda whole, strike: chain((whole.head.replace(old, new, 1), *whole.pieces, Ending.CLOSE))


def _preceded(by: bytes) -> Wire:
    return lambda whole, strike: chain((by + whole.head,), whole.pieces)


def _broken_chunks(whole: Whole, strike: Strike) -> Iterable[Step]:
    lines = [line for line in whole.head[:-4].split(b"\r\n") if not line.lower().startswith(b"content-length:")]
    lines[0] = lines[0].replace(b"204 No Content", b"200 OK")
    return (b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", b'5\r\n{"a":\r\nzz\r\n']), Ending.CLOSE)


_SLOW_DOWN = b'{"code":"SlowDown","message":"Please reduce your request rate.","type":"Server"}'
_THROTTLED = b'{"code":"ThrottlingException","message":"Rate exceeded","type":"Client"}'
_TOO_MANY = b'{"code":"TooManyRequestsException","message":"Too many requests","type":"Client"}'
_INTERNAL = b'{"code":"InternalFailure","message":"Internal failure","type":"Server"}'
_UNAVAILABLE = _code("ServiceUnavailableException", "Service is unavailable")
_NOT_AUTHORIZED = "User: arn:aws:iam::000000000000:user/simulated is not authorized to perform this action"

KINDS: dict[str, Kind] = {
    # The connection
    "refuse": Kind("a reset before a byte was read", False, wire=_ends(Ending.RESET)),
    "reset-after": Kind("a reset instead of the reply", True, wire=_ends(Ending.RESET)),
    "reset-in-head": Kind("part of the head, then a reset", True, wire=_head_cut(Ending.RESET)),
    "reset-in-body": Kind("part of the body, then a reset", True, wire=_body_cut(Ending.RESET)),
    "close-before": Kind("the connection closed instead of a reply", False, wire=_ends(Ending.CLOSE)),
    "close-after": Kind("the connection closed instead of the reply", True, wire=_ends(Ending.CLOSE)),
    "half-close": Kind("the writing side closed instead of the reply", True, wire=_ends(Ending.HALF_CLOSE)),
    "truncated-head": Kind("part of the head, then a close", True, wire=_head_cut(Ending.CLOSE)),
    "truncated-body": Kind("part of the body, then a close", True, wire=_body_cut(Ending.CLOSE)),
    "keep-alive-race": Kind("a reply that promises keep-alive, then a close", True, wire=_then(Ending.CLOSE)),
    "connection-close": Kind(
        "a good reply that ends the connection",
        True,
        change=_with_header("Connection", "close"),
        wire=_then(Ending.CLOSE),
    ),
    # Time
    "black-hole": Kind("nothing, ever", False, wire=_silence, seconds=_PATIENCE_SECONDS),
    "no-reply": Kind("nothing, though it was done", True, wire=_silence, seconds=_PATIENCE_SECONDS),
    "late-reply": Kind("the reply after its own time limit", True, wire=_late, seconds=90.0),
    "slow-reply": Kind("a slow reply", True, wire=_late, seconds=2.0),
    "slow-loris": Kind("the head, a byte a second", True, wire=_slow_head, seconds=1.0),
    "byte-a-second": Kind("the body, a byte a second", True, wire=_slow_body, seconds=1.0),
    # Bytes that are not a reply
    "garbage": Kind("noise", True, wire=_garbage),
    "garbage-after-reply": Kind("the reply, then noise", True, wire=_reply_then_garbage),
    "duplicate-reply": Kind("the reply, twice", True, wire=_twice),
    "length-too-long": Kind(
        "a longer body announced than sent", True, change=_length_off(64), wire=_then(Ending.CLOSE)
    ),
    "length-too-short": Kind("a shorter body announced than sent", True, change=_length_off(-8)),
    "length-nonsense": Kind("a Content-Length that is no number", True, wire=_head_with(b"Content-Length: banana\r\n")),
    "broken-chunks": Kind("a chunk size that is no number", True, wire=_broken_chunks),
    "huge-head": Kind("a head of 100 kB", True, wire=_head_with(b"x-padding: " + b"p" * 100_000 + b"\r\n")),
    "bad-status-line": Kind("a status that is no number", True, wire=_head_replaced(b" 2", b" Z")),
    "interim-reply": Kind("a 103 before the reply (legal)", True, wire=_preceded(b"HTTP/1.1 103 Early Hints\r\n\r\n")),
    # The service's own errors
    "internal-error": Kind("500 ServiceUnavailableException", False, instead=_UNAVAILABLE),
    "internal-error-after": Kind("500, though it was done", True, instead=_UNAVAILABLE),
    "internal-failure": Kind("500 InternalFailure", False, instead=_json(500, _INTERNAL)),
    "empty-error": Kind("500 without a body", False, instead=_json(500, b"")),
    "broken-json": Kind("500 with half a JSON body", False, instead=_json(500, _INTERNAL[:20])),
    "insufficient-capacity": Kind(
        "503 InsufficientCapacityException",
        False,
        instead=_code("InsufficientCapacityException", "There is insufficient capacity to process this request"),
    ),
    "request-timeout": Kind(
        "408 RequestTimeoutException", False, instead=_code("RequestTimeoutException", "The request timed out")
    ),
    # Asked to slow down
    "throttle": Kind("400 ThrottlingException", False, instead=_json(400, _THROTTLED)),
    "too-many-requests": Kind("429", False, instead=_json(429, _TOO_MANY)),
    "slow-down": Kind("503 SlowDown", False, instead=_json(503, _SLOW_DOWN)),
    "retry-after": Kind(
        "503 with Retry-After", False, instead=_waiting(503, _SLOW_DOWN, "Retry-After", 1), seconds=2.0
    ),
    "retry-after-nonsense": Kind(
        "503 with a Retry-After that is no time",
        False,
        instead=_json(503, _SLOW_DOWN, ("Retry-After", "soon; or never")),
    ),
    "amz-retry-after": Kind(
        "400 ThrottlingException with x-amz-retry-after (milliseconds)",
        False,
        instead=_waiting(400, _THROTTLED, "x-amz-retry-after", 1000),
        seconds=1.5,
    ),
    # Refused for good, or until something changes
    "expired-token": Kind(
        "403 ExpiredTokenException",
        False,
        instead=_code("ExpiredTokenException", "The security token included in the request is expired"),
    ),
    "invalid-signature": Kind(
        "403 InvalidSignatureException",
        False,
        instead=_code("InvalidSignatureException", "The request signature we calculated does not match"),
    ),
    "unknown-client": Kind(
        "400 UnrecognizedClientException",
        False,
        instead=_code("UnrecognizedClientException", "The security token included in the request is invalid."),
    ),
    "access-denied": Kind("403 AccessDeniedException", False, instead=_code("AccessDeniedException", _NOT_AUTHORIZED)),
    "not-supported": Kind(
        "400 NoLongerSupportedException",
        False,
        instead=_code("NoLongerSupportedException", "Amazon Glacier is no longer supported for this account"),
    ),
    "vault-missing": Kind(
        "404 ResourceNotFoundException",
        False,
        instead=_code("ResourceNotFoundException", "Vault not found for ARN: arn:aws:glacier:::vaults/simulated"),
    ),
    "wrong-vault": Kind(
        "400 InvalidParameterValueException",
        False,
        instead=_code("InvalidParameterValueException", "Invalid vault name: arn:aws:glacier:::vaults/simulated"),
    ),
    # Not the service at all
    "bad-gateway": Kind("502, a page of a proxy", False, instead=_html(502, "Bad Gateway")),
    "gateway-timeout": Kind("504, a page of a proxy, though it was done", True, instead=_html(504, "Gateway Timeout")),
    "proxy-page-with-id": Kind(
        "503, a page with a request id", False, instead=_html_with_id(503, "Service Unavailable")
    ),
    "captive-portal": Kind("200, a page to log in", False, instead=_html(200, "Log in to continue")),
    "redirect": Kind(
        "302 to somewhere else", False, instead=_html(302, "Found", ("Location", "http://127.0.0.1:9/login"))
    ),
    "redirect-permanent": Kind(
        "308 to somewhere else",
        False,
        instead=_html(308, "Permanent Redirect", ("Location", "http://127.0.0.1:9/moved")),
    ),
    # What was asked for, but not all of it
    "output-cut": Kind("a job's output cut by a reset", True, wire=_body_cut(Ending.RESET)),
    "output-stalled": Kind("a job's output that stops coming", True, wire=_stalled, seconds=_PATIENCE_SECONDS),
    "output-truncated": Kind("a job's output without its end, of matching length", True, change=_truncated),
    "output-corrupted": Kind("a job's output with one bit changed", True, change=_corrupted),
}
