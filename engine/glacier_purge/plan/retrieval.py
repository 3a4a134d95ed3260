"""Which archives somebody is retrieving: deleting them may break what is under way (Developer Guide, "Delete Archive").

An archive is held back while a retrieval job for it is in progress, because the job may fail when the archive goes, and
while the output of one that succeeded can still be downloaded, because whoever asked may find it damaged and ask again.
A job asked for after the delete is accepted and fails; while it is in progress it looks like any other, so an archive
that only an older inventory still lists is held back until then.  Pure: jobs and the time are values.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from glacier_purge.service.control import JobAction, JobState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from glacier_purge.service.control import Job

OUTPUT_LASTS = timedelta(hours=24)
"""Output can be downloaded for at least this long after the job completed (Developer Guide, "Get Job Output")."""
LOOK_AGAIN = timedelta(minutes=30)
"""How often jobs in progress are asked for; they take 3 to 12 hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrievals:
    """Archives that are being retrieved, and when it is worth looking again; None when there are none."""

    archive_ids: frozenset[str]
    look_again: datetime | None


def retrievals(jobs: Iterable[Job], now: datetime) -> Retrievals:
    """Go through a vault's jobs and tell which archives are being retrieved at ``now``."""
    archive_ids = set()
    look_again: list[datetime] = []
    for job in jobs:
        if job.action is not JobAction.ARCHIVE or job.archive_id is None:
            continue
        ends = _ends(job, now)
        if ends is not None and ends > now:
            archive_ids.add(job.archive_id)
            look_again.append(ends)
    return Retrievals(archive_ids=frozenset(archive_ids), look_again=max(look_again, default=None))


def _ends(job: Job, now: datetime) -> datetime | None:
    """When a job no longer needs its archive, or when to look again; None when it needs it no more."""
    if job.state is JobState.FAILED:
        return None
    if job.state is JobState.SUCCEEDED and job.completed is not None:
        return job.completed + OUTPUT_LASTS
    return now + LOOK_AGAIN
