"""Tries seeds one after another, in a process of its own: `tests.reliability.workers` starts one for each core.

Beside what the campaign itself asks, every seed has to leave nothing behind: no process, no thread that died, no object
that complained while it was taken away (a socket left open, a coroutine never awaited), and nothing beyond loopback.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from traceback import format_exception
from typing import TYPE_CHECKING

from tests import many_commands, seclusion
from tests.reliability.processes import children_of, end_all, orphans_adopted

if TYPE_CHECKING:
    from types import SimpleNamespace

    from tests.reliability.campaign import Campaign

SECONDS_TO_END = 2.0
"""How long what a seed started may take to be gone after it."""

Answer = tuple[Counter[str], str]
"""How many units a seed tried, by kind; and what did not hold, or nothing."""

_complaints: list[str] = []


def _complain(of: sys.UnraisableHookArgs | threading.ExceptHookArgs | SimpleNamespace) -> None:
    _complaints.append("".join(format_exception(of.exc_type, of.exc_value, of.exc_traceback)))


def try_seed(campaign: Campaign, seed: int) -> Answer:
    """What one seed tried, and what did not hold of it."""
    _complaints.clear()
    seclusion.reached_out.clear()
    tried, fault = Counter[str](), ""
    with tempfile.TemporaryDirectory(prefix="seed-") as folder:
        try:
            tried = campaign.try_seed(seed, Path(folder))
        except BaseException as error:  # whatever it is, it did not hold
            fault = "".join(format_exception(error))
    gc.collect()
    if not fault and not tried.total():
        fault = "The seed tried nothing."
    return tried, "\n".join(part for part in (fault, *_left_behind()) if part)


def _left_behind() -> list[str]:
    found = list(_complaints)
    if seclusion.reached_out:
        found.append(f"It tried to leave loopback: {seclusion.reached_out}")
    until = time.monotonic() + SECONDS_TO_END
    while children_of(os.getpid()) and time.monotonic() < until:
        _reap()
        time.sleep(0.01)
    if left := end_all(os.getpid()):
        found.append("It left processes behind: " + "; ".join(left))
        _reap()
    return found


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _processor_seconds() -> float:
    """What this process has computed for, and those that it saw the end of."""
    spent = (resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in spent)


def main() -> None:
    """Answer each seed that comes through the connection whose descriptor is the argument, until it is closed."""
    runner = Connection(int(sys.argv[1]))
    many_commands.parse_as_if_alone()
    many_commands.know_botocores_names_once()
    many_commands.know_our_version_once()
    seclusion.stay_on_loopback()
    sys.unraisablehook = _complain
    threading.excepthook = _complain
    with orphans_adopted(), suppress(EOFError):
        while True:
            campaign, seed = runner.recv()
            gc.freeze()  # what is there for good, imports above all, is not looked through again after each seed
            before = _processor_seconds()
            runner.send((try_seed(campaign, seed), _processor_seconds() - before))


if __name__ == "__main__":
    main()
