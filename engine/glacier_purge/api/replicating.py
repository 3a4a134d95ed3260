"""What keeps a run's or a lifecycle's folder in the bucket that the settings name, put together in one place."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import TYPE_CHECKING

import anyio

from glacier_purge.api.values import access, replica_bucket
from glacier_purge.aws.bucket import BucketAway
from glacier_purge.plan.identity import read_identity
from glacier_purge.replica.folder_replica import FolderReplica
from glacier_purge.replica.log_replica import LogKeeping, ReplicaSettings
from glacier_purge.replica.places import fleet_key, lifecycle_key, run_key
from glacier_purge.storage.folder import TERMS_FILE
from glacier_purge.storage.ownership import read_own

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier_purge.api.clients import Clients
    from glacier_purge.archive import Vault
    from glacier_purge.aws.access import Access
    from glacier_purge.aws.bucket import Bucket, BucketAccess
    from glacier_purge.fleet.roster import Roster
    from glacier_purge.plan.document import Plan
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder


BUCKETS_REGION = "us-east-1"
"""Where a bucket is asked of which nobody said the region; S3 says then which it is."""


async def opened_bucket(settings: Settings, clients: Clients, access: Access, region: str) -> Bucket | None:
    """The bucket that the settings name; None where they name none."""
    wanted = replica_bucket(settings)
    return None if wanted is None else await clients.bucket(wanted, access, region)


async def opened_alone(settings: Settings, clients: Clients, wanted: BucketAccess | None = None) -> Bucket | None:
    """The bucket that the settings name, or ``wanted``, asked for beside no vault: nobody says its region then."""
    named = wanted or replica_bucket(settings)
    region = settings.replica.region or settings.aws.region or BUCKETS_REGION
    return None if named is None else await clients.bucket(named, access(settings, settings.aws.endpoint_url), region)


def of_run(bucket: Bucket, folder: RunFolder, plan: Plan, lease_epoch: Callable[[], int] = lambda: 0) -> FolderReplica:
    """What keeps a run's folder in the bucket."""
    key = run_key(plan.vault.arn, read_identity(folder, plan).run, plan.digest)
    tool_version = version("glacier-purge")
    return FolderReplica(bucket, key, folder.path, tool_version=tool_version, lease_epoch=lease_epoch)


def of_lifecycle(
    bucket: Bucket, folder: RunFolder, vault: Vault, lease_epoch: Callable[[], int] = lambda: 0
) -> FolderReplica:
    """What keeps a lifecycle's folder in the bucket; its terms are settled."""
    terms_sha256 = hashlib.sha256(read_own(folder.path / TERMS_FILE)).hexdigest()
    key = lifecycle_key(vault.arn, terms_sha256)
    tool_version = version("glacier-purge")
    return FolderReplica(bucket, key, folder.path, tool_version=tool_version, lease_epoch=lease_epoch)


def of_fleet(bucket: Bucket, folder: RunFolder, roster: Roster) -> FolderReplica:
    """What keeps a fleet's own folder in the bucket; each of its vaults keeps its own."""
    return FolderReplica(bucket, fleet_key(roster.digest), folder.path, tool_version=version("glacier-purge"))


class FleetKeeping:
    """Has a fleet's own folder in the bucket, for all who carry its vaults side by side."""

    def __init__(self, replica: FolderReplica | None, say: Callable[[str], None]) -> None:
        self._replica = replica
        self._say = say
        self._one_at_a_time = anyio.Lock()

    async def keep(self) -> None:
        """Have it there as it is now. A bucket that is away is told of and waited for by whoever deletes, not here."""
        if self._replica is None:
            return
        async with self._one_at_a_time:
            try:
                await self._replica.keep()
            except BucketAway as away:
                self._say(f"the fleet's own folder is not in its replica: {away} It is tried again with each vault.")


def log_of(files: FolderReplica, run: RunFolder, settings: Settings) -> LogKeeping:
    """What keeps the log of a run whose folder is the one of ``files``, or a round in it."""
    below = "" if run.path == files.path else f"{run.path.name}/"
    return LogKeeping(
        bucket=files.bucket,
        folder=f"{files.key}{below}log/",
        settings=ReplicaSettings.of_lease(settings.replica.lease_seconds),
        tool_version=files.tool_version,
        files=files,
        lease_epoch=files.lease_epoch,
    )
