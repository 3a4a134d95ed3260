"""Requests as other people's programs put them on the wire, written from their sources, and what each reads of a reply.

These are the relatives of the witnesses: clients that are not installed here.  rclone is not among them: it stores in
S3's storage classes and speaks no vaults (rclone #923, #1038).
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import pytest

from glacier_simulator import SimulatedGlacier, dates
from glacier_simulator.treehash import tree_hash
from tests.glacier_simulator.raw_client import RawClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.glacier_simulator.raw_client import Reply

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
ACCOUNT = "123456789012"
ARN = f"arn:aws:glacier:us-east-1:{ACCOUNT}:vaults/"
VAULT_MEMBERS = {"VaultName", "VaultARN", "CreationDate", "LastInventoryDate", "SizeInBytes", "NumberOfArchives"}
JOB_MEMBERS = {
    *("Action", "ArchiveId", "ArchiveSizeInBytes", "Completed", "CompletionDate", "CreationDate", "JobId"),
    *(
        "InventorySizeInBytes",
        "JobDescription",
        "SHA256TreeHash",
        "SNSTopic",
        "StatusCode",
        "StatusMessage",
        "VaultARN",
    ),
}
"""boto2 reads each of these by name and breaks down where one is missing (boto/glacier/vault.py, job.py)."""
JSON = "application/json"
PART = b"p" * 2**20


@dataclass(frozen=True, kw_only=True)
class Client:
    """How a program dresses a request. ``comma`` parts the fields of its Authorization; ``signed`` are signed too."""

    headers: dict[str, str]
    comma: str = ", "
    signed: tuple[str, ...] = ()


BOTO2 = Client(
    headers={
        "Accept-Encoding": "identity",
        "User-Agent": "Boto/2.49.0 Python/2.7.18 Linux/5.4.0",
        "Content-Length": "0",
    },
    comma=",",
)
"""boto/auth.py joins with commas alone."""
MTGLACIER = Client(
    headers={
        "TE": "deflate,gzip;q=0.3",
        "Connection": "TE, close",
        "User-Agent": "mt-aws-glacier/1.120 (http://mt-aws.com/) libwww-perl/6.67",
    }
)
"""lib/App/MtAws/GlacierRequest.pm, by LWP; it signs all headers of its own."""
GO_1 = Client(headers={"User-Agent": "aws-sdk-go/1.55.8 (go1.22; linux; amd64)", "Accept-Encoding": "gzip"})
GO_2 = Client(
    headers={
        "User-Agent": "aws-sdk-go-v2/1.30.0 os/linux lang/go#1.22 md/GOOS#linux api/glacier#1.22.0",
        "Accept-Encoding": "identity",
        "Amz-Sdk-Invocation-Id": "8f1d4c5e-0000-4000-8000-000000000000",
        "Amz-Sdk-Request": "attempt=1; max=3",
    },
    signed=("accept-encoding", "amz-sdk-invocation-id", "amz-sdk-request"),
)
"""aws/signer/v4 signs all headers but Authorization, User-Agent, X-Amzn-Trace-Id, Expect and Transfer-Encoding."""
JAVA_2 = Client(
    headers={
        "Accept": "application/json",
        "amz-sdk-invocation-id": "e604e037-7d47-71cf-1686-891d1fb4ac4e",
        "amz-sdk-request": "attempt=1; max=4",
        "User-Agent": "aws-sdk-java/2.20.0 Linux/5.4  OpenJDK",
        "Connection": "Keep-Alive",
    },
    signed=("accept", "amz-sdk-invocation-id", "amz-sdk-request"),
)
DOT_NET = Client(
    headers={"amz-sdk-request": "attempt=1; max=5", "User-Agent": "aws-sdk-dotnet-coreclr/3.7  OS/Windows"},
    signed=("amz-sdk-request", "user-agent"),
)
CLI_2 = Client(
    headers={
        "Accept-Encoding": "identity",
        "User-Agent": "aws-cli/2.17.0 md/awscrt#0.20.11 ua/2.0 os/linux md/command#glacier.list-vaults",
    }
)
JS_2 = Client(headers={"X-Amz-User-Agent": "aws-sdk-js/2.1692.0", "Connection": "close"}, signed=("x-amz-user-agent",))
PERL = Client(headers={"TE": "deflate,gzip;q=0.3", "Connection": "TE, close", "User-Agent": "libwww-perl/6.67"})
"""Net::Amazon::Glacier."""
JCLOUDS = Client(headers={"Accept": "application/json", "User-Agent": "jclouds/2.6.0 java/1.8"})


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request and what the program reads of its reply. ``{job}`` and the like stand for ids of the vault."""

    by: Client
    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    status: int
    reads: set[str] = field(default_factory=set)
    """Headers of the reply."""
    members: set[str] = field(default_factory=set)
    """Members of its body, or of the first item of its list."""
    values: dict[str, Any] = field(default_factory=dict)
    """Members with what they must be; of lists how many there are."""


def hashes(body: bytes) -> dict[str, str]:
    return {"x-amz-content-sha256": hashlib.sha256(body).hexdigest(), "x-amz-sha256-tree-hash": tree_hash(body)}


FORM = "application/x-www-form-urlencoded"
MT_BODY = b'{\n  "Type": "inventory-retrieval",\n  "Format": "JSON"\n}\n'

REQUESTS = {
    # boto2, and glacier-cli and glacier-cmd which are built on it
    "boto2 list_vaults": Asked(
        by=BOTO2, method="GET", target="/-/vaults", status=200, members=VAULT_MEMBERS, values={"VaultList": 10}
    ),
    "boto2 list_vaults(limit=1000)": Asked(
        by=BOTO2,
        method="GET",
        target="/-/vaults?limit=1000",
        status=200,
        members=VAULT_MEMBERS,
        values={"VaultList": 10},
    ),
    "boto2 list_vaults, the next page": Asked(
        by=BOTO2,
        method="GET",
        target=f"/-/vaults?limit=1000&marker={quote(ARN)}v08",
        status=200,
        members=VAULT_MEMBERS,
        values={"VaultList": 4, "Marker": None},
    ),
    "boto2 get_vault of a new one": Asked(
        by=BOTO2,
        method="GET",
        target="/-/vaults/v00",
        status=200,
        members=VAULT_MEMBERS,
        values={"NumberOfArchives": 0, "SizeInBytes": 0, "LastInventoryDate": None},
    ),
    "boto2 list_jobs(completed=False)": Asked(
        by=BOTO2,
        method="GET",
        target="/-/vaults/photos/jobs?completed=false&statuscode=InProgress&limit=1000",
        status=200,
        members=JOB_MEMBERS,
        values={"JobList": 1},
    ),
    "boto2 describe_job": Asked(
        by=BOTO2, method="GET", target="/-/vaults/photos/jobs/{running}", status=200, members=JOB_MEMBERS
    ),
    "boto2 initiate_job": Asked(
        by=BOTO2,
        method="POST",
        target="/-/vaults/photos/jobs",
        body=b'{"Type": "inventory-retrieval", "Description": "glacier-cli"}',
        status=202,
        reads={"x-amz-job-id", "Location"},
    ),
    "boto2 get_job_output of a range": Asked(
        by=BOTO2,
        method="GET",
        target="/-/vaults/photos/jobs/{done}/output",
        headers={"Range": "bytes=0-99"},
        status=206,
        reads={"Content-Range", "Content-Type"},
    ),
    "boto2 upload_archive": Asked(
        by=BOTO2,
        method="POST",
        target="/-/vaults/photos/archives",
        headers={**hashes(b"bytes"), "x-amz-archive-description": "a file", "x-amz-content-length": "5"},
        body=b"bytes",
        status=201,
        reads={"x-amz-archive-id", "Location", "x-amz-sha256-tree-hash"},
    ),
    "boto2 upload_part": Asked(
        by=BOTO2,
        method="PUT",
        target="/-/vaults/photos/multipart-uploads/{upload}",
        headers={**hashes(PART), "Content-Range": "bytes 0-1048575/*"},
        body=PART,
        status=204,
        reads={"x-amz-sha256-tree-hash"},
    ),
    "glacier-cli archive delete": Asked(
        by=BOTO2, method="DELETE", target="/-/vaults/photos/archives/{archive}", status=204, reads={"x-amzn-RequestId"}
    ),
    "boto2 reads an error's code": Asked(
        by=BOTO2,
        method="GET",
        target="/-/vaults/nowhere",
        status=404,
        values={
            "code": "ResourceNotFoundException",
            "type": "Client",
            "message": f"Vault not found for ARN: {ARN}nowhere",
        },
    ),
    # mt-aws-glacier
    "mtglacier create-vault": Asked(
        by=MTGLACIER, method="PUT", target="/-/vaults/new", status=201, reads={"x-amzn-RequestId"}
    ),
    "mtglacier retrieve-inventory": Asked(
        by=MTGLACIER,
        method="POST",
        target="/-/vaults/photos/jobs",
        headers={"Content-Type": f"{FORM}; charset=utf-8"},
        body=MT_BODY,
        status=202,
        reads={"x-amz-job-id"},
    ),
    "mtglacier's list of done jobs": Asked(
        by=MTGLACIER,
        method="GET",
        target="/-/vaults/photos/jobs?completed=true&marker={done}",
        status=200,
        members=JOB_MEMBERS,
        values={"JobList": 1},
    ),
    "mtglacier begins an upload": Asked(
        by=MTGLACIER,
        method="POST",
        target="/-/vaults/photos/multipart-uploads",
        headers={
            "x-amz-part-size": "16777216",
            "x-amz-archive-description": "mt2 eyJmaWxlbmFtZSI6ImEiLCJtdGltZSI6IjIwMTIifQ",
            "Content-Type": FORM,
        },
        status=201,
        reads={"x-amz-multipart-upload-id"},
    ),
    "mtglacier purge-vault": Asked(
        by=MTGLACIER, method="DELETE", target="/-/vaults/photos/archives/{archive}", status=204
    ),
    # SDKs
    "Go SDK v1 ListVaults": Asked(
        by=GO_1, method="GET", target="/-/vaults?limit=1000", status=200, values={"VaultList": 10}
    ),
    "Go SDK v1 InitiateJob, hashed like an upload": Asked(
        by=GO_1,
        method="POST",
        target="/-/vaults/photos/jobs",
        headers=hashes(b'{"Type":"inventory-retrieval"}'),
        body=b'{"Type":"inventory-retrieval"}',
        status=202,
        reads={"x-amz-job-id"},
    ),
    "Go SDK v2 UploadArchive": Asked(
        by=GO_2,
        method="POST",
        target="/-/vaults/photos/archives",
        headers={**hashes(b"bytes"), "Content-Type": "application/octet-stream"},
        body=b"bytes",
        status=201,
        reads={"x-amz-archive-id"},
    ),
    "Go SDK v2 DeleteArchive": Asked(
        by=GO_2, method="DELETE", target="/-/vaults/photos/archives/{archive}", status=204
    ),
    "Go SDK v2 AddTagsToVault": Asked(
        by=GO_2,
        method="POST",
        target="/-/vaults/photos/tags?operation=add",
        headers={"Content-Type": JSON},
        body=b'{"Tags":{"a":"b"}}',
        status=204,
    ),
    "Java SDK v2 with a vault's ARN for its name": Asked(  # aws-sdk-java-v2 #156
        by=JAVA_2,
        method="POST",
        target=f"/-/vaults/{quote(ARN, safe='')}photos/jobs",
        headers={"Content-Type": JSON},
        body=b'{"Type":"inventory-retrieval"}',
        status=404,
        values={"code": "ResourceNotFoundException", "message": f"Vault not found for ARN: {ARN}photos"},
    ),
    ".NET SDK ListVaults": Asked(  # aws-sdk-net #895
        by=DOT_NET, method="GET", target="/-/vaults?limit=1000", status=200, values={"VaultList": 10}
    ),
    "JavaScript SDK v2 ListParts": Asked(
        by=JS_2,
        method="GET",
        target="/-/vaults/photos/multipart-uploads/{upload}?limit=1000",
        status=200,
        members={"RangeInBytes", "SHA256TreeHash"},
        values={"Parts": 1, "Marker": None},
    ),
    "AWS CLI v2 list-multipart-uploads": Asked(
        by=CLI_2,
        method="GET",
        target="/-/vaults/photos/multipart-uploads?limit=1000",
        status=200,
        members={"MultipartUploadId", "PartSizeInBytes"},
        values={"UploadsList": 1},
    ),
    "AWS CLI v2 with the account's number": Asked(
        by=CLI_2, method="GET", target=f"/{ACCOUNT}/vaults/photos", status=200, members=VAULT_MEMBERS
    ),
    "AWS CLI v2 with another account's number": Asked(
        by=CLI_2,
        method="GET",
        target="/999999999999/vaults/photos",
        status=403,
        values={"code": "AccessDeniedException"},
    ),
    "botocore's example of list_vaults, all empty": Asked(
        by=CLI_2, method="GET", target="/-/vaults?marker=&limit=", status=200, values={"VaultList": 10}
    ),
    # libraries
    "Net::Amazon::Glacier list_vaults": Asked(
        by=PERL, method="GET", target="/-/vaults?limit=1000", status=200, values={"VaultList": 10}
    ),
    "Net::Amazon::Glacier, a marker without its name": Asked(
        by=PERL,
        method="GET",
        target=f"/-/vaults?limit=1000&{quote(ARN, safe=':/')}v08",
        status=200,
        values={"VaultList": 10},
    ),
    "jclouds listVaults": Asked(
        by=JCLOUDS,
        method="GET",
        target=f"/-/vaults?limit=2&marker={quote(ARN, safe='/')}v08",
        status=200,
        values={"VaultList": 2},
    ),
}


@pytest.fixture
async def glacier() -> AsyncIterator[SimulatedGlacier]:
    """A service that checks signatures, with 14 vaults; in ``photos`` two jobs, one of them done, and an upload."""
    async with SimulatedGlacier(archives=30, time_scale=0, secret_keys={KEY: SECRET}) as served:
        now = served.clock.now()
        for number in range(13):
            served.service.create_vault(f"v{number:02d}", now)
        yield served


async def ids(glacier: SimulatedGlacier) -> dict[str, str]:
    """Of what the requests are about."""

    async def made(asked: Asked, header: str) -> str:
        return (await ask(glacier, asked)).headers[header]

    inventory = Asked(by=CLI_2, method="POST", target="/-/vaults/photos/jobs", body=MT_BODY, status=202)
    done = await made(inventory, "x-amz-job-id")
    glacier.clock.step(6 * 3600)
    running = await made(inventory, "x-amz-job-id")
    begun = {"x-amz-part-size": str(len(PART))}
    multipart = Asked(by=CLI_2, method="POST", target="/-/vaults/photos/multipart-uploads", headers=begun, status=201)
    upload = await made(multipart, "x-amz-multipart-upload-id")
    part = {**hashes(PART), "Content-Range": f"bytes 0-{len(PART) - 1}/*"}
    await ask(
        glacier,
        Asked(
            by=CLI_2,
            method="PUT",
            target=f"/-/vaults/photos/multipart-uploads/{upload}",
            headers=part,
            body=PART,
            status=204,
        ),
    )
    archive = glacier.service.vault("photos", glacier.clock.now()).shelf.archive_id(7)
    return {"done": done, "running": running, "upload": upload, "archive": archive}


@pytest.mark.parametrize("case", REQUESTS)
async def test_each_is_answered_as_its_program_reads_it(glacier: SimulatedGlacier, case: str) -> None:
    asked = REQUESTS[case]
    known = await ids(glacier)
    target = asked.target
    for name, text in known.items():
        target = target.replace(f"{{{name}}}", text)
    reply = await ask(glacier, asked, target)
    assert reply.status == asked.status, reply.body
    assert reply.headers["x-amzn-requestid"]
    assert {name.lower() for name in asked.reads} <= set(reply.headers)
    if asked.status in {201, 202}:  # boto2 reads a body that is said to be JSON
        assert (reply.headers["content-type"], reply.json) == (JSON, {})
    if not (asked.members or asked.values):
        return
    assert reply.headers["content-type"] == JSON  # boto2 compares the whole header
    body = reply.json
    items = next((value for value in body.values() if isinstance(value, list)), [body])
    assert asked.members <= set(items[0])
    assert {name: len(body[name]) if isinstance(body[name], list) else body[name] for name in asked.values} == (
        asked.values
    )


async def test_a_client_that_waits_to_be_told_to_go_on_is_told(glacier: SimulatedGlacier) -> None:
    """The Java SDKs send a body only after an interim reply (``Expect: 100-continue``)."""
    asked = Asked(
        by=JAVA_2,
        method="POST",
        target="/-/vaults/photos/archives",
        headers={**hashes(PART), "Expect": "100-continue"},
        body=PART,
        status=201,
    )
    request = dressed(asked, asked.target)
    async with RawClient(glacier.endpoint_url) as client:
        client.writer.write(request[: -len(PART)])
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.writer.write(PART)
        assert (await client.read()).status == 201


async def test_what_a_client_signs_counts(glacier: SimulatedGlacier) -> None:
    """Else the rows above would show nothing of signatures."""
    asked = REQUESTS["Go SDK v2 AddTagsToVault"]
    request = dressed(asked, asked.target)
    async with RawClient(glacier.endpoint_url) as client:
        client.writer.write(request.replace(b"attempt=1;", b"attempt=2;"))
        reply = await client.read()
    assert (reply.status, reply.json["code"]) == (403, "InvalidSignatureException")


async def ask(glacier: SimulatedGlacier, asked: Asked, target: str | None = None) -> Reply:
    async with RawClient(glacier.endpoint_url) as client:
        client.writer.write(dressed(asked, target or asked.target))
        return await client.read()


def dressed(asked: Asked, target: str) -> bytes:
    """The request as its program sends it, signed as it signs (IAM User Guide, "Create a signed AWS API request")."""
    moment = dates.basic(time.time())
    headers = {
        "Host": "glacier.us-east-1.amazonaws.com",
        "x-amz-glacier-version": "2012-06-01",
        "X-Amz-Date": moment,
        **asked.by.headers,
        **asked.headers,
    }
    if asked.body or asked.method in {"POST", "PUT"}:
        headers["Content-Length"] = str(len(asked.body))
    values = {name.lower(): " ".join(text.split()) for name, text in headers.items()}
    always = ("host", "x-amz-date", "x-amz-glacier-version")
    signed = sorted({*always, *asked.by.signed, *(name for name in values if name.startswith("x-amz-"))})
    path, _, query = target.partition("?")
    pairs = sorted(tuple(part.partition("=")[::2]) for part in query.split("&") if part)
    canonical = "\n".join(
        [
            asked.method,
            quote(path, safe="/~"),
            "&".join(f"{_encoded(name)}={_encoded(text)}" for name, text in pairs),
            *(f"{name}:{values[name]}" for name in signed),
            "",
            ";".join(signed),
            hashlib.sha256(asked.body).hexdigest(),
        ]
    )
    scope = f"{moment[:8]}/us-east-1/glacier/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    fields = (
        f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}",
        f"SignedHeaders={';'.join(signed)}",
        f"Signature={hmac.digest(key, text.encode(), 'sha256').hex()}",
    )
    headers["Authorization"] = asked.by.comma.join(fields)
    lines = [f"{asked.method} {target} HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + asked.body


def _encoded(text: str) -> str:
    """A part of a query as it is signed: encoded once, however it came."""
    return quote(unquote(text), safe="~")
