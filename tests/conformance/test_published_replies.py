"""Replies of the service that its users have published, held against the simulator's to the same request.

Nobody here has the service; these are the only bytes of it there are.  Accounts, ids and dates are other ones, all else
has to be the same: status, headers, members and their types, nulls, an error's very text and length.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from glacier_simulator.exchange import Request
from glacier_simulator.throttle import Limit
from glacier_simulator.vault import PretendGlacier
from tests.glacier_simulator.asking import HOUR, VERSION, Asker, hashes, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier_simulator.exchange import Response

ARN = "arn:aws:glacier:us-east-1:123456789012:vaults/"
HEADERS = frozenset({"x-amzn-RequestId", "Content-Type"})
"""Beside Date and Content-Length, which the server adds."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A reply, as it was published, to what ``ask`` asks."""

    source: str
    ask: Callable[[Asker], Response]
    status: int
    headers: frozenset[str] = HEADERS
    body: str | None = None
    """Text, with the vault's ARN of this simulator."""
    members: dict[str, Any] = field(default_factory=dict)
    """Of a JSON body or of its list's first item, with the value where it must be the same, or a type."""
    length_bytes: int | None = None


def jobs_done(asker: Asker) -> Response:
    asker.start_job("photos", Type="inventory-retrieval")
    asker.now += 6 * HOUR
    return asker.ask("GET", "/vaults/photos/jobs?completed=true")


def wrong_vault(asker: Asker) -> Response:
    archive_id = asker.upload("films")
    return asker.ask("DELETE", f"/vaults/photos/archives/{archive_id}")


def another_account(asker: Asker) -> Response:
    return asker.glacier.handle(Request("GET", "/999999999999/vaults", {}, VERSION), asker.now)


def throttled(asker: Asker) -> Response:
    asker.glacier.set_limit(Limit(1, 1), asker.now)
    asker.ask("GET", "/vaults")
    return asker.ask("GET", "/vaults")


def too_early(asker: Asker) -> Response:
    return asker.ask("GET", f"/vaults/photos/jobs/{asker.start_job('photos', Type='inventory-retrieval')}/output")


def refusal(message: str, code: str = "InvalidParameterValueException") -> str:
    return json.dumps({"code": code, "message": message, "type": "Client"}, separators=(",", ":"))


PUBLISHED = [
    Published(
        source="the tests of jokull",
        ask=lambda asker: asker.ask("POST", "/vaults/photos/jobs", {"Type": "inventory-retrieval"}),
        status=202,
        headers=HEADERS | {"Location", "x-amz-job-id"},
        length_bytes=2,
    ),
    Published(
        source="the tests of jokull",
        ask=lambda asker: asker.ask("POST", "/vaults/photos/archives", b"data", hashes(b"data")),
        status=201,
        headers=HEADERS | {"Location", "x-amz-archive-id", "x-amz-sha256-tree-hash"},
        length_bytes=2,
    ),
    Published(
        source="rusoto #907",
        ask=lambda asker: asker.ask("POST", "/vaults/photos/multipart-uploads", b"", {"x-amz-part-size": "8388608"}),
        status=201,
        headers=HEADERS | {"Location", "x-amz-multipart-upload-id"},
    ),
    Published(
        source="the tests of jokull",
        ask=lambda asker: asker.ask("GET", "/vaults/films/jobs"),
        status=200,
        members={"JobList": [], "Marker": None},
    ),
    Published(
        source="the tests of jokull",
        ask=lambda asker: asker.ask("GET", "/vaults/photos"),
        status=200,
        members={
            **dict.fromkeys(("CreationDate", "LastInventoryDate", "VaultName"), str),
            **dict.fromkeys(("NumberOfArchives", "SizeInBytes"), int),
            "VaultARN": f"{ARN}photos",
        },
    ),
    Published(
        source="a transcript of glacier-cmd lsvault",
        ask=lambda asker: asker.ask("GET", "/vaults/films"),
        status=200,
        members={
            "LastInventoryDate": None,
            "NumberOfArchives": 0,
            "SizeInBytes": 0,
            "VaultARN": f"{ARN}films",
            **dict.fromkeys(("CreationDate", "VaultName"), str),
        },
    ),
    Published(
        source="the tests of mt-aws-glacier, marked as real (2014, before there were tiers)",
        ask=jobs_done,
        status=200,
        members={
            **dict.fromkeys(("ArchiveId", "ArchiveSHA256TreeHash", "ArchiveSizeInBytes", "JobDescription")),
            **dict.fromkeys(("RetrievalByteRange", "SHA256TreeHash", "SNSTopic")),
            **dict.fromkeys(("CompletionDate", "CreationDate", "JobId"), str),
            "Action": "InventoryRetrieval",
            "Completed": True,
            "InventoryRetrievalParameters": {
                **dict.fromkeys(("EndDate", "Limit", "Marker", "StartDate")),
                "Format": "JSON",
            },
            "InventorySizeInBytes": int,
            "StatusCode": "Succeeded",
            "StatusMessage": "Succeeded",
            "VaultARN": f"{ARN}photos",
            "Tier": None,
        },
    ),
    Published(
        source="mt-aws-glacier #32",
        ask=wrong_vault,
        status=400,
        body=refusal(f"Invalid vault name: {ARN}photos"),
        length_bytes=142,
    ),
    Published(
        source="bakthat #10, glacier-vault-remove #41",
        ask=lambda asker: asker.ask("GET", "/vaults/test1zz"),
        status=404,
        body=refusal(f"Vault not found for ARN: {ARN}test1zz", "ResourceNotFoundException"),
    ),
    Published(
        source="bakthat #10",
        ask=lambda asker: asker.ask("GET", "/vaults/testz%3Az"),
        status=404,
        body=refusal("Vault not found for ARN: testz:z", "ResourceNotFoundException"),
    ),
    Published(
        source="glacier-vault-remove #2, #28",
        ask=lambda asker: asker.ask("DELETE", "/vaults/photos"),
        status=400,
        body=refusal(f"Vault not empty or recently written to: {ARN}photos"),
    ),
    Published(
        source="mt-aws-glacier #35",
        ask=throttled,
        status=400,
        body=refusal("Rate exceeded", "ThrottlingException"),
        length_bytes=72,
    ),
    Published(
        source="glacieruploader #61",
        ask=too_early,
        status=400,
        body=r"The job is not currently available for download: [A-Za-z0-9_-]{92}",
    ),
    Published(
        source="awssum #59",
        ask=another_account,
        status=403,
        body=refusal("Access denied for account ID: 999999999999", "AccessDeniedException"),
        length_bytes=103,
    ),
    Published(
        source="cloudmapper #745",
        ask=lambda asker: asker.ask("GET", "/vaults/uat/access-policy"),
        status=404,
        body=refusal("No vault access policy is set for: uat", "ResourceNotFoundException"),
    ),
    Published(
        source="a comment in Terraform's AWS provider",
        ask=lambda asker: asker.ask("GET", "/vaults/uat/notification-configuration"),
        status=404,
        body=refusal("No notification configuration is set for vault: uat", "ResourceNotFoundException"),
    ),
    Published(
        source="amazon-glacier-cmd-interface #58",
        ask=lambda asker: asker.ask("POST", "/vaults/photos/multipart-uploads", b"", {"x-amz-part-size": "0"}),
        status=400,
        body=refusal(
            "Invalid part size: 0. Part size must not be null, must be a power of two and be between 1048576 and "
            "4294967296 bytes."
        ),
    ),
]


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda published: f"{published.status} {published.source}")
def test_what_was_published_is_what_the_simulator_says(published: Published) -> None:
    asker = Asker(PretendGlacier())
    asker.glacier.generate_vault("photos", 12, asker.now)
    for vault in ("films", "uat"):
        asker.ask("PUT", f"/vaults/{vault}")
    reply = published.ask(asker)
    body = whole(reply)
    assert reply.status == published.status
    assert {name for name, _ in reply.headers} == published.headers
    assert dict(reply.headers)["Content-Type"] == "application/json"
    assert published.length_bytes in {None, len(body)}
    if published.body is not None and not published.body.startswith("{"):
        assert re.fullmatch(published.body, json.loads(body)["message"])
    elif published.body is not None:
        assert body.decode() == published.body
    if published.members:
        told = json.loads(body)
        item = told["JobList"][0] if told.get("JobList") else told
        assert set(item) == set(published.members)
        for name, wanted in published.members.items():
            assert isinstance(item[name], wanted) if isinstance(wanted, type) else item[name] == wanted, name
