"""Gets a vault's inventory from the service: finds or asks for the job, waits, downloads, and reads it through.

Everything reached is on disk before anything is waited for, so a stop at any moment costs at most a part of one range,
and the same call goes on: the job asked for is remembered, and so is what of its output came.  A job that fails, or
whose output expires before it is here, is given up and another asked for, a few times at most.  Nothing of an output
is believed until all of it was read: whole, well formed, of this vault, and with as many archives as the service counts
where both speak of the same moment.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from glacier_purge.archive import EXACT, IdRule, Vault
from glacier_purge.errors import InventoryDamaged, PlanRefused, RunStopped, UsageError
from glacier_purge.glacier.control import ControlRefused, GlacierControl, Job, JobState
from glacier_purge.glacier.port import VaultDescription
from glacier_purge.glacier.waiting import Waiter, Waiting, outlasting
from glacier_purge.inventory.dates import Period, creation_time
from glacier_purge.inventory.fetching.download import PART_FILE, download
from glacier_purge.inventory.fetching.job_choice import JOB_TAKES, Wanted, choose_job, next_look, why_unusable
from glacier_purge.inventory.fetching.progress import FetchProgress, read_progress, write_progress
from glacier_purge.inventory.format.reading import HashedReading
from glacier_purge.inventory.snapshot import Snapshot, note_uploads, read_through, spool
from glacier_purge.inventory.source import CHUNK_BYTES, Source
from glacier_purge.storage.disk import FolderFiles
from glacier_purge.storage.documents import discard
from glacier_purge.storage.ownership import open_own

INVENTORY_FILE = "inventory.json"
_SHA256_FILE = f"{INVENTORY_FILE}.sha256"
JOBS_MAX = 4
"""So many jobs may fail, expire or give nonsense before somebody has to look."""
_FIRST_INVENTORY_LOOK = timedelta(hours=1)
FIRST_INVENTORY_WITHIN = timedelta(hours=72)
"""So long a vault's first inventory is waited for. It comes half a day to a day after the first upload, so without one
by then nothing was written to the vault before the waiting began."""
_DAMAGED_MAX = 2


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
    """One inventory on its way into ``folder``, which has to be there and is nobody else's."""

    def __init__(
        self,
        control: GlacierControl,
        folder: Path,
        wanted: Wanted,
        waiter: Waiter,
        settings: RetrievalSettings = RetrievalSettings(),
    ) -> None:
        self._control = control
        self._folder = folder
        self._files = FolderFiles(folder)
        self._wanted = wanted
        self._waiter = waiter
        self._settings = settings
        self._damaged = 0

    async def fetch(self) -> tuple[Snapshot, str]:
        """Return the inventory, spooled in the folder, and the id of its job; at once when an earlier call got it.

        Raises ``InventoryDamaged`` for an output not to be believed, ``UsageError`` for a job that won't do,
        ``RunStopped`` after ``JOBS_MAX`` jobs in vain, ``NeverInventoried`` for a vault that was never written to,
        ``Pending`` as the waiter has it, and as ``control`` does.
        """
        progress = self._recall()
        while True:
            if progress.sha256 is not None and progress.job_id is not None:
                return await anyio.to_thread.run_sync(self._again, progress.sha256), progress.job_id
            job = await self._job(progress)
            if job.job_id != progress.job_id:
                discard(self._files, PART_FILE)
                progress = self._note(msgspec.structs.replace(progress, job_id=job.job_id))
            try:
                snapshot = await self._output_of(await self._finished(job))
            except _GivenUp as reason:
                progress = self._give_up(progress, job, str(reason))
            else:
                progress = self._note(msgspec.structs.replace(progress, sha256=snapshot.sha256))
                discard(self._files, PART_FILE)
                return snapshot, job.job_id

    # -- the job ------------------------------------------------------------------------------------------------------

    async def _job(self, progress: FetchProgress) -> Job:
        """The job to take: the one remembered, the one asked for, one that will do, or a new one."""
        given = self._wanted.job_id or progress.job_id
        if given is not None:
            job = await self._control.describe_job(given)
            if job is not None and (reason := why_unusable(job, self._waiter.now())) is None:
                return job
            if self._wanted.job_id is not None:
                reason = why_unusable(job, self._waiter.now()) if job else "the service does not know it (any more)"
                raise UsageError(f"inventory job {given} of {self._control.vault.arn} will not do: {reason}.")
        jobs = [job async for job in self._control.list_jobs() if why_unusable(job, self._waiter.now()) is None]
        jobs = [job for job in jobs if not any(tried.startswith(job.job_id) for tried in progress.tried)]
        chosen = choose_job(jobs, self._wanted, self._waiter.now())
        return chosen if chosen is not None else await self._ask_for_one(datetime.fromisoformat(progress.begun))

    async def _ask_for_one(self, begun: datetime) -> Job:
        """Ask for a job, once the vault has an inventory at all. Raises ``NeverInventoried`` when none came."""
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
        job_id = await self._control.initiate_inventory()
        job = await self._control.describe_job(job_id)
        if job is None:
            raise RunStopped(f"inventory job {job_id} was accepted and is not there. Run the same command again.")
        return job

    async def _finished(self, job: Job) -> Job:
        """Wait until the job is done. Raises ``_GivenUp`` when it fails or is forgotten."""
        while job.state is JobState.IN_PROGRESS:
            await self._wait_for(job)
            found = await outlasting(self._waiter, partial(self._control.describe_job, job.job_id))
            if found is None:
                raise _GivenUp("the service does not know it any more")
            job = found
        if (reason := why_unusable(job, self._waiter.now())) is not None:
            raise _GivenUp(reason)
        return job

    async def _wait_for(self, job: Job) -> None:
        """Wait until an unfinished job is worth another look."""
        what = (
            f"inventory job {job.job_id[:12]}... of {self._control.vault.name}, begun "
            f"{job.created:%Y-%m-%dT%H:%M:%SZ}; such jobs take {JOB_TAKES}"
        )
        await self._waiter.wait(Waiting(what=what, until=next_look(job, self._waiter.now())))

    def _give_up(self, progress: FetchProgress, job: Job, reason: str) -> FetchProgress:
        tried = (*progress.tried, f"{job.job_id}: {reason}")
        discard(self._files, PART_FILE)
        progress = self._note(msgspec.structs.replace(progress, job_id=None, tried=tried))
        if self._wanted.job_id is not None or len(tried) >= JOBS_MAX:
            told = "; ".join(tried)
            raise RunStopped(f"no inventory of {self._control.vault.arn} was to be had ({told}). Try again later.")
        return progress

    # -- its output ---------------------------------------------------------------------------------------------------

    async def _output_of(self, job: Job) -> Snapshot:
        """Download and read a finished job's output. Raises ``_GivenUp`` when it is gone meanwhile."""
        assert job.size_bytes is not None
        while True:
            try:
                await outlasting(self._waiter, partial(self._download, job.job_id, job.size_bytes))
            except ControlRefused as refused:
                if refused.is_not_there:
                    raise _GivenUp("its output expired before it was here") from refused
                raise
            try:
                snapshot = await anyio.to_thread.run_sync(self._read_through, job.size_bytes)
                check(snapshot, self._control.vault, await self._control.describe_vault())
            except InventoryDamaged:
                self._discard()
                self._damaged += 1
                if self._damaged > _DAMAGED_MAX:
                    raise
            else:
                return snapshot

    async def _download(self, job_id: str, size_bytes: int) -> None:
        how, part = self._settings, self._folder / PART_FILE
        await download(self._control, job_id, size_bytes, part, chunk_bytes=how.chunk_bytes, sleep=how.sleep)

    def _read_through(self, size_bytes: int) -> Snapshot:
        part = self._folder / PART_FILE
        with os.fdopen(open_own(part), "rb") as own:  # nobody else's, to be read by its name next
            found_bytes = os.fstat(own.fileno()).st_size
        if found_bytes != size_bytes:
            raise InventoryDamaged(f"the job's output has {size_bytes:,}", offset_bytes=found_bytes, file=str(part))
        discard(self._files, INVENTORY_FILE, _SHA256_FILE)  # of a reading through that a crash cut short
        with Source(str(part)) as source:
            return spool(source, self._folder, self._settings.id_rule)

    def _discard(self) -> None:
        discard(self._files, PART_FILE, INVENTORY_FILE, _SHA256_FILE)

    # -- what is remembered -------------------------------------------------------------------------------------------

    def _recall(self) -> FetchProgress:
        arn = self._control.vault.arn
        progress = read_progress(self._folder)
        if progress is None:
            return self._note(FetchProgress(vault_arn=arn, begun=f"{self._waiter.now():%Y-%m-%dT%H:%M:%SZ}"))
        if progress.vault_arn != arn:
            raise UsageError(f"{self._folder} holds an inventory of {progress.vault_arn}, not of {arn}.")
        if self._wanted.job_id not in (None, progress.job_id):
            return self._note(FetchProgress(vault_arn=arn, begun=progress.begun))
        return progress

    def _note(self, progress: FetchProgress) -> FetchProgress:
        write_progress(self._folder, progress)
        return progress

    def _again(self, sha256: str) -> Snapshot:
        """Read the inventory that an earlier call got. Raises ``PlanRefused`` when it was changed since."""
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
        return read_through(path, reading, period)


def check(snapshot: Snapshot, vault: Vault, described: VaultDescription) -> None:
    """Hold an inventory against what the service says of the vault. Raises ``InventoryDamaged``.

    The counts of both are comparable only when both are as of the same inventory; the two dates are written with and
    without milliseconds, so they are compared to the second.
    """
    if snapshot.vault_arn != vault.arn:
        raise InventoryDamaged(
            f"it is of {snapshot.vault_arn}, the job was of {vault.arn}", offset_bytes=0, file=snapshot.path.name
        )
    date = inventory_time(snapshot)
    same = described.last_inventory is not None and date == described.last_inventory.replace(microsecond=0)
    if same and described.archives != snapshot.records:
        raise InventoryDamaged(
            f"it lists {snapshot.records:,} archives, and the service counts {described.archives} as of the same "
            f"inventory ({snapshot.inventory_date})",
            offset_bytes=snapshot.size_bytes,
            file=snapshot.path.name,
        )


def inventory_time(snapshot: Snapshot) -> datetime | None:
    """When a snapshot's inventory was taken (UTC), to the second; None when it does not say."""
    date = creation_time(snapshot.inventory_date or "")
    return None if date is None else date.replace(microsecond=0)
