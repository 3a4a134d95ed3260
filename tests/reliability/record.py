"""What the runs came to, kept beside them: the last run of each kind, what all of them reached, and seeds that failed.

`RELIABILITY.md` at the project's root is written from it, and from nothing else.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from glacier_purge import clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.reliability.schedule import Reached

ROOT = Path(__file__).parents[2]
RECORD = Path(__file__).with_name("record.json")
KEPT_SEEDS = Path(__file__).with_name("kept_seeds.json")
WRITTEN_BY_RUNS = ("RELIABILITY.md", "tests/reliability/record.json", "tests/reliability/kept_seeds.json")


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run did of one campaign: units by kind, seeds (kept ones included), first and last, those that failed."""

    kinds: dict[str, int]
    seeds: int
    first: int | None = None
    last: int | None = None
    violations: list[int] = []
    seconds: float = 0.0

    @property
    def units(self) -> int:
        """All kinds together."""
        return sum(self.kinds.values())


class Run(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run: when it ended, of what, how, where and for how long; and either its campaigns or its figures in words.

    ``date`` goes to the minute, so that of two runs the later is known: its text sorts after the other's.
    """

    kind: str
    date: str
    commit: str
    command: str
    seconds: float
    machine: str
    ended_early: bool = False
    campaigns: dict[str, Part] = {}
    figures: dict[str, str] = {}
    violations: list[str] = []


class Total(msgspec.Struct):
    """What all runs on record reached of one campaign; `furthest` is its last seed."""

    units: int = 0
    kinds: list[str] = []
    seeds: int = 0
    violations: int = 0
    furthest: int = 0


class Record(msgspec.Struct):
    """The last run of each kind, by kind, and per campaign what all runs reached."""

    runs: dict[str, Run] = {}
    totals: dict[str, Total] = {}

    def add(self, run: Run) -> None:
        """Take in a run that has ended; it may have ended before the last of its kind, and be of another record."""
        last = self.runs.get(run.kind)
        if last is None or last.date <= run.date:
            self.runs[run.kind] = run
        for name, part in run.campaigns.items():
            total = self.totals.setdefault(name, Total())
            total.units += part.units
            total.kinds = sorted({*total.kinds, *part.kinds})
            total.seeds += part.seeds
            total.violations += len(part.violations)
            total.furthest = max(total.furthest, part.last or 0)

    def furthest(self) -> dict[str, int]:
        """Each campaign's last seed so far."""
        return {name: total.furthest for name, total in self.totals.items()}


def read_record(file: Path = RECORD) -> Record:
    """The record as it stands; an empty one where there is none."""
    return msgspec.json.decode(file.read_bytes(), type=Record) if file.exists() else Record()


def write_record(record: Record, file: Path = RECORD) -> None:
    """Write the record in the place of the one before, whole or not at all."""
    _write(file, msgspec.json.encode(record, order="deterministic"))


def read_kept(file: Path = KEPT_SEEDS) -> dict[str, dict[str, str]]:
    """The seeds that failed once, by campaign, each with what it showed; they are tried first for ever after."""
    return msgspec.json.decode(file.read_bytes(), type=dict[str, dict[str, str]]) if file.exists() else {}


def kept_seeds() -> dict[str, list[int]]:
    """Only the seeds, by campaign."""
    return {name: [int(seed) for seed in seeds] for name, seeds in read_kept().items()}


_FOLDERS = re.compile(r"(?:/[^/\s,:'\"]+)*/seed-\w+/?")
"""Where a seed had its folder on the machine that tried it, which says nothing to anybody else."""


def last_line(fault: str) -> str:
    """The last line of what did not hold, short enough to be kept."""
    said = next((line for line in reversed(fault.splitlines()) if line.strip()), "")
    return _FOLDERS.sub("", said).strip()[:200]


def keep(reached: Mapping[str, Reached], commit: str, file: Path = KEPT_SEEDS) -> None:
    """Keep the seeds that did not hold, with the last line of why and the commit at which they were found."""
    kept = read_kept(file)
    for name, part in reached.items():
        for seed, fault in part.violations.items():
            kept.setdefault(name, {}).setdefault(str(seed), f"{commit}: {last_line(fault)}")
    if kept:
        _write(file, msgspec.json.encode(kept, order="deterministic"))


def _write(file: Path, data: bytes) -> None:
    new = file.with_suffix(".new")
    new.write_bytes(msgspec.json.format(data, indent=1) + b"\n")
    new.replace(file)


def a_run(
    kind: str,
    *,
    commit: str,
    command: str,
    seconds: float,
    reached: Mapping[str, Reached] | None = None,
    figures: Mapping[str, str] | None = None,
    violations: list[str] | None = None,
    ended_early: bool = False,
) -> Run:
    """A run that ended now on this machine."""
    return Run(
        kind=kind,
        date=f"{clock.utc_now():%Y-%m-%d %H:%M}",
        commit=commit,
        command=command,
        seconds=round(seconds, 1),
        machine=f"{len(os.sched_getaffinity(0))} cores, {platform.python_implementation()} {platform.python_version()}",
        ended_early=ended_early,
        campaigns={name: _part(each) for name, each in (reached or {}).items()},
        figures=dict(figures or {}),
        violations=violations or [],
    )


def _part(reached: Reached) -> Part:
    return Part(
        kinds=dict(sorted(reached.kinds.items())),
        seeds=reached.seeds,
        first=reached.first,
        last=reached.last,
        violations=sorted(reached.violations),
        seconds=round(reached.seconds, 1),
    )


def commit_here() -> str:
    """The commit that is tried, and whether the tree differs from it in more than what runs write."""
    head = _git("rev-parse", "--short=10", "HEAD")
    changed = [line[3:] for line in _git("status", "--porcelain").splitlines()]
    return f"{head} with changes" if set(changed) - set(WRITTEN_BY_RUNS) else head


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.rstrip() if done.returncode == 0 else "unknown"
