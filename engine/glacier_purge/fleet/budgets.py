"""One budget for each account, region and endpoint, however many vaults a fleet has there: they share one limit."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from glacier_purge.archive import Vault
from glacier_purge.deletion.budget import Budget, Lane
from glacier_purge.deletion.pace import PacerSettings


class Budgets:
    """The budgets of a fleet, each begun with the pace that was set for the first vault it has."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._budgets: dict[tuple[str, str, str], Budget] = {}

    def lane(
        self, vault: Vault, endpoint_url: str, pace: PacerSettings, max_rate: float | None
    ) -> Callable[[], AbstractContextManager[Lane]]:
        """What opens a lane for ``vault``, never faster than ``max_rate`` deletes per second."""
        whose = (vault.account_id, vault.region, endpoint_url)
        if whose not in self._budgets:
            self._budgets[whose] = Budget(pace, self._chance)
        return partial(self._budgets[whose].lane, max_rate)
