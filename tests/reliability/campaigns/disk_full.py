"""A disk that is full, read-only, or may hold no larger or no more files; then one that has room again (T5)."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import signal
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from glacier_purge.cli.exit_codes import ExitCode
from tests.reliability.campaign import Campaign
from tests.reliability.commands import Toll, check_purged, check_sound, world
from tests.reliability.own_disk import on_own_disk
from tests.reliability.tasks import APPLY, COMMANDS_MAX, FLEET, PURGE, RUN, Verb

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reliability.commands import World
    from tests.reliability.forked import Forked
    from tests.reliability.own_disk import OwnDisk
    from tests.reliability.tasks import Task

ROOM_KIB = 16_384
BLOCK_KIB = 4
LAST_KIB = 256


@dataclass(frozen=True, slots=True)
class Case:
    """One way in which there is no room, for one command.

    ``needs_kib`` is what the command fills when it gets through.
    """

    name: str
    verb: Verb
    needs_kib: int = 0


FULL, READ_ONLY, FILE_SIZE, FILES = "full", "read-only", "no larger file", "no more files"
CASES = (
    Case(FULL, APPLY, 136),
    Case(FULL, RUN, 144),
    Case(FILES, APPLY),
    Case(FULL, PURGE, 136),
    Case(READ_ONLY, APPLY),
    Case(FULL, FLEET, 324),
    Case(FILE_SIZE, PURGE),
    Case(FILES, RUN),
    Case(FULL, RUN, 144),
    Case(READ_ONLY, RUN),
    Case(FILE_SIZE, RUN),
)
TOLD = {
    FULL: "No space left on device",
    READ_ONLY: "Read-only file system",
    FILE_SIZE: "File too large",
    FILES: "Too many open files",
}
NOT_BEGUN = re.compile(r"disk: [\d,]+ bytes free, about [\d,]+ needed \(make room, .*Nothing was sent")
"""What a lifecycle is refused with that sees before it begins that there is no room."""
UNMADE_LOOP = re.compile(
    r"Exception ignored in: <function BaseEventLoop.__del__(?:.*\n)+?ResourceWarning: unclosed.*\n"
)
"""What Python says of a loop that it had no files for, where ResourceWarnings are shown."""
ADVICE = re.compile(r"Free or mend|[Mm]ake room|Mend|[Rr]aise the limit|Let this user have it|[Gg]ive another|again")


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """One purge that is out of room once, and is given again when there is some."""
    return on_own_disk(folder / "run", ROOM_KIB, partial(tried_on, seed=seed, folder=folder))


def tried_on(disk: OwnDisk, *, seed: int, folder: Path) -> Counter[str]:
    """The same in the process that has the disk; the folder of the run is where it is mounted."""
    chance, case = random.Random(seed), CASES[seed % len(CASES)]
    end = "went through"
    with world(folder, seed=seed, **case.verb.options) as here:
        task, toll, digests = case.verb.prepare(here, chance), Toll(here), list[str]()
        around = hindrance(here, disk, case, chance, task)
        for _ in range(COMMANDS_MAX):
            process = here.forked(*task.arguments(digests), **around)
            ended = process.wait()
            toll.stopped()
            check_purged(here, task.wanted, complete=False)
            if ended == ExitCode.PENDING:
                digests += json.loads(process.out())["confirm_digests"]
            elif ended == ExitCode.DONE:
                break
            else:
                assert end == "went through", process.err()[-2000:]
                check_told(process, case)
                end, around = "stopped", {}
                disk.set_read_only(read_only=False)
                disk.resize(ROOM_KIB)
        else:
            raise AssertionError(f"not done after {COMMANDS_MAX} commands")
        check_purged(here, task.wanted, complete=True)
        check_sound(here.run_dir, finished=True)
        toll.check()
        task.after()
    return Counter({f"{case.verb.name}, {case.name}: {end}": 1})


def hindrance(here: World, disk: OwnDisk, case: Case, chance: random.Random, task: Task) -> dict[str, Any]:
    """Let there be no room, where that is the disk's; else say what a process has to be forked with."""
    if case.name == FULL:
        steps = min(LAST_KIB, case.needs_kib - disk.used_kib()) // BLOCK_KIB
        disk.resize(case.needs_kib - BLOCK_KIB * chance.randrange(steps))
    elif case.name == READ_ONLY:
        begin_some(here, task, chance)
        disk.set_read_only(read_only=True)
    elif case.name == FILE_SIZE:
        return {"limits": {resource.RLIMIT_FSIZE: chance.randrange(8_000, 26_000)}}
    else:
        return {"descriptors": chance.randrange(1, 24)}
    return {}


def begin_some(here: World, task: Task, chance: random.Random) -> None:
    """Have a process begin and stop it in good order, if it does not stop by itself: then no file is open."""
    process = here.forked(*task.arguments([]), held=True)
    stop = partial(os.kill, process.pid, signal.SIGTERM)
    with here.service.calling("DeleteArchive", chance.randint(1, 60), stop):
        process.begin()
        assert process.wait() in {ExitCode.STOPPED, ExitCode.PENDING}, process.err()[-2000:]


def check_told(process: Forked, case: Case) -> None:
    """It was stopped by what there is no room for, says so and what to do."""
    told = UNMADE_LOOP.sub("", process.err())
    end = told[-2000:]
    assert "Traceback" not in told, end
    if process.wait() == ExitCode.USAGE and NOT_BEGUN.search(told):
        return
    assert process.wait() == ExitCode.STOPPED, f"exit {process.wait()}: {end}"
    assert any(TOLD[case.name] in line and ADVICE.search(line) for line in told.splitlines()), end


CAMPAIGN = Campaign(
    name="disk-full",
    asks="A tmpfs is full at each 4 KiB of what a purge needs, read-only, or its files may be no larger or no more "
    "(RLIMIT_FSIZE, RLIMIT_NOFILE): it stops and says why, and goes on cleanly once there is room.",
    programme=("T5",),
    invariants=("I1", "I2", "I3", "I4", "I5", "I6", "I10", "I16"),
    unit="disks",
    wanted=16,
    try_seed=try_seed,
    night_share=0.3,
)
