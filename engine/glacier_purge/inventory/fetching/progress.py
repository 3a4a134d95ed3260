"""How far a retrieval came: the job whose output it takes, in a small file beside what has been downloaded.

It is replaced in one step, so that a stop at any moment leaves the old word or the new one.  A part that was
downloaded belongs to the job named here and to no other: another job's output may have other bytes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from glacier_purge.errors import UsageError
from glacier_purge.storage.documents import DocumentUnreadable, read_document

if TYPE_CHECKING:
    from pathlib import Path

PROGRESS_FILE = "retrieval.json"


class FetchProgress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``begun`` is when the inventory was first wanted (UTC, ISO 8601); ``tried`` the jobs given up, with reasons.

    ``sha256`` is set once ``inventory.json`` in the same folder is whole and believed.
    """

    vault_arn: str
    begun: str
    job_id: str | None = None
    tried: tuple[str, ...] = ()
    sha256: str | None = None


def read_progress(folder: Path) -> FetchProgress | None:
    """Read what an earlier process left; None when there is nothing. Raises ``UsageError`` for what cannot be read."""
    file = folder / PROGRESS_FILE
    try:
        return read_document(file, FetchProgress)
    except DocumentUnreadable as error:
        raise UsageError(f"{file} cannot be read ({error}). Remove it to fetch the inventory afresh.") from error


def write_progress(folder: Path, progress: FetchProgress) -> None:
    """Make durable how far the retrieval came."""
    temporary = folder / f".{PROGRESS_FILE}.new"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(progress), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(folder / PROGRESS_FILE)
    names = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(names)
    finally:
        os.close(names)
