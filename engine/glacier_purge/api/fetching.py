"""Fetches a vault's inventory from the service, into a file of its own or into a run folder."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from glacier_purge.api.addresses import vault_by_name
from glacier_purge.api.values import access, endpoint
from glacier_purge.errors import UsageError
from glacier_purge.glacier.service_clock import OnServiceTime
from glacier_purge.inventory.fetching.job_choice import ANY_JOB, WantedJob
from glacier_purge.inventory.fetching.retrieval import INVENTORY_FILE, Retrieval, RetrievalSettings
from glacier_purge.report.results.planning import Fetched
from glacier_purge.storage.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from glacier_purge.api.clients import Clients
    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.glacier.control import GlacierControl
    from glacier_purge.glacier.waiting import Waiter
    from glacier_purge.settings import Settings

CHUNK_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """How an inventory is fetched: by the job ``wanted``, or one no older than ``age_max`` (None: whose output can be
    downloaded). What was reached is on disk, so the same call goes on. ``say`` is told of jobs that are passed over.
    """

    settings: Settings
    clients: Clients
    waiter: Waiter
    say: Callable[[str], None]
    wanted: WantedJob = ANY_JOB
    age_max: timedelta | None = None
    chunk_bytes: int = CHUNK_BYTES
    credentials: StaticCredentials | None = None

    async def to_file(self, vault: str, target: Path) -> Fetched:
        """Fetch it to ``target``, put in place when it is whole; what is under way lies in ``TARGET.fetch``.

        Raises ``UsageError`` for a file that exists, and as ``into_folder`` does.
        """
        _check_is_new(target)
        folder = RunFolder.open_or_create(Path(f"{target}.fetch"))
        with folder.held():
            fetched = await self._fetched(vault, folder)
            (folder.path / INVENTORY_FILE).rename(target)
            shutil.rmtree(folder.path)
        return msgspec.structs.replace(fetched, file=str(target))

    async def into_folder(self, vault: str, place: Path) -> Fetched:
        """Fetch it into the run folder ``place``.

        Raises ``RunLocked``, ``UsageError`` for a folder in which was planned, and as ``Retrieval.fetch`` does.
        """
        folder = RunFolder.open_or_create(place)
        if folder.plan_file.exists():
            raise UsageError(
                f"{place} holds a plan, which needs the inventory it was made from. Give another --run-dir, or --to."
            )
        with folder.held():
            return await self._fetched(vault, folder)

    async def _fetched(self, vault: str, folder: RunFolder) -> Fetched:
        settings, credentials = self.settings, self.credentials
        address = await vault_by_name(vault, settings, self.clients, credentials=credentials)
        id_rule = settings.inventory.id_rule
        reached = access(
            settings, endpoint(settings, address.region), vault=address, id_rule=id_rule, credentials=credentials
        )
        control = await self.clients.control(address, reached)
        waiter = OnServiceTime(self.waiter, self.clients.clock, self.say)
        how = RetrievalSettings(chunk_bytes=self.chunk_bytes, id_rule=id_rule)
        snapshot, job_id = await Retrieval(
            control, folder.path, await self._wanted(control, waiter), waiter, self.say, how
        ).fetch()
        return Fetched(
            file=str(folder.path / INVENTORY_FILE),
            vault=address.name,
            account_id=address.account_id,
            region=address.region,
            job_id=job_id,
            inventory_date=snapshot.inventory_date,
            records=snapshot.records,
            bytes=snapshot.size_bytes,
            sha256=snapshot.sha256,
        )

    async def _wanted(self, control: GlacierControl, waiter: Waiter) -> WantedJob:
        if self.age_max is None:
            return self.wanted
        await control.describe_vault()  # its reply tells the time by which ages are counted
        return replace(self.wanted, created_from=waiter.now() - self.age_max)


def _check_is_new(target: Path) -> None:
    if target.exists():
        raise UsageError(f"{target} exists already. Give another file with --to.")
