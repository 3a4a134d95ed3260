"""Asks the service which archives are being retrieved before a plan is made, and waits for them where that was asked.

Planning works without the service, so where nobody asked for more than the default, a service that cannot be reached
only leaves the plan with a note that nobody looked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from glacier_purge.errors import GlacierPurgeError
from glacier_purge.plan.retrieval import retrievals
from glacier_purge.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from glacier_purge.plan.choices import InRetrieval
    from glacier_purge.plan.retrieval import Retrievals
    from glacier_purge.service.control import GlacierControl
    from glacier_purge.waiting import Patience

UNASKED_PATIENCE_SECONDS = 10.0
"""How long planning waits for an answer nobody asked for."""


async def held_back(
    in_retrieval: InRetrieval | None,
    control: Callable[[], AbstractAsyncContextManager[GlacierControl]],
    patience: Patience,
) -> frozenset[str] | None:
    """Give the ids of archives to hold back; None when it was not looked.

    "hold" and "wait" raise what the service answers, and "wait" what ``patience`` raises; None holds back what it can
    learn, and "delete" does not ask.
    """
    if in_retrieval == "delete":
        return None
    if in_retrieval is None:
        try:
            with anyio.fail_after(UNASKED_PATIENCE_SECONDS):
                return (await _look(control, patience)).archive_ids
        except (GlacierPurgeError, TimeoutError):
            return None
    found = await _look(control, patience)
    while in_retrieval == "wait" and found.look_again is not None:
        what = f"{len(found.archive_ids):,} archives that are being retrieved"
        await patience.wait(Waiting(what=what, until=found.look_again))
        found = await _look(control, patience)
    return found.archive_ids


async def _look(control: Callable[[], AbstractAsyncContextManager[GlacierControl]], patience: Patience) -> Retrievals:
    async with control() as service:
        jobs = [job async for job in service.list_jobs()]
    return retrievals(jobs, patience.now())
