"""What the process before told of the work in a folder, and to whom: so that the next one does not say it again.

``told.json`` is a note that nothing goes by: where it is lost or spoilt, something is said twice.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from glacier_purge.errors import DiskFailed, NotOurs
from glacier_purge.storage.disk import Files
from glacier_purge.storage.documents import DocumentUnreadable, leave_note, read_document

TOLD_FILE = "told.json"


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One event that was told: why a hook did not take it, None where it did."""

    event: str
    at: str
    by_hook: dict[str, str | None] = {}

    @property
    def taken_by(self) -> list[str]:
        """The hooks that took it."""
        return [hook for hook, why in self.by_hook.items() if why is None]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What one process said, by what tells it from other news, and since when it waited for what."""

    said: dict[str, Said] = {}
    waits: dict[str, datetime] = {}


def read_told(folder: Path) -> Told:
    """What the process before told; nothing where that can't be read."""
    try:
        return read_document(folder / TOLD_FILE, Told) or Told()
    except (DocumentUnreadable, NotOurs, OSError):
        return Told()


def keep_told(files: Files, told: Told) -> None:
    """Keep what this one told. A disk that fails is told of by whoever writes the log."""
    with suppress(DiskFailed, NotOurs):
        leave_note(files, TOLD_FILE, msgspec.json.encode(told) + b"\n")
