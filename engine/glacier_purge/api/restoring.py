"""A folder made again on this host from what a bucket keeps of it; or no folder at all, when anything is in doubt."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

import anyio.to_thread

from glacier_purge.api.anchoring import sound_folder
from glacier_purge.api.replicating import opened_alone
from glacier_purge.archive import Vault
from glacier_purge.aws.bucket import BucketAccess, BucketAddress
from glacier_purge.clock import wall_seconds
from glacier_purge.errors import AuditDamaged, UsageError
from glacier_purge.fleet.fleet import folder_name
from glacier_purge.fleet.roster import ROSTER_FILE, settled_roster
from glacier_purge.lifecycle.state import is_lifecycle
from glacier_purge.lifecycle.terms import read_terms
from glacier_purge.plan.document import read_plan
from glacier_purge.replica.places import above, is_fleets, lifecycle_key
from glacier_purge.replica.restoring import Restored, Restorer, replicas_below, restore
from glacier_purge.run.host import who
from glacier_purge.storage.folder import TERMS_FILE, RunFolder
from glacier_purge.storage.ownership import read_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from glacier_purge.api.clients import Clients
    from glacier_purge.aws.bucket import Bucket
    from glacier_purge.fleet.roster import Roster
    from glacier_purge.settings import Settings

_TOLD_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredFolder:
    """What was restored. ``settings`` name the replica's prefix, so that whoever goes on keeps it up."""

    folder: RunFolder
    kind: Literal["run", "lifecycle", "fleet"]
    vaults: tuple[Vault, ...]
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
    bucket = await opened_alone(settings, clients, wanted)
    assert bucket is not None, "it was named"
    key = await _only_one(bucket, address)
    address = address._replace(prefix=address.key(key).rstrip("/"))
    restorer = Restorer(by=who(), tool_version=version("glacier-purge"), wall_clock=wall_seconds)
    with _new_folder(run_dir) as folder:
        found = await restore(bucket, key, folder, restorer)
        if is_fleets(address.prefix):
            beside = BucketAddress(address.name, above(address.prefix) or "")
            everything = await opened_alone(settings, clients, wanted._replace(address=beside))
            assert everything is not None, "it was named"
            found = await _with_vaults(found, folder, everything, restorer)
        else:
            await _check(found)
        kind, vaults = _what_it_is(folder)
    return RestoredFolder(
        folder=folder,
        kind=kind,
        vaults=vaults,
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
        raise UsageError(f"{address} holds no replica of a run, a lifecycle or a fleet. Nothing was made.")
    named = ", ".join(str(address._replace(prefix=address.key(one).rstrip("/"))) for one in found[:_TOLD_MAX])
    more = f" and {len(found) - _TOLD_MAX:,} more" if len(found) > _TOLD_MAX else ""
    raise UsageError(f"{address} holds {len(found):,} replicas: give one of them, {named}{more}. Nothing was made.")


async def _check(found: Restored) -> None:
    """Raise ``AuditDamaged`` unless what came back is sound."""
    for log in found.logs:
        if log.records == 0:
            raise AuditDamaged("its log has no line", file=log.place, offset_bytes=0)
    await anyio.to_thread.run_sync(sound_folder, found.path)


async def _with_vaults(fleet: Restored, folder: RunFolder, everything: Bucket, restorer: Restorer) -> Restored:
    """Make the folders of a fleet's vaults, too, whose lifecycles lie elsewhere below the same prefix.

    One whose terms alone are there was begun and had done nothing yet: it begins anew.
    """
    found = fleet
    for one in _roster(folder).vaults:
        place = folder.path / folder_name(Vault.from_arn(one.vault_arn))
        if not (place / TERMS_FILE).exists():
            continue
        key = lifecycle_key(one.vault_arn, hashlib.sha256(read_own(place / TERMS_FILE)).hexdigest())
        shutil.rmtree(place)
        if not await replicas_below(everything, key):
            continue
        made = await restore(everything, key, RunFolder.create(place), restorer)
        await _check(made)
        found = replace(found, files=found.files + made.files, logs=found.logs + made.logs)
    return found


def _roster(folder: RunFolder) -> Roster:
    roster = settled_roster(folder)
    if roster is None:
        raise AuditDamaged("it is missing", file=str(folder.path / ROSTER_FILE), offset_bytes=0)
    return roster


def _what_it_is(folder: RunFolder) -> tuple[Literal["run", "lifecycle", "fleet"], tuple[Vault, ...]]:
    if (folder.path / ROSTER_FILE).exists():
        return "fleet", tuple(Vault.from_arn(one.vault_arn) for one in _roster(folder).vaults)
    if not is_lifecycle(folder.path):
        return "run", (read_plan(folder.plan_file).vault,)
    terms = read_terms(folder.path)
    if terms is None:
        raise AuditDamaged("it is missing", file=str(folder.path / TERMS_FILE), offset_bytes=0)
    return "lifecycle", (Vault.from_arn(terms.vault_arn),)


def _kept_up(settings: Settings, address: BucketAddress) -> Settings:
    """The settings with the prefix of all replicas, where the one at ``address`` lies as this tool puts it."""
    prefix = above(address.prefix)
    if prefix is None or settings.replica.url is not None:
        return settings
    url = str(address._replace(prefix=prefix))
    return settings.model_copy(update={"replica": settings.replica.model_copy(update={"url": url})})
