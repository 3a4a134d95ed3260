"""kill -9 at places drawn by the seed, in each phase of a purge, a lifecycle and a fleet; then on to the end (T3)."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.lifecycle.phases import Event
from glacier_purge.lifecycle.steps import position
from glacier_purge.lifecycle.steps_file import read_steps
from tests.reliability.campaign import Campaign
from tests.reliability.commands import (
    Toll,
    World,
    check_purged,
    check_sound,
    world,
)
from tests.reliability.tasks import APPLY, COMMANDS_MAX, FLEET, PURGE, RUN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reliability.forked import Forked

KILLS_A_SEED = 4
CHECKPOINT, PLANNING = "checkpoint", "inventory.json.sha256"
FILES = {CHECKPOINT, PLANNING}


@dataclass(frozen=True, slots=True)
class Place:
    """A place to be killed at: when the ``number``-th request of a kind comes, or a while after something is on disk.

    Places stand in the order in which a purge comes to them.
    """

    name: str
    asked: str = ""
    written: str = ""
    """What a line in the folder has in it when the place is reached."""
    within_seconds: float = 0.0
    """It is killed in this time after that, at random."""
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


VERBS = (
    (APPLY, (STARTS, *SENDING)),
    (RUN, (STARTS, *LIVING)),
    (PURGE, (STARTS, Place("plans", written=PLANNING, within_seconds=0.1), *SENDING)),
    (FLEET, (STARTS, *LIVING)),
)


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """One purge, killed up to four times at places that lie behind each other."""
    chance, hit = random.Random(seed), Counter[str]()
    round_, which = divmod(seed, len(VERBS))
    verb, all_places = VERBS[which]
    turns = sorted({(round_ * KILLS_A_SEED + each) % len(all_places) for each in range(KILLS_A_SEED)})
    with world(folder, seed=seed, **verb.options) as here:
        here.variables["GLACIER_PURGE_AUDIT__CHECKPOINT_SECONDS"] = "0.15"
        task, toll, digests = verb.prepare(here, chance), Toll(here), list[str]()
        places = [all_places[turn] for turn in turns]
        for _ in range(COMMANDS_MAX):
            place = places.pop(0) if places else None
            process = here.forked(*task.arguments(digests), held=True)
            ended = strike(here, process, place, chance)
            toll.stopped()
            check_purged(here, task.wanted, complete=False)
            check_sound(here.run_dir)
            if ended == -signal.SIGKILL:
                assert place is not None
                hit[f"{verb.name}{phases(folder)}: {place.name}"] += 1
            elif ended == ExitCode.PENDING:
                digests += json.loads(process.out())["confirm_digests"]
            else:
                assert ended == ExitCode.DONE, process.err()
                break
        else:
            raise AssertionError(f"not done after {COMMANDS_MAX} commands")
        check_purged(here, task.wanted, complete=True)
        check_sound(here.run_dir, finished=True)
        toll.check()
        task.after()
    return hit


def strike(world: World, process: Forked, place: Place | None, chance: random.Random) -> int:
    """Let a process begin, kill it at its place if it comes there, and say how it ended."""
    if place is not None and place.asked:
        kill = partial(os.kill, process.pid, signal.SIGKILL)
        with world.service.calling(place.asked, chance.randint(*place.numbers), kill):
            process.begin()
            return process.wait()
    before = written(world.folder, place.written) if place else 0
    process.begin()
    if place is not None and (
        not place.written or world.until(lambda: written(world.folder, place.written) != before, process)
    ):
        time.sleep(chance.uniform(0.0, place.within_seconds))
        process.kill()
    return process.wait()


def written(folder: Path, what: str) -> int:
    """How often something stands in the lines of a folder, or when such a file was written last."""
    if what in FILES:
        return sum(file.stat().st_mtime_ns for file in folder.rglob(what))
    return sum(file.read_bytes().count(what.encode()) for file in folder.rglob("*.jsonl"))


def phases(folder: Path) -> str:
    """Where the lifecycles in a folder are."""
    found = {position(read_steps(file.parent))[0].value for file in folder.rglob("lifecycle.jsonl")}
    return f" in {'+'.join(sorted(found))}" if found else ""


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
