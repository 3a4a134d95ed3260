"""What a campaign is: one question asked over and over with another seed, and an answer that is only ever "it held"."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.reliability import campaigns

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Campaign:
    """One question of the programme.

    Attributes:
        name: What it is called on the command line: words with hyphens.
        asks: One sentence for RELIABILITY.md: what is done, and what has to hold.
        programme: The tests of the programme it carries out: "T1".
        invariants: What it holds to: "I7".
        unit: What is counted: "images", "kills", "vaults".
        wanted: How many units a run for every change carries out.
        try_seed: Carries out one seed in an empty folder of its own. The same seed does the same again. Answers
            how many units it tried, by kind; raises (mostly an AssertionError) when something did not hold. A
            function of a module, since other processes call it.
        night_share: How much of a night's time it gets beside the others.
        alone: It measures time or memory, so nothing else runs beside it.
        limit_seconds: When a seed that still goes on is taken to hang, and is ended with all that it started.
    """

    name: str
    asks: str
    programme: tuple[str, ...]
    invariants: tuple[str, ...]
    unit: str
    wanted: int
    try_seed: Callable[[int, Path], Counter[str]]
    night_share: float = 1.0
    alone: bool = False
    limit_seconds: float = 300.0


def every_campaign() -> list[Campaign]:
    """All campaigns, by name: each module in `campaigns` has one as `CAMPAIGN`."""
    modules = (
        importlib.import_module(f"{campaigns.__name__}.{each.name}")
        for each in pkgutil.iter_modules(campaigns.__path__)
    )
    return sorted((module.CAMPAIGN for module in modules), key=lambda campaign: campaign.name)
