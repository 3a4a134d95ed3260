"""What was noticed about a vault when it was planned for, kept beside the plan for whoever approves it days later.

It decides nothing and is no part of the plan, whose digest must be the same whoever plans; but a person who says yes
to the plan is to see it.  Folders of plans that nobody looked for it, and older ones, have none.
"""

from __future__ import annotations

from glacier_purge.errors import PlanRefused
from glacier_purge.guard.findings import Finding
from glacier_purge.storage.documents import DocumentUnreadable, encoded, read_document
from glacier_purge.storage.folder import RunFolder

NOTICED_FILE = "noticed.json"


def keep_noticed(folder: RunFolder, *found: Finding) -> None:
    """Write down what was noticed, in place of what was noticed before."""
    folder.replace(NOTICED_FILE, encoded(found))


def read_noticed(folder: RunFolder) -> tuple[Finding, ...] | None:
    """What was noticed; None where nobody wrote it down. Raises ``PlanRefused`` when it cannot be read."""
    file = folder.path / NOTICED_FILE
    try:
        found = read_document(file, list[Finding])
    except DocumentUnreadable as error:
        raise PlanRefused(f"{file} cannot be read ({error}). Restore it, or plan again. Nothing was sent.") from error
    return None if found is None else tuple(found)
