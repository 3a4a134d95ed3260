"""Carries out a schedule on so many processes, says how far it is, and ends in good order when it is told to."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.reliability.workers import wait_for_one, workers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.reliability.campaign import Campaign
    from tests.reliability.schedule import Reached, Schedule, Seeds
    from tests.reliability.workers import Tried

SECONDS_BETWEEN_LINES = 30.0


class Stop:
    """Whether somebody asked for the end."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def on_signals(self) -> Iterator[Stop]:
        """Hear SIGINT and SIGTERM, in the block, as a wish to end in good order."""
        before = {which: signal.signal(which, lambda *_: self.ask()) for which in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for which, handler in before.items():
                signal.signal(which, handler)

    def ask(self) -> None:
        """Ask for the end."""
        self.asked = True


def carry_out(
    schedule: Schedule, at_once: int, stop: Stop, variables: Mapping[str, str] | None = None
) -> dict[str, Reached]:
    """What was reached of each campaign. What is under way when the end is asked for is ended, and does not count.

    ``variables`` are added to the environment of the processes.
    """
    told = time.monotonic()
    measures = any(each.campaign.alone for each in schedule.all)  # a disk's time, too, and writes more than memory has
    with workers(at_once, variables, on_disk=measures) as made:
        while not stop.asked:
            for worker in made:
                if worker.campaign is None and (seeds := schedule.choose(time.monotonic())):
                    worker.begin(seeds.campaign, seeds.begin(time.monotonic()))
            busy = [worker for worker in made if worker.campaign is not None]
            if not busy:
                break
            for tried in wait_for_one(busy, 0.2):
                [seeds] = [each for each in schedule.all if each.campaign is tried.campaign]
                seeds.end(tried)
                _tell(tried)
            if time.monotonic() - told > SECONDS_BETWEEN_LINES:
                told = time.monotonic()
                say(" · ".join(_so_far(each) for each in schedule.all if each.under_way))
    return {each.campaign.name: each.reached for each in schedule.all}


def replay(campaign: Campaign, seed: int) -> str:
    """The command that tries one seed again."""
    return f"python -m tests.reliability {campaign.name} --seed {seed}"


def _tell(tried: Tried) -> None:
    if tried.answer[1]:
        say(f"VIOLATION in {tried.campaign.name}. Again with: {replay(tried.campaign, tried.seed)}\n{tried.answer[1]}")


def _so_far(seeds: Seeds) -> str:
    units = seeds.reached.kinds.total()
    return f"{seeds.campaign.name} {units:,} {seeds.campaign.unit} in {seeds.reached.seeds:,} seeds"


def say(text: str) -> None:
    """A line of progress, beside the summary that goes to stdout."""
    print(text, file=sys.stderr, flush=True)
