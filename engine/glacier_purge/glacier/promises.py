"""What the answer to each question about a vault must hold, in one table; what does not hold it is no answer. Pure.

A run begins with a handful of questions (is this the vault, is it locked, who are we), and what they are answered with
decides whether anything is sent.  A login page, an empty body or another question's answer must not pass for "there is
none": so an answer counts only when it carries the service's request id, has the status the operation promises, and
every member it promises, each of its type.  The same goes for refusals by which something is decided: "there is none"
is a 404 ``ResourceNotFoundException``, "not allowed" a 403 ``AccessDeniedException``, each in the service's own error
body, and nothing else is.

The shapes are those on the wire, before the SDK's parser has seen them (it takes what is no JSON for an answer without
members).  Members nobody here reads are let through: the service may have new ones.

Sources: Developer Guide, the page of each operation; botocore's service model 2012-06-01.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from xml.etree import ElementTree

import msgspec
from msgspec import Meta, Struct

from glacier_purge.glacier.reply import MESSAGE_CHARACTERS_MAX, Meaning, Reply, read_error, read_reply
from glacier_purge.storage.documents import NO_JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOT_AS_PROMISED = "NotAsPromised"
"""The code of a reply that came from the service, by its request id, and can't be what it answers with."""

_Text = Annotated[str, Meta(min_length=1)]
_VaultArn = Annotated[str, Meta(pattern=r"^arn:aws[a-z-]*:glacier:[a-z0-9-]+:[0-9]{12}:vaults/[A-Za-z0-9_.-]{1,255}$")]
_Time = Annotated[datetime, Meta(tz=True)]
_Count = Annotated[int, Meta(ge=0)]
_Marker = str | None


class _Vault(Struct, rename="pascal"):
    """Before the vault's first inventory its counts are null or 0; with a date of an inventory they are its counts."""

    vault_arn: _VaultArn = msgspec.field(name="VaultARN")
    vault_name: _Text
    creation_date: _Time
    last_inventory_date: _Time | None = None
    number_of_archives: _Count | None = None
    size_in_bytes: _Count | None = None

    def __post_init__(self) -> None:
        if self.last_inventory_date is not None and None in (self.number_of_archives, self.size_in_bytes):
            raise ValueError("it has a LastInventoryDate and no counts")


class _Vaults(Struct, rename="pascal"):
    vault_list: list[_Vault]
    marker: _Marker = None


class _InventoryParameters(Struct, rename="pascal"):
    format: str | None = None
    start_date: str | None = None
    end_date: str | None = None
    limit: str | None = None
    marker: str | None = None


class _Job(Struct, rename="pascal"):
    job_id: _Text
    action: Literal["InventoryRetrieval", "ArchiveRetrieval", "Select"]
    status_code: Literal["InProgress", "Succeeded", "Failed"]
    creation_date: _Time
    completed: bool
    completion_date: _Time | None = None
    status_message: str | None = None
    job_description: str | None = None
    archive_id: str | None = None
    inventory_size_in_bytes: _Count | None = None
    inventory_retrieval_parameters: _InventoryParameters | None = None


class _Jobs(Struct, rename="pascal"):
    job_list: list[_Job]
    marker: _Marker = None


class _PolicyDocument(Struct, rename="pascal"):
    """What any policy is, whoever wrote it; the service takes no other."""

    statement: dict[str, Any] | list[dict[str, Any]]


class _AccessPolicy(Struct, rename="pascal"):
    policy: _Text

    def __post_init__(self) -> None:
        msgspec.json.decode(self.policy, type=_PolicyDocument)


class _Lock(_AccessPolicy, rename="pascal", kw_only=True):
    state: Literal["InProgress", "Locked"]
    expiration_date: _Time | None = None


class _Tags(Struct, rename="pascal"):
    """All of a vault's tags come in one answer; one that says where they go on would not be all of them."""

    tags: dict[str, str]
    marker: None = None


class _Notifications(Struct, rename="pascal"):
    topic: _Text = msgspec.field(name="SNSTopic")
    events: list[str]


class _Upload(Struct, rename="pascal"):
    multipart_upload_id: _Text
    creation_date: _Time
    part_size_in_bytes: _Count
    archive_description: str | None = None


class _Uploads(Struct, rename="pascal"):
    uploads_list: list[_Upload]
    marker: _Marker = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Promise:
    """``status`` of a success, ``check`` of its body (raises ``ValueError``), and headers with what each must be."""

    status: frozenset[int]
    check: Callable[[bytes], object] | None = None
    headers: Mapping[str, re.Pattern[str]] = field(default_factory=dict)


def _json(kind: type[Struct]) -> _Promise:
    decoder = msgspec.json.Decoder(kind)

    def check(body: bytes) -> None:
        json.loads(body.decode())  # as the SDK will read it, which takes what it can't read for an answer
        decoder.decode(body)

    return _Promise(status=frozenset({200}), check=check)


def _nothing_to_read(body: bytes) -> None:
    """Let an empty body pass, and a JSON object of which nobody reads anything."""
    if body and not isinstance(json.loads(body.decode()), dict):
        raise ValueError("it is no object")


def _nothing(body: bytes) -> None:
    if body:
        raise ValueError("it has a body")


def _caller(body: bytes) -> None:
    """GetCallerIdentity's answer, in XML: an account, and an ARN of that account."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - the SDK parses it with the same parser next
    except ElementTree.ParseError as error:
        raise ValueError(f"it is no XML ({error})") from error
    result = root.find("{*}GetCallerIdentityResult")
    account, arn = ("" if result is None else result.findtext(f"{{*}}{name}", "") for name in ("Account", "Arn"))
    if not re.fullmatch(r"[0-9]{12}", account) or not arn.startswith("arn:") or f":{account}:" not in arn:
        raise ValueError("it names no account and ARN")


_DONE = _Promise(status=frozenset({204}), check=_nothing)
_PROMISES: dict[str, _Promise] = {
    "DescribeVault": _json(_Vault),
    "ListVaults": _json(_Vaults),
    "DeleteVault": _DONE,
    "InitiateJob": _Promise(
        status=frozenset({202}), check=_nothing_to_read, headers={"x-amz-job-id": re.compile(r"[A-Za-z0-9_-]+")}
    ),
    "DescribeJob": _json(_Job),
    "ListJobs": _json(_Jobs),
    "GetJobOutput": _Promise(
        status=frozenset({200, 206}), headers={"content-range": re.compile(r"bytes [0-9]+-[0-9]+/([0-9]+|\*)")}
    ),
    "GetVaultLock": _json(_Lock),
    "GetVaultAccessPolicy": _json(_AccessPolicy),
    "SetVaultAccessPolicy": _DONE,
    "DeleteVaultAccessPolicy": _DONE,
    "ListTagsForVault": _json(_Tags),
    "GetVaultNotifications": _json(_Notifications),
    "ListMultipartUploads": _json(_Uploads),
    "AbortMultipartUpload": _DONE,
    "GetCallerIdentity": _Promise(status=frozenset({200}), check=_caller),
}
"""Every operation that is asked outside of the deletes. The output of a job is always asked for by range."""

_STATUS_OF = {"ResourceNotFoundException": 404, "AccessDeniedException": 403}
"""Refusals by which something is decided, and the only status the service sends each with."""


def is_promised(operation: str) -> bool:
    """Tell whether the table knows an operation; deletes of archives have a reader of their own."""
    return operation in _PROMISES


def read_promised(operation: str, status: int, headers: Mapping[str, str], body: bytes) -> Reply | None:
    """Hold an answer against its promise: None for a success that keeps it, otherwise what the answer means.

    Header names are lower case.  ``body`` is empty where it is still to be read, as a job's output is.
    """
    reply = read_reply(status, {name.encode(): text.encode() for name, text in headers.items()}, body)
    if not reply.request_id and reply.request_id is not None:
        reply = msgspec.structs.replace(reply, request_id=None, meaning=Meaning.NOT_AWS)
    if reply.request_id is None:
        return reply
    wrong = _wrong_success(operation, status, headers, body) if status < 300 else _wrong_refusal(reply, headers, body)
    if wrong is not None:
        told = wrong[:MESSAGE_CHARACTERS_MAX]
        return msgspec.structs.replace(reply, meaning=Meaning.NO_REPLY, code=NOT_AS_PROMISED, message=told)
    return None if status < 300 else reply


def _wrong_success(operation: str, status: int, headers: Mapping[str, str], body: bytes) -> str | None:
    promise = _PROMISES[operation]
    if status not in promise.status:
        return f"it is a {status}, where {' or '.join(map(str, sorted(promise.status)))} is promised"
    if "x-amzn-errortype" in headers:
        return f"it says success and names the error {headers['x-amzn-errortype']}"
    if headers.get("content-encoding", "identity") != "identity":
        return f"its body was encoded ({headers['content-encoding']}), which nobody asked for"
    for name, pattern in promise.headers.items():
        if not pattern.fullmatch(headers.get(name, "")):
            return f"its {name} is {headers.get(name)!r}"
    if promise.check is not None:
        try:
            promise.check(body)
        except NO_JSON as error:
            return f"its body is not what {operation} answers with: {error}"
    return None


def _wrong_refusal(reply: Reply, headers: Mapping[str, str], body: bytes) -> str | None:
    """Say what is wrong with a refusal that would decide something; all others are refusals in any case, or weather."""
    if reply.meaning not in {Meaning.REFUSED, Meaning.VAULT_MISSING}:
        return None
    code, _ = read_error(body, None)
    if code is None or ("x-amzn-errortype" in headers and code != reply.code):
        return "it is no refusal in the service's own form"
    if _STATUS_OF.get(code, reply.status) != reply.status:
        return f"it says {code}, which the service sends with {_STATUS_OF[code]} only"
    return None
