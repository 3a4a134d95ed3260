"""All questions in their short form: ``make bench``. Rewrites RESULTS.md and results.json.

    python -m benchmarks [--full] [--only NAME,NAME]

Every question is a process of its own, and runs alone: the pacer's real event loops want more than one core.
``--full`` takes the long forms: ten minutes of pacing, ten million archives.  With ``--only`` nothing is rewritten.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import (
    bench_audit,
    bench_fleet,
    bench_memory,
    bench_pacer,
    bench_pacer_real,
    bench_parse,
    bench_pipeline,
    bench_simulator,
    bench_startup,
    profile_pipeline,
)
from benchmarks.headlines import headlines
from benchmarks.machine import description

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FOLDER = Path(__file__).parent
VERSIONS = (
    *("aioboto3", "aiobotocore", "botocore", "aiohttp", "uvloop", "httptools", "anyio", "tenacity", "structlog"),
    *("orjson", "msgspec", "ijson"),
)


@dataclass(frozen=True, kw_only=True)
class Question:
    """A benchmark: its module, what it is given in its two forms, and how its answer reads for people."""

    name: str
    short: Sequence[str]
    full: Sequence[str]
    told: Callable[[Any], str]


def _tables(of: Any) -> Callable[[Any], str]:
    return lambda results: "\n\n".join(table.markdown() for table in of.tables(results))


QUESTIONS = (
    Question(name="bench_startup", short=["--rounds", "3"], full=["--rounds", "15"], told=_tables(bench_startup)),
    Question(name="bench_parse", short=[], full=["--archives", "1000000"], told=_tables(bench_parse)),
    Question(name="bench_audit", short=["--rounds", "3"], full=[], told=_tables(bench_audit)),
    Question(
        name="bench_pipeline",
        short=["--deletes", "8000"],
        full=["--deletes", "100000", "--rounds", "5"],
        told=_tables(bench_pipeline),
    ),
    Question(name="profile_pipeline", short=["--deletes", "15000"], full=[], told=_tables(profile_pipeline)),
    Question(
        name="bench_simulator",
        short=["--seconds", "1", "--rounds", "2"],
        full=[],
        told=lambda results: f"## The simulator\n\n{bench_simulator.text(results)}",
    ),
    Question(name="bench_memory", short=[], full=["--full"], told=_tables(bench_memory)),
    Question(name="bench_fleet", short=["--sizes", "20"], full=[], told=_tables(bench_fleet)),
    Question(name="bench_pacer", short=[], full=["--seeds", "10"], told=_tables(bench_pacer)),
    Question(name="bench_pacer_real", short=[], full=["--long"], told=_tables(bench_pacer_real)),
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of a question: its command, how long it took, and its JSON."""

    question: Question
    command: str
    seconds: float
    results: Any


def ask(question: Question, *, full: bool) -> Answer:
    """Run one question to its end. Its stderr passes through."""
    options = question.full if full else question.short
    command = ["-m", f"benchmarks.{question.name}", *options]
    _say(f"{question.name} ...")
    began = time.monotonic()
    done = subprocess.run([sys.executable, *command, "--output", "json"], check=True, stdout=subprocess.PIPE)
    seconds = time.monotonic() - began
    _say(f"{question.name}: {seconds:.0f} s")
    return Answer(
        question=question, command=" ".join(["python", *command]), seconds=seconds, results=json.loads(done.stdout)
    )


def ask_all(*, full: bool, only: Sequence[str]) -> list[Answer]:
    """Ask what is to be asked, one question after the other."""
    return [ask(question, full=full) for question in QUESTIONS if not only or question.name in only]


def report(answers: Sequence[Answer], figures: dict[str, Any], *, form: str, load: float) -> str:
    """Everything for people."""
    machine = description()
    told = [answer.question.told(answer.results) for answer in answers]
    ran = [f"| `{answer.command}` | {answer.seconds:.0f} |" for answer in answers]
    return "\n".join(
        [
            "# Results",
            "",
            f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {form} form, by `make bench`; not edited by hand.",
            f"README.md beside it says how to read it. The machine's load was {load:.1f} before it began; from 0.5 on",
            "it was busy with other things, and rates, latencies and the pacer's figures may have suffered.",
            "",
            f"{machine['python']}, {machine['system']}, {machine['cores']} cores of {machine['processor']}.",
            ", ".join(f"{name} {version(name)}" for name in ("glacier-purge", *VERSIONS)) + ".",
            "",
            "| figure | value |",
            "| --- | ---: |",
            *(f"| {name} | {_shown(value)} |" for name, value in figures.items()),
            "",
            *(f"{text}\n" for text in told),
            "## What was run",
            "",
            "| command | seconds |",
            "| --- | ---: |",
            *ran,
            "",
        ]
    )


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value.items())
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _say(message: str) -> None:
    print(f"bench: {message}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the long forms")
    parser.add_argument("--only", default="", help="questions, separated by commas; then nothing is rewritten")
    asked = parser.parse_args()
    only = [name for name in asked.only.split(",") if name]
    load = os.getloadavg()[0]
    answers = ask_all(full=asked.full, only=only)
    results = {answer.question.name: answer.results for answer in answers}
    if only:
        for answer in answers:
            print(answer.question.told(answer.results), end="\n\n")
        return
    figures = headlines(results)
    text = report(answers, figures, form="long" if asked.full else "short", load=load)
    (FOLDER / "RESULTS.md").write_text(text, "utf-8")
    document = {
        **figures,
        "load_before": load,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": description(),
    }
    (FOLDER / "results.json").write_text(json.dumps({**document, "details": results}, indent=1) + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
