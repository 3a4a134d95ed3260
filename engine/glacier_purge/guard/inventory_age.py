"""Asks the service, before a plan is made from an old inventory, whether that is still the vault's last one.

Planning works without the service, so it is asked only about an inventory old enough to be in doubt.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import anyio

from glacier_purge.errors import GlacierPurgeError
from glacier_purge.glacier.control import GlacierControl
from glacier_purge.glacier.waiting import UNASKED_PATIENCE_SECONDS
from glacier_purge.guard.rules import Rules, check_inventory, is_aged


async def check_inventory_age(
    inventory_date: str | None,
    rules: Rules,
    now: datetime,
    control: Callable[[], Awaitable[GlacierControl]],
) -> None:
    """Raise ``PlanRefused`` for an inventory that is too old and not, or not known to be, the vault's last."""
    if not is_aged(inventory_date, rules, now):
        return
    described, why_unknown = None, ""
    try:
        with anyio.fail_after(UNASKED_PATIENCE_SECONDS):
            described = await (await control()).describe_vault()
    except TimeoutError:
        why_unknown = "the service does not answer"
    except GlacierPurgeError as error:
        why_unknown = str(error)
    check_inventory(inventory_date, rules, now, described, why_unknown)
