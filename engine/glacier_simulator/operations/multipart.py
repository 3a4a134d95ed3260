"""Multipart uploads: InitiateMultipartUpload, UploadMultipartPart, ListParts, ListMultipartUploads, Complete
and Abort.

An upload is no archive and no write until it is completed; then it is both, which is how a vault that looked
empty turns out not to be.
"""

from __future__ import annotations

import re

from glacier_simulator import dates, refusal
from glacier_simulator.call import Call, reply, reply_json
from glacier_simulator.exchange import Response
from glacier_simulator.operations.archives import (
    archive_description,
    check_linear_hash,
    check_tree_hash,
    check_whole,
    shelve,
)
from glacier_simulator.stored import Part, StoredVault, Upload
from glacier_simulator.treehash import MEBIBYTE, combine

_LIST_MAX = 50
_PARTS_MAX = 10_000
_PART_SIZE_MAX = 4 * 2**30
"""Parts are a mebibyte times a power of two, 4 GB at most ("InitiateMultipartUpload")."""
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/\*")


def initiate_upload(call: Call) -> Response:
    """Answer InitiateMultipartUpload."""
    vault = call.vault()
    description = archive_description(call)
    text = call.header("x-amz-part-size")
    if text is None:
        raise refusal.missing("x-amz-part-size")
    size = int(text) if re.fullmatch("[0-9]{1,10}", text) else 0
    mebibytes, rest = divmod(size, MEBIBYTE)
    if rest or not mebibytes or mebibytes & (mebibytes - 1) or size > _PART_SIZE_MAX:
        raise refusal.invalid(  # amazon-glacier-cmd-interface #58
            f"Invalid part size: {text}. Part size must not be null, must be a power of two and be between {MEBIBYTE} "
            f"and {_PART_SIZE_MAX} bytes."
        )
    upload_id = call.identifiers.next_id()
    vault.facts.uploads[upload_id] = Upload(upload_id, description, size, call.now, call.now)
    vault.settle()
    path = call.location(call.names[0], "multipart-uploads", upload_id)
    return reply(201, {"Location": path, "x-amz-multipart-upload-id": upload_id})


def upload_part(call: Call) -> Response:
    """Answer UploadMultipartPart. A part sent again replaces the first."""
    vault = call.vault()
    upload = _find(call, vault)
    start = _part_start(call, upload)
    check_whole(call)
    check_linear_hash(call)
    checksum = check_tree_hash(call)
    if len(upload.parts) >= _PARTS_MAX and start not in upload.parts:
        raise refusal.invalid(f"Too many parts: {_PARTS_MAX} is the most")
    upload.parts[start] = Part(start, call.request.body, checksum)
    upload.active = call.now
    vault.settle()
    return reply(204, {"x-amz-sha256-tree-hash": checksum})


def list_parts(call: Call) -> Response:
    """Answer ListParts, in order of their place; the marker is the first byte of the next part."""
    limit, vault = call.page_limit(_LIST_MAX), call.vault()
    upload = _find(call, vault)
    marker = call.request.query.get("marker") or "0"
    if not re.fullmatch("[0-9]{1,18}", marker):
        raise refusal.invalid(f"Invalid marker: {marker}")
    starts = sorted(start for start in upload.parts if start >= int(marker))
    listed = [
        {
            "RangeInBytes": f"{start}-{start + len(upload.parts[start].body) - 1}",
            "SHA256TreeHash": upload.parts[start].tree_hash,
        }
        for start in starts[:limit]
    ]
    more = str(starts[limit]) if len(starts) > limit else None
    return reply_json({**_described(vault, upload), "Marker": more, "Parts": listed})


def list_uploads(call: Call) -> Response:
    """Answer ListMultipartUploads; the marker is the id of the next upload."""
    limit, vault = call.page_limit(_LIST_MAX), call.vault()
    uploads = [upload for upload in vault.facts.uploads.values() if not upload.aborted]
    marker = call.request.query.get("marker")
    if marker:
        ids = [upload.upload_id for upload in uploads]
        if marker not in ids:
            raise refusal.invalid(f"Invalid marker: {marker}")
        uploads = uploads[ids.index(marker) :]
    more = uploads[limit].upload_id if len(uploads) > limit else None
    return reply_json({"Marker": more, "UploadsList": [_described(vault, upload) for upload in uploads[:limit]]})


def complete_upload(call: Call) -> Response:
    """Answer CompleteMultipartUpload: the parts become an archive."""
    vault = call.vault()
    upload = _find(call, vault)
    announced, checksum = call.header("x-amz-archive-size"), call.header("x-amz-sha256-tree-hash")
    if announced is None or checksum is None:
        raise refusal.missing("x-amz-archive-size" if announced is None else "x-amz-sha256-tree-hash")
    parts = [upload.parts[start] for start in sorted(upload.parts)]
    body = b"".join(part.body for part in parts)
    if not body or announced != str(len(body)) or not _seamless(parts):
        raise refusal.invalid(f"Invalid archive size: {announced} where {len(body)} bytes in whole parts are here")
    actual = combine([bytes.fromhex(part.tree_hash) for part in parts]).hex()
    if checksum != actual:
        raise refusal.invalid(f"Checksum mismatch: expected {checksum} but was {actual}")
    del vault.facts.uploads[upload.upload_id]
    return shelve(call, vault, upload.description, body, actual)


def abort_upload(call: Call) -> Response:
    """Answer AbortMultipartUpload: idempotent for as long as the upload is remembered."""
    vault = call.vault()
    upload = vault.facts.uploads.get(call.names[1])
    if upload is None:
        raise _missing(call)
    upload.aborted = True
    upload.parts.clear()
    return reply(204)


def _part_start(call: Call, upload: Upload) -> int:
    """Where a part belongs. All parts but the last are full; which is the last shows only at completion."""
    text, length = call.header("content-range"), len(call.request.body)
    if text is None:
        raise refusal.missing("Content-Range")
    match = _CONTENT_RANGE.fullmatch(text)
    start, last = (int(match[1]), int(match[2])) if match else (-1, -1)
    if match is None or start % upload.part_size_bytes or not 0 < last - start + 1 <= upload.part_size_bytes:
        raise refusal.invalid(f"Invalid Content-Range: {text}")
    if last - start + 1 != length:
        raise refusal.invalid(f"Invalid Content-Length: {length}")
    return start


def _seamless(parts: list[Part]) -> bool:
    expected = 0
    for part in parts:
        if part.start != expected:
            return False
        expected += len(part.body)
    return True


def _find(call: Call, vault: StoredVault) -> Upload:
    upload = vault.facts.uploads.get(call.names[1])
    if upload is None or upload.aborted:
        raise _missing(call)
    return upload


def _missing(call: Call) -> refusal.Refusal:
    return refusal.not_found(f"The upload ID was not found: {call.names[1]}")


def _described(vault: StoredVault, upload: Upload) -> dict[str, object]:
    return {
        "ArchiveDescription": upload.description,
        "CreationDate": dates.with_milliseconds(upload.created),
        "MultipartUploadId": upload.upload_id,
        "PartSizeInBytes": upload.part_size_bytes,
        "VaultARN": vault.facts.arn,
    }
