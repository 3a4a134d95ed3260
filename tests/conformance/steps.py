"""One life of a vault that needs every operation of the service's API, as data, for any client to act out.

A step is an operation with its parameters, or ``step_seconds`` for the simulator's clock.  ``keep`` names what of the
reply is needed later; ``{"$kept": name}`` stands for it.  ``refused`` is the error code that is the right reply.
``{"$bytes": text, "times": n}`` is a body, ``{"$tree_hash": ...}`` the tree hash of such a body.
"""

from __future__ import annotations

import json
from typing import Any

Step = dict[str, Any]

VAULT = "conformance"
LOCKED = "conformance-locked"
FILLED = "photos"  # what ``simulate`` fills
_PART = {"$bytes": "p", "times": 2**20}
_TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"
_DAY_SECONDS = 86_400


def _policy(action: str, **condition: dict[str, str]) -> str:
    statement = {
        "Sid": "conformance",
        "Principal": {"AWS": "*"},
        "Effect": "Deny",
        "Action": action,
        "Resource": f"arn:aws:glacier:us-east-1:123456789012:vaults/{LOCKED}",
        "Condition": condition,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


_LOCK = _policy("glacier:DeleteArchive", NumericLessThan={"glacier:ArchiveAgeInDays": "365"})
_ACCESS = _policy("glacier:DeleteVault", StringEquals={"aws:PrincipalArn": "arn:aws:iam::123456789012:user/nobody"})


def _call(operation: str, keep: dict[str, str] | None = None, **parameters: object) -> Step:
    return {"operation": operation, "parameters": parameters, "keep": keep or {}}


def _refused(code: str, operation: str, **parameters: object) -> Step:
    return {"operation": operation, "parameters": parameters, "keep": {}, "refused": code}


def _kept(name: str) -> dict[str, str]:
    return {"$kept": name}


ALL: list[Step] = [
    _call("CreateVault", vaultName=VAULT),
    _call("CreateVault", vaultName=LOCKED),
    _call("ListVaults"),
    _call("DescribeVault", vaultName=VAULT),
    _call("DescribeVault", vaultName=FILLED),
    _refused("ResourceNotFoundException", "DescribeVault", vaultName="nowhere"),
    _refused("ResourceNotFoundException", "GetVaultLock", vaultName=VAULT),
    _refused("ResourceNotFoundException", "GetVaultAccessPolicy", vaultName=VAULT),
    _refused("ResourceNotFoundException", "GetVaultNotifications", vaultName=VAULT),
    _refused("ResourceNotFoundException", "DescribeJob", vaultName=VAULT, jobId="nothing"),
    _refused("InvalidParameterValueException", "DeleteVault", vaultName=FILLED),
    _refused("InvalidParameterValueException", "DeleteArchive", vaultName=VAULT, archiveId="too-short"),
    _call(
        "UploadArchive",
        {"archive": "archiveId"},
        vaultName=VAULT,
        archiveDescription="a small one",
        body={"$bytes": "hello", "times": 1},
    ),
    _call("AddTagsToVault", vaultName=VAULT, Tags={"team": "tapes", "empty": ""}),
    _call("ListTagsForVault", vaultName=VAULT),
    _call("RemoveTagsFromVault", vaultName=VAULT, TagKeys=["empty"]),
    _call(
        "SetVaultNotifications",
        vaultName=VAULT,
        vaultNotificationConfig={
            "SNSTopic": _TOPIC,
            "Events": ["ArchiveRetrievalCompleted", "InventoryRetrievalCompleted"],
        },
    ),
    _call("GetVaultNotifications", vaultName=VAULT),
    _call("DeleteVaultNotifications", vaultName=VAULT),
    _call("SetVaultAccessPolicy", vaultName=LOCKED, policy={"Policy": _ACCESS}),
    _call("GetVaultAccessPolicy", vaultName=LOCKED),
    _call("DeleteVaultAccessPolicy", vaultName=LOCKED),
    _call("InitiateVaultLock", vaultName=LOCKED, policy={"Policy": _LOCK}),
    _call("GetVaultLock", vaultName=LOCKED),
    _call("AbortVaultLock", vaultName=LOCKED),
    _call("InitiateVaultLock", {"lock": "lockId"}, vaultName=LOCKED, policy={"Policy": _LOCK}),
    _call("CompleteVaultLock", vaultName=LOCKED, lockId=_kept("lock")),
    _call("GetVaultLock", vaultName=LOCKED),
    _call(
        "InitiateMultipartUpload",
        {"upload": "uploadId"},
        vaultName=VAULT,
        archiveDescription="in parts",
        partSize=str(2**20),
    ),
    _call("UploadMultipartPart", vaultName=VAULT, uploadId=_kept("upload"), range=f"bytes 0-{2**20 - 1}/*", body=_PART),
    _call("ListParts", vaultName=VAULT, uploadId=_kept("upload")),
    _call("ListMultipartUploads", vaultName=VAULT),
    _call(
        "CompleteMultipartUpload",
        {"large": "archiveId"},
        vaultName=VAULT,
        uploadId=_kept("upload"),
        archiveSize=str(2**20),
        checksum={"$tree_hash": _PART},
    ),
    _call("InitiateMultipartUpload", {"upload": "uploadId"}, vaultName=VAULT, partSize=str(2**20)),
    _call("AbortMultipartUpload", vaultName=VAULT, uploadId=_kept("upload")),
    _call("SetDataRetrievalPolicy", Policy={"Rules": [{"Strategy": "BytesPerHour", "BytesPerHour": 10 * 2**30}]}),
    _call("GetDataRetrievalPolicy"),
    _call("PurchaseProvisionedCapacity"),
    _call("ListProvisionedCapacity"),
    _call(
        "InitiateJob",
        {"inventory": "jobId"},
        vaultName=FILLED,
        jobParameters={"Type": "inventory-retrieval", "Format": "JSON", "Description": "all of it"},
    ),
    _call(
        "InitiateJob",
        {"pages": "jobId"},
        vaultName=FILLED,
        jobParameters={
            "Type": "inventory-retrieval",
            "Format": "CSV",
            "InventoryRetrievalParameters": {"StartDate": "2000-01-01T00:00:00Z", "Limit": "5"},
        },
    ),
    _call(
        "InitiateJob",
        {"retrieval": "jobId"},
        vaultName=VAULT,
        jobParameters={"Type": "archive-retrieval", "ArchiveId": _kept("large"), "Tier": "Bulk"},
    ),
    _refused("InvalidParameterValueException", "GetJobOutput", vaultName=FILLED, jobId=_kept("inventory")),
    _refused("InvalidParameterValueException", "DeleteArchive", vaultName=LOCKED, archiveId=_kept("archive")),
    _call("DescribeJob", vaultName=FILLED, jobId=_kept("inventory")),
    _call("ListJobs", vaultName=FILLED),
    {"step_seconds": 13 * 3600},
    _call("DescribeJob", vaultName=FILLED, jobId=_kept("inventory")),
    _call("DescribeJob", vaultName=FILLED, jobId=_kept("pages")),
    _call("DescribeJob", vaultName=VAULT, jobId=_kept("retrieval")),
    _call("ListJobs", vaultName=FILLED),
    _call("GetJobOutput", vaultName=FILLED, jobId=_kept("inventory")),
    _call("GetJobOutput", vaultName=FILLED, jobId=_kept("inventory"), range="bytes=0-99"),
    _call("GetJobOutput", vaultName=FILLED, jobId=_kept("pages")),
    _call("GetJobOutput", vaultName=VAULT, jobId=_kept("retrieval")),
    _call("DeleteArchive", vaultName=VAULT, archiveId=_kept("archive")),
    _call("DeleteArchive", vaultName=VAULT, archiveId=_kept("large")),
    _call("DeleteArchive", vaultName=VAULT, archiveId=_kept("large")),
    {"step_seconds": 2 * _DAY_SECONDS},
    _call("DeleteVault", vaultName=VAULT),
]
