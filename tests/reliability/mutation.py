"""Would the tests see a mistake? Tries a sample of mutants of the rooms where one would cost archives.

    python -m tests.reliability.mutation [--sample 300] [--seed N] [--record]
    python -m tests.reliability.mutation --only "audit/recovery: _start:" "limit_search: grow:"

Each mutant lies in a copy of the engine, one copy a core, and is tried against the tests of its room that reach its
line (coverage.py says which), the shortest first, until one fails.  A process is forked for each, in which all that is
not ours is loaded already, and is ended once it has computed for too long, however busy the machine is.  A mutant that
no test fails, or that no test reaches, has survived: it is told, with the reason when one is written down in
`survivors.json`.  Nine in ten have to be killed, not counting those whose reason says that they change nothing that
anybody sees; it begins with "a test is missing" where they do.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import coverage
import pytest

from tests.at_length import PROFILE
from tests.reliability import report
from tests.reliability.mutants import Mutant, mutants_of
from tests.reliability.processes import end_all
from tests.reliability.record import ROOT, a_run, commit_here, read_record, write_record
from tests.reliability.runner import Stop, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KILLED_SHARE_MIN = 0.9
WAITS_FACTOR = 10.0
"""How many times as long as it may compute a mutant may take with all its waiting, for its turn as well."""
KILLED, TOO_SLOW, SURVIVED = "killed", "too slow", "survived"
A_TEST_IS_MISSING = "a test is missing"
NO_REASON = f"{A_TEST_IS_MISSING}, or a reason"
SURVIVORS = Path(__file__).with_name("survivors.json")
LOADED = (
    *("aiobotocore.session", "aiohttp", "anyio", "cryptography.hazmat.primitives.serialization", "ijson"),
    *("msgspec", "orjson", "pydantic", "rich", "structlog", "tenacity"),
    *("trustme", "uvloop", "zstandard"),
)
"""What tests and engine load that is not ours."""
OURS = ("glacier_purge", "glacier_simulator", "glacier_purge_profiles", "tests")
ROOMS = {
    "pacer": (
        ("deletion/pacer", "deletion/limit_search", "deletion/fault_factor", "deletion/fault_trial"),
        tuple(f"tests/deletion/test_{name}.py" for name in ("pacer", "limit_search", "fault_factor", "fault_trial")),
    ),
    "decisions": (("plan/decisions", "plan/choosing", "plan/reasons"), ("tests/plan",)),
    "recovery": (("audit/recovery", "audit/torn_tail"), ("tests/audit",)),
    "rules": (("guard/rules", "guard/policy"), ("tests/guard", "tests/plan/test_making.py")),
    "verifier": (("audit/verification",), ("tests/audit",)),
}
"""Each room's modules, and the tests that have to see a mistake in them."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A module of a room, and the tests that reach each of its lines; those of line 0 reach it as it is loaded."""

    room: str
    module: str
    reached_by: dict[int, list[str]]

    def tests_of(self, mutant: Mutant) -> list[str]:
        """The tests that are asked about a mutant."""
        tests = self.reached_by.get(mutant.line, [])
        return list(ROOMS[self.room][1]) if "" in tests else tests


def places(only: Sequence[str]) -> list[Place]:
    """Run the tests of each room once, as they are, and look what they reach; of rooms with mutants named so alone."""
    found = []
    for tests in dict.fromkeys(tests for _, tests in ROOMS.values()):
        rooms = {module: room for room, (modules, theirs) in ROOMS.items() if theirs == tests for module in modules}
        if not any(_mutants(module, only) for module in rooms):
            continue
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data"
            child = os.fork()
            if child == 0:
                _leave(_covered([*rooms], tests, data))
            if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
                raise SystemExit(f"tests fail without any mutant: {' '.join(tests)}")
            read = coverage.CoverageData(str(data))
            read.read()
            seconds = defaultdict[str, float](float, json.loads(data.with_suffix(".json").read_text("utf-8")))
            for module, room in rooms.items():
                lines = read.contexts_by_lineno(str(_file(ROOT, module)))
                reached = {
                    line: sorted(map(_test, contexts), key=seconds.__getitem__) for line, contexts in lines.items()
                }
                found.append(Place(room=room, module=module, reached_by=reached))
            say(f"{' and '.join(dict.fromkeys(rooms.values()))}: the tests pass")
    order = [module for modules, _ in ROOMS.values() for module in modules]
    return sorted(found, key=lambda place: order.index(place.module))


def _covered(modules: Sequence[str], tests: Sequence[str], data: Path) -> int:
    """The tests' exit code, with what they reached in a file, and how long each took in another."""
    took = _Took()
    measured = coverage.Coverage(data_file=str(data), include=[str(_file(ROOT, module)) for module in modules])
    measured.set_option("run:dynamic_context", "test_function")
    measured.start()
    code = _pytest(tests, took)
    measured.stop()
    measured.save()
    data.with_suffix(".json").write_text(json.dumps(took.seconds), "utf-8")
    return code


class _Took:
    """Hears from pytest how long each test took, with all its parameters: a mutant is tried by the shortest first."""

    def __init__(self) -> None:
        self.seconds = defaultdict[str, float](float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test's set-up, itself, or its end."""
        self.seconds[report.nodeid.partition("[")[0]] += report.duration


def _test(context: str) -> str:
    """A test as pytest names it: its file, and its function."""
    module, _, function = context.rpartition(".")
    return f"{module.replace('.', '/')}.py::{function}" if module else ""


def _file(root: Path, module: str) -> Path:
    return root / f"engine/glacier_purge/{module}.py"


def _pytest(tests: Sequence[str], *plugins: object) -> int:
    os.chdir(ROOT)
    loaded_already = "ignore::pytest.PytestAssertRewriteWarning"
    options = ("-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-W", loaded_already, "--timeout", "0")
    whole = ("--at-length=too", f"--hypothesis-profile={PROFILE}")
    return int(pytest.main([*options, *whole, *tests], plugins=plugins))


def _leave(code: int) -> None:
    sys.stdout.flush()
    os._exit(code)


class Copy:
    """A copy of the engine with one mutant in it at a time, and the process that tries it."""

    def __init__(self, folder: Path) -> None:
        self._root = folder
        shutil.copytree(ROOT / "engine", folder / "engine", ignore=shutil.ignore_patterns("__pycache__"))
        self.tried: tuple[Place, Mutant] | None = None
        self._child = 0
        self._until = 0.0

    def begin(self, place: Place, mutant: Mutant, limit_seconds: float) -> None:
        """Have a mutant tried."""
        self.tried = (place, mutant)
        self._until = time.monotonic() + WAITS_FACTOR * limit_seconds
        _file(self._root, place.module).write_text(mutant.source, "utf-8")
        sys.stdout.flush()
        self._child = os.fork()
        if self._child == 0:
            with (self._root / "output").open("wb") as output:
                os.dup2(output.fileno(), 1)
                os.dup2(output.fileno(), 2)
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit_seconds), int(limit_seconds) + 5))
            sys.dont_write_bytecode = True
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
            os.environ["PYTHONPATH"] = str(self._root / "engine")
            os.environ["TMPDIR"] = str(self._root)
            tempfile.tempdir = None
            sys.path.insert(0, str(self._root / "engine"))
            for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
                del sys.modules[name]  # or what is loaded already would be tried, and not the copy
            _leave(_pytest(place.tests_of(mutant)))

    def ended(self) -> str | None:
        """What became of the mutant, KILLED by a test, TOO_SLOW or SURVIVED; None while it is under way."""
        ended, status = os.waitpid(self._child, os.WNOHANG)
        if not ended and time.monotonic() < self._until:
            return None
        if not ended:
            self.close()
        assert self.tried is not None
        place, _ = self.tried
        shutil.copy(_file(ROOT, place.module), _file(self._root, place.module))
        self.tried = None
        if not ended or os.waitstatus_to_exitcode(status) in {-signal.SIGXCPU, -signal.SIGKILL}:
            return TOO_SLOW
        return KILLED if status else SURVIVED

    def close(self) -> None:
        """End the process, and what it started."""
        end_all(self._child)
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)


@contextmanager
def copies() -> Iterator[list[Copy]]:
    """A copy of the engine for each core."""
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as name:
        yield [Copy(Path(name) / str(number)) for number in range(len(os.sched_getaffinity(0)))]


def try_all(chosen: list[tuple[Place, Mutant]], limit_seconds: float, stop: Stop) -> list[tuple[str, str]]:
    """Each mutant's name, which several may share, and what became of it."""
    waiting, results = list(reversed(chosen)), list[tuple[str, str]]()
    with copies() as made:
        while not stop.asked:
            for copy in made:
                if copy.tried is None and waiting:
                    place, mutant = waiting.pop()
                    if place.tests_of(mutant):
                        copy.begin(place, mutant, limit_seconds)
                    else:
                        results.append((_name(place, mutant), SURVIVED))
            busy = [copy for copy in made if copy.tried is not None]
            if not busy and not waiting:
                break
            for copy in busy:
                tried = copy.tried
                assert tried is not None
                if (became := copy.ended()) is not None:
                    results.append((_name(*tried), became))
                    if became is not KILLED:
                        say(f"{became}: {_name(*tried)}, at line {tried[1].line}")
                    if len(results) % 25 == 0:
                        say(f"{len(results)} of {len(chosen)}")
            time.sleep(0.02)
        for copy in made:
            if copy.tried is not None:
                copy.close()
    return results


def check_that_copies_are_tried(place: Place) -> None:
    """Raise ``SystemExit`` unless a module that cannot even be loaded is found out."""
    broken = Mutant(0, "module", "all of it", "nothing", "raise AssertionError\n")
    everything = Place(room=place.room, module=place.module, reached_by={0: [""]})
    with copies() as made:
        made[0].begin(everything, broken, 600.0)
        while (became := made[0].ended()) is None:
            time.sleep(0.02)
    if became is not KILLED:
        raise SystemExit(f"{place.module} was broken altogether, and its tests pass: they try something else")


def _mutants(module: str, only: Sequence[str]) -> list[Mutant]:
    """A module's mutants whose names hold one of these texts; all of them where there is none."""
    found = mutants_of(_file(ROOT, module).read_text("utf-8"))
    return [mutant for mutant in found if not only or any(text in f"{module}: {mutant.name}" for text in only)]


def _name(place: Place, mutant: Mutant) -> str:
    return f"{place.module}: {mutant.name}"


def main() -> int:
    """Try a sample; 1 when more than a tenth survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.mutation", description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0, help="another sample")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="TEXT", help="of the mutants whose names hold one of these texts"
    )
    parser.add_argument(
        "--limit-seconds", type=float, default=200.0, help="a mutant that computes for longer goes on for ever"
    )
    parser.add_argument("--record", action="store_true", help="write the run into RELIABILITY.md")
    asked = parser.parse_args()
    if asked.only and asked.record:
        parser.error("on record goes a sample of all")
    for name in LOADED:
        importlib.import_module(name)
    commit, began = commit_here(), time.monotonic()
    tried = places(asked.only)
    if not tried:
        parser.error("no mutant is named so")
    check_that_copies_are_tried(tried[0])
    everything = [(place, mutant) for place in tried for mutant in _mutants(place.module, asked.only)]
    chosen = random.Random(asked.seed).sample(everything, min(asked.sample, len(everything)))
    say(f"{len(chosen)} of {len(everything)} mutants")
    with Stop().on_signals() as stop:
        results = try_all(chosen, asked.limit_seconds, stop)
    known: dict[str, str] = json.loads(SURVIVORS.read_text("utf-8")) if SURVIVORS.exists() else {}
    survived = sorted(name for name, became in results if became is SURVIVED)
    killed = len(results) - len(survived)
    unseen = sum(not known.get(name, NO_REASON).startswith(A_TEST_IS_MISSING) for name in survived)
    share = killed / max(1, len(results) - unseen)
    too_slow = sum(became is TOO_SLOW for _, became in results)
    figures = {
        "mutants there are": f"{len(everything):,}",
        "tried": f"{len(results)}, sample {asked.seed}",
        "killed": f"{killed} ({killed / max(1, len(results)):.1%}), {too_slow} of them because they went on for ever",
        "killed, but for those that change nothing anybody sees": f"{share:.1%}, without {unseen}",
    } | {
        f"survived{f' {times} times' if times > 1 else ''}: `{name}`": known.get(name, NO_REASON)
        for name, times in Counter(survived).items()
    }
    print("\n".join(f"{name}: {value}" for name, value in figures.items()))
    held = share >= KILLED_SHARE_MIN
    if asked.record:
        record = read_record()
        record.add(
            a_run(
                "mutation",
                commit=commit,
                command=f"make mutants SEED={asked.seed}",
                seconds=time.monotonic() - began,
                figures={name.replace("|", "\\|"): value for name, value in figures.items()},
                violations=[] if held else [f"less than {KILLED_SHARE_MIN:.0%} were killed"],
                ended_early=stop.asked,
            )
        )
        write_record(record)
        report.write()
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
