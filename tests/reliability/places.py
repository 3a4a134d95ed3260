"""Places of a purge, a lifecycle or a fleet at which something can be done to its process, in the order they come."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from glacier_purge.lifecycle.phases import Event
from glacier_purge.lifecycle.steps import position
from glacier_purge.lifecycle.steps_file import read_steps
from tests.reliability.tasks import APPLY, FLEET, PURGE, RUN

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from tests.reliability.commands import World
    from tests.reliability.forked import Forked

CHECKPOINT, PLANNING = "checkpoint", "inventory.json.sha256"
FILES = {CHECKPOINT, PLANNING}


@dataclass(frozen=True, slots=True)
class Place:
    """A place: when the ``number``-th request of a kind comes, or a while after something is on disk.

    Places stand in the order in which a purge comes to them.
    """

    name: str
    asked: str = ""
    written: str = ""
    """What a line in the folder has in it when the place is reached."""
    within_seconds: float = 0.0
    """It is in this time after that, at random."""
    numbers: tuple[int, int] = (1, 1)


STARTS = Place("starts", within_seconds=0.25)
SENDING = (
    Place("asks what protects the vault", asked="GetVaultAccessPolicy"),
    Place("opens the log", written='"approved"', within_seconds=0.03),
    Place("the first delete", asked="DeleteArchive"),
    Place("deletes", asked="DeleteArchive", numbers=(2, 40)),
    Place("a commit", written='"outcome"', within_seconds=0.03),
    Place("a checkpoint", written=CHECKPOINT, within_seconds=0.05),
    Place("more deletes", asked="DeleteArchive", numbers=(2, 60)),
    Place("ends", written='"finished"', within_seconds=0.03),
)
LIVING = (
    Place("looks around", asked="ListTagsForVault"),
    Place("orders an inventory", asked="InitiateJob"),
    Place("waits", asked="DescribeJob", numbers=(1, 2)),
    Place("downloads", asked="GetJobOutput"),
    Place("plans", written=Event.FETCHED.value, within_seconds=0.15),
    Place("asks for approval", written=Event.PLANNED.value, within_seconds=0.05),
    Place("reads the policy to be changed", asked="GetVaultAccessPolicy"),
    Place("denies uploads", asked="SetVaultAccessPolicy"),
    Place("has denied uploads", written=Event.FROZEN.value, within_seconds=0.1),
    Place("deletes", asked="DeleteArchive", numbers=(1, 40)),
    Place("a commit", written='"outcome"', within_seconds=0.05),
    Place("has accounted for all", written=Event.ACCOUNTED.value, within_seconds=0.1),
    Place("orders the inventory that proves it", asked="InitiateJob"),
    Place("downloads what proves it", asked="GetJobOutput"),
    Place("has proven it", written=Event.PROVEN.value, within_seconds=0.05),
    Place("allows uploads", asked="SetVaultAccessPolicy"),
    Place("removes the vault", asked="DeleteVault"),
)


VERBS_AND_PLACES = (
    (APPLY, (STARTS, *SENDING)),
    (RUN, (STARTS, *LIVING)),
    (PURGE, (STARTS, Place("plans", written=PLANNING, within_seconds=0.1), *SENDING)),
    (FLEET, (STARTS, *LIVING)),
)


def begin_and(
    act: Callable[[Forked], None], world: World, process: Forked, place: Place | None, chance: random.Random
) -> int:
    """Let a process begin, do something to it at its place if it comes there, and say how it ended."""
    if place is not None and place.asked:
        with world.service.calling(place.asked, chance.randint(*place.numbers), partial(act, process)):
            process.begin()
            return process.wait()
    before = written(world.folder, place.written) if place else 0
    process.begin()
    if place is not None and (
        not place.written or world.until(lambda: written(world.folder, place.written) != before, process)
    ):
        time.sleep(chance.uniform(0.0, place.within_seconds))
        act(process)
    return process.wait()


def written(folder: Path, what: str) -> int:
    """How often something stands in the lines of a folder, or when such a file was written last. The command goes on
    meanwhile and may put a new file in the place of one that was just listed: then it is looked at again."""
    while True:
        try:
            if what in FILES:
                return sum(file.stat().st_mtime_ns for file in folder.rglob(what))
            return sum(file.read_bytes().count(what.encode()) for file in folder.rglob("*.jsonl"))
        except FileNotFoundError:
            continue


def phases(folder: Path) -> str:
    """Where the lifecycles in a folder are."""
    found = {position(read_steps(file.parent))[0].value for file in folder.rglob("lifecycle.jsonl")}
    return f" in {'+'.join(sorted(found))}" if found else ""
