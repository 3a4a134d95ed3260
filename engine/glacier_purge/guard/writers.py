"""Whether somebody still writes to a vault, judged from an inventory at hand and from what the service says now.

A purge deletes what its inventory lists.  What is uploaded afterwards stays, keeps the vault from being removed and
takes another round.  So it is a warning and stops nothing: verification and ``--freeze`` deal with it, and a service
that does not answer only makes it a poorer one.  The judging is pure; ``signs_of_writers`` asks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio

from glacier_purge.errors import GlacierPurgeError
from glacier_purge.glacier.control import ControlRefused, GlacierControl
from glacier_purge.glacier.port import VaultDescription
from glacier_purge.glacier.waiting import UNASKED_PATIENCE_SECONDS
from glacier_purge.guard.findings import Finding, Weight
from glacier_purge.inventory.dates import creation_time
from glacier_purge.inventory.snapshot import Snapshot

SUBJECT = "writers"
_WHY = (
    "what is uploaded after the inventory is not in the plan: it stays, keeps the vault from being removed, and takes "
    "another round"
)
_ADVICE = "find out who uploads and stop it, or deny uploads with --freeze; verify shows what came since"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedUploads:
    """What an inventory tells of uploads: its records, when it was taken, and when its newest archive was uploaded."""

    records: int
    taken: datetime | None
    newest: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the service says now; ``uploads`` are the multipart uploads in progress, None where that may not be read."""

    vault: VaultDescription
    uploads: int | None


async def signs_of_writers(
    snapshot: Snapshot,
    control: Callable[[], Awaitable[GlacierControl]] | None,
    now: datetime,
    recent: timedelta,
) -> Finding:
    """Judge who writes to the vault of ``snapshot``; without ``control`` the service is not asked. Raises nothing."""
    listed = ListedUploads(
        records=snapshot.records,
        taken=creation_time(snapshot.inventory_date or ""),
        newest=creation_time(snapshot.newest or ""),
    )
    told = None
    if control is not None:
        try:
            with anyio.fail_after(UNASKED_PATIENCE_SECONDS):
                service = await control()
                told = Told(vault=await service.describe_vault(), uploads=await _uploads(service))
        except (GlacierPurgeError, TimeoutError):
            told = None
    return judge_writers(listed, told, now, recent)


def judge_writers(listed: ListedUploads, told: Told | None, now: datetime, recent: timedelta) -> Finding:
    """What an inventory and the service say of uploads; ``told`` is None when the service was not asked.

    An upload is a recent one for ``recent``.
    """
    signs = [*_in_inventory(listed, now, recent), *_at_the_service(listed, told)]
    if signs:
        return Finding(
            weight=Weight.WARNING,
            subject=SUBJECT,
            what=f"somebody may still write to the vault: {'; '.join(signs)}",
            why=_WHY,
            advice=_ADVICE,
        )
    quiet = f"no archive listed is younger than {recent.days:,} days"
    if told is None:
        return Finding(weight=Weight.NOTE, subject=SUBJECT, what=f"{quiet}; the service was not asked what came since")
    return Finding(weight=Weight.FINE, subject=SUBJECT, what=f"{quiet}, and the service counts no more than are listed")


def judge_last_change(described: VaultDescription, now: datetime, recent: timedelta) -> Finding:
    """What the date of a vault's last inventory says of uploads, where there is no inventory at hand."""
    last = described.last_inventory
    if last is None or now - last > recent:
        return Finding(weight=Weight.FINE, subject=SUBJECT, what=f"no inventory was made in {recent.days:,} days")
    return Finding(
        weight=Weight.WARNING,
        subject=SUBJECT,
        what=f"an inventory was made at {last:%Y-%m-%dT%H:%M:%SZ}, so archives were uploaded or deleted about then",
        why=f"the service makes one only after a change; {_WHY}",
        advice=_ADVICE,
    )


def _in_inventory(listed: ListedUploads, now: datetime, recent: timedelta) -> Iterator[str]:
    if listed.newest is not None and now - listed.newest <= recent:
        yield f"the newest archive listed was uploaded at {listed.newest:%Y-%m-%dT%H:%M:%SZ}"


def _at_the_service(listed: ListedUploads, told: Told | None) -> Iterator[str]:
    if told is None:
        return
    last, archives = told.vault.last_inventory, told.vault.archives
    if last is not None and archives is not None and archives > listed.records and not _is_older(last, listed):
        more = archives - listed.records
        yield f"the service counts {archives:,} archives as of {last:%Y-%m-%dT%H:%M:%SZ}, {more:,} more than are listed"
    if told.uploads:
        yield f"{told.uploads:,} multipart uploads are in progress"


def _is_older(last: datetime, listed: ListedUploads) -> bool:
    """Whether the service's inventory is older than the one at hand, which may then list fewer for good reason."""
    return listed.taken is not None and last.replace(microsecond=0) < listed.taken.replace(microsecond=0)


async def _uploads(service: GlacierControl) -> int | None:
    try:
        return sum([1 async for _ in service.multipart_uploads()])
    except ControlRefused as refused:
        if not refused.is_denied:
            raise
        return None
