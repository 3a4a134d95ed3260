"""What keeps a run's or a lifecycle's folder in the bucket that the settings name, put together in one place."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import TYPE_CHECKING

from glacier_purge.api.values import replica_bucket
from glacier_purge.plan.identity import read_identity
from glacier_purge.replica.folder_replica import FolderReplica
from glacier_purge.replica.log_replica import LogKeeping, ReplicaSettings
from glacier_purge.replica.places import lifecycle_key, run_key
from glacier_purge.storage.folder import TERMS_FILE
from glacier_purge.storage.ownership import read_own

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier_purge.api.clients import Clients
    from glacier_purge.archive import Vault
    from glacier_purge.aws.access import Access
    from glacier_purge.aws.bucket import Bucket
    from glacier_purge.plan.document import Plan
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder


async def opened_bucket(settings: Settings, clients: Clients, access: Access, region: str) -> Bucket | None:
    """The bucket that the settings name; None where they name none."""
    wanted = replica_bucket(settings)
    return None if wanted is None else await clients.bucket(wanted, access, region)


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
