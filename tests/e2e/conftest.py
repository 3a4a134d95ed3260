"""The installed command against the simulator, as processes; and the invariants, checked after every run.

What a run wrote is read with the json module, what the server received is asked from the server.  Tests marked
``in_process`` give the same commands in this one, since a start costs more than most of their work, and so does
``shell``, for tests that ask for much and get little.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from io import StringIO
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.api import wire_record
from glacier_purge.cli import app, main
from glacier_purge.cli.app import parse
from tests.answers import check_ending, check_if_for_programs
from tests.e2e.shell import Shell, process_settings_kept
from tests.e2e.simulator import simulating

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.desk import Desk, Prepared
    from tests.e2e.simulator import Simulator

COMMAND = (sys.executable, "-m", "glacier_purge")


def environment(**more: str) -> dict[str, str]:
    """An environment with nothing of AWS in it but what a test gives."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GLACIER_PURGE_"))}
    clean |= {"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}
    clean |= {"GLACIER_PURGE_REPORT__PAGE": "false"}  # 150 ms of each process; test_imports.py looks at it
    return clean | {"AWS_EC2_METADATA_DISABLED": "true", "PYTHONWARNINGS": "error"} | more


@dataclass
class Bench:
    """A simulator, a folder to work in, and the command."""

    folder: Path
    simulator: Simulator
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    """Environment variables of this test's own; they win."""

    @property
    def run_dir(self) -> Path:
        return self.folder / "run"

    def environment(self) -> dict[str, str]:
        variables = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "XDG_STATE_HOME": str(self.folder / "state"),
            "GLACIER_PURGE_PACE__FIRST_PER_SECOND": "1000",  # the cold start has its own tests
        }
        return environment(**(variables | self.variables))

    def start(self, *arguments: str, under: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """Start the command; ``under`` is a program with its options that starts it in turn."""
        process = subprocess.Popen(
            [*under, *COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.environment(),
        )
        self.started.append(process)
        return process

    def run(self, *arguments: str, exit_code: int = 0, under: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, under=under)
        out, err = process.communicate(timeout=120)
        assert process.returncode == exit_code, f"{arguments}: exit {process.returncode}\n{out}\n{err}"
        check_if_for_programs(arguments, out)
        check_ending(arguments, exit_code)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def json(self, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(self.run(*arguments, "--output", "json", exit_code=exit_code).stdout)
        return result

    def plan(self, *options: str, inventory: Path | None = None) -> dict[str, Any]:
        inventory = inventory or self.simulator.inventory(self.folder / "inventory.json")
        return self.json(
            *("plan", self.simulator.vault, "--inventory", str(inventory), "--run-dir", str(self.run_dir)),
            *("--endpoint-url", self.simulator.endpoint_url, *options),
        )

    def apply_arguments(self, digest: str, *options: str) -> tuple[str, ...]:
        return ("apply", str(self.run_dir), "--confirm-digest", digest, *options)

    def resume_arguments(self, digest: str) -> tuple[str, ...]:
        """How to go on with the run; ``digest`` is quoted only where no approval reached the disk before."""
        approved = any(record["event"] == "approved" for record in self.log())
        return ("apply", str(self.run_dir)) if approved else self.apply_arguments(digest)

    def log(self) -> list[dict[str, Any]]:
        """Every line of the audit log, in order, its chain checked on the way."""
        lines: list[dict[str, Any]] = []
        previous = json.loads((self.run_dir / "plan.json").read_bytes())["digest"]
        for segment in sorted((self.run_dir / "audit").glob("[0-9]*.jsonl")):
            for line in segment.read_bytes().splitlines(keepends=True):
                if not line.endswith(b"\n"):
                    return lines  # what a crash has torn; nothing stands after it
                record = json.loads(line)
                assert record["prev"] == previous
                assert record["seq"] == len(lines)
                previous = hashlib.sha256(line).hexdigest()
                lines.append(record)
        return lines

    def check_invariants(self, *, complete: bool = True) -> dict[int, dict[str, Any]]:
        """I1 to I6, against the server's ledger; returns the outcome of each ordinal."""
        planned = [
            record["ArchiveId"] for record in json.loads((self.run_dir / "inventory.json").read_bytes())["ArchiveList"]
        ]
        log = self.log()
        outcomes = [record for record in log if record["event"] == "outcome"]
        per_ordinal = Counter(record["ordinal"] for record in outcomes)
        assert not per_ordinal or max(per_ordinal.values()) == 1, "I1: two outcomes for one record"
        if complete:
            assert set(per_ordinal) == set(range(len(planned))), "I1: records without an outcome"
        ledger, left = self.simulator.ledger(), self.simulator.ids_left()
        assert ledger["unknown"] == ledger["wrong_vault"] == ledger["malformed"] == 0, "I2: sent what is not planned"
        released_through, epoch_releases = -1, 0
        for record in log:
            if record["event"] == "released":
                released_through = max(released_through, record["last"])
                epoch_releases += 1
            elif record["event"] == "outcome" and record["outcome"] == "deleted":
                assert record["ordinal"] <= released_through, "I3: sent before its range was released"
                assert record["http_status"] == 204, "I4: deleted without a 204"
                assert record["archive_id"] == planned[record["ordinal"]]
                assert record["archive_id"] not in left, "I4: recorded as deleted, still there"
        deleted = {record["archive_id"] for record in outcomes if record["outcome"] == "deleted"}
        if complete:
            assert left == set(planned) - deleted, "I2: deleted what was not recorded"
        return {record["ordinal"]: record for record in outcomes}

    def wait_for_deletes(self, count: int, process: subprocess.Popen[str]) -> None:
        """Wait until the server has received ``count`` deletes (in real time: it is a real process)."""
        for _ in range(6000):
            if process.poll() is not None or self.simulator.ledger()["deletes_received"] >= count:
                return
            time.sleep(0.01)
        raise AssertionError("the server received nothing in a minute")

    def wait_for_faults(self, count: int, process: subprocess.Popen[str]) -> None:
        """Wait until ``count`` requests were struck by the simulator's faults."""
        for _ in range(6000):
            if process.poll() is not None or sum(self.simulator.ledger()["faults"].values()) >= count:
                return
            time.sleep(0.01)
        raise AssertionError("no fault struck in a minute")


@dataclass
class Here(Bench):
    """A bench whose commands are given in this process, for tests that need no process of their own.

    (One with ``start``, or ``under`` another program, is one still.)
    """

    def run(self, *arguments: str, exit_code: int = 0, under: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        if under:
            return super().run(*arguments, exit_code=exit_code, under=under)
        wanted = self.environment()
        with (
            pytest.MonkeyPatch.context() as patch,
            process_settings_kept(),
            redirect_stdout(StringIO()) as out,
            redirect_stderr(StringIO()) as err,
        ):
            patch.chdir(self.folder)
            patch.setattr(wire_record, "_PROCESS", token_hex(8))  # for a record of the wire each command is another one
            for name in os.environ.keys() - wanted.keys():
                patch.delenv(name)
            for name, value in wanted.items():
                patch.setenv(name, value)
            ended = main([*arguments])
        assert ended == exit_code, f"{arguments}: exit {ended}\n{out.getvalue()}\n{err.getvalue()}"
        check_if_for_programs(arguments, out.getvalue())
        check_ending(arguments, ended)
        return subprocess.CompletedProcess(arguments, ended, out.getvalue(), err.getvalue())


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """A bench; ``@pytest.mark.parametrize("bench", [{...options}], indirect=True)`` sets the simulator, and
    the mark ``in_process`` makes it one ``Here``."""
    options = {"archives": 500, "latency-ms": 5, "burst": 100} | getattr(request, "param", {})
    with simulating(**{name.replace("-", "_"): value for name, value in options.items()}) as simulator:
        bench = (Here if request.node.get_closest_marker("in_process") else Bench)(tmp_path, simulator)
        try:
            yield bench
        finally:
            for process in bench.started:
                if process.poll() is None:
                    process.kill()
                process.communicate()


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A simulator of 60 archives for a whole module, whose tests delete none of them."""
    with simulating(archives=60, latency_ms=1.0) as simulator:
        yield simulator


@pytest.fixture
def shell(
    tmp_path: Path, simulator: Simulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    """The command in this process, with credentials that any simulator takes."""
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with process_settings_kept():
        yield Shell(tmp_path, simulator, capsys)


@pytest.fixture
def parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parse each command line once, for who gives the same one for a hundred files."""
    known = cache(lambda *arguments: parse([*arguments]))
    monkeypatch.setattr(app, "parse", lambda arguments: known(*arguments))


@pytest.fixture(scope="module")
def prepared(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """Run folders for a whole module: planned, begun, and proven."""
    from tests.e2e.desk import prepare  # it needs what stands above

    with prepare(simulator, tmp_path_factory.mktemp("prepared")) as made:
        yield made


@pytest.fixture
def desk(shell: Shell, prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk to make wrong requests from."""
    from tests.e2e.desk import Desk

    desk = Desk(shell.folder, shell.simulator, shell.capsys, prepared, monkeypatch)
    yield desk
    desk.leave()
