"""T2: the whole engine, in virtual time, through whatever one seed has for it."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from tests.reliability.campaign import Campaign
from tests.reliability.simulation.fate import drawn
from tests.reliability.simulation.lives import Lives

TWICE_EVERY = 25
"""Of so many seeds one is carried out twice, which has to come to the same."""
SHOWN = 400


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """Carry what the seed has to its end. What happened is told where something did not hold."""
    lives = _carried(seed, folder)
    fingerprint = lives.machine.fingerprint
    if seed % TWICE_EVERY == TWICE_EVERY - 1:
        again = _carried(seed, folder).machine.fingerprint
        assert fingerprint == again, f"the same seed did not come to the same: {fingerprint} and {again}"
    return Counter({"fleets" if lives.is_fleet else "vaults": 1})


def _carried(seed: int, folder: Path) -> Lives:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        lives = Lives(drawn(seed), Path(place).resolve())
        try:
            with lives.machine.owned():
                lives.live()
        except BaseException as error:
            told = "\n".join(lives.machine.trace[-SHOWN:])
            raise AssertionError(f"seed {seed}: {error}\n{lives.fate}\nThe last that happened:\n{told}") from error
        finally:
            lives.close()
    return lives


CAMPAIGN = Campaign(
    name="simulation",
    asks="The whole engine carries a vault or a fleet from its inventory to its end in virtual time, through faults, "
    "holds, orders, hours, credentials, clock steps, deaths and power cuts drawn from a seed: what it did is held "
    "against the service's ledger.",
    programme=("T2",),
    invariants=("I1", "I2", "I4", "I5", "I6", "I7", "I9", "I13", "I14", "I16", "I18", "I19"),
    unit="lifecycles and fleets",
    wanted=500,
    try_seed=try_seed,
)
