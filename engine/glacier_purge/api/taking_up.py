"""A vault of a fleet that another host carried last, or whose disk was lost: its folder made here again as it was left.

What a bucket keeps of the vault's lifecycle is looked for where nothing is here, and where what is here turns out to be
behind.  It is restored while nobody else holds the vault's lease, and put in its place in one step; a folder that was
behind is kept beside the others, as it is.
"""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

from glacier_purge.api.leasing import leasing
from glacier_purge.api.replicating import opened_bucket
from glacier_purge.api.restoring import restored_folder
from glacier_purge.api.values import access, endpoint
from glacier_purge.errors import AuditDamaged
from glacier_purge.lifecycle.steps_file import read_steps
from glacier_purge.replica.places import lifecycle_key, lifecycles_of
from glacier_purge.replica.restoring import replicas_below
from glacier_purge.storage.folder import TERMS_FILE, RunFolder
from glacier_purge.storage.ownership import read_own

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from glacier_purge.api.clients import Clients
    from glacier_purge.archive import Vault
    from glacier_purge.aws.bucket import Bucket
    from glacier_purge.settings import Settings

_ASIDE, _COMING = "superseded", "coming"
"""Folders beside those of the vaults; no vault's is called so."""


async def taken_up(
    path: Path, vault: Vault, settings: Settings, clients: Clients, say: Callable[[str], None], *, is_behind: bool
) -> None:
    """Have the folder ``path`` as it was left on whichever host, where the bucket that the settings name has it.

    Without a bucket, or where that has nothing of the vault, nothing is done.  ``is_behind`` says that the bucket has
    more than what is here.  Raises ``RunLocked`` where another host works on the vault, and as ``restored_folder``
    does; what was here is where it was then.
    """
    address = settings.replica.address
    reached = access(settings, endpoint(settings, vault.region))
    bucket = await opened_bucket(settings, clients, reached, vault.region)
    if address is None or bucket is None:
        return
    mine = _key_here(path, vault)
    key = mine if is_behind else await _key_wanted(bucket, vault, path, mine)
    if key is None:
        return
    coming = path.parent / _COMING / path.name
    async with leasing(vault, settings, clients, reached, path) as lease:
        await lease.hold(path)
        shutil.rmtree(coming, ignore_errors=True)  # of a process that was killed in the middle
        RunFolder.open(path.parent).make_folder(_COMING)
        origin = str(address._replace(prefix=address.key(key).rstrip("/")))
        found = await restored_folder(origin, coming, settings, clients)
        _put_in_place(found.folder.path, path)
    say(f"goes on with what was left in {origin}")


def _key_here(path: Path, vault: Vault) -> str | None:
    try:
        terms = read_own(path / TERMS_FILE)
    except FileNotFoundError:
        return None
    return lifecycle_key(vault.arn, hashlib.sha256(terms).hexdigest())


async def _key_wanted(bucket: Bucket, vault: Vault, path: Path, mine: str | None) -> str | None:
    """The lifecycle to restore; None where what is here is to be gone on with, or there is nothing.

    What is here and made no step was never kept elsewhere, and is no reason to begin anew what others began.
    """
    if mine is not None and _has_steps(path):
        return None
    there = await replicas_below(bucket, lifecycles_of(vault.arn))
    if not there or mine in there:
        return None
    reached = {key: len(await bucket.keys(f"{key}files/")) for key in there}
    return max(sorted(there), key=reached.__getitem__)


def _has_steps(path: Path) -> bool:
    try:
        return bool(read_steps(path))
    except AuditDamaged:
        return True  # going on will say so


def _put_in_place(coming: Path, path: Path) -> None:
    if path.exists():
        beside = path.parent / _ASIDE
        RunFolder.open(path.parent).make_folder(_ASIDE)
        number = sum(1 for _ in beside.glob(f"{path.name}.*")) + 1
        with RunFolder.open(path).held():
            path.rename(beside / f"{path.name}.{number}")
    coming.rename(path)
