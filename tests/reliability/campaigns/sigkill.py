"""kill -9 at places drawn by the seed, in each phase of a purge, a lifecycle and a fleet; then on to the end (T3)."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.lifecycle.phases import Event
from glacier_purge.lifecycle.steps import position
from glacier_purge.lifecycle.steps_file import read_steps
from tests.reliability.campaign import Campaign
from tests.reliability.commands import (
    DAYS_PASS,
    PACED,
    Toll,
    World,
    check_purged,
    check_sound,
    world,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.reliability.forked import Forked

KILLS_A_SEED = 4
COMMANDS_MAX = 20
JSON = ("--output", "json")
CHECKPOINT, PLANNING = "checkpoint", "inventory.json.sha256"
FILES = {CHECKPOINT, PLANNING}
THEIRS = (
    '{"Version":"2012-10-17","Statement":[{"Sid":"theirs","Effect":"Allow","Principal":"*",'
    '"Action":"glacier:ListJobs","Resource":"*"}]}'
)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One of the commands, how it is come to be given, and given again."""

    name: str
    places: tuple[Place, ...]
    options: dict[str, Any]
    """Of the simulator."""
    prepare: Callable[[World, random.Random], Task]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be done in a world: with which command, given the digests that are known, and which archives go.

    ``after`` holds once all is done.
    """

    arguments: Callable[[list[str]], tuple[str, ...]]
    wanted: set[str]
    after: Callable[[], None] = lambda: None


def apply(world: World, _: random.Random) -> Task:
    """One plan, carried out."""
    digest = world.plan()["digest"]
    return Task(arguments=lambda _: (*world.resume_arguments(digest), *PACED, *JSON), wanted=world.simulator.ids_left())


def purge(world: World, _: random.Random) -> Task:
    """Planned and carried out in one go; what was killed while it planned is begun anew, as it says itself."""
    inventory = world.simulator.inventory(world.folder / "inventory.json")
    at = ("--endpoint-url", world.simulator.endpoint_url)
    begin = ("purge", "photos", "--inventory", str(inventory), "--run-dir", str(world.run_dir), *at)
    digest = world.json(*("plan" if word == "purge" else word for word in begin))["digest"]
    shutil.rmtree(world.run_dir)

    def arguments(_: list[str]) -> tuple[str, ...]:
        if (world.run_dir / "plan.json").exists():
            return (*world.resume_arguments(digest), *PACED, *JSON)
        if world.run_dir.exists() and any(world.run_dir.iterdir()):
            refused = world.run(*begin, exit_code=2)
            assert "exists already" in refused.stderr
            shutil.rmtree(world.run_dir)
        return (*begin, "--confirm-digest", digest, *PACED, *JSON)

    return Task(arguments=arguments, wanted=world.simulator.ids_left())


def run(world: World, chance: random.Random) -> Task:
    """A lifecycle that denies uploads; half of them remove the vault, the others keep some of its archives."""
    ids = [*inventory_order(world, "photos")]
    is_removed = bool(chance.randrange(2))
    before = set_policy(world, "photos", chance)
    more = ("--delete-vault", "photos", "--even-the-last-vault") if is_removed else ("--limit", "40")
    at = ("--run-dir", str(world.run_dir), "--endpoint-url", world.simulator.endpoint_url)

    def after() -> None:
        if is_removed:
            assert "photos" not in world.service.vaults(), "the vault is still there"
        else:
            assert world.service.policy("photos") == before, "the policy is not as it was"

    return Task(
        arguments=lambda digests: ("run", "photos", "--freeze", *more, *at, *PACED, *JSON, *confirming(digests[-1:])),
        wanted=set(ids if is_removed else ids[:40]),
        after=after,
    )


FLEET = """
[[vaults]]
name = "photos"
freeze = true
limit = 30

[[vaults]]
name = "films"
freeze = true

[[vaults]]
name = "plans"
delete_vault = ["plans"]
"""


def fleet(world: World, chance: random.Random) -> Task:
    """Three vaults side by side."""
    world.service.stock("films", 8)
    world.service.stock("plans", 4)
    wanted = {
        *inventory_order(world, "photos")[:30],
        *inventory_order(world, "films"),
        *inventory_order(world, "plans"),
    }
    before = {vault: set_policy(world, vault, chance) for vault in ("photos", "films")}
    file = world.folder / "fleet.toml"
    file.write_text(FLEET, "utf-8")
    at = ("--run-dir", str(world.run_dir), "--endpoint-url", world.simulator.endpoint_url)

    def after() -> None:
        assert "plans" not in world.service.vaults(), "the vault is still there"
        assert {vault: world.service.policy(vault) for vault in before} == before, "a policy is not as it was"

    return Task(
        arguments=lambda digests: ("fleet", str(file), *at, *PACED, *JSON, *confirming(digests)),
        wanted=wanted,
        after=after,
    )


DAYS = {"archives": 60, "time_scale": DAYS_PASS}
VERBS = (
    Verb(name="apply", places=(STARTS, *SENDING), options={"archives": 100}, prepare=apply),
    Verb(name="run", places=(STARTS, *LIVING), options=DAYS, prepare=run),
    Verb(
        name="purge",
        places=(STARTS, Place("plans", written=PLANNING, within_seconds=0.1), *SENDING),
        options={"archives": 100},
        prepare=purge,
    ),
    Verb(name="fleet", places=(STARTS, *LIVING), options=DAYS, prepare=fleet),
)


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """One purge, killed up to four times at places that lie behind each other."""
    chance, hit = random.Random(seed), Counter[str]()
    round_, which = divmod(seed, len(VERBS))
    verb = VERBS[which]
    turns = sorted({(round_ * KILLS_A_SEED + each) % len(verb.places) for each in range(KILLS_A_SEED)})
    with world(folder, seed=seed, **verb.options) as here:
        here.variables["GLACIER_PURGE_AUDIT__CHECKPOINT_SECONDS"] = "0.15"
        task, toll, digests = verb.prepare(here, chance), Toll(here), list[str]()
        places = [verb.places[turn] for turn in turns]
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


def confirming(digests: list[str]) -> tuple[str, ...]:
    """The options that say yes to plans."""
    return tuple(word for digest in digests for word in ("--confirm-digest", digest))


def set_policy(world: World, vault: str, chance: random.Random) -> bytes:
    """Give a vault the policy of an owner, or none; and say how it is read."""
    if chance.randrange(2):
        world.service.ask("PUT", f"vaults/{vault}/access-policy", json.dumps({"Policy": THEIRS}).encode())
    return world.service.policy(vault)


def inventory_order(world: World, vault: str) -> list[str]:
    """The archives of a vault in the order of its inventory."""
    listed = json.loads(world.simulator.get(f"vaults/{vault}/inventory?format=json"))
    return [record["ArchiveId"] for record in listed["ArchiveList"]]


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
