"""Would the simulation see a bug? Plants one at a time and says which seed finds it.

    python -m tests.reliability.planted [NAME ...] [--seeds 500] [--record]

Mutants are slips of the pen. These are what somebody would write who had not thought of something: a sync left out, a
doubt forgotten, a pause that another one ends. Each lies in a copy of the engine, on which seed after seed of the
simulation is tried, from 0 on, until one does not hold. One that no seed finds says what the simulation can't see.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.reliability import report
from tests.reliability.campaigns.simulation import CAMPAIGN
from tests.reliability.record import ROOT, a_run, commit_here, last_line, read_record, write_record
from tests.reliability.runner import Stop, carry_out
from tests.reliability.schedule import UntilFound

ENGINE = ROOT / "engine"
NOT_FOUND = "by none"


@dataclass(frozen=True, kw_only=True)
class Bug:
    """What is written instead of what stands in a file of the engine, and the promise that is broken by it."""

    name: str
    breaks: str
    file: str
    was: str
    instead: str


BUGS = (
    Bug(
        name="a range is sent before its release is durable",
        breaks="I3",
        file="run/feed.py",
        was="        self._released_through = last\n        await self._journal.durable()\n",
        instead="        self._released_through = last\n",
    ),
    Bug(
        name="what is done is handed on again after a restart",
        breaks="I1",
        file="run/feed.py",
        was="        if self._resumed:\n",
        instead="        if not self._resumed:\n",
    ),
    Bug(
        name="that an earlier process may have sent it is forgotten",
        breaks="I5",
        file="deletion/pool.py",
        was="turn.maybe_deleted or (maybe_sent is not None and maybe_sent(ordinal)),",
        instead="turn.maybe_deleted,",
    ),
    Bug(
        name="that a lost reply may have been a 204 is forgotten",
        breaks="I5",
        file="deletion/pool.py",
        was="turn.maybe_deleted |= reply.meaning in LEAVES_OPEN",
        instead="turn.maybe_deleted = False",
    ),
    Bug(
        name="what a dead process had released is taken for not sent",
        breaks="I5",
        file="audit/ledger.py",
        was="max(state.maybe_through, state.released_through)",
        instead="state.maybe_through",
    ),
    Bug(
        name="a 204 that names an error is believed",
        breaks="I4",
        file="glacier/doubts.py",
        was="    if error_type is not None:\n",
        instead="    if error_type is None and status != 204:\n",
    ),
    Bug(
        name="commits are not synced",
        breaks="I6",
        file="audit/journal.py",
        was="            disk.append(name, rendered.data)\n            disk.sync(name)\n",
        instead="            disk.append(name, rendered.data)\n",
    ),
    Bug(
        name="what was taken counts before it is written",
        breaks="I6",
        file="audit/journal.py",
        was="        await self._write(at, rendered)\n        self._settle(at, rendered, opening, batch)\n",
        instead="        self._settle(at, rendered, opening, batch)\n        await self._write(at, rendered)\n",
    ),
    Bug(
        name="a torn tail is saved and not cut off",
        breaks="I8",
        file="audit/recovery.py",
        was="        disk.truncate(name, log.position.offset)\n",
        instead="",
    ),
    Bug(
        name="what a killed process wrote is believed without a sync",
        breaks="I6",
        file="audit/recovery.py",
        was="        disk.sync(name)\n        disk.sync_folder(FOLDER)\n    return [",
        instead="        disk.sync_folder(FOLDER)\n    return [",
    ),
    Bug(
        name="the end of one pause ends the others",
        breaks="a hold and an operator's pause",
        file="deletion/pauses.py",
        was="        self._why.pop(side, None)\n",
        instead="        self._why.clear()\n",
    ),
    Bug(
        name="a look at holds that got no answer lifts the hold",
        breaks="a hold",
        file="run/holds.py",
        was="    if isinstance(seen, Unanswered):\n",
        instead="    if isinstance(seen, Unanswered):\n        return None\n    if isinstance(seen, Unanswered):\n",
    ),
    Bug(
        name="nothing is paused outside of the hours asked for",
        breaks="windows",
        file="run/windows.py",
        was="            self._pool.pause(Side.WINDOW, ",
        instead='            str.format("", ',
    ),
    Bug(
        name="slots are taken together that are not due yet",
        breaks="the rate asked for",
        file="deletion/pacer.py",
        was="        taken = min(most, int((now - self._next_slot) / self._interval) + 1)\n",
        instead="        taken = most\n",
    ),
    Bug(
        name="pace and retries go by the clock on the wall",
        breaks="I13",
        file="run/sending.py",
        was="            clock=host.clock,\n",
        instead="            clock=host.wall_clock,\n",
    ),
    Bug(
        name="what was refused is not sent again",
        breaks="I1",
        file="deletion/pool.py",
        was="        self._turns.park(turn, now + wait_seconds, now + "
        "self._policy.soonest_seconds(reply.meaning, wait_seconds))\n",
        instead="",
    ),
    Bug(
        name="a renewed key is used without asking whose it is",
        breaks="I14",
        file="api/clients.py",
        was="        held_to = scrutiny(None, SeenRequestIds(), self.clock)\n"
        "        session = AwsSession(access, vault.region",
        instead="        return\n        held_to = scrutiny(None, SeenRequestIds(), self.clock)\n"
        "        session = AwsSession(access, vault.region",
    ),
    Bug(
        name="an archive fails after twenty replies that never came",
        breaks="I18",
        file="deletion/retry.py",
        was="            **dict.fromkeys(TRANSIENT, for_ever),\n",
        instead="            **dict.fromkeys(TRANSIENT, AsyncRetrying(stop=stop_after_attempt(20), wait=jitter)),\n",
    ),
    Bug(
        name="the owner's policy is not put back",
        breaks="a freeze that is taken back",
        file="vault/freeze.py",
        was="    restored = original if original is not None and is_same(original, left) else left\n",
        instead="    restored = None\n",
    ),
    Bug(
        name="a lifecycle goes on from a step that is not durable",
        breaks="I7",
        file="storage/lines.py",
        was="        if files.size(name):\n            files.sync(name)\n",
        instead="        if files.size(name):\n",
    ),
)


def find(bug: Bug, seeds: int, stop: Stop) -> tuple[int, str] | None:
    """The first seed that a bug does not hold with, and what it showed; None where so many do not find it."""
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        engine = Path(name) / "engine"
        shutil.copytree(ENGINE, engine, ignore=shutil.ignore_patterns("__pycache__"))
        file = engine / "glacier_purge" / bug.file
        file.write_text(planted(bug), "utf-8")
        at_once = len(os.sched_getaffinity(0))
        reached = carry_out(UntilFound(CAMPAIGN, seeds), at_once, stop, {"PYTHONPATH": str(engine)})[CAMPAIGN.name]
    if not reached.violations:
        return None
    seed = min(reached.violations)
    return seed, _showed(seed, reached.violations[seed])


def _showed(seed: int, fault: str) -> str:
    """What did not hold, which stands before all that happened."""
    begins = f"AssertionError: seed {seed}: "
    said = next((line for line in fault.splitlines() if line.startswith(begins)), last_line(fault))
    return said.removeprefix(begins)[:200]


def planted(bug: Bug) -> str:
    """The file with the bug in it. Raises ``ValueError`` where what it stands for is not there, or not just once."""
    text = (ENGINE / "glacier_purge" / bug.file).read_text("utf-8")
    if text.count(bug.was) != 1:
        raise ValueError(f"{bug.name}: {bug.file} has not just one {bug.was!r}")
    return text.replace(bug.was, bug.instead)


def main() -> int:
    """Try the bugs; 1 when one was not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.planted", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="those whose names hold one of these texts")
    parser.add_argument("--seeds", type=int, default=CAMPAIGN.wanted, help="so many are tried at most")
    parser.add_argument("--record", action="store_true", help="write it into RELIABILITY.md, in the rows of these")
    asked = parser.parse_args()
    chosen = [bug for bug in BUGS if not asked.names or any(text in bug.name for text in asked.names)]
    commit, began, figures = commit_here(), time.monotonic(), dict[str, str]()
    with Stop().on_signals() as stop:
        for bug in chosen:
            found = find(bug, asked.seeds, stop)
            if stop.asked:
                break
            name = f"{bug.name} ({bug.breaks})"
            figures[name] = f"seed {found[0]}: {found[1]}" if found else f"{NOT_FOUND} of {asked.seeds} seeds"
            print(f"{name}: {figures[name]}", flush=True)
    not_found = [f"{name}: not found" for name, told in figures.items() if told.startswith(NOT_FOUND)]
    if asked.record:
        record = read_record()
        before = record.runs["planted"].figures if "planted" in record.runs else {}
        now = {name: value.replace("|", "\\|") + f" ({commit})" for name, value in figures.items()}
        figures = before | now
        record.add(
            a_run(
                "planted",
                commit=commit,
                command="make planted",
                seconds=time.monotonic() - began,
                figures=figures,
                violations=[f"{name}: not found" for name, told in figures.items() if told.startswith(NOT_FOUND)],
                ended_early=stop.asked,
            )
        )
        write_record(record)
        report.write()
    return 1 if not_found else 0


if __name__ == "__main__":
    sys.exit(main())
