"""Signals at places drawn by the seed, in each phase of a purge, a lifecycle and a fleet; then on to the end (T12)."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Timer
from typing import TYPE_CHECKING

from glacier_purge.cli.exit_codes import ExitCode
from tests.reliability.campaign import Campaign
from tests.reliability.commands import named_unknown, world
from tests.reliability.places import STARTS, VERBS_AND_PLACES, begin_and, phases
from tests.reliability.schedule import NIGHTS_BEGIN
from tests.reliability.tasks import carry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reliability.commands import Toll
    from tests.reliability.forked import Forked

SIGNALS_A_SEED = 3
EXIT_SECONDS = 10.0
QUIET_SECONDS = 0.1
SLOW_SECONDS = 0.4
"""What a machine with more to do than it has cores may add to that."""
STOPPED_SECONDS = 1.5
REPLY_SECONDS = 30.0
"""For less a reply is waited."""
LONG_SECONDS = 120.0
LONG_EVERY = 100
"""Of so many seeds of a night one has its process stopped for that long: every lease, timeout and connection of it is
over by then."""
LATENCY_MS = 80.0
"""So long that a purge is not about to end wherever a signal finds it."""


@dataclass(frozen=True, slots=True)
class Way:
    """Signals one after the other, each so many seconds after the one before, and what a command may end with then.

    Without an exit code of its own the command does not mind them.
    """

    name: str
    numbers: tuple[signal.Signals, ...]
    after_seconds: float = 0.0
    exit_code: int | None = None

    @property
    def is_stop(self) -> bool:
        """Whether it asks for an end in good order."""
        return self.exit_code in {ExitCode.STOPPED, ExitCode.INTERRUPTED}


STOPPED = Way("STOP, then CONT", (signal.SIGSTOP, signal.SIGCONT), STOPPED_SECONDS)
WAYS = (
    Way("TERM", (signal.SIGTERM,), exit_code=ExitCode.STOPPED),
    Way("INT", (signal.SIGINT,), exit_code=ExitCode.INTERRUPTED),
    Way("HUP", (signal.SIGHUP,), exit_code=ExitCode.STOPPED),
    Way("TERM twice", (signal.SIGTERM, signal.SIGTERM), 0.02, ExitCode.STOPPED),
    Way("INT twice", (signal.SIGINT, signal.SIGINT), 0.02, ExitCode.INTERRUPTED),
    Way("TERM, then HUP", (signal.SIGTERM, signal.SIGHUP), 0.005, ExitCode.STOPPED),
    Way("QUIT", (signal.SIGQUIT,), exit_code=-signal.SIGQUIT),
    Way("PIPE", (signal.SIGPIPE,)),
    Way("WINCH", (signal.SIGWINCH, signal.SIGWINCH), 0.01),
    STOPPED,
    Way("USR1", (signal.SIGUSR1,), exit_code=-signal.SIGUSR1),
)


class Sent:
    """The signals of one way, on their way to one process; ``began`` is when the first was sent."""

    def __init__(self, way: Way, toll: Toll) -> None:
        self._way = way
        self._toll = toll
        self._timers: list[Timer] = []
        self.began: float | None = None

    def __call__(self, process: Forked) -> None:
        """Send the first, and have the others sent, from whatever thread."""
        self.began = time.monotonic()
        for turn, number in enumerate(self._way.numbers):
            if turn == 0:
                _send(process, number)
                continue
            timer = Timer(self._way.after_seconds * turn, self._send_later, (process, number))
            self._timers.append(timer)
            timer.start()

    def _send_later(self, process: Forked, number: int) -> None:
        if self._way.after_seconds > REPLY_SECONDS:
            self._toll.in_doubt()
        _send(process, number)

    def end(self) -> None:
        """Send no more."""
        for timer in self._timers:
            timer.cancel()
            timer.join()


def _send(process: Forked, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)


def try_seed(seed: int, folder: Path) -> Counter[str]:
    """One purge that hears signals up to three times, at places that lie behind each other."""
    chance, hit = random.Random(seed), Counter[str]()
    round_, which = divmod(seed, len(VERBS_AND_PLACES))
    verb, all_places = VERBS_AND_PLACES[which]
    turns = sorted({(round_ * SIGNALS_A_SEED + each) % len(all_places) for each in range(SIGNALS_A_SEED)})
    ways = [WAYS[(SIGNALS_A_SEED * seed + each) % len(WAYS)] for each in range(SIGNALS_A_SEED)]
    if seed >= NIGHTS_BEGIN and (seed - NIGHTS_BEGIN) % LONG_EVERY == 0:
        ways[0] = replace(STOPPED, name="STOP for two minutes, then CONT", after_seconds=LONG_SECONDS)
    coming = [(all_places[turn], way) for turn, way in zip(turns, ways, strict=False)]
    with world(folder, seed=seed, **(verb.options | {"latency_ms": LATENCY_MS})) as here:
        here.variables["GLACIER_PURGE_AUDIT__CHECKPOINT_SECONDS"] = "0.15"
        here.variables["GLACIER_PURGE_SAFETY__PROTECTION_INTERVAL_SECONDS"] = "0.5"

        def each(process: Forked, toll: Toll) -> int:
            if not coming:
                process.begin()
                assert process.wait() in {ExitCode.DONE, ExitCode.PENDING}, process.err()[-2000:]
                return process.wait()
            place, way = coming.pop(0)
            sent = Sent(way, toll)
            ended = begin_and(sent, here, process, place, chance)
            took = 0.0 if sent.began is None else time.monotonic() - sent.began
            sent.end()
            in_doubt, told = toll.stopped(), process.err()
            allowed = {int(ExitCode.DONE), int(ExitCode.PENDING)}  # it may have been about to end
            if sent.began is not None:
                hit[f"{verb.name}{phases(folder)}: {place.name}: {way.name}"] += 1
                if way.exit_code is not None:
                    allowed.add(way.exit_code)
                    assert took < EXIT_SECONDS, f"it took {took:.1f} s to end"
                if way.is_stop and place is STARTS:
                    allowed.add(-way.numbers[0])  # before there is anybody to hear it
                if way.is_stop:
                    quiet = sent.began + QUIET_SECONDS + SLOW_SECONDS
                    late = [came for came in here.service.deletes() if came.at > quiet]
                    assert not late, f"{len(late)} deletes were sent {late[-1].at - sent.began:.2f} s after a signal"
                if way.is_stop and ended == way.exit_code:
                    assert in_doubt <= named_unknown(here.run_dir) or len(way.numbers) > 1, "in doubt, and not named"
            assert ended in allowed, f"{way.name}: exit {ended}\n{told[-2000:]}"
            assert "Traceback" not in told, told[-2000:]
            return ended

        carry(here, verb, chance, each)
    return hit


CAMPAIGN = Campaign(
    name="signals",
    asks="apply, purge, run and fleet get SIGTERM, SIGINT, SIGHUP, once and twice, SIGQUIT, SIGPIPE, SIGSTOP and what "
    "nobody expects, in every phase: they end within ten seconds with the right exit code, send nothing new, name what "
    "is in doubt, and go on.",
    programme=("T12",),
    invariants=("I1", "I2", "I5", "I16", "I17"),
    unit="signals",
    wanted=50,
    try_seed=try_seed,
    night_share=0.5,
)
