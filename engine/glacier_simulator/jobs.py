"""Jobs: how long they take, what they end with, and how long their output lasts.

An inventory job serves the last snapshot there is when it completes; it never makes one.  An archive job looks
at its archive twice: one that was gone when the job began fails; one deleted while the job prepared its data
fails or not, as the seed has it; once finished, the output stays downloadable whatever happens to the archive.

Sources: Developer Guide, "InitiateJob", "GetJobOutput", "DeleteArchive"; times as measured by users (3 h 47
min, about 4 h).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from glacier_simulator.inventory import InventoryFormat

HOUR = 3600.0
OUTPUT_LASTS_SECONDS = 24 * HOUR
"""Job output is downloadable for at least 24 hours ("GetJobOutput"); here for exactly that."""

Action = Literal["InventoryRetrieval", "ArchiveRetrieval"]
StatusCode = Literal["InProgress", "Succeeded", "Failed"]

_TAKES_SECONDS: dict[str | None, tuple[float, float]] = {
    None: (3 * HOUR, 5 * HOUR),  # inventories
    "Standard": (3 * HOUR, 5 * HOUR),
    "Expedited": (60.0, 300.0),
    "Bulk": (5 * HOUR, 12 * HOUR),
}
TIERS = frozenset(tier for tier in _TAKES_SECONDS if tier)


class InventoryRequest(msgspec.Struct, frozen=True):
    """What an inventory job was asked for. Dates are kept as written; ``limit`` and ``marker`` page through a list."""

    format: InventoryFormat = "JSON"
    start_date: str | None = None
    end_date: str | None = None
    limit: int | None = None
    marker: str | None = None

    @property
    def lists_all(self) -> bool:
        """Tell whether the whole vault is asked for."""
        return not any((self.start_date, self.end_date, self.limit, self.marker))


class ArchiveRequest(msgspec.Struct, frozen=True):
    """What an archive job was asked for: bytes ``start`` to ``stop`` (exclusive) of the archive at ``index``."""

    archive_id: str
    index: int
    start: int
    stop: int
    was_gone: bool


class Job(msgspec.Struct):
    """A job: either ``inventory`` or ``archive`` is set.

    ``snapshot`` is the number of the one it serves, once done.  ``doomed`` is why it will fail whatever happens.
    """

    job_id: str
    created: float
    completes: float
    tier: str | None = None
    description: str | None = None
    sns_topic: str | None = None
    inventory: InventoryRequest | None = None
    archive: ArchiveRequest | None = None
    status: StatusCode = "InProgress"
    status_message: str | None = None
    doomed: str | None = None
    snapshot: int | None = None
    next_marker: str | None = None

    @property
    def action(self) -> Action:
        """What the service calls the job."""
        return "InventoryRetrieval" if self.inventory is not None else "ArchiveRetrieval"

    @property
    def completed(self) -> bool:
        """True for failed jobs too, as with the real service."""
        return self.status != "InProgress"

    @property
    def expires(self) -> float:
        """When the job is forgotten."""
        return self.completes + OUTPUT_LASTS_SECONDS

    def succeed(self) -> None:
        """End well."""
        self.status = self.status_message = "Succeeded"

    def fail(self, message: str) -> None:
        """End badly; ``message`` says why."""
        self.status = "Failed"
        self.status_message = message


def takes_seconds(tier: str | None, chance: float) -> float:
    """How long a job of ``tier`` (None: an inventory) takes, ``chance`` from 0 up to 1 being its luck."""
    shortest, longest = _TAKES_SECONDS[tier]
    return shortest + chance * (longest - shortest)
