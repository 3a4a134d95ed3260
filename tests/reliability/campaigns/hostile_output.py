"""Whatever strangers write, on every way in, comes out on every way out as text that does nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.reliability.campaign import Campaign
from tests.reliability.hostile.outputs import WAYS, check
from tests.reliability.hostile.secrets import leaks
from tests.reliability.hostile.strings import HOSTILE

if TYPE_CHECKING:
    from pathlib import Path

_TEXTS = 8


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """A few texts on every way, and one failing command that knows secrets. Some 25 seeds have each text once."""
    tried = Counter[str]()
    for number in range(seed * _TEXTS, (seed + 1) * _TEXTS):
        text = HOSTILE[number % len(HOSTILE)]
        for way in WAYS:
            for kind, told in way(text, folder, number // len(HOSTILE) + number):
                try:
                    check(kind, told)
                except AssertionError as fault:
                    fault.add_note(f"{way.__name__}, given {text[:200]!r}")
                    raise
                tried[f"{way.__name__}: {kind}"] += 1
    tried.update(leaks(seed, folder))
    return tried


CAMPAIGN = Campaign(
    name="hostile-output",
    asks=(
        "Hostile texts come in by every way (command line, settings, files, inventories, services, logs) and out by "
        "every other (terminal, JSON, logs, CSV, audit log): no control character, formula or tag among them; and no "
        "secret at debug level, whatever fails."
    ),
    programme=("T15",),
    invariants=(),
    unit="outputs",
    wanted=4_000,
    try_seed=try_seed,
    night_share=0.3,
)
