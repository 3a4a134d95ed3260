"""Steps of the wall clock while a purge sends: they change no decision (T13)."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial
from itertools import pairwise
from threading import Event, Timer
from typing import TYPE_CHECKING

from glacier_purge.cli.exit_codes import ExitCode
from tests.reliability.campaign import Campaign
from tests.reliability.commands import Toll, check_purged, check_sound, outcomes_of, world

if TYPE_CHECKING:
    from pathlib import Path

STEPS_SECONDS = (1, -1, 30, -30, 240, -240, 3_600, -3_600, 86_400, -86_400)
SIGNED_WITHIN_SECONDS = 300
"""A signature that is further off is refused."""
WRONG_SECONDS = 0.6
"""How long a clock is that wrong before it is set right."""
ARCHIVES = 160
RATE = 100
LULL_SECONDS = 2.5
"""The longest that nothing is sent, the pace being what it is: the fuse's stages and a busy machine make some."""
PAUSE_SECONDS = 15.0
"""The same with a pause because nothing can be signed; whether it can is tried again after a few seconds."""


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """One run whose clock is stepped twice: one step that signatures bear, and any other."""
    chance = random.Random(seed)
    steps = [STEPS_SECONDS[seed % 6], STEPS_SECONDS[(seed + 1) % len(STEPS_SECONDS)]]
    chance.shuffle(steps)
    with world(folder, archives=ARCHIVES, seed=seed, secret_keys={"test": "test"}) as here:
        digest, wanted, toll = here.plan()["digest"], here.simulator.ids_left(), Toll(here)
        paced = ("--max-rate", str(RATE), "--max-in-flight", "8")
        process = here.forked(*here.apply_arguments(digest, *paced), held=True, has_own_clock=True)
        ahead, timers, stepped = here.twin.wall_ahead, list[Timer](), Event()

        def set_clock(seconds: float) -> None:
            ahead.value = seconds

        def step(seconds: float) -> None:
            set_clock(seconds)
            stepped.set()
            if abs(seconds) > SIGNED_WITHIN_SECONDS:
                timers.append(Timer(WRONG_SECONDS, set_clock, (0.0,)))
                timers[-1].start()

        process.begin()
        for number, seconds in zip((chance.randint(5, 60), chance.randint(10, 60)), steps, strict=True):
            stepped.clear()
            with here.service.calling("DeleteArchive", number, partial(step, seconds)):
                assert here.until(stepped.is_set, process), process.err()[-2000:]
        assert process.wait() == ExitCode.DONE, process.err()[-2000:]
        for timer in timers:
            timer.join()
        check_purged(here, wanted, complete=True)
        check_sound(here.run_dir, finished=True)
        assert {record["outcome"] for record in outcomes_of(here.run_dir)} == {"deleted"}, "a step has failed archives"
        if not timers:
            toll.check()
        times = [came.at for came in here.service.deletes()]
    most = RATE * 1.05
    for first, at in enumerate(times):
        within = sum(at <= other < at + 1.0 for other in times[first:])
        assert within <= most + 1, f"{within} deletes in a second at {RATE} a second"
    lull = max(later - earlier for earlier, later in pairwise(times))
    assert lull < (PAUSE_SECONDS if timers else LULL_SECONDS), f"nothing was sent for {lull:.1f} s"
    return Counter(f"{seconds:+,} s" for seconds in steps)


CAMPAIGN = Campaign(
    name="clock-steps",
    asks="The wall clock is stepped by a second to a day, forwards and back, while a run sends: it keeps its pace, "
    "fails nothing, and pauses where it cannot sign.",
    programme=("T13",),
    invariants=("I1", "I13"),
    unit="steps",
    wanted=20,
    try_seed=try_seed,
    night_share=0.2,
)
