"""How far a retrieval came: the job whose output it takes, in a small file beside what has been downloaded.

It is replaced in one step, so that a stop at any moment leaves the old word or the new one.  A part that was
downloaded belongs to the job named here and to no other: another job's output may have other bytes.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec

from glacier_purge.errors import UsageError
from glacier_purge.storage.disk import FolderFiles
from glacier_purge.storage.documents import DocumentUnreadable, read_document, write_document

PROGRESS_FILE = "retrieval.json"
_SEPARATOR = ": "


class FetchProgress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``begun`` is when the inventory was first wanted (UTC); ``asked`` are the jobs asked for here, ``tried`` those
    given up or passed over, each with why.

    ``sha256`` is set once ``inventory.json`` in the same folder is whole and believed.
    """

    vault_arn: str
    begun: Annotated[datetime, msgspec.Meta(tz=True)]
    job_id: str | None = None
    asked: tuple[str, ...] = ()
    tried: tuple[Annotated[str, msgspec.Meta(pattern=_SEPARATOR)], ...] = ()
    sha256: str | None = None

    @property
    def passed_over(self) -> dict[str, str]:
        """The jobs that were tried, each with why it did not do."""
        return dict(line.split(_SEPARATOR, 1) for line in self.tried)

    def anew(self) -> FetchProgress:
        """The same for another order: nothing is here or under way. What will not do is still known."""
        return msgspec.structs.replace(self, job_id=None, asked=(), sha256=None)

    def without(self, job_id: str, reason: str) -> FetchProgress:
        """The same once a job is given up or passed over."""
        return msgspec.structs.replace(self, job_id=None, tried=(*self.tried, f"{job_id}{_SEPARATOR}{reason}"))


def read_progress(folder: Path) -> FetchProgress | None:
    """Read what an earlier process left; None when there is nothing. Raises ``UsageError`` for what cannot be read."""
    file = folder / PROGRESS_FILE
    try:
        return read_document(file, FetchProgress)
    except DocumentUnreadable as error:
        raise UsageError(f"{file} cannot be read ({error}). Remove it to fetch the inventory afresh.") from error


def write_progress(folder: Path, progress: FetchProgress) -> None:
    """Make durable how far the retrieval came."""
    write_document(FolderFiles(folder), PROGRESS_FILE, progress)
