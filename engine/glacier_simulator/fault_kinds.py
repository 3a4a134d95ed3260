"""The ways in which a service, a network and the boxes between them fail: one table.

A kind is made of at most five parts: something done to the service before it is asked, a reply given instead of the
service's, a change to the service's reply, a way of putting it on the wire, and something done to the service
afterwards.  ``reaches_service`` says whether the request took
effect, which is the point of most of them: a client must not be able to tell, and must cope with both.

Kinds that wait do so in real seconds, since it is the client's patience they try, for ``Fault.seconds``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from glacier_simulator import spoil
from glacier_simulator.exchange import Request, Response
from glacier_simulator.refusal import Refusal
from glacier_simulator.routing import route
from glacier_simulator.vault import PretendGlacier
from glacier_simulator.wire import Again, Ending

_PATIENCE_SECONDS = 600.0  # longer than any sensible client waits


class Kind(NamedTuple):
    """One way to fail. ``about`` completes the sentence "the client sees ..."."""

    about: str
    reaches_service: bool
    instead: spoil.Instead | None = None
    change: spoil.Change | None = None
    wire: spoil.Wire | None = None
    beforehand: Callable[[PretendGlacier, Request, float], None] | None = None
    aftermath: Callable[[PretendGlacier, Response], None] | None = None
    seconds: float = 0.0


def _expire_job(glacier: PretendGlacier, request: Request, now: float) -> None:
    """Let the finished job that is asked for be forgotten, as if its day were over."""
    try:
        where = route(request)
    except Refusal:  # a path that leads nowhere names no job
        return
    if where.operation in {"DescribeJob", "GetJobOutput"}:
        glacier.expire_job(where.names[1], now)


def _doom_job(glacier: PretendGlacier, response: Response) -> None:
    """Let the job that was just initiated fail when its time comes."""
    job_id = dict(response.headers).get("x-amz-job-id")
    if job_id is not None:
        glacier.doom_job(job_id, "The service could not complete the job.")


_SLOW_DOWN = b'{"code":"SlowDown","message":"Please reduce your request rate.","type":"Server"}'
_THROTTLED = b'{"code":"ThrottlingException","message":"Rate exceeded","type":"Client"}'
_TOO_MANY = b'{"code":"TooManyRequestsException","message":"Too many requests","type":"Client"}'
_INTERNAL = b'{"code":"InternalFailure","message":"Internal failure","type":"Server"}'
_UNAVAILABLE = spoil.code("ServiceUnavailableException", "Service is unavailable")
_NOT_AUTHORIZED = "User: arn:aws:iam::000000000000:user/simulated is not authorized to perform this action"

KINDS: dict[str, Kind] = {
    # The connection
    "refuse": Kind("a reset before a byte was read", False, wire=spoil.ends(Ending.RESET)),
    "reset-after": Kind("a reset instead of the reply", True, wire=spoil.ends(Ending.RESET)),
    "reset-in-head": Kind("part of the head, then a reset", True, wire=spoil.head_cut(Ending.RESET)),
    "reset-in-body": Kind("part of the body, then a reset", True, wire=spoil.body_cut(Ending.RESET)),
    "close-before": Kind("the connection closed instead of a reply", False, wire=spoil.ends(Ending.CLOSE)),
    "close-after": Kind("the connection closed instead of the reply", True, wire=spoil.ends(Ending.CLOSE)),
    "half-close": Kind("the writing side closed instead of the reply", True, wire=spoil.ends(Ending.HALF_CLOSE)),
    "truncated-head": Kind("part of the head, then a close", True, wire=spoil.head_cut(Ending.CLOSE)),
    "truncated-body": Kind("part of the body, then a close", True, wire=spoil.body_cut(Ending.CLOSE)),
    "keep-alive-race": Kind("a reply that promises keep-alive, then a close", True, wire=spoil.then(Ending.CLOSE)),
    "connection-close": Kind(
        "a good reply that ends the connection",
        True,
        change=spoil.with_header("Connection", "close"),
        wire=spoil.then(Ending.CLOSE),
    ),
    # Time
    "black-hole": Kind("nothing, ever", False, wire=spoil.silence, seconds=_PATIENCE_SECONDS),
    "no-reply": Kind("nothing, though it was done", True, wire=spoil.silence, seconds=_PATIENCE_SECONDS),
    "late-reply": Kind("the reply after its own time limit", True, wire=spoil.late, seconds=90.0),
    "slow-reply": Kind("a slow reply", True, wire=spoil.late, seconds=2.0),
    "slow-loris": Kind("the head, a byte a second", True, wire=spoil.slow_head, seconds=1.0),
    "byte-a-second": Kind("the body, a byte a second", True, wire=spoil.slow_body, seconds=1.0),
    # Bytes that are not a reply
    "garbage": Kind("noise", True, wire=spoil.garbage),
    "garbage-after-reply": Kind("the reply, then noise", True, wire=spoil.reply_then_garbage),
    "duplicate-reply": Kind("the reply, twice", True, wire=spoil.twice),
    "length-too-long": Kind(
        "a longer body announced than sent", True, change=spoil.length_off(64), wire=spoil.then(Ending.CLOSE)
    ),
    "length-too-short": Kind("a shorter body announced than sent", True, change=spoil.length_off(-8)),
    "length-nonsense": Kind(
        "a Content-Length that is no number", True, wire=spoil.head_with(b"Content-Length: banana\r\n")
    ),
    "broken-chunks": Kind("a chunk size that is no number", True, wire=spoil.broken_chunks),
    "huge-head": Kind("a head of 100 kB", True, wire=spoil.head_with(b"x-padding: " + b"p" * 100_000 + b"\r\n")),
    "bad-status-line": Kind("a status that is no number", True, wire=spoil.head_replaced(b" 2", b" Z")),
    "interim-reply": Kind(
        "a 103 before the reply (legal)", True, wire=spoil.preceded(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    ),
    # A 204 that is nobody's, or somebody else's
    "repeated-here": Kind("the last 204 of this connection again", False, wire=spoil.ends(Again.HERE)),
    "repeated-anywhere": Kind("the last 204 of whatever connection again", False, wire=spoil.ends(Again.ANYWHERE)),
    "stray-reply": Kind("the reply, and a 204 nobody asked for", True, wire=spoil.with_a_stray_one),
    "204-without-id": Kind("a 204 without a request id", False, instead=spoil.accepted(with_id=False)),
    "204-with-empty-id": Kind(
        "a 204 with an empty request id", False, instead=spoil.accepted(("x-amzn-RequestId", ""), with_id=False)
    ),
    "204-with-error-type": Kind(
        "a 204 that names an error",
        False,
        instead=spoil.accepted(("x-amzn-ErrorType", "ServiceUnavailableException")),
    ),
    "204-with-body": Kind(
        "a 204 with a body",
        False,
        instead=spoil.accepted(("Content-Length", "15")),
        wire=spoil.then(b'{"note":"body"}'),
    ),
    "204-with-length": Kind(
        "a 204 that announces a body and has none", False, instead=spoil.accepted(("Content-Length", "15"))
    ),
    "204-in-chunks": Kind(
        "a 204 with a chunked body",
        False,
        instead=spoil.accepted(("Transfer-Encoding", "chunked")),
        wire=spoil.then(b"0\r\n\r\n"),
    ),
    "204-of-http-2": Kind(
        "a 204 of another HTTP",
        False,
        instead=spoil.accepted(),
        wire=spoil.head_replaced(b"HTTP/1.1", b"HTTP/2.0"),
    ),
    # The service's own errors
    "internal-error": Kind("500 ServiceUnavailableException", False, instead=_UNAVAILABLE),
    "internal-error-after": Kind("500, though it was done", True, instead=_UNAVAILABLE),
    "internal-failure": Kind("500 InternalFailure", False, instead=spoil.json(500, _INTERNAL)),
    "empty-error": Kind("500 without a body", False, instead=spoil.json(500, b"")),
    "broken-json": Kind("500 with half a JSON body", False, instead=spoil.json(500, _INTERNAL[:20])),
    "insufficient-capacity": Kind(
        "503 InsufficientCapacityException",
        False,
        instead=spoil.code("InsufficientCapacityException", "There is insufficient capacity to process this request"),
    ),
    "request-timeout": Kind(
        "408 RequestTimeoutException", False, instead=spoil.code("RequestTimeoutException", "The request timed out")
    ),
    # Asked to slow down
    "throttle": Kind("400 ThrottlingException", False, instead=spoil.json(400, _THROTTLED)),
    "too-many-requests": Kind("429", False, instead=spoil.json(429, _TOO_MANY)),
    "slow-down": Kind("503 SlowDown", False, instead=spoil.json(503, _SLOW_DOWN)),
    "retry-after": Kind(
        "503 with Retry-After", False, instead=spoil.waiting(503, _SLOW_DOWN, "Retry-After", 1), seconds=2.0
    ),
    "retry-after-nonsense": Kind(
        "503 with a Retry-After that is no time",
        False,
        instead=spoil.json(503, _SLOW_DOWN, ("Retry-After", "soon; or never")),
    ),
    "amz-retry-after": Kind(
        "400 ThrottlingException with x-amz-retry-after (milliseconds)",
        False,
        instead=spoil.waiting(400, _THROTTLED, "x-amz-retry-after", 1000),
        seconds=1.5,
    ),
    # Refused for good, or until something changes
    "expired-token": Kind(
        "403 ExpiredTokenException",
        False,
        instead=spoil.code("ExpiredTokenException", "The security token included in the request is expired"),
    ),
    "invalid-signature": Kind(
        "403 InvalidSignatureException",
        False,
        instead=spoil.code("InvalidSignatureException", "The request signature we calculated does not match"),
    ),
    "unknown-client": Kind(
        "400 UnrecognizedClientException",
        False,
        instead=spoil.code("UnrecognizedClientException", "The security token included in the request is invalid."),
    ),
    "access-denied": Kind(
        "403 AccessDeniedException", False, instead=spoil.code("AccessDeniedException", _NOT_AUTHORIZED)
    ),
    "not-supported": Kind(
        "400 NoLongerSupportedException",
        False,
        instead=spoil.code("NoLongerSupportedException", "Amazon Glacier is no longer supported for this account"),
    ),
    "vault-missing": Kind(
        "404 ResourceNotFoundException",
        False,
        instead=spoil.code("ResourceNotFoundException", "Vault not found for ARN: arn:aws:glacier:::vaults/simulated"),
    ),
    "wrong-vault": Kind(
        "400 InvalidParameterValueException",
        False,
        instead=spoil.code("InvalidParameterValueException", "Invalid vault name: arn:aws:glacier:::vaults/simulated"),
    ),
    # Not the service at all
    "bad-gateway": Kind("502, a page of a proxy", False, instead=spoil.html(502, "Bad Gateway")),
    "gateway-timeout": Kind(
        "504, a page of a proxy, though it was done", True, instead=spoil.html(504, "Gateway Timeout")
    ),
    "proxy-page-with-id": Kind(
        "503, a page with a request id", False, instead=spoil.html_with_id(503, "Service Unavailable")
    ),
    "captive-portal": Kind("200, a page to log in", False, instead=spoil.html(200, "Log in to continue")),
    "redirect": Kind(
        "302 to somewhere else", False, instead=spoil.html(302, "Found", ("Location", "http://127.0.0.1:9/login"))
    ),
    "redirect-permanent": Kind(
        "308 to somewhere else",
        False,
        instead=spoil.html(308, "Permanent Redirect", ("Location", "http://127.0.0.1:9/moved")),
    ),
    # What was asked for, but not all of it
    "output-cut": Kind("a job's output cut by a reset", True, wire=spoil.body_cut(Ending.RESET)),
    "output-stalled": Kind("a job's output that stops coming", True, wire=spoil.stalled, seconds=_PATIENCE_SECONDS),
    "output-truncated": Kind("a job's output without its end, of matching length", True, change=spoil.truncated),
    "output-corrupted": Kind("a job's output with one bit changed", True, change=spoil.corrupted),
    "job-expired": Kind("404 for a finished job, which is forgotten", True, beforehand=_expire_job),
    "job-failed": Kind("a job that is accepted and fails in the end", True, aftermath=_doom_job),
}
