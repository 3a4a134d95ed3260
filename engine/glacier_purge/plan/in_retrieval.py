"""Which archives somebody is retrieving: deleting them may break what is under way (Developer Guide, "Delete Archive").

An archive is held back while a retrieval job for it is in progress, because the job may fail when the archive goes, and
while the output of one that succeeded can still be downloaded, because whoever asked may find it damaged and ask again.
A job asked for after the delete is accepted and fails; while it is in progress it looks like any other, so an archive
that only an older inventory still lists is held back until then.  That is judged by values alone: jobs and the time.

The service is asked before a plan is made, and waited for where somebody wants that (``held_back``).  Planning works
without it, so where nobody asked for more than the default, a service that cannot be reached only leaves the plan with
a note that nobody looked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio

from glacier_purge.errors import GlacierPurgeError
from glacier_purge.glacier.control import OUTPUT_LASTS, GlacierControl, Job, JobAction, JobState
from glacier_purge.glacier.waiting import UNASKED_PATIENCE_SECONDS, Waiter, Waiting
from glacier_purge.plan.choices import InRetrieval

LOOK_AGAIN = timedelta(minutes=30)
"""How often jobs in progress are asked for; they take 3 to 12 hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrievals:
    """Archives that are being retrieved, and when it is worth looking again; None when there are none."""

    archive_ids: frozenset[str]
    look_again: datetime | None


async def held_back(
    in_retrieval: InRetrieval | None,
    control: Callable[[], Awaitable[GlacierControl]],
    waiter: Waiter,
) -> frozenset[str] | None:
    """Give the ids of archives to hold back; None when it was not looked.

    "hold" and "wait" raise what the service answers, and "wait" what ``waiter`` raises; None holds back what it can
    learn, and "delete" does not ask.
    """
    if in_retrieval == "delete":
        return None
    if in_retrieval is None:
        try:
            with anyio.fail_after(UNASKED_PATIENCE_SECONDS):
                return (await _look(control, waiter)).archive_ids
        except (GlacierPurgeError, TimeoutError):
            return None
    found = await _look(control, waiter)
    while in_retrieval == "wait" and found.look_again is not None:
        what = f"{len(found.archive_ids):,} archives that are being retrieved"
        await waiter.wait(Waiting(what=what, until=found.look_again))
        found = await _look(control, waiter)
    return found.archive_ids


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


async def _look(control: Callable[[], Awaitable[GlacierControl]], waiter: Waiter) -> Retrievals:
    service = await control()
    jobs = [job async for job in service.list_jobs()]
    return retrievals(jobs, waiter.now())
