"""Hostile answers: replies of every call, as bytes of HTTP and as JSON; policies; and orders to a run at work."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from glacier_purge.errors import ServiceRefused, UsageError
from glacier_purge.glacier.http.accepted import AcceptedReplies
from glacier_purge.glacier.http.connection import REPLY_BYTES_MAX
from glacier_purge.glacier.promises import read_promised
from glacier_purge.glacier.redacted import kept_reply
from glacier_purge.glacier.reply import Meaning
from glacier_purge.glacier.sdk.answers import read_description, read_job
from glacier_purge.guard.policy import DELETE_ARCHIVE, DELETE_VAULT, Denial, PolicyUnreadable, rules_against
from glacier_purge.guard.upload_denial import denial, is_same, ours_in, with_statement, without
from glacier_purge.run.steering import AskStatus, Pause, Resume, SetRate, Stop, read_order, write_order
from tests.glacier.http.test_connection import exchange
from tests.glacier.raw_server import refusal, reply
from tests.reliability.hostile.mutation import MARKS, by_bytes, by_json, by_lines, cut, either
from tests.reliability.hostile.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

_ARN = "arn:aws:glacier:us-east-1:123456789012:vaults/photos"
_DATE = "2026-11-20T08:16:34.123Z"
_VAULT = {
    "CreationDate": _DATE,
    "LastInventoryDate": _DATE,
    "NumberOfArchives": 5,
    "SizeInBytes": 10,
    "VaultARN": _ARN,
    "VaultName": "photos",
}
_JOB = {
    "Action": "InventoryRetrieval",
    "ArchiveId": None,
    "Completed": True,
    "CompletionDate": _DATE,
    "CreationDate": _DATE,
    "InventoryRetrievalParameters": {
        "Format": "JSON",
        "StartDate": None,
        "EndDate": None,
        "Limit": None,
        "Marker": None,
    },
    "InventorySizeInBytes": 5,
    "JobDescription": "glacier-purge",
    "JobId": "j" * 92,
    "StatusCode": "Succeeded",
    "StatusMessage": "Succeeded",
    "VaultARN": _ARN,
}
_DENY = {
    "Sid": "no",
    "Effect": "Deny",
    "Principal": {"AWS": "*"},
    "Action": ["glacier:DeleteArchive", "glacier:Delete*"],
    "Resource": _ARN,
    "Condition": {
        "NumericLessThan": {"glacier:ArchiveAgeInDays": "365"},
        "StringLike": {"glacier:ResourceTag/Hold": ["y*"]},
    },
}
_POLICIES = (
    json.dumps({"Version": "2012-10-17", "Statement": [_DENY, denial("GlacierPurgeFreeze0", _ARN)]}).encode(),
    json.dumps({"Statement": {**_DENY, "Condition": {}}}).encode(),
    json.dumps(
        {"Statement": [{"Effect": "Allow", "Principal": "*", "NotAction": "glacier:List*", "Resource": "*"}]}
    ).encode(),
)

# -- policies ---------------------------------------------------------------------------------------------------------


def _read_policy(content: bytes, random: Random, _: Path) -> None:
    """A Deny of deletes that stands in it plainly is never taken for nothing; ours goes in and out again alone."""
    policy = content.decode("utf-8", "replace")
    tags = random.choice((None, {}, {"Hold": "yes"}))
    rules = rules_against(DELETE_ARCHIVE, policy, tags) + rules_against(DELETE_VAULT, policy, tags)
    document = json.loads(policy, object_pairs_hook=_each_once)
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    for one in statements:
        plain = one["Effect"] == "Deny" and one.get("Action") in (
            "*",
            "glacier:DeleteArchive",
            ["glacier:DeleteArchive"],
        )
        if plain and "NotAction" not in one and not one.get("Condition"):
            assert any(rule.denial in {Denial.ALWAYS, Denial.UNCLEAR} for rule in rules), one
    statement = denial("GlacierPurgeFreezeX", _ARN)
    frozen = with_statement(policy, statement)
    assert statement in ours_in(frozen)
    if not any(one.get("Sid") == "GlacierPurgeFreezeX" for one in statements):
        thawed = without(frozen, {"GlacierPurgeFreezeX"})
        assert is_same(thawed, policy), (thawed, policy)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), f"a key stands twice, and was taken: {pairs}"
    return dict(pairs)


# -- replies to deletes, as bytes -------------------------------------------------------------------------------------

_REPLIES = (
    reply(),
    reply("204 No Content", "Server: AmazonS3", "Date: Mon, 30 Nov 2026 10:00:00 GMT"),
    refusal("400 Bad Request", "ThrottlingException", "Rate exceeded"),
    refusal("403 Forbidden", "AccessDeniedException", "no"),
    reply("503 Service Unavailable", framing="Transfer-Encoding: chunked", body=b"1\r\n{\r\n0\r\n\r\n"),
    reply("429 Too Many Requests", "Retry-After: 9", "x-amz-retry-after: 500"),
)


_HEADERS = (
    *(b"Age: 5", b"Transfer-Encoding: chunked", b"Content-Length: 5", b"Content-Length: 0", b"Connection: upgrade"),
    *(b"x-amzn-errortype: ThrottlingException", b"x-amzn-RequestId: another", b"x-amzn-requestid:", b" folded: 1"),
)


def _spoilt_reply(good: bytes, random: Random) -> bytes:
    head, end, body = good.partition(b"\r\n\r\n")
    match random.randrange(5):
        case 4:
            return head + b"\r\n" + random.choice(_HEADERS) + end + body
        case 0 if body.startswith(b"{"):
            return head + end + by_json(body, random)
        case 1:
            name, colon, value = random.choice(head.split(b"\r\n")[1:]).partition(b": ")
            return head + b"\r\n" + name + colon + random.choice((value, by_bytes(value, random), *MARKS)) + end + body
        case 2:
            return by_lines(b"\r\n")(by_bytes)(good, random)
        case _:
            return by_bytes(good, random)


def _read_reply(content: bytes, random: Random, _: Path) -> None:
    """A deletion is only what stands there as one: 204, one request id, nothing before and behind it."""
    pieces = [*filter(None, cut(content, random))]
    got, wire, keeper = exchange(*pieces)
    short = AcceptedReplies().read(content)
    if short is not None and len(content) <= REPLY_BYTES_MAX:
        assert got in (short, None), (got, short)
    if got is None:
        return
    assert len(got.message) <= 1_000
    assert got.retry_after_seconds is None or 0 <= got.retry_after_seconds <= 300
    if got.meaning is Meaning.DELETED:
        head = content.partition(b"\r\n\r\n")[0].split(b"\r\n")
        ids = [line for line in head if line.lower().startswith(b"x-amzn-requestid:")]
        assert any(line.startswith(b"HTTP/1.") and b" 204" in line for line in head), content
        assert len(ids) == 1, content
        assert got.request_id, content
        assert len(pieces) > 1 or content.endswith(b"\r\n\r\n"), content
        assert not any(line.lower().startswith((b"age:", b"x-amzn-errortype", b"transfer-encoding")) for line in head)
    assert wire.closed or keeper.told == ["released"]


# -- answers to questions ---------------------------------------------------------------------------------------------

_TAGS = {"Tags": {"Hold": "yes", "owner": "me"}}
_ANSWERS: dict[str, Any] = {
    "DescribeVault": _VAULT,
    "ListVaults": {"Marker": None, "VaultList": [_VAULT, _VAULT]},
    "DescribeJob": _JOB,
    "ListJobs": {"JobList": [_JOB], "Marker": None},
    "GetVaultLock": {"Policy": _POLICIES[0].decode(), "State": "Locked", "ExpirationDate": None, "CreationDate": _DATE},
    "GetVaultAccessPolicy": {"Policy": _POLICIES[1].decode()},
    "ListTagsForVault": _TAGS,
    "GetVaultNotifications": {
        "SNSTopic": "arn:aws:sns:us-east-1:123456789012:t",
        "Events": ["ArchiveRetrievalCompleted"],
    },
    "ListMultipartUploads": {
        "Marker": None,
        "UploadsList": [
            {"MultipartUploadId": "u" * 92, "CreationDate": _DATE, "PartSizeInBytes": 1, "ArchiveDescription": "x"}
        ],
    },
}
_CALLER = (
    b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    b"<Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn><UserId>A:s</UserId><Account>123456789012</Account>"
    b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
_NAMED = tuple(
    [f"{name} ".encode() + json.dumps(answer).encode() for name, answer in _ANSWERS.items()]
    + [b"GetCallerIdentity " + _CALLER]
)


def _spoilt_answer(good: bytes, random: Random) -> bytes:
    name, _, body = good.partition(b" ")
    way = by_bytes if body.startswith(b"<") else either(by_json, by_json, by_json, by_bytes)
    return name + b" " + way(body, random)


def _read_answer(content: bytes, random: Random, folder: Path) -> None:
    """What keeps its promise can be read by whoever asked, as the SDK parses it; what does not is no answer."""
    name, _, body = content.partition(b" ")
    operation = name.decode("latin-1")
    if operation not in {*_ANSWERS, "GetCallerIdentity"}:
        return
    headers = {"x-amzn-requestid": "r" * 36, "date": "Mon, 30 Nov 2026 10:00:00 GMT"}
    if random.randrange(10) == 0:
        headers |= {
            random.choice(("date", "retry-after", "x-amzn-errortype", "x-amzn-requestid", "age")): "\xff\ud800"[:1]
        }
    answered = read_promised(operation, random.choice((200, 200, 200, 204, 403, 404, 500)), headers, body)
    json.dumps(kept_reply(200, "1.1", list(headers.items()), body))
    if answered is not None:
        assert answered.meaning is not Meaning.DELETED or answered.status == 204
        assert len(answered.message) < 5_000
        return
    told: Any = None if operation == "GetCallerIdentity" else json.loads(body)
    match operation:
        case "DescribeVault":
            read_description(told)
        case "ListVaults":
            [read_description(one) for one in told["VaultList"]]
        case "DescribeJob":
            read_job(told)
        case "ListJobs":
            [read_job(one) for one in told["JobList"]]
        case "GetVaultLock" | "GetVaultAccessPolicy":
            assert isinstance(json.loads(told["Policy"])["Statement"], dict | list)


# -- orders -----------------------------------------------------------------------------------------------------------

_ORDERS = tuple(
    write_order(order)
    for order in (
        Pause(by="dave@host"),
        Resume(by="d@h"),
        SetRate(by="d@h", per_second=40.5),
        Stop(by="d@h"),
        AskStatus(by="x"),
    )
)


def _read_order(content: bytes, random: Random, _: Path) -> None:
    """It means the same written again, and no key of it stands there twice."""
    order = read_order(content)
    assert read_order(write_order(order)) == order
    told = json.loads(content, object_pairs_hook=_each_once)
    assert told["order"] == order.name
    assert told["by"] == order.by
    if isinstance(order, SetRate):
        assert order.per_second == (None if told["per_second"] is None else float(told["per_second"]))


def targets() -> Iterator[Target]:
    """The readers of what comes over a wire."""
    yield Target(
        name="policy",
        good=lambda: _POLICIES,
        spoil=either(by_json, by_json, by_bytes),
        read=_read_policy,
        refuses=(PolicyUnreadable, ServiceRefused),
    )
    yield Target(name="reply to a delete", good=lambda: _REPLIES, spoil=_spoilt_reply, read=_read_reply)
    yield Target(name="answer", good=lambda: _NAMED, spoil=_spoilt_answer, read=_read_answer)
    yield Target(
        name="order",
        good=lambda: _ORDERS,
        spoil=either(by_json, by_json, by_bytes),
        read=_read_order,
        refuses=(UsageError,),
    )
