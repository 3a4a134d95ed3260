"""What travels between whoever orders, workflows and workers: plain data, as JSON in the engine's histories."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

WORKFLOWS_QUEUE = "glacier-purge"
COMPANY, SHARD = "glacier-purge-company", "glacier-purge-shard"
STEP = "glacier-purge-step"


def home_queue(home: str, disk: str = "") -> str:
    """Where steps of ``home`` are asked for: of whichever worker, or of those on the disk that has the folders."""
    return f"{WORKFLOWS_QUEUE}/{home}/{disk}".rstrip("/")


def workflow_id(name: str) -> str:
    """What the engine knows a company, or a pair, by: one at a time."""
    return f"{WORKFLOWS_QUEUE}/{name}"


Row = dict[str, Any]
"""One vault as its last step left it, for the table."""


@dataclass(frozen=True, kw_only=True)
class ShardOrder:
    """The vaults of one account in one region: one process at a time, so one pace and one budget.

    The last ones are what was reached, for a history that is continued as a new one. ``disk`` has the run folders,
    where others can have them, too.
    """

    company: str
    account_id: str
    region: str
    home: str
    fleet_file: str
    roster: str
    look_every_seconds: float
    beat_seconds: float
    approved: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    disk: str = ""
    max_rate: float | None = None
    is_paused: bool = False
    rows: list[Row] = field(default_factory=list)

    @property
    def pair(self) -> str:
        """What it is known by, in every company: nobody else may carry this pair meanwhile."""
        return f"{self.account_id}/{self.region}"


@dataclass(frozen=True, kw_only=True)
class CompanyOrder:
    """All shards of a fleet file."""

    name: str
    shards: list[ShardOrder]


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """How it ended: no rows where the fleet was not opened, and ``told`` says why. ``was_drained`` is by us."""

    needs: str
    until: str | None
    told: str | None
    rows: list[Row]
    was_drained: bool
    disk: str = ""
