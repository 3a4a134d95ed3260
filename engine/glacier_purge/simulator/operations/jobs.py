"""InitiateJob, DescribeJob, ListJobs, GetJobOutput."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from glacier_purge.simulator import dates, refusal
from glacier_purge.simulator.archives import filler
from glacier_purge.simulator.call import Call, reply, reply_json, text_of
from glacier_purge.simulator.exchange import Response
from glacier_purge.simulator.inventory import CONTENT_TYPES
from glacier_purge.simulator.jobs import TIERS, ArchiveRequest, InventoryRequest, Job, takes_seconds
from glacier_purge.simulator.operations.retrieval_policy import enforce_retrieval_policy
from glacier_purge.simulator.treehash import MEBIBYTE, tree_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier_purge.simulator.stored import StoredVault

_LIST_MAX = 50
_STATUS_CODES = frozenset({"InProgress", "Succeeded", "Failed"})
_DESCRIPTION = re.compile(r"[ -~]{0,1024}")
_BYTE_RANGE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
_HTTP_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_EXPEDITED_TURNED_AWAY = 0.1
"""How often an Expedited job without provisioned capacity is refused; a guess, the service names no figure."""


def initiate_job(call: Call) -> Response:
    """Answer InitiateJob."""
    kinds = {"inventory-retrieval": _inventory_job, "archive-retrieval": _archive_job}
    body = call.json_object()
    kind = text_of(body, "Type")
    if kind is None:
        raise refusal.missing("Type")
    if kind not in kinds:
        raise refusal.invalid(f"Invalid job type: {kind}")
    if not _DESCRIPTION.fullmatch(text_of(body, "Description") or ""):
        raise refusal.invalid("Invalid job description")
    vault = call.find_vault()
    job = kinds[kind](call, vault, body)
    job.description = text_of(body, "Description")
    job.sns_topic = text_of(body, "SNSTopic")
    vault.facts.jobs[job.job_id] = job
    vault.settle()
    path = call.location(call.names[0], "jobs", job.job_id)
    return reply(202, {"Location": path, "x-amz-job-id": job.job_id})


def describe_job(call: Call) -> Response:
    """Answer DescribeJob."""
    vault = call.vault()
    return reply_json(_description(vault, _find(call, vault)))


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


def get_job_output(call: Call) -> Response:
    """Answer GetJobOutput, whole (200) or a range of it (206)."""
    vault = call.vault()
    job = _find(call, vault)
    if job.status != "Succeeded":
        raise refusal.invalid(f"The job is not currently available for download: {job.job_id}")
    if job.archive is not None:
        return _archive_output(call, vault, job.archive)
    text = vault.text(job)
    start, stop = _requested_range(call, text.length_bytes)
    headers = [("Content-Type", CONTENT_TYPES[job.inventory.format if job.inventory else "JSON"])]
    return _output(call, headers, text.pieces(start, stop), (start, stop), text.length_bytes)


def _inventory_job(call: Call, vault: StoredVault, body: dict[str, Any]) -> Job:
    for key in ("ArchiveId", "RetrievalByteRange", "Tier"):
        if body.get(key) is not None:
            raise refusal.invalid(f"{key} must not be specified for inventory retrieval jobs")
    call.authorise(vault)
    request = _inventory_request(vault, body)
    if vault.last_inventory is None:
        # What the service answers here is not documented; users report an error, and this is the likeliest.
        raise refusal.not_found(f"Inventory not found for ARN: {vault.facts.arn}")
    enforce_retrieval_policy(call, lambda: vault.inventory_bytes(request.format))
    job = _new_job(call, None)
    job.inventory = request
    return job


def _inventory_request(vault: StoredVault, body: dict[str, Any]) -> InventoryRequest:
    wanted = text_of(body, "Format") or "JSON"
    if wanted not in CONTENT_TYPES:
        raise refusal.invalid(f"Invalid output format: {wanted}")
    parameters = body.get("InventoryRetrievalParameters") or {}
    if not isinstance(parameters, dict):
        raise refusal.unreadable("InventoryRetrievalParameters is not an object.")
    start, end, limit, marker = (text_of(parameters, key) for key in ("StartDate", "EndDate", "Limit", "Marker"))
    for date in (start, end):
        if date is not None and dates.read(date) is None:
            raise refusal.invalid(f"Invalid date: {date}")
    if limit is not None and not (limit.isascii() and limit.isdecimal() and int(limit[:18]) >= 1):
        raise refusal.invalid(f"Invalid limit: {limit}")
    if marker is not None and vault.shelf.find(marker) is None:
        raise refusal.invalid(f"Invalid marker: {marker}")
    return InventoryRequest("CSV" if wanted == "CSV" else "JSON", start, end, int(limit) if limit else None, marker)


def _archive_job(call: Call, vault: StoredVault, body: dict[str, Any]) -> Job:
    archive_id, tier = text_of(body, "ArchiveId"), text_of(body, "Tier") or "Standard"
    if archive_id is None:
        raise refusal.missing("ArchiveId")
    if body.get("Format") is not None or body.get("InventoryRetrievalParameters") is not None:
        raise refusal.invalid("Format must not be specified for archive retrieval jobs")
    if tier not in TIERS:
        raise refusal.invalid(f"Invalid tier: {tier}")
    index = vault.shelf.find(archive_id)
    if index is None:
        call.authorise(vault)
        raise refusal.not_found(f"The archive ID was not found: {archive_id}")
    call.authorise(vault, index)
    start, stop = _retrieval_range(text_of(body, "RetrievalByteRange"), vault.shelf.size_bytes(index))
    if tier == "Standard":
        enforce_retrieval_policy(call, lambda: stop - start)
    if tier == "Expedited" and not _has_capacity(call, archive_id):
        raise refusal.Refusal("InsufficientCapacityException", "Insufficient capacity to process the request.")
    job = _new_job(call, tier)
    job.archive = ArchiveRequest(archive_id, index, start, stop, bool(vault.shelf.gone[index]))
    return job


def _new_job(call: Call, tier: str | None) -> Job:
    job_id = call.identifiers.next_id()
    takes = takes_seconds(tier, call.identifiers.chance("job", job_id))
    return Job(job_id, call.now, call.now + takes, tier)


def _has_capacity(call: Call, archive_id: str) -> bool:
    if any(unit.start <= call.now < unit.expires for unit in call.account.facts.capacity):
        return True
    return call.identifiers.chance("expedited", archive_id, call.now) >= _EXPEDITED_TURNED_AWAY


def _retrieval_range(text: str | None, size_bytes: int) -> tuple[int, int]:
    """The bytes to retrieve: whole mebibytes from a mebibyte on, or up to the archive's end ("InitiateJob")."""
    if text is None:
        return 0, size_bytes
    match = _BYTE_RANGE.fullmatch(text)
    if match is None:
        raise refusal.invalid(f"Invalid byte range: {text}")
    start, stop = int(match[1]), int(match[2]) + 1
    aligned = start % MEBIBYTE == 0 and (stop % MEBIBYTE == 0 or stop == size_bytes)
    if not (aligned and start < stop <= size_bytes):
        raise refusal.invalid(f"Invalid byte range: {text}")
    return start, stop


def _find(call: Call, vault: StoredVault) -> Job:
    job = vault.facts.jobs.get(call.names[1])
    if job is None:
        raise refusal.not_found(f"The job ID was not found: {call.names[1]}")
    return job


def _archive_output(call: Call, vault: StoredVault, wanted: ArchiveRequest) -> Response:
    record = vault.shelf.record(wanted.index)
    total = wanted.stop - wanted.start
    start, stop = _requested_range(call, total)
    headers = [("Content-Type", "application/octet-stream")]
    first, last = wanted.start + start, wanted.start + stop
    checksum = _range_tree_hash(record.body, first, last, record.size_bytes)
    if first == 0 and last == record.size_bytes:
        checksum = record.tree_hash
    if checksum is not None:
        headers.append(("x-amz-sha256-tree-hash", checksum))
    if record.description:
        headers.append(("x-amz-archive-description", record.description))
    body: Iterator[bytes] = filler(first, last) if record.body is None else iter([record.body[first:last]])
    return _output(call, headers, body, (start, stop), total)


def _range_tree_hash(body: bytes | None, first: int, last: int, size_bytes: int) -> str | None:
    """The tree hash of a range that is aligned to the tree; None for others, and where there are no bytes."""
    length = last - first
    mebibytes = length // MEBIBYTE
    whole = length % MEBIBYTE == 0 and mebibytes & (mebibytes - 1) == 0
    if body is None or first % MEBIBYTE or not (whole or last == size_bytes):
        return None
    if mebibytes and first // MEBIBYTE % (1 << (mebibytes - 1).bit_length()):
        return None
    return tree_hash(body[first:last])


def _requested_range(call: Call, length_bytes: int) -> tuple[int, int]:
    """The bytes a ``Range`` header asks for; all without one."""
    text = call.header("range")
    if text is None:
        return 0, length_bytes
    match = _HTTP_RANGE.fullmatch(text)
    if match is None or not any(match.groups()):
        raise refusal.invalid(f"Invalid range: {text}")
    if not match[1]:
        start, stop = max(length_bytes - int(match[2]), 0), length_bytes
    else:
        start, stop = int(match[1]), min(int(match[2]) + 1 if match[2] else length_bytes, length_bytes)
    if start >= stop:
        raise refusal.invalid(f"Invalid range: {text}")
    return start, stop


def _output(
    call: Call,
    headers: list[tuple[str, str]],
    body: Iterator[bytes],
    span: tuple[int, int],
    total_bytes: int,
) -> Response:
    start, stop = span
    headers.append(("Accept-Ranges", "bytes"))
    if call.header("range") is None:
        return Response(200, headers, body, total_bytes)
    headers.append(("Content-Range", f"bytes {start}-{stop - 1}/{total_bytes}"))
    return Response(206, headers, body, stop - start)


def _description(vault: StoredVault, job: Job) -> dict[str, object]:
    done = job.completed
    archive, inventory = job.archive, job.inventory
    record = vault.shelf.record(archive.index) if archive else None
    span = f"{archive.start}-{archive.stop - 1}" if archive else None
    listed = vault.text(job).length_bytes if inventory and job.status == "Succeeded" else None
    whole = archive is not None and record is not None and (archive.start, archive.stop) == (0, record.size_bytes)
    checksum = None
    if archive and record:
        checksum = (
            record.tree_hash if whole else _range_tree_hash(record.body, archive.start, archive.stop, record.size_bytes)
        )
    return {
        "Action": job.action,
        "ArchiveId": archive.archive_id if archive else None,
        "ArchiveSHA256TreeHash": record.tree_hash if record else None,
        "ArchiveSizeInBytes": record.size_bytes if record else None,
        "Completed": done,
        "CompletionDate": dates.with_milliseconds(job.completes) if done else None,
        "CreationDate": dates.with_milliseconds(job.created),
        "InventoryRetrievalParameters": _parameters(job) if inventory else None,
        "InventorySizeInBytes": listed,
        "JobDescription": job.description,
        "JobId": job.job_id,
        "RetrievalByteRange": span,
        "SHA256TreeHash": checksum,
        "SNSTopic": job.sns_topic,
        "StatusCode": job.status,
        "StatusMessage": job.status_message,
        "Tier": job.tier,
        "VaultARN": vault.facts.arn,
    }


def _parameters(job: Job) -> dict[str, object] | None:
    asked = job.inventory
    if asked is None:
        return None
    return {
        "EndDate": asked.end_date,
        "Format": asked.format,
        "Limit": None if asked.limit is None else str(asked.limit),
        "Marker": job.next_marker if job.completed else asked.marker,
        "StartDate": asked.start_date,
    }
