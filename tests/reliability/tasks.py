"""What the campaigns with real processes have done: apply, purge, run and fleet, each given again until all is done."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.storage.file_system import PROBE_FILE
from tests.reliability.commands import DAYS_PASS, PACED, Toll, check_purged, check_sound

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from tests.reliability.commands import World
    from tests.reliability.forked import Forked

COMMANDS_MAX = 20
"""So many times a command is given again at most until all is done."""
JSON = ("--output", "json")
THEIRS = (
    '{"Version":"2012-10-17","Statement":[{"Sid":"theirs","Effect":"Allow","Principal":"*",'
    '"Action":"glacier:ListJobs","Resource":"*"}]}'
)


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
    """Planned and carried out in one go; what was killed while it planned is begun anew, as it says itself, and
    at once where it left nothing but what it tried of the disk."""
    inventory = world.simulator.inventory(world.folder / "inventory.json")
    at = ("--endpoint-url", world.simulator.endpoint_url)
    begin = ("purge", "photos", "--inventory", str(inventory), "--run-dir", str(world.run_dir), *at)
    digest = world.json(*("plan" if word == "purge" else word for word in begin))["digest"]
    empty(world.run_dir)

    def arguments(_: list[str]) -> tuple[str, ...]:
        if (world.run_dir / "plan.json").exists():
            return (*world.resume_arguments(digest), *PACED, *JSON)
        if world.run_dir.exists() and {entry.name for entry in world.run_dir.iterdir()} - {PROBE_FILE}:
            refused = world.run(*begin, exit_code=2)
            assert "exists already" in refused.stderr
            empty(world.run_dir)
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


FLEET_FILE = """
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
    file.write_text(FLEET_FILE, "utf-8")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One of the commands, how it comes to be given, and the simulator's options for it."""

    name: str
    prepare: Callable[[World, random.Random], Task]
    options: dict[str, Any]


APPLY = Verb(name="apply", prepare=apply, options={"archives": 100})
PURGE = Verb(name="purge", prepare=purge, options={"archives": 100})
RUN = Verb(name="run", prepare=run, options=DAYS)
FLEET = Verb(name="fleet", prepare=fleet, options=DAYS)


def carry(
    here: World,
    verb: Verb,
    chance: random.Random,
    each: Callable[[Forked, Toll], int],
    **around: Any,
) -> None:
    """Give a command again and again until all is done, and look each time and at last what came of it.

    ``each`` gets a process that was not begun, and says how it ended; whatever it makes of that, the next is begun
    until one is done.  ``around`` is what they are forked with.
    """
    task, toll, digests = verb.prepare(here, chance), Toll(here), list[str]()
    for _ in range(COMMANDS_MAX):
        process = here.forked(*task.arguments(digests), held=True, **around)
        ended = each(process, toll)
        toll.stopped()
        check_purged(here, task.wanted, complete=False)
        check_sound(here.run_dir)
        if ended == ExitCode.PENDING:
            digests += json.loads(process.out())["confirm_digests"]
        elif ended == ExitCode.DONE:
            break
    else:
        raise AssertionError(f"not done after {COMMANDS_MAX} commands")
    check_purged(here, task.wanted, complete=True)
    check_sound(here.run_dir, finished=True)
    toll.check()
    task.after()


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


def empty(folder: Path) -> None:
    """Take away what is in a folder."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
