"""A job as the service describes it: in DescribeJob and ListJobs, and word for word in the message that it is done.

Source: Developer Guide, "DescribeJob", "Configuring vault notifications".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_purge.simulator import dates
from glacier_purge.simulator.treehash import range_hash

if TYPE_CHECKING:
    from glacier_purge.simulator.archives import Record
    from glacier_purge.simulator.jobs import ArchiveRequest, InventoryRequest, Job
    from glacier_purge.simulator.stored import StoredVault


def job_description(vault: StoredVault, job: Job) -> dict[str, object]:
    """All a job description has, with null for what does not apply."""
    return {
        "Action": job.action,
        "ArchiveId": None,
        "ArchiveSHA256TreeHash": None,
        "ArchiveSizeInBytes": None,
        "Completed": job.completed,
        "CompletionDate": dates.with_milliseconds(job.completes) if job.completed else None,
        "CreationDate": dates.with_milliseconds(job.created),
        "InventoryRetrievalParameters": None,
        "InventorySizeInBytes": None,
        "JobDescription": job.description,
        "JobId": job.job_id,
        "RetrievalByteRange": None,
        "SHA256TreeHash": None,
        "SNSTopic": job.sns_topic,
        "StatusCode": job.status,
        "StatusMessage": job.status_message,
        "Tier": job.tier,
        "VaultARN": vault.facts.arn,
        **(_of_archive(vault, job.archive) if job.archive else {}),
        **(_of_inventory(vault, job, job.inventory) if job.inventory else {}),
    }


def checksum_of(record: Record, start: int, stop: int) -> str | None:
    """The tree hash of bytes ``start`` to ``stop`` of an archive, if they are aligned to the tree."""
    if (start, stop) == (0, record.size_bytes):
        return record.tree_hash
    return None if record.body is None else range_hash(record.body, start, stop)


def _of_archive(vault: StoredVault, asked: ArchiveRequest) -> dict[str, object]:
    record = vault.shelf.record(asked.index)
    return {
        "ArchiveId": asked.archive_id,
        "ArchiveSHA256TreeHash": record.tree_hash,
        "ArchiveSizeInBytes": record.size_bytes,
        "RetrievalByteRange": f"{asked.start}-{asked.stop - 1}",
        "SHA256TreeHash": checksum_of(record, asked.start, asked.stop),
    }


def _of_inventory(vault: StoredVault, job: Job, asked: InventoryRequest) -> dict[str, object]:
    parameters = {
        "EndDate": asked.end_date,
        "Format": asked.format,
        "Limit": None if asked.limit is None else str(asked.limit),
        "Marker": job.next_marker if job.completed else asked.marker,
        "StartDate": asked.start_date,
    }
    size_bytes = vault.text(job).length_bytes if job.status == "Succeeded" else None
    return {"InventoryRetrievalParameters": parameters, "InventorySizeInBytes": size_bytes}
