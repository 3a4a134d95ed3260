"""kill -9 at places drawn by the seed, in each phase of a purge, a lifecycle and a fleet; then on to the end (T3)."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from glacier_purge.cli.exit_codes import ExitCode
from tests.reliability.campaign import Campaign
from tests.reliability.commands import world
from tests.reliability.places import VERBS_AND_PLACES, begin_and, phases
from tests.reliability.tasks import carry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reliability.commands import Toll
    from tests.reliability.forked import Forked

KILLS_A_SEED = 4


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """One purge, killed up to four times at places that lie behind each other."""
    chance, hit = random.Random(seed), Counter[str]()
    round_, which = divmod(seed, len(VERBS_AND_PLACES))
    verb, all_places = VERBS_AND_PLACES[which]
    turns = sorted({(round_ * KILLS_A_SEED + each) % len(all_places) for each in range(KILLS_A_SEED)})
    places = [all_places[turn] for turn in turns]
    with world(folder, seed=seed, **verb.options) as here:
        here.variables["GLACIER_PURGE_AUDIT__CHECKPOINT_SECONDS"] = "0.15"

        def each(process: Forked, _: Toll) -> int:
            place = places.pop(0) if places else None
            ended = begin_and(kill, here, process, place, chance)
            if place is not None and ended == -signal.SIGKILL:
                hit[f"{verb.name}{phases(folder)}: {place.name}"] += 1
            else:
                assert ended in {ExitCode.DONE, ExitCode.PENDING}, process.err()[-2000:]
            return ended

        carry(here, verb, chance, each)
    return hit


def kill(process: Forked) -> None:
    """Kill it, from whatever thread."""
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)


CAMPAIGN = Campaign(
    name="sigkill",
    asks="apply, purge, run and fleet are killed with SIGKILL in every phase and given again until they are done: "
    "every archive has one outcome, only what was approved was sent, and only what had no outcome is sent again.",
    programme=("T3",),
    invariants=("I1", "I2", "I3", "I4", "I5", "I7"),
    unit="kills",
    wanted=100,
    try_seed=try_seed,
)
