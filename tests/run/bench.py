"""A whole run in process and in virtual time: PurgeRun over the simulator's state machine and a disk in memory.

``Bench`` plans the purge of a made-up vault in a real folder; ``process`` is one process start on it.  Whatever a test
does to the service, the disk or the run, I1 to I6 are held against the server's own ledger: before every request,
before every write, and after every process.  Hours pass in milliseconds, and the same test gives the same run.
"""

from __future__ import annotations

import asyncio
import errno
import json
import random
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from glacier_purge.approval.typed import approve_by_digest
from glacier_purge.audit.verification import verify
from glacier_purge.deletion.pacer import PacerSettings
from glacier_purge.inventory.snapshot import spool
from glacier_purge.inventory.source import Source
from glacier_purge.plan.first_reading import Target
from glacier_purge.run.host import Host
from glacier_purge.run.planned import keep_plan
from glacier_purge.run.purge import KeptElsewhere, PurgeRun
from glacier_purge.run.settings import PurgeSettings
from glacier_purge.storage.folder import RunFolder
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import dump, log_bytes
from tests.deletion.pretended import VAULT, InProcessGlacier
from tests.plan.archives import ALL, plan_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from glacier_purge.archive import ArchiveId
    from glacier_purge.deletion.budget import PacerFor
    from glacier_purge.glacier.control import ControlRefused, VaultLock
    from glacier_purge.plan.making import Selection
    from glacier_purge.replica.log_replica import LogKeeping
    from glacier_purge.run.anchor_file import AnchorFile

T = TypeVar("T")

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
"""What the wall clock shows when a test begins."""
BRISK = PacerSettings(rate_per_second_first=100.0, rate_per_second_max=100.0, in_flight_max=16)


async def at_once(work: Callable[[], T]) -> T:
    """Do slow work in place: a thread would let virtual time run away."""
    return work()


@dataclass
class Protection:
    """What protects the pretended vault: nothing, until a test says otherwise."""

    lock: VaultLock | None = None
    policy: str | None = None
    tagged: dict[str, str] = field(default_factory=dict)
    fails: Exception | None = None
    """What reading the lock ends with, if anything but the lock."""
    denies_tags: ControlRefused | None = None
    looked_at: list[float] = field(default_factory=list)

    async def vault_lock(self) -> VaultLock | None:
        self.looked_at.append(asyncio.get_running_loop().time())
        if self.fails is not None:
            raise self.fails
        return self.lock

    async def access_policy(self) -> str | None:
        return self.policy

    async def tags(self) -> Mapping[str, str]:
        if self.denies_tags is not None:
            raise self.denies_tags
        return self.tagged


class Bench:
    """One planned run, its service and its disk. Make it in the test's folder, then start processes on it.

    ``selection`` says which archives go; all do, where it says nothing.
    """

    def __init__(self, place: Path, service: InProcessGlacier, selection: Selection = ALL) -> None:
        self.service = service
        self.disk = PretendDisk()
        self.pacer_for: PacerFor | None = None
        """Where the pace comes from; None is a pacer of the run's own."""
        self.aside: Any = at_once
        """Where work is done that may never come to its end."""
        self.anchors: AnchorFile | None = None
        """Where the log's head is kept; None is nowhere."""
        self.replica: LogKeeping | None = None
        """Where the log is kept; None is nowhere."""
        self.protection = Protection()
        self.held: list[tuple[str, str]] = []
        """What the run said that holds it, each with since when."""
        self.clock_set_by_seconds = 0.0
        """How far somebody has set the wall clock."""
        self.folder = RunFolder.create(place / "run")
        self.plan = plan_of(self._spooled(place), _target(place), selection)
        keep_plan(self.folder, self.plan, retrievals_looked_at=False)
        self._place = place
        self._ordinals = {archive.archive_id: archive.ordinal for archive in service.archives()}
        self._promised = _Promised()
        self._fail_at: tuple[str, int] | None = None
        self._run: PurgeRun | None = None
        self._processes = 0
        service.before_send = self._check_release

    def purge_run(self, **settings: Any) -> PurgeRun:
        """One process's run over what is on the disk now. ``settings`` are those of ``PurgeSettings``."""
        clock = asyncio.get_running_loop().time
        host = Host(
            clock=clock,
            wall_clock=lambda: START.timestamp() + clock() + self.clock_set_by_seconds,
            random=random.Random(self._processes).random,
            elsewhere=at_once,
            aside=self.aside,
        )
        self._processes += 1
        self._promised = _Promised()
        self.disk.before = self._before_write
        self._run = PurgeRun(
            self.folder,
            self.plan,
            self.service,
            PurgeSettings(**({"pace": BRISK} | settings)),
            self.disk,
            host,
            guarded=self.protection,
            pacer_for=self.pacer_for,
            kept=KeptElsewhere(anchors=self.anchors, replica=self.replica),
            on_hold=lambda since, found: self.held.append((since, found)),
        )
        return self._run

    async def carry_out(self, run: PurgeRun) -> None:
        """Work until the run is over or stopped; its errors pass through, the invariants hold in any case."""
        try:
            await run.carry_out(approve_by_digest(self.plan, self.plan.digest, "tester@bench"))
        finally:
            self.check()

    async def finish(self, **settings: Any) -> None:
        """Start a process and let it work to the end."""
        await self.carry_out(self.purge_run(**settings))
        assert self.log()[-1]["event"] == "finished"

    @asynccontextmanager
    async def process(self, **settings: Any) -> AsyncIterator[PurgeRun]:
        """A process that works meanwhile; leaving waits for its end."""
        run = self.purge_run(**settings)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.carry_out, run)
            yield run

    async def kill_after(self, seconds: float, **settings: Any) -> None:
        """Start a process and kill it as ``kill -9`` does: what it has written stays, and nothing is written after."""
        run = self.purge_run(**settings)
        found: dict[str, bytes] = {}
        with anyio.CancelScope() as life:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(run.carry_out, approve_by_digest(self.plan, self.plan.digest, "tester@bench"))
                await anyio.sleep(seconds)
                found = self.disk.contents()
                life.cancel()
        self.disk = PretendDisk(found)
        self.check()

    def fail_at(self, verb: str, nth: int) -> None:
        """Let the ``nth`` of the coming operations ``verb`` fail (see ``PretendDisk``), and all after it."""
        self._fail_at = (verb, nth)

    def mend(self) -> None:
        """Let the disk work again, as a new process finds it."""
        self._fail_at = None
        self.disk = PretendDisk(self.disk.contents())

    # -- what came of it ----------------------------------------------------------------------------------------------

    def log(self) -> list[dict[str, Any]]:
        """The whole lines of the audit log, as anybody reads them."""
        return _lines(log_bytes(self.disk.contents()))

    def events(self, name: str) -> list[dict[str, Any]]:
        """Those of one kind."""
        return [line for line in self.log() if line["event"] == name]

    def outcomes(self) -> dict[int, dict[str, Any]]:
        """The outcome of each ordinal that has one."""
        return {line["ordinal"]: line for line in self.events("outcome")}

    def check(self) -> None:
        """I1, I2, I4 and I5 against the server's ledger, and the log against tampering."""
        log = self.log()
        outcomes = [line for line in log if line["event"] == "outcome"]
        per_ordinal = Counter(line["ordinal"] for line in outcomes)
        assert not per_ordinal or max(per_ordinal.values()) == 1, "I1: two outcomes for one record"
        if any(line["event"] == "finished" for line in log):
            assert set(per_ordinal) == set(range(self.plan.counts.inventory)), "I1: records without an outcome"
        assert set(self.service.sent) <= set(self._ordinals), "I2: sent what is not planned"
        shelf, ledger = self.service.stored.shelf, self.service.pretended.ledger
        left = {shelf.archive_id(index) for index in shelf.live_indices()}
        for line in outcomes:
            if line["outcome"] == "deleted":
                assert line["http_status"] == 204, "I4: deleted without a 204"
                assert line["archive_id"] not in left, "I4: recorded as deleted, still there"
            received, throttled = ledger.times_received(line["archive_id"]), ledger.times_throttled(line["archive_id"])
            assert received - throttled <= 1 or line.get("redelete"), "I5: deleted twice, and not said so"
        verdict = verify(dump(self.disk.contents(), self._place / f"disk-{self._processes}"))
        assert verdict.faults == ()

    def _check_release(self, archive_id: ArchiveId) -> None:
        """I3: what is sent lies in a range that is released on disk by now."""
        ordinal = self._ordinals[archive_id]
        if ordinal > self._promised.released_through:
            self._promised.read(self.disk)
        assert ordinal <= self._promised.released_through, "I3: sent before its range was released"

    def _before_write(self, verb: str, _name: str) -> None:
        """I6: what is shown is on disk. And fail, where a test asked for it."""
        if self._run is not None and self._run.ledger is not None and verb == "append":
            shown = sum(self._run.ledger.counts.values())
            if shown > self._promised.outcomes:
                self._promised.read(self.disk)
            assert shown <= self._promised.outcomes, "I6: shown before it was on disk"
        if self._fail_at is not None and self._fail_at[0] == verb:
            self._fail_at = (verb, self._fail_at[1] - 1)
            if self._fail_at[1] <= 0:
                raise OSError(errno.EIO, "the test's disk is broken")

    def _spooled(self, place: Path) -> Any:
        listed = [
            {
                "ArchiveId": archive.archive_id,
                "ArchiveDescription": "",
                "CreationDate": archive.created,
                "Size": archive.size_bytes,
                "SHA256TreeHash": archive.tree_hash,
            }
            for archive in self.service.archives()
        ]
        inventory = place / "inventory.json"
        document = {"VaultARN": VAULT.arn, "InventoryDate": "2026-11-20T00:00:00Z", "ArchiveList": listed}
        inventory.write_text(json.dumps(document, separators=(",", ":")), "ascii")
        with Source(str(inventory)) as source:
            return spool(source, self.folder.path)


class _Promised:
    """What the lines of the log say that a power cut would leave, read on from where it was read last."""

    def __init__(self) -> None:
        self.outcomes = 0
        self.released_through = -1
        self._read_bytes = 0

    def read(self, disk: PretendDisk) -> None:
        fresh = log_bytes(disk.promised())[self._read_bytes :]
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        self.outcomes += whole.count(b'"event":"outcome"')
        for line in _lines(whole) if b'"event":"released"' in whole else ():
            if line["event"] == "released":
                self.released_through = max(self.released_through, line["last"])


def _target(place: Path) -> Target:
    return Target(
        vault=VAULT,
        endpoint_url=InProcessGlacier.endpoint_url,
        tool_version="1.0",
        inventory_name=str(place / "inventory.json"),
    )


def _lines(log: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines(keepends=True) if line.endswith(b"\n")]
