"""The world of campaigns with real processes: a folder, the pretended service and the command; and what has to hold in
it, whatever was done to the command."""

from __future__ import annotations

import json
import runpy
import subprocess
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

import trustme

from glacier_purge.audit import verification
from tests.e2e.conftest import Bench
from tests.reliability.forked import Forked, Order, Twin, twin
from tests.reliability.service import Service, service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

RATE = 400
IN_FLIGHT = 8
MEMBERS = 3
"""Vaults of a fleet at most, each with a pace of its own."""
COMMIT_SECONDS = 0.1
PACED = ("--max-rate", str(RATE), "--max-in-flight", str(IN_FLIGHT))
LATENCY_MS = 4.0
DAYS_PASS = 40_000.0
"""Simulated seconds a second, for what takes days."""
_POLL_SECONDS = 0.002


@dataclass(kw_only=True)
class World(Bench):
    """A bench whose service is in this process and whose commands are forked."""

    service: Service
    twin: Twin

    def __post_init__(self) -> None:
        self._numbers = count(1)
        self._forked: list[Forked] = []

    def environment(self) -> dict[str, str]:
        """See ``Bench``. It trusts one authority, not the hundreds of this system, which take long to read."""
        authority = self.folder / "authority.pem"
        if not authority.exists():
            authority.write_bytes(_authority())
        trusted = {"SSL_CERT_FILE": str(authority), "SSL_CERT_DIR": str(self.folder / "no-authorities")}
        return super().environment() | trusted

    def forked(
        self,
        *arguments: str,
        held: bool = False,
        limits: dict[int, int] | None = None,
        descriptors: int | None = None,
        has_own_clock: bool = False,
        doors: dict[int, Path] | None = None,
        closed: bool = False,
        **variables: str,
    ) -> Forked:
        """Start the command. ``closed``: without stdout and stderr; ``variables`` are this one's own."""
        said = self.folder / f"said-{next(self._numbers)}"
        process = Forked(
            self.twin,
            Order(
                arguments=arguments,
                environment=self.environment() | variables,
                folder=self.folder,
                out=None if closed else said.with_suffix(".out"),
                err=None if closed else said.with_suffix(".err"),
                limits=limits or {},
                descriptors=descriptors,
                has_own_clock=has_own_clock,
                doors=doors,
            ),
            held=held,
        )
        self._forked.append(process)
        return process

    def run(self, *arguments: str, exit_code: int = 0, under: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """See ``Bench``."""
        assert not under
        process = self.forked(*arguments)
        ended = process.wait()
        assert ended == exit_code, f"{arguments}: exit {ended}\n{process.out()}\n{process.err()}"
        return subprocess.CompletedProcess(arguments, ended, process.out(), process.err())

    def until(self, holds: Callable[[], object], process: Forked) -> bool:
        """Wait until something holds, or the process has ended; say whether it holds."""
        until = time.monotonic() + 60
        while not holds():
            if process.poll() is not None:
                return bool(holds())
            assert time.monotonic() < until, f"in a minute, not: {holds}"
            time.sleep(_POLL_SECONDS)
        return True

    def end(self) -> None:
        """Leave nobody behind."""
        for process in self._forked:
            process.kill()


@contextmanager
def world(folder: Path, **options: Any) -> Iterator[World]:
    """A folder to work in, and a service with ``options``, those of ``SimulatedGlacier``."""
    with twin() as forking, service(**({"latency_ms": LATENCY_MS} | options)) as serving:
        made = World(folder=folder, simulator=serving, service=serving, twin=forking)
        try:
            yield made
        finally:
            made.end()


class Toll:
    """What stops without a warning may cost (I5): a delete sent again of what had no durable outcome yet, and of
    nothing else, in a number bounded by the rate and how long a record waits for the disk."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._may_be_sent_again = Counter[str]()

    def stopped(self) -> set[str]:
        """Look at what a process left that has just ended, however it ended, and say what has no outcome."""
        self._world.service.let_everybody_go()
        return self.in_doubt()

    def in_doubt(self) -> set[str]:
        """What has no outcome now may be sent again: whoever sent it has ended, or waits for its replies no more."""
        recorded, commits, latencies = set[str](), [], [0.0]
        for run in runs_in(self._world.folder):
            for record in outcomes_of(run):
                commits.append((run, record["epoch"], record["ts"]))
                if record["outcome"] == "deleted":
                    recorded.add(record["archive_id"])
                    latencies.append(record["ms"] / 1000)
        in_doubt = {came.archive_id for came in self._world.service.deletes()} - recorded
        waited = max(COMMIT_SECONDS, *gaps(commits), 0.0)
        allowed = round(RATE * MEMBERS * (waited + sorted(latencies)[len(latencies) * 99 // 100])) + IN_FLIGHT * MEMBERS
        assert len(in_doubt) <= allowed, f"I5: {len(in_doubt)} deletes have no outcome on disk; at most {allowed} may"
        self._may_be_sent_again.update(in_doubt)
        return in_doubt

    def check(self) -> None:
        """Look at what was sent again, when all is done."""
        sent = Counter(came.archive_id for came in self._world.service.deletes())
        told = {
            record["archive_id"]: record.get("redelete", False)
            for run in runs_in(self._world.folder)
            for record in outcomes_of(run)
        }
        for archive_id, times in sent.items():
            assert times <= 1 + self._may_be_sent_again[archive_id], f"I5: {archive_id} was sent {times} times"
            assert times == 1 or told[archive_id], f"{archive_id} was sent again, and the log does not say so"


def runs_in(folder: Path) -> list[Path]:
    """The run folders at or below a folder, a lifecycle's rounds among them, that have a log."""
    return sorted(audit.parent for audit in folder.rglob("audit") if audit.is_dir())


def outcomes_of(run: Path) -> list[dict[str, Any]]:
    """The outcomes in a run's log, up to where a crash may have torn it: one a record (I1), and deleted only what
    was released before (I3) and answered with a 204 for that very archive (I4)."""
    planned = inventory_ids(run)
    released, found = -1, dict[int, dict[str, Any]]()
    for segment in sorted((run / "audit").glob("[0-9]*.jsonl")):
        for line in segment.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            record = json.loads(line)
            if record["event"] == "released":
                released = max(released, record["last"])
            elif record["event"] == "outcome":
                assert record["ordinal"] not in found, "I1: two outcomes for one record"
                found[record["ordinal"]] = record
                if record["outcome"] == "deleted":
                    assert record["ordinal"] <= released, "I3: sent before its range was released"
                    assert record["http_status"] == 204, "I4: deleted without a 204"
                    assert record["archive_id"] == planned[record["ordinal"]]
    return [*found.values()]


def inventory_ids(run: Path) -> list[str]:
    """The archives a run's inventory lists, in its order."""
    return [record["ArchiveId"] for record in json.loads((run / "inventory.json").read_bytes())["ArchiveList"]]


def gaps(commits: list[tuple[Path, int, str]]) -> Iterator[float]:
    """The seconds between commits of one process to one log: a busy machine's disk takes more than it was asked for."""
    for (run, epoch, earlier), (next_run, next_epoch, later) in pairwise(sorted(set(commits))):
        if (run, epoch) == (next_run, next_epoch):
            yield (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def check_purged(world: World, wanted: set[str], *, complete: bool) -> None:
    """What was sent is what was to go, and nothing else (I2); when complete, all of that, each with its outcome (I1).

    ``wanted`` are the archives that were to go, of all vaults.
    """
    sent = {came.archive_id for came in world.service.deletes()}
    ledger = world.service.ledger()
    assert ledger["unknown"] == ledger["wrong_vault"] == ledger["malformed"] == 0, "I2: sent what is not planned"
    assert sent <= wanted, "I2: sent what was not to go"
    deleted = set[str]()
    for run in runs_in(world.folder):
        outcomes = outcomes_of(run)
        deleted |= {record["archive_id"] for record in outcomes if record["outcome"] == "deleted"}
        if complete and outcomes:  # a plan that grew old before it was sent never is
            ordinals = {record["ordinal"] for record in outcomes}
            assert ordinals == set(range(len(inventory_ids(run)))), "I1: records without an outcome"
    assert deleted <= sent, "I4: recorded as deleted, never sent"
    if complete:
        assert deleted == wanted == sent, "I1: not all of it went"


def check_sound(folder: Path, *, finished: bool | None = None) -> None:
    """Every log of a run, lifecycle or fleet verifies, by the one file that an auditor copies; if there is one yet."""
    if not any(folder.rglob("*.jsonl")):
        return
    for verdict in _auditors_copy()["verify_folder"](folder):
        assert not verdict.found.faults, (verdict, verdict.found.faults)
        if finished is not None and verdict.found.counts:  # a plan that grew old before it was sent never is
            assert verdict.found.finished is finished, verdict


@cache
def _authority() -> bytes:
    return trustme.CA().cert_pem.bytes()


@cache
def _auditors_copy() -> dict[str, Any]:
    return runpy.run_path(verification.__file__)


def named_unknown(folder: Path) -> set[str]:
    """The archives that the last words of the logs in a folder name as sent without a reply."""
    named = set[str]()
    for run in runs_in(folder):
        log = b"".join(segment.read_bytes() for segment in sorted((run / "audit").glob("[0-9]*.jsonl")))
        lines = [line for line in log.splitlines(keepends=True) if line.endswith(b"\n")]
        last = json.loads(lines[-1]) if lines else {}
        if last.get("event") == "stopped":
            planned = inventory_ids(run)
            named |= {planned[ordinal] for ordinal in last["unknown"]}
    return named
