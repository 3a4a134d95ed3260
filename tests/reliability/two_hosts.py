"""Two hosts, a bucket and the service in virtual time: loops of their own, clocks of their own, one seed.

Each process is a whole run under a lease (``PurgeRun``, ``LeaseHolder``) on an event loop that has its host's time and
no other, so that a host can sleep while the rest of the world goes on.  What is on the wire is the world's: a request
that left arrives although its host has fallen asleep or its process was killed, and perhaps again, much later.

At the moment a delete is sent the lease in the bucket is looked at, by nobody's clock: whoever sends while another's is
there is a second sender.  What reaches the service later than that was under way, and is counted.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import itertools
import random
import sys
import warnings
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import anyio
import anyio._backends._asyncio
import msgspec

import glacier_purge.run.sending
import glacier_purge.run.socket
import tests.reliability.simulation.loop
from glacier_purge.approval.typed import approve_by_digest
from glacier_purge.audit.verification import verify
from glacier_purge.aws.bucket import BucketAway
from glacier_purge.aws.pretend_bucket import PretendBucket
from glacier_purge.deletion.pacer import PacerSettings
from glacier_purge.errors import GlacierPurgeError, each_error, one_error
from glacier_purge.glacier.reply import Meaning, Reply
from glacier_purge.replica.holder import LeaseHolder, lease_key
from glacier_purge.replica.lease import Holder, LeaseDocument, LeaseTimes
from glacier_purge.run.host import Host
from glacier_purge.run.purge import PurgeRun
from glacier_purge.run.settings import PurgeSettings
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.audit.logs import dump
from tests.deletion.pretended import VAULT, InProcessGlacier
from tests.reliability.simulation.loop import NumberedScope, NumberedTask
from tests.run.bench import START, Bench, Protection, at_once

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence
    from pathlib import Path

    from glacier_purge.aws.bucket import Stored
    from glacier_purge.glacier.port import Addressed, Later

TERM_SECONDS = 60.0
REQUEST_SECONDS = 35.0
"""When a delete without an answer is given up: the time-outs of its connection and of its reply."""
BUCKET_SECONDS = 8.0
"""When a question to the bucket without an answer is."""
CALM_AFTER_SECONDS = 1_500.0
"""When the last thing happens to anybody."""
ENDS_BY_SECONDS = 6_000.0
CRON_SECONDS = 60.0
_TURN_SECONDS = 1e-6
"""Whoever looks at a clock until it has come to a moment waits for ever where computing takes no time at all."""
_TURNS_MAX = 1_000_000
_LAST_TURNS_MAX = 500
KEY = lease_key(VAULT)


class World:
    """True time, what is due in it, and what was seen."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(f"two hosts {seed}")
        self.now = 0.0
        self.trace: list[str] = []
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()
        self.objects: dict[str, bytes] = {}
        self.bucket_is_away = False
        self.slowness = self.chance.choice([0.02, 0.1, 1.0, 3.0])
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def at(self, seconds: float, act: Callable[[], None]) -> None:
        """Have something happen."""
        heappush(self._due, (max(seconds, self.now), next(self._numbers), act))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Have something happen so much later."""
        self.at(self.now + seconds, act)

    @property
    def next_due(self) -> float:
        """When the next thing happens."""
        return self._due[0][0] if self._due else float("inf")

    def happen(self) -> None:
        """Let it happen."""
        seconds, _, act = heappop(self._due)
        self.now = max(self.now, seconds)
        act()

    def tell(self, what: str) -> None:
        """Keep it in the trace."""
        self.trace.append(f"{self.now:12.4f}  {what}")

    @property
    def fingerprint(self) -> str:
        """The same for the same events at the same times."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    @property
    def lease(self) -> LeaseDocument | None:
        """What lies in the bucket at this very moment, where it is a lease."""
        content = self.objects.get(KEY)
        return None if content is None else msgspec.json.decode(content, type=LeaseDocument)


class HostLoop(asyncio.BaseEventLoop):
    """One process's loop; ``turn`` lets it do what is to be done now, and nothing else does."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self._machine = machine
        self._selector = self
        self._clock_resolution = 1e-6
        self._skipped = 0.0
        self.set_task_factory(lambda loop, *args, **more: NumberedTask(*args, loop=loop, **more))

    def time(self) -> float:
        """The host's monotonic clock, which stands still while it sleeps."""
        return self._machine.monotonic + self._skipped

    def next_turn(self) -> float:
        """True time at which it has something to do."""
        if self._ready:  # type: ignore[attr-defined]  # BaseEventLoop's own, as all below
            return self._machine.world.now
        return self._machine.true_time_of(self._scheduled[0].when()) if self._scheduled else float("inf")  # type: ignore[attr-defined]

    def turn(self) -> None:
        """Do it, as ``run_forever`` does, which costs a tenth more to begin and to stop for each turn."""
        sys.set_asyncgen_hooks(self._asyncgen_firstiter_hook, self._asyncgen_finalizer_hook)  # type: ignore[attr-defined]
        asyncio._set_running_loop(self)
        try:
            self._run_once()  # type: ignore[attr-defined]
        finally:
            asyncio._set_running_loop(None)

    def skip(self) -> None:
        """Let the next timer come, of one that is dead and has to come to its end."""
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._skipped += max(0.0, self._scheduled[0].when() - self.time())  # type: ignore[attr-defined]

    def select(self, _timeout: float | None) -> list[Any]:
        """See BaseEventLoop: nothing is ever waited for here."""
        return []

    def close(self) -> None:
        """Forget everything that was still to be done."""
        self._ready.clear()  # type: ignore[attr-defined]
        self._scheduled.clear()  # type: ignore[attr-defined]
        super().close()

    def _process_events(self, events: list[Any]) -> None:
        del events

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector who would have to be woken."""


@dataclass
class Machine:
    """A host: its clocks, its disk, and the process on it, if there is one."""

    world: World
    name: str
    bench: Bench
    per_second: float
    drift: float
    wall_is_off_by_seconds: float
    is_asleep: bool = False
    is_cut_off: bool = False
    """From the bucket; the service is reached all the same."""
    process: Process | None = None
    is_done: bool = False
    starts: int = 0
    boots: int = 1
    _awake: float = 0.0
    _asleep: float = 0.0
    _since: float = 0.0

    @property
    def monotonic(self) -> float:
        """Counts while it is awake, and not quite by true seconds."""
        awake = self._awake + (0.0 if self.is_asleep else self.world.now - self._since)
        return awake * (1 + self.drift)

    @property
    def boot_clock(self) -> float:
        """Counts while it sleeps, too."""
        asleep = self._asleep + (self.world.now - self._since if self.is_asleep else 0.0)
        return self.monotonic + asleep * (1 + self.drift)

    @property
    def wall_clock(self) -> float:
        """What somebody set, from time to time."""
        return START.timestamp() + self.world.now + self.wall_is_off_by_seconds

    def true_time_of(self, monotonic: float) -> float:
        """When its monotonic clock shows this, if it stays awake."""
        return self.world.now + max(0.0, monotonic - self.monotonic) / (1 + self.drift)

    def sleep(self, *, falls_asleep: bool) -> None:
        """Fall asleep, or wake."""
        if falls_asleep == self.is_asleep:
            return
        passed = self.world.now - self._since
        self._asleep += passed if self.is_asleep else 0.0
        self._awake += 0.0 if self.is_asleep else passed
        self._since, self.is_asleep = self.world.now, falls_asleep
        self.world.tell(f"{self.name} {'falls asleep' if falls_asleep else 'wakes'}")
        self.world.counts["sleeps"] += falls_asleep

    def start(self) -> None:
        """What cron does: begin, or go on, unless a process is there or nothing is left to be done."""
        self.begin()
        if not self.is_done:
            self.world.after(CRON_SECONDS, self.start)

    def begin(self) -> None:
        """Begin, or go on; a process has this host's locks, so there is no second one."""
        if self.process is None and not self.is_done and not self.is_asleep:
            self.starts += 1
            self.process = Process(self)

    def reboot(self) -> None:
        """Have no process, and none of the locks of before: it is another boot."""
        self.boots += 1
        self.kill()

    def kill(self) -> None:
        """End the process in the middle of whatever it does; what it wrote stays."""
        process = self.process
        if process is None:
            return
        self.world.tell(f"{self.name} killed")
        self.world.counts["kills"] += 1
        self.process = None
        self.bench.disk = PretendDisk(self.bench.disk.contents())
        process.abandon()
        self.world.after(self.world.chance.choice([0.001, 0.5, 20.0]), self.begin)


class Process:
    """One process of a host, from its start to its end."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.world = machine, machine.world
        self.name = f"{machine.name}{machine.starts}"
        self.is_dead = False
        self.loop = HostLoop(machine)
        self.loop.set_exception_handler(self._unhandled)
        self.holder: LeaseHolder | None = None
        self._main = self.loop.create_task(self._work())

    @property
    def is_over(self) -> bool:
        """Whether it ended by itself."""
        return self._main.done()

    def end(self) -> None:
        """Take note of how it ended."""
        error = self._main.exception()
        known = [isinstance(one, GlacierPurgeError) for one in each_error(error)] if error is not None else []
        if not all(known):
            assert error is not None
            raise error
        ending = "done" if error is None else f"{type(error).__name__}: {error}"
        self.world.tell(f"{self.name} ended: {ending}")
        self.world.counts["ended: done" if error is None else f"ended: {type(error).__name__}"] += 1
        self.machine.process = None
        self.is_dead = True
        if error is None:
            self.machine.is_done = True
        self.loop.close()

    def abandon(self) -> None:
        """Be gone; what is still on the stack comes to its end where it reaches nothing and nobody."""
        self.is_dead = True
        self.loop.set_exception_handler(lambda *_: None)
        for _ in range(_LAST_TURNS_MAX):
            tasks = sorted((task for task in asyncio.all_tasks(self.loop) if not task.done()), key=hash)
            if not tasks:
                self.loop.close()
                return
            for task in tasks:
                task.cancel()
            self.loop.skip()
            self.loop.turn()
        raise AssertionError(f"a dead process does not end: {asyncio.all_tasks(self.loop)}")

    async def _work(self) -> None:
        """What ``apply`` does: take the lease, carry out the plan, let go."""
        machine, bench = self.machine, self.machine.bench
        holder = self.holder = LeaseHolder(
            WorldBucket(self),
            VAULT,
            Holder(
                host=machine.name,
                process=machine.starts,
                run="/run",
                tool_version="0.2.0",
                nonce=self.name,
                host_lock=f"{machine.name}'s, boot {machine.boots}",
            ),
            LeaseTimes(TERM_SECONDS),
            clock=lambda: machine.boot_clock,
            wall_clock=lambda: machine.wall_clock,
            random=random.Random(f"{self.name}").random,
        )
        await holder.take()
        self.world.tell(f"{self.name} holds {holder.epoch}")
        host = Host(
            clock=lambda: machine.boot_clock,
            wall_clock=lambda: machine.wall_clock,
            random=random.Random(f"{self.name} run").random,
            elsewhere=at_once,
            aside=at_once,
            lease=holder,
        )
        pace = PacerSettings(
            rate_per_second_first=machine.per_second, rate_per_second_max=machine.per_second, in_flight_max=8
        )
        run = PurgeRun(
            bench.folder,
            bench.plan,
            WorldGlacier(self, bench.service),
            PurgeSettings(pace=pace),
            bench.disk,
            host,
            guarded=Protection(),
        )
        try:
            with one_error():
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(holder.keep)
                    await run.carry_out(approve_by_digest(bench.plan, bench.plan.digest, "tester@two-hosts"))
                    tasks.cancel_scope.cancel()
        finally:
            await holder.let_go()
        if run.ledger is None or run.ledger.finished is None:
            raise GlacierPurgeError("it stopped before its end")

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        del loop
        if not self.is_dead:
            self.world.faults.append(f"{self.name}: {context.get('message')}: {context.get('exception')!r}")


class WorldBucket:
    """``Bucket`` as a process reaches it: what is asked is done by the world, whatever becomes of who asked."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._there = PretendBucket(process.world.objects)

    def place(self, key: str) -> str:
        """See ``Bucket``."""
        return f"s3://purges/{key}"

    async def create(self, key: str, content: bytes) -> str:
        """See ``Bucket``."""
        found: str = await self._asked("create", lambda: self._there.create(key, content))
        return found

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """See ``Bucket``."""
        found: str = await self._asked("replace", lambda: self._there.replace(key, content, etag))
        return found

    async def read(self, key: str) -> Stored | None:
        """See ``Bucket``."""
        found: Stored | None = await self._asked("read", lambda: self._there.read(key))
        return found

    async def keys(self, folder: str) -> Sequence[str]:
        """See ``Bucket``."""
        found: Sequence[str] = await self._asked("keys", lambda: self._there.keys(folder))
        return found

    async def _asked(self, call: str, question: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        process, world, chance = self._process, self._process.world, self._process.world.chance
        answer: asyncio.Future[Any] = process.loop.create_future()
        is_calm = world.now > CALM_AFTER_SECONDS
        fate = 1.0 if is_calm else chance.random()

        def arrive(*, answers: bool = True) -> None:
            if self._is_cut_off:
                return
            result: Any = None
            error: Exception | None = None
            try:
                question().send(None)
            except StopIteration as done:
                result = done.value
            except GlacierPurgeError as refused:
                error = refused
            world.tell(f"{process.name} {call}: {type(error).__name__ if error else 'ok'}")
            if answers:
                world.after(chance.random() * world.slowness, partial(hear, result, error))

        def hear(result: Any, error: Exception | None) -> None:
            if process.is_dead or answer.done() or self._is_cut_off:
                return
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)

        if not self._is_cut_off and not process.is_dead:
            world.after(chance.random() * world.slowness, lambda: arrive(answers=fate > 0.04))
            if fate > 0.96 and not is_calm:  # sent once more by something on the way, and late
                world.after(chance.random() * 150.0, lambda: arrive(answers=False))
        try:
            with anyio.fail_after(BUCKET_SECONDS):
                return await answer
        except TimeoutError as fault:
            raise BucketAway("s3://purges: no answer. Try again.") from fault

    @property
    def _is_cut_off(self) -> bool:
        return self._process.world.bucket_is_away or self._process.machine.is_cut_off


class WorldGlacier(InProcessGlacier):
    """``Glacier`` as a process reaches it; the vault is the one that ``shared`` has."""

    def __init__(self, process: Process, shared: InProcessGlacier) -> None:
        self._process = process
        self.pretended, self.stored, self.found = shared.pretended, shared.stored, VAULT
        self.described = 0

    def delete_archives(self, archives: Sequence[Addressed]) -> Sequence[Later]:
        """Send them; some only once there is a connection."""
        process, world = self._process, self._process.world
        if process.is_dead:
            return ()
        self._look_for_another(len(archives))
        later: list[Later] = []
        for archive in archives:
            if world.chance.random() < 0.05:
                later.append(partial(self._leave_later, archive))
            else:
                self._leave(archive, world.now)
        return later

    async def _leave_later(self, archive: Addressed) -> None:
        sent_at = self._process.world.now
        await anyio.sleep(self._process.world.chance.random() * 2.0)
        if not self._process.is_dead:
            self._leave(archive, sent_at)

    def _leave(self, archive: Addressed, sent_at: float) -> None:
        process, world = self._process, self._process.world
        assert process.holder is not None
        epoch, told = process.holder.epoch, [False]

        def arrive() -> None:
            self._look_how_late(epoch, sent_at)
            refusal = self.pretended.delete_archive("photos", archive.archive_id, 1_000_000_000.0 + world.now)
            assert refusal is None
            if world.now > CALM_AFTER_SECONDS or world.chance.random() > 0.02:
                world.after(world.chance.random() * 0.1, lambda: hear(Reply(Meaning.DELETED, 204, request_id="r")))

        def hear(reply: Reply) -> None:
            if not process.is_dead and not told[0]:
                told[0] = True
                process.loop.call_soon(self.settle, [(archive, reply)])

        world.after(world.chance.choice([0.01, 0.05, 0.05, 2.0]) * world.chance.random(), arrive)
        lost = Reply(Meaning.NO_REPLY, None, "ReadTimeoutError")
        process.loop.call_later(REQUEST_SECONDS, lambda: hear(lost))

    def _look_for_another(self, requests: int) -> None:
        """Whose lease it is at this moment, by what lies in the bucket and not by anybody's clock (I21)."""
        process, world = self._process, self._process.world
        assert process.holder is not None
        lease, epoch = world.lease, process.holder.epoch
        world.tell(f"{process.name} sends {requests} by {epoch}")
        world.counts["deletes"] += requests
        if lease is None or lease.lease_epoch != epoch or lease.holder.nonce != process.name or lease.let_go:
            world.faults.append(f"I21: {process.name} sends by lease {epoch} at {world.now:.3f}, and there is {lease}")

    def _look_how_late(self, epoch: int, sent_at: float) -> None:
        """What arrives under another's lease was sent before it began, and was under way."""
        world, lease = self._process.world, self._process.world.lease
        if lease is not None and lease.lease_epoch > epoch:
            world.counts["under way"] += 1
            world.tell(f"{self._process.name} had one under way since {sent_at:.3f}")


class TwoHosts:
    """One seed's world, from the first start to the moment both hosts' runs are finished."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.world = world = World(seed)
        chance = world.chance
        self.archives = chance.randint(60, 260)
        self.service = InProcessGlacier(self.archives)
        self.machines: list[Machine] = []
        for name in ("a", "b"):
            (folder / name).mkdir()
            bench = Bench(folder / name, self.service)
            self.machines.append(
                Machine(
                    world,
                    name,
                    bench,
                    per_second=chance.choice([0.5, 1.0, 3.0]),
                    drift=chance.uniform(-0.01, 0.01),
                    wall_is_off_by_seconds=chance.uniform(-500, 500),
                )
            )
        self.service.before_send = lambda _: None
        assert self.machines[0].bench.plan.digest == self.machines[1].bench.plan.digest
        self._folder = folder
        self._draw()

    def live(self) -> None:
        """Let all of it happen. Raises ``AssertionError`` for whatever did not hold."""
        world = self.world
        for _ in range(_TURNS_MAX):
            if all(machine.is_done for machine in self.machines):
                break
            self._step()
            assert not world.faults, world.faults[0]
            assert world.now < ENDS_BY_SECONDS, "faults have stopped, and the runs do not finish"
        else:
            raise AssertionError("it goes on and on without time passing")
        self._check()

    def close(self) -> None:
        """Give back what is open."""
        for machine in self.machines:
            if machine.process is not None:
                machine.process.abandon()

    def _step(self) -> None:
        """The next that happens: in the world, or in one of the processes."""
        world = self.world
        awake = [each.process for each in self.machines if each.process is not None and not each.is_asleep]
        turns = [(process.loop.next_turn(), number, process) for number, process in enumerate(awake)]
        first = min(turns, default=None)
        if first is None or world.next_due <= first[0]:
            world.happen()
            return
        world.now = max(world.now, first[0]) + _TURN_SECONDS
        first[2].loop.turn()
        if first[2].is_over:
            first[2].end()

    def _draw(self) -> None:
        """What happens to whom, and when."""
        world, chance = self.world, self.world.chance
        for number, machine in enumerate(self.machines):
            world.at(chance.uniform(0, 90) * number, machine.start)
        for _ in range(chance.randint(0, 12)):
            machine = chance.choice(self.machines)
            begins = chance.uniform(0, CALM_AFTER_SECONDS * 0.6)
            ends = min(CALM_AFTER_SECONDS, begins + chance.choice([3, 20, 50, 70, 200, 400]) * chance.uniform(0.5, 1.5))
            happening = chance.choice(["kill", "kill", "reboot", "sleep", "sleep", "cut", "cut", "away", "wall"])
            if happening == "kill":
                world.at(begins, machine.kill)
            elif happening == "reboot":
                world.at(begins, machine.reboot)
            elif happening == "sleep":
                world.at(begins, partial(machine.sleep, falls_asleep=True))
                world.at(ends, partial(machine.sleep, falls_asleep=False))
            elif happening == "cut":
                world.at(begins, partial(self._cut, machine, is_cut_off=True))
                world.at(ends, partial(self._cut, machine, is_cut_off=False))
            elif happening == "away":
                world.at(begins, partial(self._away, is_away=True))
                world.at(ends, partial(self._away, is_away=False))
            else:
                world.at(begins, partial(self._set_wall, machine, chance.uniform(-4_000, 4_000)))
        world.at(CALM_AFTER_SECONDS, self._calm)

    def _cut(self, machine: Machine, *, is_cut_off: bool) -> None:
        self.world.tell(f"{machine.name} is {'cut off from' if is_cut_off else 'back at'} the bucket")
        self.world.counts["partitions"] += is_cut_off
        machine.is_cut_off = is_cut_off

    def _away(self, *, is_away: bool) -> None:
        self.world.tell(f"the bucket is {'away' if is_away else 'back'}")
        self.world.counts["outages"] += is_away
        self.world.bucket_is_away = is_away

    def _set_wall(self, machine: Machine, seconds: float) -> None:
        self.world.tell(f"{machine.name}'s wall clock is set by {seconds:.0f} s")
        self.world.counts["clock steps"] += 1
        machine.wall_is_off_by_seconds += seconds

    def _calm(self) -> None:
        self._away(is_away=False)
        for machine in self.machines:
            machine.sleep(falls_asleep=False)
            self._cut(machine, is_cut_off=False)
        self.world.slowness = min(self.world.slowness, 1.0)

    def _check(self) -> None:
        """Every approved archive is gone at the service, no other is, and no log lost an outcome."""
        shelf = self.service.stored.shelf
        assert not list(shelf.live_indices()), "an archive that was approved is still there"
        for machine in self.machines:
            bench = machine.bench
            outcomes = Counter(line["ordinal"] for line in bench.events("outcome"))
            assert outcomes == Counter(range(self.archives)), f"{machine.name}: not one outcome for each archive"
            epochs = [line["lease_epoch"] for line in bench.events("opened")]
            assert epochs == sorted(epochs), f"{machine.name}: lease epochs go back: {epochs}"
            found = verify(dump(bench.disk.contents(), self._folder / f"log of {machine.name}"))
            assert found.faults == (), found.faults


@contextmanager
def nothing_by_chance() -> Iterator[None]:
    """Have what would be no function of the seed be one, and nothing of this host's be used."""
    with ExitStack() as owned, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        owned.callback(sys.set_asyncgen_hooks, *sys.get_asyncgen_hooks())
        for target, name, ours in (
            (anyio._backends._asyncio, "CancelScope", NumberedScope),
            (tests.reliability.simulation.loop, "_numbers", itertools.count()),
            (glacier_purge.run.socket, "serve", _no_orders),
            (glacier_purge.run.sending, "remember_rate", lambda *_: None),
        ):
            owned.enter_context(patch.object(target, name, ours))
        gc.disable()
        try:
            yield
        finally:
            gc.enable()


async def _no_orders(*_: object) -> None:
    await anyio.sleep_forever()
