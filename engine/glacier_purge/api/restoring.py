"""A folder made again on this host from what a bucket keeps of it; or no folder at all, when anything is in doubt."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import anyio.to_thread

from glacier_purge.api.anchoring import sound_folder
from glacier_purge.api.values import access
from glacier_purge.archive import Vault
from glacier_purge.aws.bucket import BucketAccess, BucketAddress
from glacier_purge.clock import wall_seconds
from glacier_purge.errors import AuditDamaged, UsageError
from glacier_purge.lifecycle.state import is_lifecycle
from glacier_purge.lifecycle.terms import read_terms
from glacier_purge.plan.document import read_plan
from glacier_purge.replica.places import above
from glacier_purge.replica.restoring import Restored, Restorer, replicas_below, restore
from glacier_purge.run.host import who
from glacier_purge.storage.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from glacier_purge.api.clients import Clients
    from glacier_purge.aws.bucket import Bucket
    from glacier_purge.settings import Settings

_BUCKETS_REGION = "us-east-1"
"""Where a bucket is asked of which nobody said the region; S3 says then which it is."""
_TOLD_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredFolder:
    """What was restored. ``settings`` name the replica's prefix, so that whoever goes on keeps it up."""

    folder: RunFolder
    vault: Vault
    is_lifecycle: bool
    origin: str
    found: Restored
    settings: Settings


async def restored_folder(origin: str, run_dir: Path, settings: Settings, clients: Clients) -> RestoredFolder:
    """Make ``run_dir``, which must be new, from the replica at ``origin``, or from the only one below it.

    Raises ``UsageError`` for no replica or several, ``AuditDamaged`` and ``PlanRefused`` for one that does not hold
    together, ``BucketAway`` and ``DiskFailed``; nothing is left in ``run_dir`` then.
    """
    address = BucketAddress.parse(origin)
    wanted = BucketAccess(address, settings.replica.region, settings.replica.endpoint_url)
    region = settings.replica.region or settings.aws.region or _BUCKETS_REGION
    bucket = await clients.bucket(wanted, access(settings, settings.aws.endpoint_url), region)
    key = await _only_one(bucket, address)
    address = address._replace(prefix=address.key(key).rstrip("/"))
    restorer = Restorer(by=who(), tool_version=version("glacier-purge"), wall_clock=wall_seconds)
    with _new_folder(run_dir) as folder:
        found = await restore(bucket, key, folder, restorer)
        for log in found.logs:
            if log.records == 0:
                raise AuditDamaged("its log has no line", file=log.place, offset_bytes=0)
        await anyio.to_thread.run_sync(sound_folder, folder.path)
        is_one = is_lifecycle(folder.path)
        vault = _vault(folder, is_one)
    return RestoredFolder(
        folder=folder,
        vault=vault,
        is_lifecycle=is_one,
        origin=str(address),
        found=found,
        settings=_kept_up(settings, address),
    )


@contextmanager
def _new_folder(path: Path) -> Iterator[RunFolder]:
    """Make a folder; take it away again when what is to lie in it does not hold together."""
    folder = RunFolder.create(path)
    try:
        yield folder
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


async def _only_one(bucket: Bucket, address: BucketAddress) -> str:
    found = await replicas_below(bucket, "")
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"{address} holds no replica of a run or of a lifecycle. Nothing was made.")
    named = ", ".join(str(address._replace(prefix=address.key(one).rstrip("/"))) for one in found[:_TOLD_MAX])
    more = f" and {len(found) - _TOLD_MAX:,} more" if len(found) > _TOLD_MAX else ""
    raise UsageError(f"{address} holds {len(found):,} replicas: give one of them, {named}{more}. Nothing was made.")


def _vault(folder: RunFolder, is_one: bool) -> Vault:
    if not is_one:
        return read_plan(folder.plan_file).vault
    terms = read_terms(folder.path)
    if terms is None:
        raise AuditDamaged("it is missing", file=str(folder.path / "terms.json"), offset_bytes=0)
    return Vault.from_arn(terms.vault_arn)


def _kept_up(settings: Settings, address: BucketAddress) -> Settings:
    """The settings with the prefix of all replicas, where the one at ``address`` lies as this tool puts it."""
    prefix = above(address.prefix)
    if prefix is None or settings.replica.url is not None:
        return settings
    url = str(address._replace(prefix=prefix))
    return settings.model_copy(update={"replica": settings.replica.model_copy(update={"url": url})})
