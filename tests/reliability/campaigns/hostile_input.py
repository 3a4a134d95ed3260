"""Whatever is read, given hostile: refused with its place, or taken for what a second reader takes it for."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING

from tests.reliability.campaign import Campaign
from tests.reliability.hostile import given_files, inventories, service
from tests.reliability.hostile.documents import try_folder

if TYPE_CHECKING:
    from pathlib import Path

_TARGETS = (*inventories.targets(), *given_files.targets(), *service.targets())
_INPUTS = 200
_FOLDERS = 2


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """Spoil some two hundred inputs, for one reader after the other."""
    random = Random(seed)
    tried = Counter[str]()
    if seed % 50 == 0:
        for target in _TARGETS:
            target.try_good(random, folder)
    for number in range(_INPUTS):
        target = _TARGETS[(seed + number) % len(_TARGETS)]
        tried[f"{target.name}: {target.try_one(random, folder)}"] += 1
    for _ in range(_FOLDERS):
        tried[f"a folder of ours: {try_folder(random, folder)}"] += 1
    return tried


CAMPAIGN = Campaign(
    name="hostile-input",
    asks=(
        "Whatever is read - inventories, manifests, lists, fleets, settings, policies, replies, our own documents - is "
        "spoilt by its structure and by its bytes: it is refused with file and place, or means what a second reader "
        "takes it for; nothing crashes, hangs, or grows, and no wrong id is let through."
    ),
    programme=("T8",),
    invariants=("I2", "I15"),
    unit="inputs",
    wanted=20_000,
    try_seed=try_seed,
)
