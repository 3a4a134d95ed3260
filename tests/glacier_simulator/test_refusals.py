"""Every way the service says no, with its code, status and message."""

from __future__ import annotations

import json
from typing import Any

import pytest

from glacier_simulator.exchange import Request
from glacier_simulator.refusal import THROTTLED_BODY
from glacier_simulator.throttle import Limit
from glacier_simulator.vault import PretendGlacier
from tests.glacier_simulator.asking import ACCOUNT, DAY, HOUR, NOW, VERSION, Asker, hashes, parsed, refused, whole

ARN = f"arn:aws:glacier:us-east-1:{ACCOUNT}:vaults/"
PHOTOS = f"{ARN}photos"
ANYBODY = f"arn:aws:iam::{ACCOUNT}:user/anybody"
NOT_FOUND = "ResourceNotFoundException"
MISSING = "MissingParameterValueException"
INVALID = "InvalidParameterValueException"
MIB = 2**20


@pytest.fixture
def asker() -> Asker:
    glacier = PretendGlacier()
    glacier.generate_vault("photos", 20, NOW)
    glacier.create_vault("empty", NOW)
    return Asker(glacier)


def archive(asker: Asker, index: int = 0, vault: str = "photos") -> str:
    return asker.glacier.vault(vault, asker.now).shelf.archive_id(index)


UNKNOWN = "j" * 92


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "message"),
    [
        ("GET", "/vaults/nope", {}, 404, NOT_FOUND, f"Vault not found for ARN: {ARN}nope"),
        ("GET", "/vaults/test%3Az", {}, 404, NOT_FOUND, "Vault not found for ARN: test:z"),
        ("GET", "/vaults/..", {}, 404, NOT_FOUND, "Vault not found for ARN: .."),
        ("PUT", "/vaults/test%3Az", {}, 400, INVALID, "Invalid vault name: test:z"),
        ("PUT", "/vaults/..", {}, 400, INVALID, "Invalid vault name: .."),
        ("PUT", "/vaults/" + "v" * 256, {}, 400, INVALID, "Invalid vault name: " + "v" * 256),
        ("DELETE", "/vaults/photos/archives/..", {}, 400, INVALID, "Invalid archive ID: .."),
        ("DELETE", "/vaults/photos/archives/%2e%2e", {}, 400, INVALID, "Invalid archive ID: .."),
        ("DELETE", "/vaults/photos/archives/a%2Fb", {}, 400, INVALID, "Invalid archive ID: a/b"),
        ("DELETE", "/vaults/photos/archives/abc", {}, 400, INVALID, "Invalid archive ID: abc"),
        ("DELETE", "/vaults/photos", {}, 400, INVALID, f"Vault not empty or recently written to: {PHOTOS}"),
        ("DELETE", "/vaults/photos/", {}, 400, INVALID, f"Vault not empty or recently written to: {PHOTOS}"),
        ("DELETE", "/vaults/nope", {}, 404, NOT_FOUND, f"Vault not found for ARN: {ARN}nope"),
        ("GET", "/vaults?limit=0", {}, 400, INVALID, "Invalid limit: 0"),
        ("GET", "/vaults?limit=000", {}, 400, INVALID, "Invalid limit: 000"),
        ("GET", "/vaults?limit=-1", {}, 400, INVALID, "Invalid limit: -1"),
        ("GET", "/vaults?limit=1.5", {}, 400, INVALID, "Invalid limit: 1.5"),
        ("GET", "/vaults?limit=x", {}, 400, INVALID, "Invalid limit: x"),
        ("GET", "/vaults?limit=%C2%B2", {}, 400, INVALID, "Invalid limit: ²"),
        ("GET", "/vaults?marker=photos", {}, 400, INVALID, "Invalid marker: photos"),
        ("GET", "/vaults/photos/jobs?limit=0", {}, 400, INVALID, "Invalid limit: 0"),
        ("GET", "/vaults/photos/jobs?completed=yes", {}, 400, INVALID, "Invalid completed: yes"),
        (
            "GET",
            "/vaults/photos/jobs?statuscode=finished",
            {},
            400,
            INVALID,
            "The job status code is not valid: finished",
        ),
        ("GET", "/vaults/photos/jobs?marker=x", {}, 400, INVALID, "Invalid marker: x"),
        (
            "GET",
            f"/vaults/photos/jobs/{UNKNOWN}",
            {},
            404,
            NOT_FOUND,
            f"The job ID was not found: {UNKNOWN}",
        ),
        (
            "GET",
            f"/vaults/photos/jobs/{UNKNOWN}/output",
            {},
            404,
            NOT_FOUND,
            f"The job ID was not found: {UNKNOWN}",
        ),
        ("POST", "/vaults/photos/jobs", b"", 400, MISSING, "Required parameter missing: request body"),
        ("POST", "/vaults/photos/jobs", b"{", 400, "SerializationException", "The request body is not valid JSON."),
        ("POST", "/vaults/photos/jobs", {}, 400, MISSING, "Required parameter missing: Type"),
        ("POST", "/vaults/photos/jobs", {"Type": 5}, 400, "SerializationException", "Type is not a string."),
        ("POST", "/vaults/photos/jobs", {"Type": "select"}, 400, INVALID, "Invalid job type: select"),
        (
            "POST",
            "/vaults/photos/jobs",
            {"Type": "inventory-retrieval", "Description": "é"},
            400,
            INVALID,
            "Invalid job description",
        ),
        (
            "POST",
            "/vaults/photos/jobs",
            {"Type": "inventory-retrieval", "Tier": "Bulk"},
            400,
            INVALID,
            "Tier must not be specified for inventory retrieval jobs",
        ),
        (
            "POST",
            "/vaults/photos/jobs",
            {"Type": "inventory-retrieval", "Format": "XML"},
            400,
            INVALID,
            "Invalid output format: XML",
        ),
        (
            "POST",
            "/vaults/photos/jobs",
            {"Type": "inventory-retrieval", "InventoryRetrievalParameters": {"StartDate": "soon"}},
            400,
            INVALID,
            "Invalid date: soon",
        ),
        (
            "POST",
            "/vaults/photos/jobs",
            {"Type": "inventory-retrieval", "InventoryRetrievalParameters": {"Limit": "0"}},
            400,
            INVALID,
            "Invalid limit: 0",
        ),
        (
            "POST",
            "/vaults/photos/jobs",
            {"Type": "inventory-retrieval", "InventoryRetrievalParameters": {"Limit": 5}},
            400,
            "SerializationException",
            "Limit is not a string.",
        ),
        (
            "POST",
            "/vaults/photos/jobs",
            {"Type": "inventory-retrieval", "InventoryRetrievalParameters": {"Marker": "x"}},
            400,
            INVALID,
            "Invalid marker: x",
        ),
        (
            "POST",
            "/vaults/photos/jobs",
            {"Type": "inventory-retrieval", "InventoryRetrievalParameters": [1]},
            400,
            "SerializationException",
            "InventoryRetrievalParameters is not an object.",
        ),
        (
            "POST",
            "/vaults/empty/jobs",
            {"Type": "inventory-retrieval"},
            404,
            NOT_FOUND,
            f"Inventory not found for ARN: {ARN}empty",
        ),
        (
            "POST",
            "/vaults/photos/jobs",
            {"Type": "archive-retrieval"},
            400,
            MISSING,
            "Required parameter missing: ArchiveId",
        ),
        (
            "POST",
            "/vaults/photos/jobs",
            {"Type": "archive-retrieval", "ArchiveId": "x"},
            404,
            NOT_FOUND,
            "The archive ID was not found: x",
        ),
        (
            "POST",
            "/vaults/photos/jobs",
            {"Type": "archive-retrieval", "ArchiveId": "x", "Tier": "Slow"},
            400,
            INVALID,
            "Invalid tier: Slow",
        ),
        (
            "POST",
            "/vaults/photos/jobs",
            {"Type": "archive-retrieval", "ArchiveId": "x", "Format": "CSV"},
            400,
            INVALID,
            "Format must not be specified for archive retrieval jobs",
        ),
        (
            "GET",
            "/vaults/photos/lock-policy",
            {},
            404,
            NOT_FOUND,
            "No vault lock policy is set for: photos",
        ),
        (
            "POST",
            "/vaults/photos/lock-policy/x",
            {},
            404,
            NOT_FOUND,
            "No vault lock policy is set for: photos",
        ),
        (
            "GET",
            "/vaults/photos/access-policy",
            {},
            404,
            NOT_FOUND,
            "No vault access policy is set for: photos",
        ),
        (
            "GET",
            "/vaults/photos/notification-configuration",
            {},
            404,
            NOT_FOUND,
            "No notification configuration is set for vault: photos",
        ),
        (
            "POST",
            "/vaults/photos/lock-policy",
            {"Policy": "{}"},
            400,
            INVALID,
            "The specified vault lock policy is invalid. Provide a valid policy. (there is no Statement)",
        ),
        (
            "PUT",
            "/vaults/photos/access-policy",
            {"Policy": " " * 20481},
            400,
            INVALID,
            "The specified vault access policy is invalid. Provide a valid policy.",
        ),
        (
            "PUT",
            "/vaults/photos/access-policy",
            {},
            400,
            MISSING,
            "Required parameter missing: Policy",
        ),
        (
            "PUT",
            "/vaults/photos/notification-configuration",
            {"SNSTopic": "t"},
            400,
            MISSING,
            "Required parameter missing: Events",
        ),
        (
            "PUT",
            "/vaults/photos/notification-configuration",
            {"Events": ["x"]},
            400,
            MISSING,
            "Required parameter missing: SNSTopic",
        ),
        (
            "PUT",
            "/vaults/photos/notification-configuration",
            {"SNSTopic": "t", "Events": ["Sunrise"]},
            400,
            INVALID,
            "Invalid notification event: Sunrise",
        ),
        (
            "PUT",
            "/vaults/photos/notification-configuration",
            {"SNSTopic": "t", "Events": "Sunrise"},
            400,
            "SerializationException",
            "Events is not a list of strings.",
        ),
        (
            "POST",
            "/vaults/photos/tags?operation=add",
            {"Tags": {str(number): "" for number in range(11)}},
            400,
            "LimitExceededException",
            "A vault can have at most 10 tags.",
        ),
        ("POST", "/vaults/photos/tags?operation=add", {"Tags": {"": "x"}}, 400, INVALID, "Invalid tag: "),
        (
            "POST",
            "/vaults/photos/tags?operation=add",
            {"Tags": ["x"]},
            400,
            "SerializationException",
            "Tags is not a map of strings.",
        ),
        (
            "POST",
            "/vaults/photos/tags?operation=add",
            {},
            400,
            MISSING,
            "Required parameter missing: Tags",
        ),
        (
            "POST",
            "/vaults/photos/tags?operation=remove",
            {},
            400,
            MISSING,
            "Required parameter missing: TagKeys",
        ),
        (
            "POST",
            "/vaults/photos/tags?operation=remove",
            {"TagKeys": [1]},
            400,
            "SerializationException",
            "TagKeys is not a list of strings.",
        ),
        (
            "POST",
            "/vaults/photos/multipart-uploads",
            b"",
            400,
            MISSING,
            "Required parameter missing: x-amz-part-size",
        ),
        (
            "GET",
            "/vaults/photos/multipart-uploads/x",
            b"",
            404,
            NOT_FOUND,
            "The upload ID was not found: x",
        ),
        ("GET", "/vaults/photos/multipart-uploads?marker=x", b"", 400, INVALID, "Invalid marker: x"),
        (
            "DELETE",
            "/vaults/photos/multipart-uploads/x",
            b"",
            404,
            NOT_FOUND,
            "The upload ID was not found: x",
        ),
        (
            "PUT",
            "/policies/data-retrieval",
            {},
            400,
            INVALID,
            "Invalid data retrieval policy: exactly one rule is needed",
        ),
        (
            "PUT",
            "/policies/data-retrieval",
            {"Policy": {"Rules": [{"Strategy": "Generous"}]}},
            400,
            INVALID,
            "Invalid strategy: Generous",
        ),
        (
            "PUT",
            "/policies/data-retrieval",
            {"Policy": {"Rules": [{"Strategy": "BytesPerHour", "BytesPerHour": True}]}},
            400,
            INVALID,
            "Invalid BytesPerHour: True",
        ),
        ("PATCH", "/vaults", {}, 404, "UnknownOperationException", "There is no operation PATCH /-/vaults"),
        ("GET", "/", {}, 404, "UnknownOperationException", "There is no operation GET /-/"),
        ("GET", "", {}, 404, "UnknownOperationException", "There is no operation GET /-"),
        (
            "GET",
            "/vaults/a/b/c/d/e",
            {},
            404,
            "UnknownOperationException",
            "There is no operation GET /-/vaults/a/b/c/d/e",
        ),
        ("DELETE", "/vaults//", {}, 404, "UnknownOperationException", "There is no operation DELETE /-/vaults//"),
        (
            "POST",
            "/vaults/photos/tags?operation=x",
            {},
            404,
            "UnknownOperationException",
            "There is no operation POST /-/vaults/photos/tags",
        ),
    ],
)
def test_the_service_says_no(
    asker: Asker, method: str, path: str, body: bytes | dict[str, Any], status: int, code: str, message: str
) -> None:
    assert refused(asker.ask(method, path, body)) == (status, code, message)


def test_a_request_without_version_is_refused(asker: Asker) -> None:
    bare = asker.glacier.handle(Request("GET", "/-/vaults", {}, {}), NOW)
    assert refused(bare) == (400, MISSING, "Required parameter missing: API version")
    old = asker.glacier.handle(Request("GET", "/-/vaults", {}, {"x-amz-glacier-version": "2011"}), NOW)
    assert refused(old) == (400, INVALID, "Invalid API version: 2011")


def test_another_account_in_the_path_is_refused(asker: Asker) -> None:
    assert asker.glacier.handle(Request("GET", f"/{ACCOUNT}/vaults/photos", {}, VERSION), NOW).status == 200
    foreign = asker.glacier.handle(Request("GET", "/999999999999/vaults/photos", {}, VERSION), NOW)
    assert refused(foreign) == (403, "AccessDeniedException", "Access denied for account ID: 999999999999")


def test_an_id_of_another_vault_reads_as_a_wrong_vault_name(asker: Asker) -> None:
    stranger = asker.upload("empty")
    response = asker.ask("DELETE", f"/vaults/photos/archives/{stranger}")
    assert refused(response) == (400, INVALID, f"Invalid vault name: {PHOTOS}")
    assert asker.delete("empty", stranger) == 204


def test_a_deleted_archive_is_deleted_again_without_error(asker: Asker) -> None:
    assert [asker.delete("photos", archive(asker)) for _ in range(3)] == [204] * 3
    assert asker.delete("photos", "x" * 138) == 204


def test_throttling_is_a_400_of_72_bytes(asker: Asker) -> None:
    asker.glacier.set_limit(Limit(1, 1), NOW)
    assert asker.ask("GET", "/vaults").status == 200
    response = asker.ask("GET", "/vaults")
    assert (response.status, whole(response)) == (400, THROTTLED_BODY)
    assert len(THROTTLED_BODY) == 72
    assert json.loads(THROTTLED_BODY) == {"code": "ThrottlingException", "message": "Rate exceeded", "type": "Client"}


def test_a_closed_account_gets_nothing_any_more(asker: Asker) -> None:
    target = f"/vaults/photos/archives/{archive(asker)}"
    asker.glacier.close_account()
    for method, path in (("GET", "/vaults"), ("GET", "/vaults/photos"), ("DELETE", target)):
        assert refused(asker.ask(method, path))[:2] == (400, "NoLongerSupportedException")
    short = asker.glacier.delete_archive("photos", "x" * 138, NOW)
    assert short is not None
    assert refused(short)[1] == "NoLongerSupportedException"
    asker.glacier.reopen_account()
    assert asker.ask("GET", "/vaults").status == 200


def test_a_thousand_vaults_are_enough(asker: Asker) -> None:
    for number in range(998):
        assert asker.ask("PUT", f"/vaults/v{number}").status == 201
    assert refused(asker.ask("PUT", "/vaults/more"))[1] == "LimitExceededException"
    assert asker.ask("PUT", "/vaults/photos").status == 201


def test_two_units_of_capacity_are_enough(asker: Asker) -> None:
    assert [asker.ask("POST", "/provisioned-capacity").status for _ in range(3)] == [201, 201, 400]


def test_output_is_refused_before_it_is_there(asker: Asker) -> None:
    job_id = asker.start_job("photos", Type="inventory-retrieval")
    response = asker.ask("GET", f"/vaults/photos/jobs/{job_id}/output")
    assert refused(response) == (400, INVALID, f"The job is not currently available for download: {job_id}")


@pytest.mark.parametrize(
    "wanted", ["bytes=9-1", "bytes=99999999-", "bytes=-", "bytes=-0", "chars=0-1", "bytes=0-1,3-4"]
)
def test_a_range_that_is_none_is_refused(asker: Asker, wanted: str) -> None:
    job_id = asker.start_job("photos", Type="inventory-retrieval")
    asker.now += 6 * HOUR
    response = asker.ask("GET", f"/vaults/photos/jobs/{job_id}/output", headers={"range": wanted})
    assert refused(response) == (400, INVALID, f"Invalid range: {wanted}")


@pytest.mark.parametrize(
    ("wanted", "start", "stop"), [("bytes=5-", 5, None), ("bytes=-7", -7, None), ("bytes=0-99999999", 0, None)]
)
def test_open_ranges_are_served(asker: Asker, wanted: str, start: int, stop: int | None) -> None:
    job_id = asker.start_job("photos", Type="inventory-retrieval")
    asker.now += 6 * HOUR
    path = f"/vaults/photos/jobs/{job_id}/output"
    everything = whole(asker.ask("GET", path))
    response = asker.ask("GET", path, headers={"range": wanted})
    assert (response.status, whole(response)) == (206, everything[start:stop])


def retrieval(archive_id: str, **more: str) -> dict[str, str]:
    return {"Type": "archive-retrieval", "ArchiveId": archive_id, **more}


@pytest.mark.parametrize("wanted", ["1-2", "0-", "x", "0-1048574", "1048576-4194304", "1048576-0"])
def test_a_retrieval_range_is_whole_mebibytes(asker: Asker, wanted: str) -> None:
    archive_id = asker.upload("photos", bytes(3 * MIB + 5))
    response = asker.ask("POST", "/vaults/photos/jobs", retrieval(archive_id, RetrievalByteRange=wanted))
    assert refused(response) == (400, INVALID, f"Invalid byte range: {wanted}")


@pytest.mark.parametrize(
    ("wanted", "hashed"),
    [
        ("0-1048575", True),
        ("0-2097151", True),
        ("1048576-3145727", False),
        ("2097152-3145732", True),
        ("1048576-3145732", False),
    ],
)
def test_a_part_of_an_archive_is_retrieved(asker: Asker, wanted: str, hashed: bool) -> None:
    body = bytes(range(251)) * 12533
    body = body[: 3 * MIB + 5]
    archive_id = asker.upload("photos", body)
    job_id = asker.start_job("photos", **retrieval(archive_id, RetrievalByteRange=wanted))
    asker.now += 6 * HOUR
    described = parsed(asker.ask("GET", f"/vaults/photos/jobs/{job_id}"))
    assert described["RetrievalByteRange"] == wanted
    response = asker.ask("GET", f"/vaults/photos/jobs/{job_id}/output")
    first, last = map(int, wanted.split("-"))
    assert whole(response) == body[first : last + 1]
    assert (described["SHA256TreeHash"] is not None) is hashed
    expected = hashes(body[first : last + 1])["x-amz-sha256-tree-hash"] if hashed else None
    assert dict(response.headers).get("x-amz-sha256-tree-hash") == expected == described["SHA256TreeHash"]


def test_a_generated_archive_is_served_as_filler_of_its_size(asker: Asker) -> None:
    shelf = asker.glacier.vault("photos", NOW).shelf
    index = min(range(20), key=shelf.size_bytes)
    job_id = asker.start_job("photos", **retrieval(shelf.archive_id(index)))
    asker.now += 6 * HOUR
    path = f"/vaults/photos/jobs/{job_id}/output"
    body = whole(asker.ask("GET", path))
    assert len(body) == shelf.size_bytes(index)
    assert body.startswith(b"filler. filler. ")
    assert whole(asker.ask("GET", path, headers={"range": "bytes=100-70000"})) == body[100:70001]


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (
            {"x-amz-content-sha256": None},
            MISSING,
            "Required parameter missing: x-amz-content-sha256",
        ),
        (
            {"x-amz-sha256-tree-hash": None},
            MISSING,
            "parameter missing: x-amz-sha256-tree-hash",
        ),
        ({"x-amz-content-sha256": "0" * 64}, INVALID, "Checksum mismatch: expected 0000"),
        ({"x-amz-sha256-tree-hash": "0" * 64}, INVALID, "Checksum mismatch: expected 0000"),
        ({"x-amz-archive-description": "é"}, INVALID, "Invalid archive description: é"),
        ({"x-amz-archive-description": "d" * 1025}, INVALID, "Invalid archive description: ddd"),
        ({"content-length": "100"}, "RequestTimeoutException", "Request timed out."),
    ],
)
def test_an_upload_that_is_not_as_announced_is_refused(
    asker: Asker, change: dict[str, str | None], code: str, message: str
) -> None:
    merged = {**hashes(b"bytes"), "content-length": "5", **change}
    headers = {name: value for name, value in merged.items() if value is not None}
    status, got, text = refused(asker.ask("POST", "/vaults/photos/archives", b"bytes", headers))
    assert (status, got) == (408 if code == "RequestTimeoutException" else 400, code)
    assert message in text


def test_an_empty_upload_is_refused(asker: Asker) -> None:
    response = asker.ask("POST", "/vaults/photos/archives", b"", hashes(b""))
    assert refused(response) == (400, INVALID, "Invalid Content-Length: 0")


@pytest.mark.parametrize("size", ["0", "5", "1048577", "3145728", "8589934592", "x", "-1048576"])
def test_a_part_size_is_a_power_of_two_of_mebibytes(asker: Asker, size: str) -> None:
    response = asker.ask("POST", "/vaults/photos/multipart-uploads", headers={"x-amz-part-size": size})
    status, code, message = refused(response)
    assert (status, code) == (400, INVALID)
    assert message.startswith(f"Invalid part size: {size}. Part size must ")


def started_upload(asker: Asker) -> str:
    response = asker.ask("POST", "/vaults/photos/multipart-uploads", headers={"x-amz-part-size": str(MIB)})
    return f"/vaults/photos/multipart-uploads/{dict(response.headers)['x-amz-multipart-upload-id']}"


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ("bytes 5-9/*", "Invalid Content-Range: bytes 5-9/*"),
        ("bytes 0-1048576/*", "Invalid Content-Range: bytes 0-1048576/*"),
        ("0-4", "Invalid Content-Range: 0-4"),
        ("bytes 4-0/*", "Invalid Content-Range: bytes 4-0/*"),
        ("bytes 0-5/*", "Invalid Content-Length: 5"),
    ],
)
def test_a_part_that_does_not_fit_is_refused(asker: Asker, span: str, message: str) -> None:
    response = asker.ask("PUT", started_upload(asker), b"bytes", {**hashes(b"bytes"), "content-range": span})
    assert refused(response) == (400, INVALID, message)


def test_an_upload_with_a_hole_is_not_completed(asker: Asker) -> None:
    path = started_upload(asker)
    headers = {**hashes(b"bytes"), "content-range": f"bytes {MIB}-{MIB + 4}/*"}
    assert asker.ask("PUT", path, b"bytes", headers).status == 204
    headers = {"x-amz-archive-size": "5", "x-amz-sha256-tree-hash": hashes(b"bytes")["x-amz-sha256-tree-hash"]}
    assert "Invalid archive size" in refused(asker.ask("POST", path, b"", headers))[2]
    assert refused(asker.ask("POST", path))[1] == MISSING


def test_an_upload_with_a_wrong_hash_is_not_completed(asker: Asker) -> None:
    path = started_upload(asker)
    asker.ask("PUT", path, b"bytes", {**hashes(b"bytes"), "content-range": "bytes 0-4/*"})
    headers = {"x-amz-archive-size": "5", "x-amz-sha256-tree-hash": "0" * 64}
    assert "Checksum mismatch" in refused(asker.ask("POST", path, b"", headers))[2]
    assert refused(asker.ask("PUT", path, b"bytes", hashes(b"bytes")))[2] == "Required parameter missing: Content-Range"
    assert refused(asker.ask("GET", f"{path}?marker=x"))[2] == "Invalid marker: x"


@pytest.mark.parametrize(
    "strategy", [{"Strategy": "FreeTier"}, {"Strategy": "BytesPerHour", "BytesPerHour": 20_000_000}]
)
def test_retrievals_over_the_policy_are_refused_until_the_hour_is_over(asker: Asker, strategy: dict[str, Any]) -> None:
    archive_id = asker.upload("photos", bytes(11_000_000))
    assert asker.ask("PUT", "/policies/data-retrieval", {"Policy": {"Rules": [strategy]}}).status == 204
    asker.start_job("photos", **retrieval(archive_id))
    denied = (400, "PolicyEnforcedException", "InitiateJob request denied by current data retrieval policy.")
    assert refused(asker.ask("POST", "/vaults/photos/jobs", retrieval(archive_id))) == denied
    asker.start_job("photos", **retrieval(archive_id, Tier="Bulk"))
    asker.now += 2 * HOUR
    asker.start_job("photos", **retrieval(archive_id))


def test_an_inventory_can_be_over_the_policy_too(asker: Asker) -> None:
    rule = {"Strategy": "BytesPerHour", "BytesPerHour": 100}
    asker.ask("PUT", "/policies/data-retrieval", {"Policy": {"Rules": [rule]}})
    response = asker.ask("POST", "/vaults/photos/jobs", {"Type": "inventory-retrieval"})
    assert refused(response)[1] == "PolicyEnforcedException"


def test_expedited_jobs_are_sometimes_refused_but_never_with_capacity(asker: Asker) -> None:
    ids = [archive(asker, index) for index in range(20)]

    def outcomes() -> list[int]:
        asker.now += 1.0
        return [asker.ask("POST", "/vaults/photos/jobs", retrieval(one, Tier="Expedited")).status for one in ids]

    found = [status for _ in range(5) for status in outcomes()]
    assert set(found) == {202, 503}
    assert found.count(503) < 30
    asker.ask("POST", "/provisioned-capacity")
    assert set(outcomes()) == {202}


def deny(condition: dict[str, Any], action: str = "glacier:DeleteArchive") -> dict[str, str]:
    statement = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": PHOTOS, "Condition": condition}
    return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}


YOUNG = {"NumericLessThan": {"glacier:ArchiveAgeInDays": "365"}}


def test_a_lock_denies_by_age_while_in_progress_and_falls_off_after_a_day(asker: Asker) -> None:
    asker.ask("POST", "/vaults/photos/lock-policy", deny(YOUNG))
    young, old = archive(asker, 19), archive(asker, 0)
    response = asker.ask("DELETE", f"/vaults/photos/archives/{young}")
    denied = f"User: {ANYBODY} is not authorized to perform: glacier:DeleteArchive on resource: {PHOTOS}"
    assert refused(response) == (403, "AccessDeniedException", f"{denied} with an explicit deny")
    assert asker.delete("photos", old) == 204
    assert asker.glacier.ledger.tally.denied == 1
    short = asker.glacier.delete_archive("photos", young, asker.now)
    assert short is not None
    assert short.status == 403
    asker.now += DAY
    assert asker.delete("photos", young) == 204
    assert asker.ask("GET", "/vaults/photos/lock-policy").status == 404


def test_a_completed_lock_stays_and_waits_for_age(asker: Asker) -> None:
    response = asker.ask("POST", "/vaults/photos/lock-policy", deny(YOUNG))
    lock_id = dict(response.headers)["x-amz-lock-id"]
    assert refused(asker.ask("POST", "/vaults/photos/lock-policy", deny(YOUNG)))[1] == "AccessDeniedException"
    assert refused(asker.ask("POST", "/vaults/photos/lock-policy/wrong"))[2] == "Invalid lock ID: wrong"
    assert asker.ask("POST", f"/vaults/photos/lock-policy/{lock_id}").status == 204
    assert refused(asker.ask("POST", "/vaults/photos/lock-policy/wrong"))[:2] == (403, "AccessDeniedException")
    assert refused(asker.ask("DELETE", "/vaults/photos/lock-policy"))[:2] == (403, "AccessDeniedException")
    young = archive(asker, 19)
    assert asker.delete("photos", young) == 403
    asker.now += 366 * DAY
    assert asker.delete("photos", young) == 204


def test_a_tag_flipped_in_the_middle_denies_the_rest(asker: Asker) -> None:
    hold = {"StringLike": {"glacier:ResourceTag/LegalHold": ["true", ""]}}
    asker.ask("POST", "/vaults/photos/lock-policy", deny(hold))
    assert asker.delete("photos", archive(asker, 0)) == 204
    asker.ask("POST", "/vaults/photos/tags?operation=add", {"Tags": {"LegalHold": "true"}})
    assert asker.delete("photos", archive(asker, 1)) == 403
    assert asker.delete("photos", "x" * 138) == 403
    asker.ask("POST", "/vaults/photos/tags?operation=remove", {"TagKeys": ["LegalHold"]})
    assert asker.delete("photos", archive(asker, 1)) == 204


def test_an_access_policy_denies_what_it_names(asker: Asker) -> None:
    asker.ask("PUT", "/vaults/photos/access-policy", deny({}, "glacier:InitiateJob"))
    job = {"Type": "inventory-retrieval"}
    assert refused(asker.ask("POST", "/vaults/photos/jobs", job))[1] == "AccessDeniedException"
    assert asker.delete("photos", archive(asker)) == 204
    asker.ask("DELETE", "/vaults/photos/access-policy")
    assert asker.ask("POST", "/vaults/photos/jobs", job).status == 202


def test_an_age_condition_is_about_the_archive_a_job_asks_for(asker: Asker) -> None:
    asker.ask("PUT", "/vaults/photos/access-policy", deny(YOUNG, "glacier:InitiateJob"))
    assert asker.ask("POST", "/vaults/photos/jobs", retrieval(archive(asker, 0))).status == 202
    assert asker.ask("POST", "/vaults/photos/jobs", retrieval(archive(asker, 19))).status == 403
    assert asker.ask("POST", "/vaults/photos/jobs", {"Type": "inventory-retrieval"}).status == 202
