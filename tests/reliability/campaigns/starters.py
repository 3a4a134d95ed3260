"""Several that start at once for one run, or one vault: one sends, the others are turned away (T11)."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from itertools import pairwise
from threading import Event
from typing import TYPE_CHECKING

from glacier_purge.cli.exit_codes import ExitCode
from tests.reliability.campaign import Campaign
from tests.reliability.commands import PACED, check_purged, check_sound, world

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.reliability.commands import World
    from tests.reliability.forked import Forked

RACES_A_SEED = 5
ARCHIVES = 40
TOLD = "another process"


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """Five races, each in a world of its own."""
    raced = Counter[str]()
    for turn in range(RACES_A_SEED):
        number = seed * RACES_A_SEED + turn
        race = RACES[number % len(RACES)]
        place = folder / str(turn)
        place.mkdir()
        with world(place, archives=ARCHIVES, seed=number) as here:
            raced[race(here, random.Random(number))] += 1
    return raced


def one_run(here: World, chance: random.Random) -> str:
    """Two or three starters of one run."""
    begin = here.apply_arguments(here.plan()["digest"], *PACED)
    count = chance.choice((2, 3))
    _raced(here, [begin] * count, chance)
    return f"{count} starters of one run"


def two_folders(here: World, chance: random.Random) -> str:
    """Two runs of one vault, each in a folder of its own."""
    _raced(here, [here.apply_arguments(here.plan()["digest"], *PACED), _of_copy(here)], chance)
    return "two folders of one vault"


def lifecycle_and_apply(here: World, chance: random.Random) -> str:
    """A lifecycle that is approved, and a plan of the same vault."""
    digest = here.plan()["digest"]
    place = ("--run-dir", str(here.folder / "life"), "--endpoint-url", here.simulator.endpoint_url)
    here.service.do(lambda: here.service.glacier.desk.rescale(40_000.0))
    planned = here.json("run", "photos", *place, exit_code=ExitCode.PENDING)
    approved = ("run", "photos", *place, "--confirm-digest", planned["confirm_digests"][0], *PACED, "--no-wait")
    _raced(here, [approved, here.apply_arguments(digest, *PACED)], chance)
    return "a lifecycle and an apply"


def beside_one_that_is_stopped(here: World, chance: random.Random) -> str:
    """The holder hangs: nobody can tell whether it goes on, so nobody takes its place."""
    begin = here.apply_arguments(here.plan()["digest"], *PACED)
    first = _until_sending(here, begin, chance, partial(_send, number=signal.SIGSTOP))
    before = len(here.service.deletes())
    second = here.forked(*chance.choice((begin, _of_copy(here))), AWS_ACCESS_KEY_ID="second")
    assert second.wait() == ExitCode.PENDING, second.err()
    assert TOLD in second.err(), second.err()
    assert len(here.service.deletes()) <= before + 8, "what was in flight comes, and nothing else"
    first.send_signal(signal.SIGCONT)
    assert first.wait() == ExitCode.DONE, first.err()
    assert {came.key_id for came in here.service.deletes()} == {"first"}
    _check(here)
    return "beside one that is stopped"


def after_one_that_is_killed(here: World, chance: random.Random) -> str:
    """The holder is being killed while the next begins: that one is turned away, or goes on."""
    begin = here.apply_arguments(here.plan()["digest"], *PACED)
    first = _until_sending(here, begin, chance, lambda _: None)
    second = here.forked(*begin, held=True, AWS_ACCESS_KEY_ID="second")
    second.begin()
    time.sleep(chance.uniform(0.0, 0.3))
    first.send_signal(signal.SIGKILL)
    first.wait()
    if second.wait() == ExitCode.PENDING:
        assert "second" not in {came.key_id for came in here.service.deletes()}
        here.run(*begin)
    else:
        assert second.wait() == ExitCode.DONE, second.err()
    _check(here)
    return "after one that is killed"


RACES: tuple[Callable[[World, random.Random], str], ...] = (
    one_run,
    two_folders,
    lifecycle_and_apply,
    beside_one_that_is_stopped,
    after_one_that_is_killed,
)


def _raced(here: World, commands: list[tuple[str, ...]], chance: random.Random) -> None:
    """Let them go at once, or nearly: nobody sends while another does, and who is turned away has sent nothing."""
    starters = [
        here.forked(*command, held=True, AWS_ACCESS_KEY_ID=f"starter{number}")
        for number, command in enumerate(commands)
    ]
    for starter in starters:
        time.sleep(chance.choice((0.0, 0.0, 0.02, 0.2)))
        starter.begin()
    ended = [starter.wait() for starter in starters]
    told = "\n".join(starter.err()[-600:] for starter in starters)
    sent = here.service.deletes()
    times = {key: [came.at for came in sent if came.key_id == key] for key in {came.key_id for came in sent}}
    turns = sorted((min(each), max(each)) for each in times.values())
    assert turns, f"nobody has sent anything: exits {ended}\n{told}"
    assert all(end < begin for (_, end), (begin, _) in pairwise(turns)), f"side by side: {turns}, exits {ended}\n{told}"
    if len(set(commands)) == 1:
        assert len(sent) == ARCHIVES, f"one run was sent twice: exits {ended}\n{told}"
    for number, starter in enumerate(starters):
        if f"starter{number}" not in times and ended[number] != ExitCode.DONE:  # else it came when all was done
            assert ended[number] == ExitCode.PENDING, f"exits {ended}\n{told}"
            assert TOLD in starter.err() + starter.out(), told + starter.out()
        else:  # a lifecycle is not waited for to its end
            assert ended[number] in {ExitCode.DONE, ExitCode.PENDING}, told
    _check(here)


def _until_sending(
    here: World, command: tuple[str, ...], chance: random.Random, act: Callable[[Forked], None]
) -> Forked:
    """A process that has sent something, to which something is done then."""
    first, reached = here.forked(*command, held=True, AWS_ACCESS_KEY_ID="first"), Event()

    def reach() -> None:
        act(first)
        reached.set()

    with here.service.calling("DeleteArchive", chance.randint(1, ARCHIVES - 10), reach):
        first.begin()
        assert here.until(reached.is_set, first)
    time.sleep(chance.uniform(0.0, 0.1))
    return first


def _send(process: Forked, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)


def _of_copy(here: World) -> tuple[str, ...]:
    """The command that carries out the same plan in another folder."""
    other = here.folder / "other"
    shutil.copytree(here.run_dir, other, ignore=shutil.ignore_patterns("audit", "lock", "checkpoint*", "control"))
    digest = json.loads((other / "plan.json").read_bytes())["digest"]
    return ("apply", str(other), "--confirm-digest", digest, *PACED)


def _check(here: World) -> None:
    """Every archive went, and every log is sound."""
    sent = {came.archive_id for came in here.service.deletes()}
    assert len(sent) == ARCHIVES
    check_purged(here, sent, complete=False)
    for run in (here.run_dir, here.folder / "other", here.folder / "life"):
        if run.exists():
            check_sound(run)


CAMPAIGN = Campaign(
    name="starters",
    asks="Two or three processes start for one run, for two folders of one vault, a lifecycle and an apply, beside one "
    "that is stopped or being killed: one sends everything, by the service's own ledger, and the others end with 75.",
    programme=("T11",),
    invariants=("I1", "I2", "I5", "I11"),
    unit="races",
    wanted=50,
    try_seed=try_seed,
    night_share=0.3,
)
