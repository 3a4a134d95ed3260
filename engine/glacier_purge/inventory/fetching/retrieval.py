"""Gets a vault's inventory from the service: finds or asks for the job, waits, downloads, and reads it through.

Everything reached is on disk before anything is waited for, so a stop at any moment costs at most a part of one range,
and the same call goes on: the job asked for is remembered, and so is what of its output came.  A job that fails, or
whose output expires before it is here, is given up and another asked for, a few times at most; one of other people's
that turns out not to be the whole vault's is passed over, told, and not downloaded again.  Nothing of an output is
believed until all of it was read: whole, well formed, of this vault, and with as many archives as the service counts
where both speak of the same moment.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from glacier_purge.archive import EXACT, IdRule
from glacier_purge.errors import InventoryDamaged, PlanRefused, RunStopped, UsageError
from glacier_purge.glacier.control import ControlRefused, GlacierControl, Job, JobAction, JobState
from glacier_purge.glacier.waiting import Waiter, Waiting, outlasting
from glacier_purge.inventory.dates import Period, creation_time
from glacier_purge.inventory.fetching.download import PART_FILE, download
from glacier_purge.inventory.fetching.job_choice import (
    JOB_TAKES,
    Known,
    WantedJob,
    choose_job,
    is_own,
    mark,
    next_look,
    passed_over_jobs,
    why_not_whole,
    why_passed_over,
    why_unusable,
)
from glacier_purge.inventory.fetching.progress import PROGRESS_FILE, FetchProgress, read_progress, write_progress
from glacier_purge.inventory.format.reading import HashedReading
from glacier_purge.inventory.snapshot import Snapshot, note_uploads, read_through, spool
from glacier_purge.inventory.source import CHUNK_BYTES, Source
from glacier_purge.storage.disk import FolderFiles
from glacier_purge.storage.documents import discard
from glacier_purge.storage.ownership import open_own

INVENTORY_FILE = "inventory.json"
SPOOLED_FILES = (f"{INVENTORY_FILE}.sha256", INVENTORY_FILE)
"""In the order in which they go: a hash without its inventory would look like an inventory that was taken away."""
JOBS_MAX = 4
"""So many jobs that were asked for here may fail, expire or give nonsense before somebody has to look."""
_FIRST_INVENTORY_LOOK = timedelta(hours=1)
FIRST_INVENTORY_WITHIN = timedelta(hours=72)
"""So long a vault's first inventory is waited for. It comes half a day to a day after the first upload, so without one
by then nothing was written to the vault before the waiting began."""
_DAMAGED_MAX = 2
_NAMED_MAX = 5
"""So many of the jobs that are passed over are named; a vault may have hundreds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalSettings:
    """How an output is downloaded.

    ``chunk_bytes`` is one request's range; less suits a slow connection.  ``sleep`` is for the seconds between tries of
    a download that breaks; hours are waited by ``Waiter``.
    """

    chunk_bytes: int = 16 * 1024 * 1024
    id_rule: IdRule = EXACT
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep


class _GivenUp(Exception):
    """This job will not give an inventory any more; says why."""


class NeverInventoried(UsageError):
    """The service makes no inventory of the vault, because nothing was ever written to it."""


class Retrieval:
    """One inventory on its way into ``folder``, which has to be there and is nobody else's.

    ``say`` is told, a sentence at a time, of jobs that are passed over.
    """

    def __init__(
        self,
        control: GlacierControl,
        folder: Path,
        wanted: WantedJob,
        waiter: Waiter,
        say: Callable[[str], None],
        settings: RetrievalSettings = RetrievalSettings(),
    ) -> None:
        self._control = control
        self._folder = folder
        self._files = FolderFiles(folder)
        self._wanted = wanted
        self._waiter = waiter
        self._say = say
        self._settings = settings

    async def fetch(self) -> tuple[Snapshot, str]:
        """Return the inventory, spooled in the folder, and the id of its job; at once when an earlier call got it, and
        no new or other one is wanted.

        Raises ``InventoryDamaged`` for an output not to be believed, ``UsageError`` for a job that won't do,
        ``RunStopped`` after ``JOBS_MAX`` jobs in vain, ``NeverInventoried`` for a vault that was never written to,
        ``Pending`` as the waiter has it, and as ``control`` does.
        """
        progress = self._recall()
        while True:
            if progress.sha256 is not None and progress.job_id is not None:
                return await anyio.to_thread.run_sync(self._again, progress.sha256), progress.job_id
            job = await self._job(progress)
            if job is None:
                job, progress = await self._ask_for_one(progress)
            elif job.job_id != progress.job_id:
                discard(self._files, PART_FILE)
                progress = self._note(msgspec.structs.replace(progress, job_id=job.job_id))
            try:
                snapshot = await self._output_of(await self._finished(job, progress), progress)
            except _GivenUp as reason:
                progress = self._give_up(progress, job.job_id, str(reason))
            except InventoryDamaged as damage:  # the same command asks for another
                self._note(progress.without(job.job_id, damage.reason))
                raise
            else:
                progress = self._note(msgspec.structs.replace(progress, sha256=snapshot.sha256))
                discard(self._files, PART_FILE)
                return snapshot, job.job_id

    # -- the job ------------------------------------------------------------------------------------------------------

    async def _job(self, progress: FetchProgress) -> Job | None:
        """The job to take: the one named, the one asked for here, or one that will do; None to ask for one."""
        if self._wanted.job_id is not None:
            return await self._named(self._wanted.job_id, progress)
        if progress.job_id in progress.asked:
            job = await self._control.describe_job(progress.job_id)
            if job is not None and why_unusable(job, self._waiter.now()) is None:
                return job
        jobs = [job async for job in self._control.list_jobs()]
        if not jobs:
            return None
        known = await self._known(progress)
        chosen = choose_job(jobs, self._wanted, known, begun=progress.job_id)
        if chosen is None and not self._wanted.is_new:
            self._tell_passed_over(jobs, known)
        return chosen

    async def _named(self, job_id: str, progress: FetchProgress) -> Job:
        """The job that was named. Raises ``UsageError`` for one that is not there, or was found not to do."""
        if job_id in progress.passed_over:
            raise self._will_not_do(job_id, progress.passed_over[job_id])
        job = await self._control.describe_job(job_id)
        if job is None:
            raise self._will_not_do(job_id, "the service does not know it (any more)")
        return job

    async def _known(self, progress: FetchProgress) -> Known:
        described = await self._control.describe_vault()  # which also tells what time it is
        return Known(
            now=self._waiter.now(),
            described=described,
            asked=progress.asked,
            passed_over=progress.passed_over,
            id_rule=self._settings.id_rule,
        )

    async def _ask_for_one(self, progress: FetchProgress) -> tuple[Job, FetchProgress]:
        """Ask for a job, once the vault has an inventory at all. Raises ``NeverInventoried`` when none came."""
        begun = progress.begun
        while (await self._control.describe_vault()).last_inventory is None:
            if self._waiter.now() >= begun + FIRST_INVENTORY_WITHIN:
                raise NeverInventoried(
                    f"{self._control.vault.arn}: the service has made no inventory of it in the three days since "
                    f"{begun:%Y-%m-%dT%H:%M:%SZ}, and makes the first within a day of the first upload. Nothing was "
                    "written to it until then, so there is nothing to fetch and nothing to delete."
                )
            until = self._waiter.now() + _FIRST_INVENTORY_LOOK
            what = (
                "the vault's first inventory, which comes half a day to a day after its first upload (without one by "
                f"{begun + FIRST_INVENTORY_WITHIN:%Y-%m-%dT%H:%M:%SZ}, nothing was written to it)"
            )
            await self._waiter.wait(Waiting(what=what, until=until))
        job_id = await self._control.initiate_inventory(mark(self._waiter.now()))
        discard(self._files, PART_FILE)
        progress = self._note(msgspec.structs.replace(progress, job_id=job_id, asked=(*progress.asked, job_id)))
        job = await self._control.describe_job(job_id)
        if job is None:
            raise RunStopped(f"inventory job {job_id} was accepted and is not there. Run the same command again.")
        if job.state is not JobState.FAILED and (reason := why_unusable(job, self._waiter.now())) is not None:
            raise RunStopped(
                f"inventory job {job_id}, asked for a moment ago at {self._control.endpoint_url}, can't be used: "
                f"{reason}. Amazon Glacier's can, so this is something else, as moto's server is, or a part of it. To "
                "try this without AWS: glacier-purge simulate."
            )
        return job, progress

    async def _finished(self, job: Job, progress: FetchProgress) -> Job:
        """Wait until the job is done. Raises ``_GivenUp`` when it fails, is forgotten, or turns out not to do."""
        while (reason := why_unusable(job, self._waiter.now())) is None and job.state is JobState.IN_PROGRESS:
            await self._wait_for(job)
            found = await outlasting(self._waiter, partial(self._control.describe_job, job.job_id))
            if found is None:
                raise _GivenUp("the service does not know it any more")
            job = found
        if reason is None and not is_own(job, progress.asked):
            reason = why_passed_over(job, await self._known(progress))
        if reason is not None:
            raise _GivenUp(reason)
        return job

    async def _wait_for(self, job: Job) -> None:
        """Wait until an unfinished job is worth another look."""
        what = (
            f"inventory job {job.job_id[:12]}... of {self._control.vault.name}, begun "
            f"{job.created:%Y-%m-%dT%H:%M:%SZ}; such jobs take {JOB_TAKES}"
        )
        await self._waiter.wait(Waiting(what=what, until=next_look(job, self._waiter.now())))

    def _give_up(self, progress: FetchProgress, job_id: str, reason: str) -> FetchProgress:
        """Note why the job does not do. Raises when it was the one that was named, or the last to be asked for."""
        self._discard()
        progress = self._note(progress.without(job_id, reason))
        if self._wanted.job_id is not None:
            raise self._will_not_do(job_id, reason)
        if len(progress.passed_over.keys() & set(progress.asked)) >= JOBS_MAX:
            told = "; ".join(progress.tried)
            raise RunStopped(f"no inventory of {self._control.vault.arn} was to be had ({told}). Try again later.")
        self._tell(job_id, reason)
        return progress

    def _will_not_do(self, job_id: str, reason: str) -> UsageError:
        return UsageError(
            f"inventory job {job_id} of {self._control.vault.arn} will not do: {reason}. Without --job-id another is "
            "looked for, or asked for."
        )

    def _tell_passed_over(self, jobs: Sequence[Job], known: Known) -> None:
        """Say why none of other people's jobs will do, but for those that were told of before."""
        others = [
            (job, reason)
            for job, reason in passed_over_jobs(jobs, self._wanted, known)
            if job.action is JobAction.INVENTORY
            and not is_own(job, known.asked)
            and job.job_id not in known.passed_over
        ]
        for job, reason in others[:_NAMED_MAX]:
            self._tell(job.job_id, reason)
        if len(others) > _NAMED_MAX:
            self._say(f"{len(others) - _NAMED_MAX:,} more inventory jobs of {self._control.vault.name} will not do")

    def _tell(self, job_id: str, reason: str) -> None:
        self._say(f"inventory job {job_id} of {self._control.vault.name} is passed over: {reason}")

    # -- its output ---------------------------------------------------------------------------------------------------

    async def _output_of(self, job: Job, progress: FetchProgress) -> Snapshot:
        """Download and read a finished job's output.

        Raises ``_GivenUp`` when it is gone meanwhile, or turns out not to be the whole vault's; what is wrong with the
        output of a job that was asked for here is ``InventoryDamaged``.
        """
        assert job.size_bytes is not None
        damaged, is_asked = 0, job.job_id in progress.asked
        while True:
            try:
                await outlasting(self._waiter, partial(self._download, job.job_id, job.size_bytes))
            except ControlRefused as refused:
                if refused.is_not_there:
                    raise _GivenUp("its output expired before it was here") from refused
                raise
            try:
                snapshot = await anyio.to_thread.run_sync(self._read_through, job.size_bytes)
                await self._check(snapshot, job, progress)
            except InventoryDamaged as damage:
                self._discard()
                damaged += 1
                if damaged > _DAMAGED_MAX:
                    if is_asked:
                        reason = f"{damage.reason}. The same command asks for another inventory job"
                        raise InventoryDamaged(reason, offset_bytes=damage.offset_bytes, file=damage.file) from damage
                    raise _GivenUp(damage.reason) from damage
            else:
                return snapshot

    async def _check(self, snapshot: Snapshot, job: Job, progress: FetchProgress) -> None:
        """Hold an inventory against what the service says of the vault."""
        if snapshot.vault_arn != self._control.vault.arn:
            raise InventoryDamaged(
                f"it is of {snapshot.vault_arn}, the job was of {self._control.vault.arn}",
                offset_bytes=0,
                file=snapshot.path.name,
            )
        described, is_ours = await self._control.describe_vault(), is_own(job, progress.asked)
        reason = why_not_whole(snapshot.records, inventory_time(snapshot), described, is_ours=is_ours)
        if reason is not None and job.job_id not in progress.asked:
            raise _GivenUp(reason)
        if reason is not None:
            raise InventoryDamaged(reason, offset_bytes=snapshot.size_bytes, file=snapshot.path.name)

    async def _download(self, job_id: str, size_bytes: int) -> None:
        how, part = self._settings, self._folder / PART_FILE
        await download(self._control, job_id, size_bytes, part, chunk_bytes=how.chunk_bytes, sleep=how.sleep)

    def _read_through(self, size_bytes: int) -> Snapshot:
        part = self._folder / PART_FILE
        with os.fdopen(open_own(part), "rb") as own:  # nobody else's, to be read by its name next
            found_bytes = os.fstat(own.fileno()).st_size
        if found_bytes != size_bytes:
            raise InventoryDamaged(f"the job's output has {size_bytes:,}", offset_bytes=found_bytes, file=str(part))
        discard(self._files, *SPOOLED_FILES)  # of a reading through that a crash cut short
        with Source(str(part)) as source:
            return spool(source, self._folder, self._settings.id_rule)

    def _discard(self) -> None:
        discard(self._files, PART_FILE, *SPOOLED_FILES)

    # -- what is remembered -------------------------------------------------------------------------------------------

    def _recall(self) -> FetchProgress:
        """What an earlier call left, unless something else is wanted than that."""
        arn, wanted = self._control.vault.arn, self._wanted
        progress = read_progress(self._folder)
        if progress is None:
            return self._note(FetchProgress(vault_arn=arn, begun=self._waiter.now().replace(microsecond=0)))
        if progress.vault_arn != arn:
            raise UsageError(f"{self._folder} holds an inventory of {progress.vault_arn}, not of {arn}.")
        is_under_way = progress.sha256 is None and progress.job_id in progress.asked
        is_another = wanted.job_id not in (None, progress.job_id)
        if progress.job_id is not None and (is_another or (wanted.is_new and not is_under_way)):
            progress = self._note(progress.anew())  # first: a note of what is gone could not be gone on with
            self._discard()
        return progress

    def _note(self, progress: FetchProgress) -> FetchProgress:
        write_progress(self._folder, progress)
        return progress

    def _again(self, sha256: str) -> Snapshot:
        """Read the inventory that an earlier call got. Raises ``PlanRefused`` when it was changed since, or is another
        vault's.
        """
        path = self._folder / INVENTORY_FILE
        reading, period = HashedReading(name=str(path), id_rule=self._settings.id_rule), Period()
        try:
            with os.fdopen(open_own(path), "rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    note_uploads(period, reading.take(chunk))
        except OSError as error:
            raise PlanRefused(f"{path} cannot be read: {error.strerror}. Fetch it into a new folder.") from error
        note_uploads(period, reading.finish())
        if reading.sha256 != sha256:
            raise PlanRefused(f"{path} was changed after it was fetched. Fetch it into a new folder.")
        snapshot = read_through(path, reading, period)
        if snapshot.vault_arn != self._control.vault.arn:
            raise PlanRefused(
                f"{path} is the inventory of {snapshot.vault_arn}, not of {self._control.vault.arn}. Take "
                f"{self._folder / PROGRESS_FILE} away, and the same command fetches another."
            )
        return snapshot


def drop_inventory(folder: Path) -> None:
    """Take away whatever a retrieval left in a folder. Raises ``DiskFailed``.

    First what is noted of it, which could not be gone on with once its inventory is gone.
    """
    discard(FolderFiles(folder), PROGRESS_FILE, *SPOOLED_FILES, PART_FILE)


def inventory_time(snapshot: Snapshot) -> datetime | None:
    """When a snapshot's inventory was taken (UTC), to the second; None when it does not say."""
    date = creation_time(snapshot.inventory_date or "")
    return None if date is None else date.replace(microsecond=0)
