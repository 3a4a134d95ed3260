"""InitiateJob: what is asked for is checked now, what comes of it shows when the job completes."""

from __future__ import annotations

import re
from typing import Any

from glacier_simulator import dates, refusal
from glacier_simulator.call import Call, reply, text_of
from glacier_simulator.exchange import Response
from glacier_simulator.inventory import CONTENT_TYPES
from glacier_simulator.jobs import TIERS, ArchiveRequest, InventoryRequest, Job, takes_seconds
from glacier_simulator.operations.retrieval_policy import enforce_retrieval_policy
from glacier_simulator.stored import StoredVault
from glacier_simulator.treehash import MEBIBYTE

_DESCRIPTION = re.compile(r"[ -~]{0,1024}")
_BYTE_RANGE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
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
