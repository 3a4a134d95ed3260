"""Asks whatever the choices make worth asking (who retrieves what, what is proven migrated), then decides.

Planning from a file and planning a round of a calendar are the same from here on; where requests go and how long may be
waited is the caller's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio.to_thread

from glacier_purge.plan.choosing import Surroundings, open_selection
from glacier_purge.plan.in_retrieval import held_back
from glacier_purge.plan.making import Decided, decide_all
from glacier_purge.plan.migration.proofs import Stores, gathered

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from glacier_purge.glacier.control import GlacierControl
    from glacier_purge.glacier.waiting import Patience
    from glacier_purge.plan.choices import Choices
    from glacier_purge.plan.choosing import Earlier
    from glacier_purge.plan.document import Plan
    from glacier_purge.plan.first_reading import FirstReading


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a decision is made in: the service, how long it is waited for, the moment that ages count from, the files
    that name archives never to be deleted, and what ``earlier`` rounds came to (None for the first)."""

    stores: Stores
    control: Callable[[], AbstractAsyncContextManager[GlacierControl]]
    patience: Patience
    now: datetime
    deny_files: tuple[str, ...]
    earlier: Earlier | None = None


async def decide(reading: FirstReading, choices: Choices, circumstances: Circumstances) -> Decided:
    """Decide every record that was read.

    Raises ``NothingToDelete``, ``UsageError`` for choices that mean nothing, and what the services answer.
    """
    snapshot = reading.snapshot
    folder = snapshot.path.parent
    held = await held_back(choices.in_retrieval, circumstances.control, circumstances.patience)
    async with gathered(choices, snapshot, folder, circumstances.stores) as proofs:
        surroundings = Surroundings(
            now=circumstances.now,
            deny_files=circumstances.deny_files,
            id_rule=snapshot.id_rule,
            proofs=proofs,
            held=held or frozenset(),
            earlier=circumstances.earlier,
        )

        def decide() -> Plan:
            with open_selection(choices, surroundings, folder) as selection:
                return decide_all(reading, selection)

        plan = await anyio.to_thread.run_sync(decide)
    return Decided(plan=plan, retrievals_looked_at=held is not None)
