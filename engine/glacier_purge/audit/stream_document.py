"""What stands in a log's folder in place of a plan, where ids come from a script: whose log it is.

Its SHA-256 (``sha256sum stream.json``) is the first line's ``prev``, as a plan's digest is elsewhere.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import msgspec

from glacier_purge.errors import AuditDamaged
from glacier_purge.storage.documents import DocumentUnreadable, decoded
from glacier_purge.storage.ownership import read_own

STREAM_FILE = "stream.json"


class StreamDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose log it is; written once when the folder is made. ``created`` is UTC, ISO 8601."""

    format: int = 1
    run: str
    vault_arn: str
    endpoint_url: str
    records: int
    by: str
    tool_version: str
    package_sha256: str
    created: str


def read_stream(folder: Path) -> tuple[StreamDocument, str] | None:
    """What log this folder holds, and the digest its first line carries; None where it is no stream's.

    Raises ``AuditDamaged`` for a document that was changed, and ``NotOurs`` for one in which others have a hand.
    """
    file = folder / STREAM_FILE
    try:
        content = read_own(file)
        document = decoded(content, StreamDocument)
    except FileNotFoundError:
        return None
    except (OSError, DocumentUnreadable) as error:
        raise AuditDamaged(f"this cannot be read as the log's own: {error}", file=str(file), offset_bytes=0) from error
    return document, sha256(content).hexdigest()
