"""The pretended host: its time, clocks, chance, threads, identity and disk, and the death of the process on it.

Everything that is not a function of the seed is taken from here while ``Machine.owned`` lasts: ``time``, ids that would
be random, worker threads, sockets for orders.  Files are real; what changes them passes here first, where it is
counted, told, and refused to the dead.  A death is an exception out of the loop in the middle of something; what the
abandoned process still tries on its way out reaches neither disk nor network, and no time passes meanwhile.  A power
cut besides takes what was written and not synced.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import hashlib
import itertools
import logging
import math
import os
import random
import ssl
import time
import uuid
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, NoReturn
from unittest.mock import patch

import aiohttp.connector
import anyio
import anyio._backends._asyncio
import anyio.to_thread
import botocore.auth

import glacier_purge.aws.session
import glacier_purge.clock
import glacier_purge.lifecycle.terms
import glacier_purge.run.socket
import glacier_purge.storage.disk
import glacier_purge.storage.locks
import glacier_simulator.clock
import tests.reliability.simulation.loop
from glacier_purge.aws.chain import Chain
from glacier_purge.aws.credentials import CredentialSource
from glacier_purge.run.host import Host
from tests.reliability.simulation.keys import Keys
from tests.reliability.simulation.loop import NumberedScope, StuckError, VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    from tests.reliability.simulation.network import Network

STARTS_AT = 1_800_000_000.0
"""The service's time at the beginning, seconds since 1970: any will do."""
_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_LAST_TURNS_MAX = 2_000


_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nothing goes over TLS here, and to read the system's authorities takes a tenth of a second for each process."""


class KilledError(SystemExit):
    """What a kill -9 is in one process: the one exception that asyncio lets out of its loop, and nobody handles."""


@dataclass(frozen=True, slots=True)
class Death:
    """When a process dies: at its ``at``-th operation of one ``kind`` ("disk", "turn", "sent"); whether it is the power
    that goes, and whether the operation on the disk still happens."""

    kind: str
    at: int
    power: bool = False
    afterwards: bool = False


NEVER = Death("", 0)


@dataclass
class Machine:
    """One host and what happens on it. ``folder`` is where its files lie; ``chance`` is its own."""

    folder: Path
    chance: random.Random
    uptime: float = 0.0
    """Seconds since the process began: its monotonic clock, which says nothing across two."""
    skew_seconds: float = 0.0
    """How far this host's wall clock is off."""
    is_dead: bool = False
    slow_work: bool = False
    """Whether threads and disk take their time."""
    trace: list[str] = field(default_factory=list)
    network: Network = field(init=False)
    keys: Keys = field(init=False)
    death: Death = NEVER
    passed: dict[str, int] = field(default_factory=dict)
    unhandled: list[str] = field(default_factory=list)
    died: Callable[[], None] = lambda: None
    """Called at the moment in which a process dies."""
    until: float = math.inf
    """When it is no use to go on: whoever still waits is stuck."""
    _booted_at: float = 0.0
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _number: int = 0
    _ids: int = 0
    _names: dict[int, str] = field(default_factory=dict)
    _unsynced: dict[str, int] = field(default_factory=dict)
    """Files of which less is promised than is there, and how many bytes are."""

    def __post_init__(self) -> None:
        self.keys = Keys(self)

    # Time.

    @property
    def now(self) -> datetime:
        """What this host takes for the time."""
        return datetime.fromtimestamp(self.wall_seconds(), UTC)

    @property
    def seconds(self) -> float:
        """True time since the beginning, which the service has as well."""
        return self._booted_at + self.uptime

    def wall_seconds(self) -> float:
        """This host's wall clock."""
        return STARTS_AT + self.seconds + self.skew_seconds

    def true_seconds(self) -> float:
        """The service's clock."""
        return STARTS_AT + self.seconds

    def at(self, seconds: float, act: Callable[[], None]) -> None:
        """Have something happen in the world, whatever the process does then."""
        self._number += 1
        heappush(self._due, (seconds, self._number, act))

    def pass_time(self, until: float) -> None:
        """Let time pass to ``until`` by the process's clock, or to what the world has due before."""
        if not self._happens_by(self._booted_at + until):
            if until == math.inf:
                raise StuckError("nothing is under way any more, and whoever waits would wait for ever")
            if self._booted_at + until > self.until:
                raise StuckError(f"not at its end by {self.until:,.0f} s")
            self.uptime = until

    def idle(self, seconds: float) -> None:
        """Let time pass while no process is there."""
        until = self.seconds + seconds
        while self._happens_by(until):
            pass
        self._booted_at, self.uptime = until, 0.0

    def _happens_by(self, until: float) -> bool:
        """Let the next thing happen that is due in the world by then, if there is one."""
        if not self._due or self._due[0][0] > until:
            return False
        moment, _, act = heappop(self._due)
        self.uptime = max(self.uptime, moment - self._booted_at)
        act()
        return True

    def work_seconds(self) -> float:
        """How long a thread takes for what it was given."""
        if not self.slow_work:
            return 0.0
        draw = self.chance.random()
        return draw * 0.02 if draw < 0.98 else draw * 2.0

    # What happened.

    def tell(self, what: str) -> None:
        """Keep it in the trace."""
        self.trace.append(f"{self.seconds:14.3f}  {what.replace(str(self.folder), '')}")

    @property
    def fingerprint(self) -> str:
        """The same for the same events at the same times."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    # A process.

    def run(self, main: Callable[[], Coroutine[Any, Any, Any]], death: Death) -> Any:
        """Run a process; None when it died. Raises what it raises.

        Python complains of a socket left open and of a coroutine never awaited when it takes them away. It does so here
        when the process has ended, and not in between at moments that are chance. What it says of one that ended by
        itself is heard; of one that was killed it says nothing.
        """
        gc.disable()
        with warnings.catch_warnings():
            try:
                return self._lived(main, death)
            finally:
                gc.collect()
                gc.enable()

    def _lived(self, main: Callable[[], Coroutine[Any, Any, Any]], death: Death) -> Any:
        self.death, self.is_dead = death, False
        self._booted_at, self.uptime = self.seconds, 0.0
        loop = VirtualLoop(self)
        loop.set_exception_handler(self._unhandled)
        try:
            task = loop.create_task(main())
            try:
                return loop.run_until_complete(task)
            except (KilledError, BaseExceptionGroup) as end:
                if isinstance(end, BaseExceptionGroup) and end.subgroup(KilledError) is None:
                    raise  # others may have failed at the very moment of its death
                warnings.filterwarnings("ignore", "unclosed", ResourceWarning)
                warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
                self.tell(f"=== killed at {death.kind} {death.at}{' by a power cut' if death.power else ''}")
                self.is_dead = True
                self.passed = {}
                _abandon(loop)
                if death.power:
                    self._lose_power()
                return None
        finally:
            self.is_dead = True
            _abandon(loop)
            loop.close()
            self.network.drop()
            self._names.clear()

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What nobody awaited: of a living process, a fault of the engine."""
        del loop
        if not self.is_dead:
            self.unhandled.append(f"{context.get('message')}: {context.get('exception')!r}")
            self.tell(self.unhandled[-1])

    def turned(self) -> None:
        """Count a turn of the loop, in the middle of which it may have been decided that it is the last."""
        was_last_sent = self.death.kind == "sent" and self.passed.get("sent", 0) >= self.death.at
        if self._is_last_turn("turn") or was_last_sent:
            self._die()

    def _die(self) -> NoReturn:
        self.is_dead = True
        self.died()
        raise KilledError

    def sent(self) -> None:
        """Count a delete that reached the service. Not to die at once: a parser of HTTP is on the stack."""
        if not self.is_dead:
            self._is_last_turn("sent")

    def _is_last_turn(self, kind: str) -> bool:
        count = self.passed[kind] = self.passed.get(kind, 0) + 1
        return kind == self.death.kind and count == self.death.at

    # Its disk.

    def _changing(self, operation: Callable[..., Any], what: str) -> Callable[..., Any]:
        """The operation, as far as the process lives."""

        def operate(*arguments: Any, **more: Any) -> Any:
            name = self._name(arguments[0])
            if name is None:
                return operation(*arguments, **more)
            if self.is_dead:
                raise OSError(errno.EIO, "the process is dead", name)
            self.passed["disk"] = count = self.passed.get("disk", 0) + 1
            dies = self.death.kind == "disk" and count == self.death.at
            if dies and not self.death.afterwards:
                self._die()
            self.tell(f"disk {what} {name}")
            result = self._keep_account(operation, what, arguments, more)
            if dies:
                self._die()
            return result

        return operate

    def _keep_account(
        self, operation: Callable[..., Any], what: str, arguments: tuple[Any, ...], more: dict[str, Any]
    ) -> Any:
        """Do it, knowing what would not survive a power cut."""
        name = self._name(arguments[0])
        assert name is not None
        if what == "write":
            self._unsynced.setdefault(name, os.fstat(arguments[0]).st_size)
        if what == "sync":
            self._unsynced.pop(name, None)
            return None
        result = operation(*arguments, **more)
        if what == "rename" and (other := self._name(arguments[1])) is not None:
            self._unsynced.pop(other, None)
            if name in self._unsynced:
                self._unsynced[other] = self._unsynced.pop(name)
        elif what == "remove":
            self._unsynced.pop(name, None)
        elif what == "cut":
            self._unsynced[name] = min(self._unsynced.get(name, arguments[1]), arguments[1])
        return result

    def promised_bytes(self, file: Path) -> int | None:
        """How much of a file would outlast a power cut now; None for all of it."""
        name = self._name(file)
        return None if name is None else self._unsynced.get(name)

    def _lose_power(self) -> None:
        """Take what was not synced, or a part of it."""
        for name, promised_bytes in sorted(self._unsynced.items()):
            file = self.folder / name
            if file.is_file() and (size_bytes := file.stat().st_size) > promised_bytes:
                left_bytes = self.chance.choice([promised_bytes, self.chance.randint(promised_bytes, size_bytes)])
                _truncate(file, left_bytes)
                self.tell(f"=== of {name} {left_bytes} of {size_bytes} bytes are left, {promised_bytes} were synced")
        self._unsynced.clear()

    def _open(self, opened: Callable[..., int]) -> Callable[..., int]:
        def opening(path: Any, flags: int, *arguments: Any, **more: Any) -> int:
            name = self._name(path)
            if name is not None and self.is_dead and flags & _CHANGES:
                raise OSError(errno.EIO, "the process is dead", name)
            is_new = name is not None and bool(flags & os.O_CREAT) and not os.path.lexists(path)
            descriptor = opened(path, flags, *arguments, **more)
            self._names.pop(descriptor, None)
            if name is not None:
                self._names[descriptor] = name
                if is_new:
                    self._unsynced[name] = 0
            return descriptor

        return opening

    def _name(self, place: object) -> str | None:
        """A file's name in the folder; None for what lies elsewhere."""
        if isinstance(place, int):
            return self._names.get(place)
        text, root = os.fspath(place), f"{self.folder}/"  # type: ignore[call-overload]  # a path, whatever its kind
        return text[len(root) :] if isinstance(text, str) and text.startswith(root) else None

    # Owning what would be chance.

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Have everything that is no function of the seed be one."""
        random.seed(self.chance.random())
        log = _Log(self)
        logging.getLogger().addHandler(log)
        with ExitStack() as owned:
            surroundings = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
            owned.enter_context(
                patch.dict(os.environ, surroundings | {"AWS_EC2_METADATA_DISABLED": "true"}, clear=True)
            )
            owned.callback(logging.getLogger().removeHandler, log)
            for target, name, ours in (
                (glacier_purge.clock, "_read", self.wall_seconds),
                (glacier_simulator.clock, "_read", self.true_seconds),
                (time, "time", self.wall_seconds),
                (time, "monotonic", lambda: self.uptime),
                (aiohttp.connector, "monotonic", lambda: self.uptime),
                (botocore.auth, "get_current_datetime", self._naive_now),
                (uuid, "uuid4", self._uuid),
                (glacier_purge.lifecycle.terms, "token_hex", self._token),
                (os, "getpid", lambda: 4242),
                (glacier_purge.storage.locks, "_address", self._lock_address),
                (anyio._backends._asyncio, "CancelScope", NumberedScope),
                (tests.reliability.simulation.loop, "_numbers", itertools.count()),
                (Chain, "begin", lambda _, refused, check: self.keys.begin(refused, check)),
                (glacier_purge.aws.session, "client_context", lambda *_, **__: _NO_TLS),
                (glacier_purge.aws.session, "trust_in_words", lambda *_: "nobody's word"),
                (anyio.to_thread, "run_sync", self._elsewhere),
                (glacier_purge.run.socket, "serve", _no_orders),
                (os, "open", self._open(os.open)),
                (os, "write", self._changing(os.write, "write")),
                (os, "fsync", self._changing(os.fsync, "sync")),
                (glacier_purge.storage.disk, "_data_sync", self._changing(os.fdatasync, "sync")),
                (os, "ftruncate", self._changing(os.ftruncate, "cut")),
                (os, "rename", self._changing(os.rename, "rename")),
                (os, "replace", self._changing(os.replace, "rename")),
                (os, "unlink", self._changing(os.unlink, "remove")),
                (os, "mkdir", self._changing(os.mkdir, "mkdir")),
            ):
                owned.enter_context(patch.object(target, name, ours))
            for function, name, ours in (
                (Host.__init__, "clock", lambda: self.uptime),
                (Host.__init__, "elsewhere", self._elsewhere),
                (CredentialSource.__init__, "now", lambda: self.uptime),
            ):
                owned.enter_context(patch.dict(function.__kwdefaults__, {name: ours}))
            yield

    def _naive_now(self, *, remove_tzinfo: bool = True) -> datetime:
        return self.now.replace(tzinfo=None) if remove_tzinfo else self.now

    def _uuid(self) -> uuid.UUID:
        self._ids += 1
        return uuid.UUID(int=self._ids, version=4)

    def _token(self, size_bytes: int) -> str:
        return self.chance.randbytes(size_bytes).hex()

    def _lock_address(self, name: str) -> bytes:
        """Where a lock's name is this pretended host's, and not one of the real host, where another seed has it."""
        return b"\0" + hashlib.sha256(f"{self.folder} {name}".encode()).hexdigest().encode()

    async def _elsewhere(self, work: Callable[..., Any], *arguments: Any, **_: Any) -> Any:
        """What a worker thread does, whose caller cannot be cancelled meanwhile."""
        await anyio.lowlevel.checkpoint()
        try:
            return work(*arguments)
        finally:
            if (seconds := self.work_seconds()) > 0.0 and not self.is_dead:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(seconds)


class _Log(logging.Handler):
    """What an operator is told, and what our own simulator has to say of itself, which is never good."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(logging.WARNING)
        self._machine = machine

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("glacier_simulator"):
            self._machine.unhandled.append(f"{record.getMessage()} {record.exc_info}")
        _, _, said = record.getMessage().splitlines()[0].partition("[")  # without a time that is nobody's here
        self._machine.tell(f"log [{said[:200]}")


async def _no_orders(*_: object) -> None:
    """Orders are given to the run itself here: its socket would be a real one."""
    await anyio.sleep_forever()


_real_truncate = os.truncate


def _truncate(file: Path, size_bytes: int) -> None:
    _real_truncate(file, size_bytes)


def _abandon(loop: VirtualLoop) -> None:
    """Let what was under way in a dead process come to an end, so that its descriptors and locks are given back."""
    loop.set_exception_handler(lambda *_: None)  # of the dead nothing is expected
    tasks: list[asyncio.Task[Any]] = []
    for _ in range(_LAST_TURNS_MAX):
        tasks = sorted((task for task in asyncio.all_tasks(loop) if not task.done()), key=hash)  # as they began
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        try:
            loop.run_until_complete(asyncio.wait(tasks, timeout=1.0))
        except KilledError:
            continue
    raise AssertionError(f"a dead process does not end: {tasks}")
