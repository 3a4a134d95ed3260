"""GetJobOutput: an inventory or an archive, whole or in ranges of bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from glacier_simulator import refusal
from glacier_simulator.archives import filler
from glacier_simulator.call import Call
from glacier_simulator.exchange import Response
from glacier_simulator.inventory import CONTENT_TYPES
from glacier_simulator.jobs import ArchiveRequest
from glacier_simulator.operations.jobs import find_job
from glacier_simulator.stored import StoredVault, checksum_of

_HTTP_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def get_job_output(call: Call) -> Response:
    """Answer GetJobOutput, whole (200) or a range of it (206)."""
    vault = call.vault()
    job = find_job(call, vault)
    if job.status != "Succeeded":
        raise refusal.invalid(f"The job is not currently available for download: {job.job_id}")
    if job.archive is not None:
        return _archive_output(call, vault, job.archive)
    text = vault.text(job)
    start, stop = _requested_range(call, text.length_bytes)
    headers = [("Content-Type", CONTENT_TYPES[job.inventory.format if job.inventory else "JSON"])]
    return _output(call, headers, text.pieces(start, stop), (start, stop), text.length_bytes)


def _archive_output(call: Call, vault: StoredVault, wanted: ArchiveRequest) -> Response:
    record = vault.shelf.record(wanted.index)
    total = wanted.stop - wanted.start
    start, stop = _requested_range(call, total)
    first, last = wanted.start + start, wanted.start + stop
    headers = [("Content-Type", "application/octet-stream")]
    checksum = checksum_of(record, first, last)
    if checksum is not None:
        headers.append(("x-amz-sha256-tree-hash", checksum))
    if record.description:
        headers.append(("x-amz-archive-description", record.description))
    body: Iterator[bytes] = filler(first, last) if record.body is None else iter([record.body[first:last]])
    return _output(call, headers, body, (start, stop), total)


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
