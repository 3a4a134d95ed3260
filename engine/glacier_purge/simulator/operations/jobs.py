"""DescribeJob and ListJobs: what is known of jobs until they are forgotten, a day after completion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_purge.simulator import dates, refusal
from glacier_purge.simulator.call import Call, reply_json
from glacier_purge.simulator.treehash import range_hash

if TYPE_CHECKING:
    from glacier_purge.simulator.archives import Record
    from glacier_purge.simulator.exchange import Response
    from glacier_purge.simulator.jobs import ArchiveRequest, InventoryRequest, Job
    from glacier_purge.simulator.stored import StoredVault

_LIST_MAX = 50
_STATUS_CODES = frozenset({"InProgress", "Succeeded", "Failed"})


def describe_job(call: Call) -> Response:
    """Answer DescribeJob."""
    vault = call.vault()
    return reply_json(_description(vault, find_job(call, vault)))


def list_jobs(call: Call) -> Response:
    """Answer ListJobs: in order of initiation; the marker is the id of the next job."""
    query = call.request.query
    completed, status = query.get("completed"), query.get("statuscode")
    if completed not in {None, "true", "false"}:
        raise refusal.invalid(f"Invalid completed: {completed}")
    if status is not None and status not in _STATUS_CODES:
        raise refusal.invalid(f"The job status code is not valid: {status}")
    limit, vault = call.page_limit(_LIST_MAX), call.vault()
    jobs = list(vault.facts.jobs.values())
    marker = query.get("marker")
    if marker:
        ids = list(vault.facts.jobs)
        if marker not in ids:
            raise refusal.invalid(f"Invalid marker: {marker}")
        jobs = jobs[ids.index(marker) :]
    jobs = [
        job
        for job in jobs
        if (completed is None or job.completed is (completed == "true")) and status in {None, job.status}
    ]
    more = jobs[limit].job_id if len(jobs) > limit else None
    return reply_json({"JobList": [_description(vault, job) for job in jobs[:limit]], "Marker": more})


def find_job(call: Call, vault: StoredVault) -> Job:
    """The job the path names. Raises ``Refusal`` for one unknown or forgotten."""
    job = vault.facts.jobs.get(call.names[1])
    if job is None:
        raise refusal.not_found(f"The job ID was not found: {call.names[1]}")
    return job


def checksum_of(record: Record, start: int, stop: int) -> str | None:
    """The tree hash of bytes ``start`` to ``stop`` of an archive, if they are aligned to the tree."""
    if (start, stop) == (0, record.size_bytes):
        return record.tree_hash
    return None if record.body is None else range_hash(record.body, start, stop)


def _description(vault: StoredVault, job: Job) -> dict[str, object]:
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
