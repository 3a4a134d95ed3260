"""Asks the service what an inventory at hand cannot tell: whether somebody has written to the vault since.

It is a warning and stops nothing, so a service that does not answer only makes it a poorer one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from glacier_purge.errors import GlacierPurgeError
from glacier_purge.inventory.dates import creation_time
from glacier_purge.plan.writers import Listed, Told, judge_writers
from glacier_purge.service.control import ControlRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime, timedelta

    from glacier_purge.inventory.snapshot import Snapshot
    from glacier_purge.plan.finding import Finding
    from glacier_purge.service.control import GlacierControl

PATIENCE_SECONDS = 10.0
"""How long an answer is waited for that nobody asked for."""


async def signs_of_writers(
    snapshot: Snapshot,
    control: Callable[[], AbstractAsyncContextManager[GlacierControl]] | None,
    now: datetime,
    recent: timedelta,
) -> Finding:
    """Judge who writes to the vault of ``snapshot``; without ``control`` the service is not asked. Raises nothing."""
    listed = Listed(
        records=snapshot.records,
        taken=creation_time(snapshot.inventory_date or ""),
        newest=creation_time(snapshot.newest or ""),
    )
    told = None
    if control is not None:
        try:
            with anyio.fail_after(PATIENCE_SECONDS):
                async with control() as service:
                    told = Told(vault=await service.describe_vault(), uploads=await _uploads(service))
        except (GlacierPurgeError, TimeoutError):
            told = None
    return judge_writers(listed, told, now, recent)


async def _uploads(service: GlacierControl) -> int | None:
    try:
        return sum([1 async for _ in service.multipart_uploads()])
    except ControlRefused as refused:
        if not refused.is_denied:
            raise
        return None
