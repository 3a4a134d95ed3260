"""Each file of a run's and of a lifecycle's folder, damaged in each of the ways that anybody can damage one (T9).

The tests of the same tables try a third of them. What there is to try is finite: seeds beyond it try it again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.e2e import test_damaged_folders as runs
from tests.lifecycle import test_files as lifecycles
from tests.reliability.campaign import Campaign

if TYPE_CHECKING:
    from pathlib import Path

PARTS = (*lifecycles.STOPS, *runs.FILES)
"""A seed takes one of them: a lifecycle at a stop, or a file of a run."""


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """Damage all files of a lifecycle at one stop, or one file of a run, in every way."""
    part = PARTS[seed % len(PARTS)]
    if part in lifecycles.STOPS:
        with pytest.MonkeyPatch.context() as environment:
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                environment.setenv(name, "test")
            environment.setenv("XDG_STATE_HOME", str(folder / "state"))
            return Counter({f"lifecycle: {part}": asyncio.run(lifecycles.spoilt_at(part, folder, every=1))})
    made = runs.two_whole_runs(folder / "made")
    with runs.commands(folder) as ask:
        runs.check_verdicts(part, runs.EVERY_WAY, made, runs.check_alone(folder), folder, ask)
        runs.check_verbs(part, runs.EVERY_WAY, made, folder, ask)
    return Counter({f"run: {part}": len(runs.EVERY_WAY)})


CAMPAIGN = Campaign(
    name="damaged-folders",
    asks=(
        "Damages each file of a run's folder, and of a lifecycle's at four stops, in each of a dozen ways: every verb "
        "that reads it says so and names it, the check and its copy agree, nothing is sent, nothing is a bug, and what "
        "is put back goes on to its end."
    ),
    programme=("T9",),
    invariants=("I2", "I8", "I20"),
    unit="damages",
    wanted=500,
    try_seed=try_seed,
    night_share=0.1,
)
