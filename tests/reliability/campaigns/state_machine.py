"""T10: feed, journal, ledger and recovery under any order of what can happen to them, fifty steps long."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from tests.reliability.campaign import Campaign
from tests.reliability.simulation.bookkeeping import Bookkeeping

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = 10
STEPS = 50


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """Try ten sequences of steps; one that breaks something is told as short as it can be made."""
    del folder
    tried = Counter[str]()

    class Counted(Bookkeeping):
        def teardown(self) -> None:
            super().teardown()
            tried["sequences"] += 1

    how = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seeded(seed)(Counted), settings=how)
    return tried


CAMPAIGN = Campaign(
    name="state-machine",
    asks="Feed, journal, ledger and recovery over a disk that keeps only its promises, in any order of replies, "
    "commits, checkpoints, kills, power cuts and stops: nothing durable is lost, nothing counts before it is, and of "
    "nothing that may have been sent is that not known.",
    programme=("T10",),
    invariants=("I3", "I5", "I6", "I7", "I8", "I9"),
    unit="sequences of 50 steps",
    wanted=500,
    try_seed=try_seed,
)
