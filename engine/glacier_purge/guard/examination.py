"""Asks the service everything that is judged before a purge; reads only, and goes on when a permission is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta

from glacier_purge.aws.credentials import Caller, Lifetime
from glacier_purge.glacier.control import OUTPUT_LASTS, ControlRefused, GlacierControl, JobAction, JobState
from glacier_purge.guard import surroundings, writers
from glacier_purge.guard import vault as vault_findings
from glacier_purge.guard.findings import Finding
from glacier_purge.guard.protection import Asking, protection
from glacier_purge.guard.vault import JobCounts
from glacier_purge.plan.cost import PriceTable

_NO_JOB = "0" * 92
"""The id of a job that can't be there: asking for it shows whether asking is allowed, and reads nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the machine and the credentials are like. ``caller`` is None for a pretended service.

    ``now`` is the time by this host's clock, ``service_now`` gives the one that ages are counted by.  ``recent`` is how
    long ago a change of the vault is a sign that somebody still writes to it.
    """

    caller: Caller | None
    lifetime: Lifetime
    disk_free_bytes: int
    now: datetime
    service_now: Callable[[], datetime]
    recent: timedelta
    prices: PriceTable


class Examination:
    """One look at one vault."""

    def __init__(self, control: GlacierControl, surroundings: Surroundings) -> None:
        self._control = control
        self._surroundings = surroundings
        self._asked = Asking(lambda refused: refused.is_denied)

    async def findings(self) -> list[Finding]:
        """Everything found. Raises ``ControlRefused`` when the vault is missing or can't be described at all."""
        control, around = self._control, self._surroundings
        described = await control.describe_vault()
        found = [
            surroundings.judge_caller(around.caller, control.vault),
            surroundings.judge_endpoint(control.vault, control.endpoint_url, pretended=around.caller is None),
            surroundings.judge_clock(around.now, described.service_time),
            surroundings.judge_credentials(around.lifetime),
            vault_findings.judge_vault(described),
            writers.judge_last_change(described, around.service_now(), around.recent),
        ]
        found += (await protection(control, self._asked)).findings(described)
        found += [finding async for finding in self._about_others()]
        await self._asked("DescribeJob", lambda: control.describe_job(_NO_JOB))
        await self._asked("GetJobOutput", self._read_no_output)
        found += surroundings.judge_permissions(self._asked.refused)
        found += [
            surroundings.judge_disk(around.disk_free_bytes, described.archives),
            surroundings.judge_storage(control.vault.region, described.size_bytes, around.prices),
            surroundings.judge_trails(described.archives, around.prices),
        ]
        return found

    async def _about_others(self) -> AsyncIterator[Finding]:
        """What somebody else may be doing with the vault."""
        control = self._control
        jobs = await self._asked("ListJobs", self._archive_jobs)
        if jobs is not None:
            yield vault_findings.judge_jobs(jobs)
        uploads = await self._asked("ListMultipartUploads", self._uploads)
        if uploads is not None:
            yield vault_findings.judge_uploads(uploads)
        topic = await self._asked("GetVaultNotifications", control.notifications)
        if "GetVaultNotifications" not in self._asked.refused:
            yield vault_findings.judge_notifications(topic)
        is_the_last = await self._asked("ListVaults", self._is_the_last)
        if is_the_last is not None:
            yield vault_findings.judge_account(is_the_last=is_the_last)

    async def _archive_jobs(self) -> JobCounts:
        in_progress = downloadable = 0
        async for job in self._control.list_jobs():
            if job.action is JobAction.INVENTORY:
                continue
            in_progress += job.state is JobState.IN_PROGRESS
            downloadable += (
                job.state is JobState.SUCCEEDED
                and job.completed is not None
                and self._surroundings.service_now() < job.completed + OUTPUT_LASTS
            )
        return JobCounts(in_progress=in_progress, downloadable=downloadable)

    async def _uploads(self) -> int:
        return sum([1 async for _ in self._control.multipart_uploads()])

    async def _is_the_last(self) -> bool:
        """Whether the account has no other vault here; the first other one ends the question."""
        async with aclosing(self._control.list_vaults()) as vaults:
            async for vault in vaults:
                if vault.arn != self._control.vault.arn:
                    return False
        return True

    async def _read_no_output(self) -> None:
        try:
            async with aclosing(self._control.job_output(_NO_JOB, 0, 0)) as pieces:
                async for _ in pieces:
                    return
        except ControlRefused as refused:
            if not refused.is_not_there:
                raise
