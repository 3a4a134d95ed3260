"""What of a request to Amazon Glacier and of its reply may be kept for others to read, and nothing else. Pure.

Nothing is looked for that must go: what may stay is listed, and all other text is replaced by ``HIDDEN``.  So no
signature, key, token or cookie can stay, nor what a box in between wrote.  What does stay is what the service's
behaviour shows in: statuses, names of headers and members, error codes and messages, numbers, nulls, dates, and the ids
of archives, jobs and requests, which say nothing of whose they are.  Accounts become zeros wherever they stand in text,
and of ARNs of other services only the service stays, since users and roles are named in those.

Names of vaults stay: without them no request could be told from another.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from glacier_purge.glacier.control import JOB_DESCRIPTION
from glacier_purge.storage.documents import NO_JSON

if TYPE_CHECKING:
    from collections.abc import Sequence

HIDDEN = "[hidden]"
ACCOUNT = "000000000000"

Headers = list[tuple[str, str]]

_REQUEST_HEADERS = frozenset(
    {
        *("accept", "accept-encoding", "amz-sdk-request", "connection", "content-length", "content-type", "expect"),
        *("host", "range", "transfer-encoding", "x-amz-content-sha256", "x-amz-date", "x-amz-glacier-version"),
    }
)
_REPLY_HEADERS = frozenset(
    {
        *("accept-ranges", "connection", "content-length", "content-range", "content-type", "date", "keep-alive"),
        *("location", "retry-after", "server", "transfer-encoding", "x-amz-archive-id", "x-amz-job-id"),
        *("x-amz-retry-after", "x-amz-sha256-tree-hash", "x-amzn-errortype"),
    }
)
_REQUEST_ID = "x-amzn-requestid"
_MEMBERS = frozenset(
    {
        *("Action", "ArchiveId", "ArchiveSHA256TreeHash", "CompletionDate", "CreationDate", "EndDate", "Events"),
        *("ExpirationDate", "Format", "InventoryDate", "JobId", "LastInventoryDate", "Limit", "Marker"),
        *("MultipartUploadId", "RangeInBytes", "RetrievalByteRange", "SHA256TreeHash", "StartDate", "State"),
        *("StatusCode", "Strategy", "Tier", "Type", "VaultARN", "VaultName", "__type", "code", "type"),
    }
)
"""Members whose text stays. A description may name anybody's file, and a policy or a tag anybody."""

_SIGNED_HEADERS = re.compile(r"SignedHeaders=[a-z0-9;_.-]+")
_ACCOUNT = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])")
_FOREIGN_ARN = re.compile(r"arn:[a-z-]*:(?!glacier:)([a-z0-9-]*):[^\s\"']*")
_TOKEN = re.compile(r"arn:[a-z-]*:glacier:[^\s\"']*|[A-Za-z0-9+/=_-]{16,}")
_IDS_CHARACTERS = frozenset({64, 92, 138})
"""A tree hash, the id of a job or an upload, the id of an archive; no key or token is so long."""
_MESSAGES = frozenset({"Message", "StatusMessage", "message"})
_MEMBER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_MESSAGE_CHARACTERS_MAX = 300


def kept_request(method: str, target: str, headers: Headers, body: bytes | int) -> dict[str, Any]:
    """What stays of a request. A ``body`` too long to be kept is its length in bytes."""
    return {
        "method": method,
        "target": _ACCOUNT.sub(ACCOUNT, target),
        "headers": _kept_headers(headers, _REQUEST_HEADERS),
        **_kept_body(body),
    }


def kept_reply(status: int, version: str, headers: Headers, body: bytes | int) -> dict[str, Any]:
    """What stays of a reply; ``version`` is that of HTTP."""
    return {
        "status": status,
        "version": version,
        "headers": _kept_headers(headers, _REPLY_HEADERS),
        **_kept_body(body),
    }


def _kept_headers(headers: Sequence[tuple[str, str]], kept: frozenset[str]) -> Headers:
    return [(name, _kept_header(name.lower(), text, kept)) for name, text in headers]


def _kept_header(name: str, text: str, kept: frozenset[str]) -> str:
    if name == _REQUEST_ID:
        return text
    if name == "authorization" and (signed := _SIGNED_HEADERS.search(text)):
        return signed[0]
    return _words(text) if name in kept else HIDDEN


def _kept_body(body: bytes | int) -> dict[str, Any]:
    """The body's length, and the body itself where it is JSON."""
    if isinstance(body, int):
        return {"body_bytes": body}
    try:
        return {"body_bytes": len(body), "json": _kept_value("", msgspec.json.decode(body))}
    except NO_JSON:
        return {"body_bytes": len(body)}


def _kept_value(member: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name if member != "Tags" and _MEMBER_NAME.fullmatch(name) else f"{HIDDEN} {number}": _kept_value(name, each)
            for number, (name, each) in enumerate(value.items(), 1)
        }
    if isinstance(value, list):
        return [_kept_value(member, each) for each in value]
    if not isinstance(value, str):
        return value
    if member in _MESSAGES:
        return _message(value)
    is_ours = member in {"Description", "JobDescription"} and value.startswith(JOB_DESCRIPTION)
    return _words(value) if is_ours or member in _MEMBERS else HIDDEN


def _words(text: str) -> str:
    """Text of the service's without whom it names."""
    return _ACCOUNT.sub(ACCOUNT, _FOREIGN_ARN.sub(rf"arn:aws:\1::{ACCOUNT}:{HIDDEN}", text))


def _message(text: str) -> str:
    """An error's message, without what it quotes: of a refused signature it goes on with all that was signed."""
    first_line = text.partition("\n")[0][:_MESSAGE_CHARACTERS_MAX]
    return _words(_TOKEN.sub(lambda found: found[0] if _is_harmless(found[0]) else HIDDEN, first_line))


def _is_harmless(token: str) -> bool:
    """Vaults and ids, and what has no digit or no letter: words, paths, numbers."""
    is_known = token.startswith("arn:") or len(token) in _IDS_CHARACTERS
    return is_known or not re.search("[0-9]", token) or not re.search("[A-Za-z]", token)
