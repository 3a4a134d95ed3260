"""Which of a vault's inventory jobs will do, which are passed over and why, and when an unfinished one is worth another
look. Pure.

A vault may have any number of jobs: of archives, of parts of the inventory, in CSV, failed ones (which also count as
"completed"), ones whose output is gone, and other people's.  One will do when it is in JSON, new enough, still there to
be downloaded, and of the whole vault.  The last can't be read off a job that is done: one begun with a marker, to go on
behind another's limit, is described with neither then.  So it is known of our own, and of any other by its count alone,
held against the service's where both are of the same inventory.  A stranger's job that can't be so held, or can be seen
to be too short, is not even downloaded; where one was downloaded in vain, no other is, and one of our own is asked for.

The list's own order means nothing: the service does not promise any.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from glacier_purge.archive import EXACT, IdRule
from glacier_purge.glacier.control import JOB_DESCRIPTION, OUTPUT_LASTS, Job, JobAction, JobState
from glacier_purge.glacier.port import VaultDescription
from glacier_purge.inventory.dates import creation_time

DOWNLOAD_MARGIN = timedelta(minutes=30)
"""An output closer to its end than this is left alone: a download would rather not finish."""
JOB_TAKES = "3 to 5 hours"
"""What users have measured for inventory jobs: 3 h 47 min, about 4 h, 7 h."""

_MARK = f"{JOB_DESCRIPTION} "
_MARK_HOLDS = timedelta(hours=1)
"""A description copied from one of our jobs stands on one begun hours later, when ours was done and could be read."""
_RECORD_BYTES_MIN = len('{"ArchiveId":"","SHA256TreeHash":""},') + 64
"""What a record has besides its archive id, at the very least (GetJobOutput, "Response body")."""
_NONE_SOONER = timedelta(hours=3)
"""No job was seen to be done before; a pretended service's may be."""
_LOOK_AFTER_MIN = timedelta(seconds=5)
_LOOK_AFTER_MAX = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedJob:
    """What inventory is wanted. ``created_from``: only jobs begun then or later; ``job_id``: this job and no other;
    ``is_new``: none that is there already, only one asked for here.
    """

    created_from: datetime | None = None
    job_id: str | None = None
    is_new: bool = False


ANY_JOB = WantedJob()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What jobs are judged by: the time it is for the service, and how it describes the vault.

    ``asked`` are the jobs that were asked for here, ``passed_over`` those that were found not to do, each with why.
    """

    now: datetime
    described: VaultDescription
    asked: Collection[str] = ()
    passed_over: Mapping[str, str] = field(default_factory=dict)
    id_rule: IdRule = EXACT


def mark(now: datetime) -> str:
    """What a job of ours that is asked for ``now`` is described as, for us and for whoever lists the vault's jobs."""
    return f"{_MARK}{now:%Y-%m-%dT%H:%M:%SZ}"


def is_own(job: Job, asked: Collection[str]) -> bool:
    """Tell whether one of us asked for a job: here, or elsewhere, which its mark says if it is of when it was begun."""
    if job.job_id in asked:
        return True
    described = job.description or ""
    marked = creation_time(described.removeprefix(_MARK)) if described.startswith(_MARK) else None
    return marked is not None and abs(job.created - marked) <= _MARK_HOLDS


def why_unusable(job: Job, now: datetime) -> str | None:
    """Why a job's output can't be taken for the vault's inventory, now or later; None when it can."""
    if job.action is not JobAction.INVENTORY:
        return f"it retrieves an archive, not the inventory ({job.action.value})"
    scope = job.inventory
    if scope is None:
        return "it does not say what it lists (it has no InventoryRetrievalParameters)"
    if scope.format != "JSON":
        return f"it is in {scope.format or 'no known format'}; only JSON names the vault and the date"
    if scope.start_date or scope.end_date or scope.limit or scope.marker:
        return "it lists only a part of the vault (dates, a limit or a marker were given)"
    if job.state is JobState.FAILED:
        return f"it failed: {job.status_message or 'the service does not say why'}"
    if job.completed is not None and now >= job.completed + OUTPUT_LASTS - DOWNLOAD_MARGIN:
        return f"its output expires 24 hours after {job.completed:%Y-%m-%dT%H:%M:%SZ}"
    if job.state is JobState.SUCCEEDED and not job.size_bytes:
        return "the service does not say how long its output is, so it could not be told from a torn one"
    return None


def why_passed_over(job: Job, known: Known) -> str | None:
    """Why a job is not taken, as far as that shows before any of its output is here; None when it may be."""
    if (reason := known.passed_over.get(job.job_id) or why_unusable(job, known.now)) is not None:
        return reason
    if is_own(job, known.asked):
        return None
    last, archives = known.described.last_inventory, known.described.archives
    if job.completed is None or not job.size_bytes:
        return "it is not ours, and while it is not done nothing tells whether it lists the whole vault"
    if last is None or archives is None:
        return "it is not ours, and the service has no count to hold it against"
    if job.completed < last:
        return (
            "it is not ours, and the service has a newer inventory, with whose count it can't be compared "
            f"({last:%Y-%m-%dT%H:%M:%SZ})"
        )
    if job.size_bytes < archives * (_RECORD_BYTES_MIN + min(known.id_rule.lengths)):
        return f"its {job.size_bytes:,} bytes can't list the {archives:,} archives that the service counts"
    return None


def why_not_whole(records: int, taken: datetime | None, described: VaultDescription, *, is_ours: bool) -> str | None:
    """Why an output of ``records`` of the inventory ``taken`` (UTC, to the second) is not the whole vault's; None when
    it is.

    The service's count speaks of its last inventory alone.  Of another one it says nothing, and ours is believed.
    """
    last, archives = described.last_inventory, described.archives
    if last is not None and archives is not None and taken == last.replace(microsecond=0):  # one has milliseconds
        if records == archives:
            return None
        counted = f"the service counts {archives:,} as of the same inventory ({_date(last)})"
        return f"it lists {records:,} archives, and {counted}"
    if is_ours:
        return None
    return (
        f"it is not ours, and the count of the service is of {_date(last)}, its inventory of {_date(taken)}: nothing "
        "tells whether it lists the whole vault"
    )


def choose_job(jobs: Collection[Job], wanted: WantedJob, known: Known, *, begun: str | None = None) -> Job | None:
    """The job to take: a finished one, else one of ours under way; None when one has to be asked for.

    The one ``begun`` to be downloaded goes first.  Of the others those do that can be of the service's last inventory,
    then ours before a stranger's, then the longest of the strangers', since no part is as long as the whole, then the
    newest.
    """
    last = known.described.last_inventory

    def rank(job: Job) -> tuple[bool, bool, bool, bool, int, datetime]:
        is_ours = is_own(job, known.asked)
        can_be_last = job.completed is not None and last is not None and job.completed >= last
        length_bytes = 0 if is_ours else job.size_bytes or 0
        return job.job_id == begun, job.state is JobState.SUCCEEDED, can_be_last, is_ours, length_bytes, job.created

    passed_over = {job.job_id for job, _ in passed_over_jobs(jobs, wanted, known)}
    return max((job for job in jobs if job.job_id not in passed_over), key=rank, default=None)


def passed_over_jobs(jobs: Collection[Job], wanted: WantedJob, known: Known) -> Iterator[tuple[Job, str]]:
    """The jobs that are not taken, and why not."""
    in_vain = next((job for job in jobs if job.job_id in known.passed_over and not is_own(job, known.asked)), None)
    for job in jobs:
        reason = why_passed_over(job, known)
        if reason is None and wanted.is_new and job.job_id not in known.asked:
            reason = "a new one is wanted"
        if reason is None and wanted.created_from is not None and job.created < wanted.created_from:
            reason = f"it was begun before {_date(wanted.created_from)}"
        if reason is None and in_vain is not None and not is_own(job, known.asked):
            reason = f"it is not ours, and another that was not, {in_vain.job_id}, was downloaded in vain"
        if reason is not None:
            yield job, reason


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


def _date(moment: datetime | None) -> str:
    return "no known time" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
