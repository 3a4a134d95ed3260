"""The service's 33 operations, a file for each subject. Each takes a ``Call`` and replies, or raises a ``Refusal``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_simulator.operations import (
    archives,
    job_output,
    job_requests,
    jobs,
    multipart,
    policies,
    retrieval_policy,
    settings,
    vaults,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier_simulator.call import Call
    from glacier_simulator.exchange import Response

OPERATIONS: dict[str, Callable[[Call], Response]] = {
    "AbortMultipartUpload": multipart.abort_upload,
    "AbortVaultLock": policies.abort_lock,
    "AddTagsToVault": settings.add_tags,
    "CompleteMultipartUpload": multipart.complete_upload,
    "CompleteVaultLock": policies.complete_lock,
    "CreateVault": vaults.create_vault,
    "DeleteArchive": archives.delete_archive,
    "DeleteVault": vaults.delete_vault,
    "DeleteVaultAccessPolicy": policies.delete_access_policy,
    "DeleteVaultNotifications": settings.delete_notifications,
    "DescribeJob": jobs.describe_job,
    "DescribeVault": vaults.describe_vault,
    "GetDataRetrievalPolicy": retrieval_policy.get_retrieval_policy,
    "GetJobOutput": job_output.get_job_output,
    "GetVaultAccessPolicy": policies.get_access_policy,
    "GetVaultLock": policies.get_lock,
    "GetVaultNotifications": settings.get_notifications,
    "InitiateJob": job_requests.initiate_job,
    "InitiateMultipartUpload": multipart.initiate_upload,
    "InitiateVaultLock": policies.initiate_lock,
    "ListJobs": jobs.list_jobs,
    "ListMultipartUploads": multipart.list_uploads,
    "ListParts": multipart.list_parts,
    "ListProvisionedCapacity": retrieval_policy.list_capacity,
    "ListTagsForVault": settings.list_tags,
    "ListVaults": vaults.list_vaults,
    "PurchaseProvisionedCapacity": retrieval_policy.purchase_capacity,
    "RemoveTagsFromVault": settings.remove_tags,
    "SetDataRetrievalPolicy": retrieval_policy.set_retrieval_policy,
    "SetVaultAccessPolicy": policies.set_access_policy,
    "SetVaultNotifications": settings.set_notifications,
    "UploadArchive": archives.upload_archive,
    "UploadMultipartPart": multipart.upload_part,
}
"""By the name the service gives each, in CloudTrail and in policies too."""
