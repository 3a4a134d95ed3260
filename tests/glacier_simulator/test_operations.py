"""Every operation of the model, called by botocore, signed by botocore, parsed by botocore."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from glacier_simulator.operations import OPERATIONS
from glacier_simulator.treehash import tree_hash
from tests.glacier_simulator.asking import ACCOUNT, DAY, HOUR, NOW, Boto, check_parsed

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 2**20
ALLOW_ALL = json.dumps({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}})


@pytest.fixture(scope="module")
def client() -> Boto:
    return Boto()


@pytest.fixture
def boto(client: Boto) -> Boto:
    client.renew().generate_vault("photos", 30, NOW)
    return client


def call(boto: Boto, operation: str, **parameters: Any) -> dict[str, Any]:
    """Call an operation and hold the parsed result against the model."""
    result: dict[str, Any] = boto.client._make_api_call(operation, {"accountId": "-", **parameters})
    body = result.get("body")
    checked = {**result, "body": body.read() if body is not None else b""} if body is not None else dict(result)
    model = boto.client.meta.service_model.operation_model(operation)
    if model.output_shape is not None:
        check_parsed(model, dict(checked))
    return checked


def test_the_table_names_every_operation_of_the_model(client: Boto) -> None:
    assert sorted(OPERATIONS) == sorted(client.client.meta.service_model.operation_names)
    assert len(OPERATIONS) == 33


def test_vaults_come_and_go(boto: Boto) -> None:
    made = call(boto, "CreateVault", vaultName="new.vault")
    assert made["location"] == f"/{ACCOUNT}/vaults/new.vault"
    described = call(boto, "DescribeVault", vaultName="new.vault")
    assert (described["NumberOfArchives"], described["SizeInBytes"]) == (0, 0)  # as in botocore's example
    assert "LastInventoryDate" not in described
    described = call(boto, "DescribeVault", vaultName="photos")
    assert described["NumberOfArchives"] == 30
    assert described["VaultARN"] == f"arn:aws:glacier:us-east-1:{ACCOUNT}:vaults/photos"
    assert [vault["VaultName"] for vault in call(boto, "ListVaults")["VaultList"]] == ["new.vault", "photos"]
    call(boto, "DeleteVault", vaultName="new.vault")
    with pytest.raises(ClientError, match="Vault not found for ARN"):
        call(boto, "DescribeVault", vaultName="new.vault")


def test_an_archive_is_uploaded_retrieved_and_deleted(boto: Boto) -> None:
    body = bytes(range(256)) * 5000
    made = call(boto, "UploadArchive", vaultName="photos", archiveDescription="my bytes", body=body)
    assert made["checksum"] == tree_hash(body)
    assert made["location"] == f"/{ACCOUNT}/vaults/photos/archives/{made['archiveId']}"
    job = call(
        boto,
        "InitiateJob",
        vaultName="photos",
        jobParameters={"Type": "archive-retrieval", "ArchiveId": made["archiveId"]},
    )
    boto.now += 6 * HOUR
    described = call(boto, "DescribeJob", vaultName="photos", jobId=job["jobId"])
    assert (described["Completed"], described["StatusCode"], described["Tier"]) == (True, "Succeeded", "Standard")
    assert described["SHA256TreeHash"] == described["ArchiveSHA256TreeHash"] == tree_hash(body)
    output = call(boto, "GetJobOutput", vaultName="photos", jobId=job["jobId"])
    assert (output["status"], output["body"], output["archiveDescription"]) == (200, body, "my bytes")
    part = call(boto, "GetJobOutput", vaultName="photos", jobId=job["jobId"], range="bytes=0-1048575")
    assert (part["status"], part["body"]) == (206, body[:MIB])
    assert (part["checksum"], part["contentRange"]) == (tree_hash(body[:MIB]), f"bytes 0-1048575/{len(body)}")
    for _ in range(2):
        assert call(boto, "DeleteArchive", vaultName="photos", archiveId=made["archiveId"])["ResponseMetadata"]


@pytest.mark.parametrize("wanted", ["JSON", "CSV"])
def test_an_inventory_is_retrieved(boto: Boto, wanted: str) -> None:
    parameters = {"Type": "inventory-retrieval", "Format": wanted, "Description": "all of it", "SNSTopic": "arn:x"}
    job = call(boto, "InitiateJob", vaultName="photos", jobParameters=parameters)
    running = call(boto, "ListJobs", vaultName="photos", completed="false")["JobList"]
    assert [one["StatusCode"] for one in running] == ["InProgress"]
    boto.now += 6 * HOUR
    (done,) = call(boto, "ListJobs", vaultName="photos", completed="true", statuscode="Succeeded")["JobList"]
    assert done["InventoryRetrievalParameters"] == {"Format": wanted}
    output = call(boto, "GetJobOutput", vaultName="photos", jobId=job["jobId"])
    assert output["contentType"] == {"JSON": "application/json", "CSV": "text/csv"}[wanted]
    assert len(output["body"]) == done["InventorySizeInBytes"]
    assert output["body"].count(b"\n") == (31 if wanted == "CSV" else 0)


def test_parts_become_an_archive(boto: Boto) -> None:
    body = b"0123456789abcdef" * (MIB // 16) + b"the rest"
    started = call(boto, "InitiateMultipartUpload", vaultName="photos", partSize=str(MIB), archiveDescription="parts")
    upload_id = started["uploadId"]
    for start in (MIB, 0):
        part = body[start : start + MIB]
        sent = call(
            boto,
            "UploadMultipartPart",
            vaultName="photos",
            uploadId=upload_id,
            range=f"bytes {start}-{start + len(part) - 1}/*",
            body=part,
        )
        assert sent["checksum"] == tree_hash(part)
    (listed,) = call(boto, "ListMultipartUploads", vaultName="photos")["UploadsList"]
    assert (listed["MultipartUploadId"], listed["PartSizeInBytes"]) == (upload_id, MIB)
    parts = call(boto, "ListParts", vaultName="photos", uploadId=upload_id)
    assert [part["RangeInBytes"] for part in parts["Parts"]] == ["0-1048575", "1048576-1048583"]
    made = call(
        boto,
        "CompleteMultipartUpload",
        vaultName="photos",
        uploadId=upload_id,
        archiveSize=str(len(body)),
        checksum=tree_hash(body),
    )
    assert made["checksum"] == tree_hash(body)
    with pytest.raises(ClientError, match="upload ID was not found"):
        call(boto, "AbortMultipartUpload", vaultName="photos", uploadId=upload_id)


def test_an_upload_is_aborted_twice(boto: Boto) -> None:
    upload_id = call(boto, "InitiateMultipartUpload", vaultName="photos", partSize=str(MIB))["uploadId"]
    for _ in range(2):
        call(boto, "AbortMultipartUpload", vaultName="photos", uploadId=upload_id)
    assert call(boto, "ListMultipartUploads", vaultName="photos")["UploadsList"] == []


def test_a_lock_is_initiated_aborted_and_completed(boto: Boto) -> None:
    policy = {"Policy": ALLOW_ALL}
    lock_id = call(boto, "InitiateVaultLock", vaultName="photos", policy=policy)["lockId"]
    state = call(boto, "GetVaultLock", vaultName="photos")
    assert (state["State"], state["Policy"]) == ("InProgress", ALLOW_ALL)
    assert state["ExpirationDate"] > state["CreationDate"]
    for _ in range(2):
        call(boto, "AbortVaultLock", vaultName="photos")
    lock_id = call(boto, "InitiateVaultLock", vaultName="photos", policy=policy)["lockId"]
    for _ in range(2):
        call(boto, "CompleteVaultLock", vaultName="photos", lockId=lock_id)
    boto.now += 30 * DAY
    state = call(boto, "GetVaultLock", vaultName="photos")
    assert (state["State"], "ExpirationDate" in state) == ("Locked", False)


def test_an_access_policy_is_set_and_deleted(boto: Boto) -> None:
    call(boto, "SetVaultAccessPolicy", vaultName="photos", policy={"Policy": ALLOW_ALL})
    assert call(boto, "GetVaultAccessPolicy", vaultName="photos")["policy"] == {"Policy": ALLOW_ALL}
    for _ in range(2):
        call(boto, "DeleteVaultAccessPolicy", vaultName="photos")


def test_notifications_are_set_and_deleted(boto: Boto) -> None:
    wanted = {"SNSTopic": "arn:aws:sns:us-east-1:123456789012:t", "Events": ["InventoryRetrievalCompleted"]}
    call(boto, "SetVaultNotifications", vaultName="photos", vaultNotificationConfig=wanted)
    assert call(boto, "GetVaultNotifications", vaultName="photos")["vaultNotificationConfig"] == wanted
    for _ in range(2):
        call(boto, "DeleteVaultNotifications", vaultName="photos")


def test_tags_are_added_listed_and_removed(boto: Boto) -> None:
    assert call(boto, "ListTagsForVault", vaultName="photos")["Tags"] == {}
    call(boto, "AddTagsToVault", vaultName="photos", Tags={"owner": "ops", "LegalHold": ""})
    call(boto, "AddTagsToVault", vaultName="photos", Tags={"owner": "me"})
    call(boto, "RemoveTagsFromVault", vaultName="photos", TagKeys=["LegalHold", "absent"])
    assert call(boto, "ListTagsForVault", vaultName="photos")["Tags"] == {"owner": "me"}


def test_the_retrieval_policy_is_set(boto: Boto) -> None:
    assert call(boto, "GetDataRetrievalPolicy")["Policy"] == {"Rules": [{"Strategy": "None"}]}
    rule = {"Strategy": "BytesPerHour", "BytesPerHour": 10**9}
    call(boto, "SetDataRetrievalPolicy", Policy={"Rules": [rule]})
    assert call(boto, "GetDataRetrievalPolicy")["Policy"] == {"Rules": [rule]}


def test_capacity_is_purchased_and_ends_after_a_month(boto: Boto) -> None:
    capacity_id = call(boto, "PurchaseProvisionedCapacity")["capacityId"]
    (unit,) = call(boto, "ListProvisionedCapacity")["ProvisionedCapacityList"]
    assert unit["CapacityId"] == capacity_id
    boto.now += 31 * DAY
    assert call(boto, "ListProvisionedCapacity")["ProvisionedCapacityList"] == []


def test_these_scenarios_call_all_operations(client: Boto) -> None:
    client.operations.clear()
    for scenario in SCENARIOS:
        client.renew().generate_vault("photos", 30, NOW)
        scenario(client)
    assert client.operations == set(OPERATIONS)


SCENARIOS: list[Callable[[Boto], None]] = [
    test_vaults_come_and_go,
    test_an_archive_is_uploaded_retrieved_and_deleted,
    lambda boto: test_an_inventory_is_retrieved(boto, "JSON"),
    test_parts_become_an_archive,
    test_an_upload_is_aborted_twice,
    test_a_lock_is_initiated_aborted_and_completed,
    test_an_access_policy_is_set_and_deleted,
    test_notifications_are_set_and_deleted,
    test_tags_are_added_listed_and_removed,
    test_the_retrieval_policy_is_set,
    test_capacity_is_purchased_and_ends_after_a_month,
]
