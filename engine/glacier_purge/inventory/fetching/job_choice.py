"""Which of a vault's inventory jobs will do, and when an unfinished one is worth another look. Pure.

A vault may have any number of jobs: of archives, of parts of the inventory, in CSV, failed ones (which also count as
"completed"), ones whose output is gone.  One will do when it is of the whole inventory, in JSON, new enough and still
there to be downloaded; of those the newest is taken.  The list's own order means nothing: the service does not promise
any.  Where none is done, one under way is waited for before another is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from glacier_purge.glacier.control import OUTPUT_LASTS, Job, JobAction, JobState

DOWNLOAD_MARGIN = timedelta(minutes=30)
"""An output closer to its end than this is left alone: a download would rather not finish."""
JOB_TAKES = "3 to 5 hours"
"""What users have measured for inventory jobs: 3 h 47 min, about 4 h, 7 h."""

_NONE_SOONER = timedelta(hours=3)
"""No job was seen to be done before; a pretended service's may be."""
_LOOK_AFTER_MIN = timedelta(seconds=5)
_LOOK_AFTER_MAX = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What inventory is wanted. ``created_from``: only jobs begun then or later; ``job_id``: this job and no other."""

    created_from: datetime | None = None
    job_id: str | None = None


def why_unusable(job: Job, now: datetime) -> str | None:
    """Why a job's output can't be taken for the vault's inventory, now or later; None when it can."""
    if job.action is not JobAction.INVENTORY:
        return f"it retrieves an archive, not the inventory ({job.action.value})"
    scope = job.inventory
    if scope is None or scope.format != "JSON":
        return f"it is in {scope.format if scope else 'no known format'}; only JSON names the vault and the date"
    if scope.start_date or scope.end_date or scope.limit or scope.marker:
        return "it lists only a part of the vault (dates, a limit or a marker were given)"
    if job.state is JobState.FAILED:
        return f"it failed: {job.status_message or 'the service does not say why'}"
    if job.completed is not None and now >= job.completed + OUTPUT_LASTS - DOWNLOAD_MARGIN:
        return f"its output expires 24 hours after {job.completed:%Y-%m-%dT%H:%M:%SZ}"
    if job.state is JobState.SUCCEEDED and not job.size_bytes:
        return "the service does not say how long its output is, so it could not be told from a torn one"
    return None


def choose_job(jobs: Iterable[Job], wanted: Wanted, now: datetime) -> Job | None:
    """The newest job that will do: a finished one, else one under way; None when one has to be asked for."""
    fitting = [
        job
        for job in jobs
        if why_unusable(job, now) is None and (wanted.created_from is None or job.created >= wanted.created_from)
    ]
    return max(fitting, key=lambda job: (job.state is JobState.SUCCEEDED, job.created), default=None)


def next_look(job: Job, now: datetime) -> datetime:
    """When to look at an unfinished job again.

    One that may be done is looked at after an eighth of the time it has taken (22 minutes after 3 hours), an hour at
    most.  One that is younger than any job that was ever done is looked at after three times as long again, and when
    it no longer is: hundreds of vaults may wait, and asking oftener brings nothing sooner.
    """
    taken = now - job.created
    if taken >= _NONE_SOONER:
        return now + min(taken / 8, _LOOK_AFTER_MAX)
    return now + max(min(3 * taken, _NONE_SOONER - taken), _LOOK_AFTER_MIN)
