"""What an answer of Amazon Glacier means: one table from (error code, status, message) to a ``Meaning``.

Classified on the error *code*, never on the status alone: throttling is HTTP 400 here, the same status as a
permanent error, and an unavailable service is 500.  Only where there is no code (a bare 502, HTML from a proxy) does
the status decide, and only a reply that carries ``x-amzn-RequestId`` is believed to come from AWS.

A reply that carries no code is read like one from a gateway.  Transports hand over what came off the wire; none of them
decides what it means.

Sources: Developer Guide, "Error responses"; botocore's service model 2012-06-01; the messages quoted in ``_BY_MESSAGE``
are as seen by users of the service (mt-aws-glacier #32, glacier-vault-remove #28).
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from glacier_purge.aws.faults import (
    CLOCK_CODES,
    CLOCK_MESSAGES,
    CREDENTIALS_CODES,
    THROTTLED_CODES,
    UNAVAILABLE_CODES,
)
from glacier_purge.storage.documents import NO_JSON

if TYPE_CHECKING:
    from collections.abc import Mapping


class Meaning(Enum):
    """What a reply to DeleteArchive means for the archive and for the run."""

    DELETED = "deleted"
    """204: the service took the delete. It says nothing about whether the archive was still there."""
    THROTTLED = "throttled"
    """Refused for rate. The pacer learns; the archive waits its turn; uses up no attempt."""
    SERVER_FAULT = "server fault"
    """5xx or 408 of the service: weather. Tried again for as long as it takes."""
    NO_REPLY = "no reply"
    """Nothing, or nothing the service would say, came back: the delete may have happened. Sent again."""
    CREDENTIALS = "credentials"
    """Expired or not accepted: the run pauses and renews them; the archive waits."""
    CLOCK = "clock"
    """Signed at a time that is not the service's, by a host whose clock is wrong: the run pauses just so."""
    REFUSED = "refused"
    """403 for a reason that concerns the whole run: IAM, vault policy, vault lock."""
    VAULT_MISSING = "vault missing"
    """404: wrong name, wrong region, or deleted meanwhile. Never "already deleted"."""
    WRONG_VAULT = "wrong vault"
    """400 "Invalid vault name": the id belongs to another vault, so the inventory is the wrong one."""
    NO_LONGER_SUPPORTED = "no longer supported"
    """The account counts as a new customer of a service closed to them."""
    NOT_AWS = "not AWS"
    """A redirect or a page without a request id: a proxy or portal stands in between."""
    UNTRUSTED = "untrusted"
    """The TLS certificate does not hold: possible interception."""
    UNKNOWN = "unknown"
    """A client error whose code this table does not know: the archive may be tried a few times."""


PAUSES_THE_RUN = frozenset({Meaning.CREDENTIALS, Meaning.CLOCK})
"""Meanings that somebody has to do something about while everything waits."""

ENDS_THE_RUN = frozenset(
    {
        Meaning.REFUSED,
        Meaning.VAULT_MISSING,
        Meaning.WRONG_VAULT,
        Meaning.NO_LONGER_SUPPORTED,
        Meaning.NOT_AWS,
        Meaning.UNTRUSTED,
    }
)
"""Meanings that concern every archive of the run alike: seen once, dispatch stops."""

LEAVES_OPEN = frozenset({Meaning.NO_REPLY, Meaning.SERVER_FAULT, Meaning.NOT_AWS})
"""Meanings after which the service may have carried the delete out all the same: a fault on its way back, or a box that
answers in its place, can't be told from one on the way there."""

_BY_CODE: dict[str, Meaning] = {
    **dict.fromkeys(THROTTLED_CODES, Meaning.THROTTLED),
    **dict.fromkeys(UNAVAILABLE_CODES, Meaning.SERVER_FAULT),
    **dict.fromkeys(CREDENTIALS_CODES, Meaning.CREDENTIALS),
    **dict.fromkeys(CLOCK_CODES, Meaning.CLOCK),
    "AccessDeniedException": Meaning.REFUSED,
    "AccessDenied": Meaning.REFUSED,
    "NotAuthorized": Meaning.REFUSED,
    "OptInRequired": Meaning.REFUSED,
    "ResourceNotFoundException": Meaning.VAULT_MISSING,
    "VaultNotFound": Meaning.VAULT_MISSING,  # moto's name for it
    "NoLongerSupportedException": Meaning.NO_LONGER_SUPPORTED,
}

_BY_MESSAGE: tuple[tuple[str, str, Meaning], ...] = (
    ("InvalidParameterValueException", "Invalid vault name", Meaning.WRONG_VAULT),
    *((code, beginning, Meaning.CLOCK) for code, beginning in CLOCK_MESSAGES),
)
"""(code, how the message begins, meaning): rows that need more than the code."""

MESSAGE_CHARACTERS_MAX = 1_000
"""A message is kept up to here: more is a page of somebody else's, not the service's words."""

RETRY_AFTER_SECONDS_MAX = 300.0
"""A longer wait asked for by a header is cut to this: an hour-long one is nonsense from a proxy, not advice."""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """One answer to one DeleteArchive, or the fact that none came.

    ``status`` is None when no whole reply came; ``code`` is the service's error code, or the name of the network
    fault; ``retry_after_seconds`` is what the reply asked for (already held against ``RETRY_AFTER_SECONDS_MAX``).
    """

    meaning: Meaning
    status: int | None = None
    code: str | None = None
    message: str = ""
    request_id: str | None = None
    retry_after_seconds: float | None = None


def interpret(status: int, code: str | None, message: str, *, from_aws: bool) -> Meaning:
    """Say what a reply means.

    ``code`` is the error code of the body or of ``x-amzn-errortype`` (None or the bare status where there is none);
    ``from_aws`` tells whether the reply carried ``x-amzn-RequestId``.
    """
    if not from_aws:
        return _without_request_id(status, code)
    if status == 204:
        return Meaning.DELETED
    for row_code, beginning, meaning in _BY_MESSAGE:
        if code == row_code and message.startswith(beginning):
            return meaning
    if code is not None and code in _BY_CODE:
        return _BY_CODE[code]
    return _by_status(status, code)


def _without_request_id(status: int, code: str | None) -> Meaning:
    """Judge a reply no AWS service signed for: it may be a gateway's bad moment, it is never a deletion."""
    if code is not None and _BY_CODE.get(code) in {Meaning.THROTTLED, Meaning.SERVER_FAULT}:
        return _BY_CODE[code]
    if status == 429:
        return Meaning.THROTTLED
    if status >= 500 or status == 408:
        return Meaning.SERVER_FAULT
    return Meaning.NOT_AWS


def _by_status(status: int, code: str | None) -> Meaning:
    if status == 429:
        return Meaning.THROTTLED
    if status >= 500 or status == 408:
        return Meaning.SERVER_FAULT
    if 300 <= status < 400:
        return Meaning.NOT_AWS
    if status == 403:
        return Meaning.REFUSED
    if status == 404:
        return Meaning.VAULT_MISSING
    if status < 300 or code is None:  # no success of the service's, or a refusal that a box on the way has spoilt
        return Meaning.NO_REPLY
    return Meaning.UNKNOWN


def retry_after_seconds(retry_after: str | None, x_amz_retry_after: str | None) -> float | None:
    """Read ``Retry-After`` (seconds) or ``x-amz-retry-after`` (milliseconds); nonsense is None."""
    for text, unit_seconds in ((x_amz_retry_after, 0.001), (retry_after, 1.0)):
        if text is not None and text.strip().isdecimal() and len(text) <= 12:
            return min(int(text) * unit_seconds, RETRY_AFTER_SECONDS_MAX)
    return None


class _ErrorBody(msgspec.Struct):
    """The members of an error body that are read; some emulators write ``__type`` and ``Message``."""

    code: str | None = None
    kind: str | None = msgspec.field(default=None, name="__type")
    message: str | None = None
    capital_message: str | None = msgspec.field(default=None, name="Message")


_ERROR_BODY = msgspec.json.Decoder(_ErrorBody)


def read_error(body: bytes, error_type: str | None) -> tuple[str | None, str]:
    """Return an error reply's code and message, as the SDK would read them.

    The header ``x-amzn-errortype`` goes before the body's own code; ``Namespace#Code:http://address/`` is cut to its
    ``Code``.  A body that is not JSON names no code.
    """
    try:
        told = _ERROR_BODY.decode(body)
    except NO_JSON:
        told = _ErrorBody()
    code = error_type or told.code or told.kind
    if not code:
        return None, ""
    message = told.message or told.capital_message or ""
    return code.partition(":")[0].rpartition("#")[2], message


def read_reply(status: int, headers: Mapping[bytes, bytes], body: bytes) -> Reply:
    """Say what a whole reply from the wire means; header names are lower case."""
    request_id = _text(headers, b"x-amzn-requestid")
    code, message = (None, "") if status < 300 else read_error(body, _text(headers, b"x-amzn-errortype"))
    return Reply(
        interpret(status, code, message, from_aws=request_id is not None),
        status=status,
        code=code,
        message=message[:MESSAGE_CHARACTERS_MAX],
        request_id=request_id,
        retry_after_seconds=retry_after_seconds(_text(headers, b"retry-after"), _text(headers, b"x-amz-retry-after")),
    )


def no_reply(fault: str, message: str) -> Reply:
    """Say that no whole reply came; ``fault`` is named as the SDK names its exceptions, whatever the transport."""
    return Reply(Meaning.NO_REPLY, code=fault, message=message[:MESSAGE_CHARACTERS_MAX])


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
