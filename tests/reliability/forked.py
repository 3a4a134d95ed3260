"""Processes of the command that have it loaded when they begin: real ones, for the price of a fork.

Nine tenths of what a short command costs is Python loading its parts.  Whoever tries a seed has loaded them already,
and is forked once, before it starts threads; that twin forks a process for each command, with its own memory, threads,
descriptors and end.  None outlives the twin, and the twin not whom it was forked from.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pkgutil
import resource
import signal
import sys
import threading
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, TextIO

import glacier_purge
from glacier_purge import clock
from glacier_purge.cli import main
from tests.reliability.apart import live_apart

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ctypes import c_double
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess
    from pathlib import Path

_CONTEXT = multiprocessing.get_context("fork")
_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""
_BEGIN = signal.SIGUSR1


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command line and what is around it.

    ``limits`` are by their number in ``resource``, ``descriptors`` is how many more it may open; ``out`` and ``err``
    are files, or None where it begins without that descriptor.  The wall clock of one that ``has_own_clock`` can be
    stepped (``Twin.wall_ahead``).  One with ``doors`` lives in a network of its own (``apart``), where these ports lead
    to bridges.
    """

    arguments: tuple[str, ...]
    environment: dict[str, str]
    folder: Path
    out: Path | None
    err: Path | None
    limits: dict[int, int] = field(default_factory=dict)
    descriptors: int | None = None
    has_own_clock: bool = False
    doors: dict[int, Path] | None = None


class Twin:
    """The process that the commands are forked from."""

    def __init__(self) -> None:
        _load()
        self._ended: dict[int, int] = {}
        self.wall_ahead = _CONTEXT.Value("d", 0.0, lock=False)
        """Seconds, also below zero, by which the wall clocks of its processes are ahead."""
        self._line, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_be_twin, args=(theirs, self._line, self.wall_ahead))
        start(self._process)
        theirs.close()

    def fork(self, order: Order) -> int:
        """Fork a process for a command, which begins when it gets a signal; say which it is."""
        self._line.send(order)
        while True:
            pid, ended = self._line.recv()
            if ended is None:
                return int(pid)
            self._ended[pid] = ended

    def ended(self, pid: int, seconds: float = 0.0) -> int | None:
        """How a process ended, waiting so long for it: an exit code, or a signal's number below zero; else None."""
        while pid not in self._ended and self._line.poll(seconds):
            other, ended = self._line.recv()
            self._ended[other] = ended
        return self._ended.get(pid)

    def close(self) -> None:
        """End it."""
        self._line.close()
        self._process.join()
        self._process.close()


class Forked:
    """A running command, with the ways of ``subprocess.Popen`` that are needed.

    One that is ``held`` begins when it is told to ``begin``: until then somebody can begin to trace it.
    """

    def __init__(self, twin: Twin, order: Order, *, held: bool) -> None:
        self.order = order
        self._twin = twin
        self.pid = twin.fork(order)
        if not held:
            self.begin()

    def begin(self) -> None:
        """Let it begin."""
        self.send_signal(_BEGIN)

    def poll(self) -> int | None:
        """How it ended: an exit code, or a signal's number below zero; None while it has not."""
        return self._twin.ended(self.pid)

    def wait(self, timeout: float = 240.0) -> int:
        """Wait for its end, ``timeout`` seconds at most. Raises ``TimeoutError``."""
        if (ended := self._twin.ended(self.pid, timeout)) is None:
            raise TimeoutError(f"{self.order.arguments} has not ended after {timeout:g} s: {self.err()}")
        return ended

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> int:
        """Kill it, wait until it is gone, and say how it ended."""
        self.send_signal(signal.SIGKILL)
        return self.wait()

    def out(self) -> str:
        """What it has printed."""
        return _text(self.order.out)

    def err(self) -> str:
        """What it has told."""
        return _text(self.order.err)


@contextmanager
def twin() -> Iterator[Twin]:
    """The process to fork commands from; to be entered before there are threads."""
    made = Twin()
    try:
        yield made
    finally:
        made.close()


def _load() -> None:
    """Import what commands do, all of it; what was imported once costs nothing again."""
    for part in pkgutil.walk_packages(glacier_purge.__path__, "glacier_purge."):
        if not part.name.endswith("__main__"):
            import_module(part.name)
    for name in ("uvloop", "anyio._backends._asyncio", "stringprep"):
        import_module(name)


def _be_twin(line: Connection, theirs: Connection, wall_ahead: c_double) -> None:
    """Fork what is ordered and tell who ended how, until nobody orders any more; then end all that is left."""
    end_with_parent()
    theirs.close()
    signal.pthread_sigmask(signal.SIG_BLOCK, {_BEGIN})
    living: dict[int, ForkProcess] = {}
    while True:
        for ready in wait([line, *living]):
            if isinstance(ready, int):
                child = living.pop(ready)
                child.join()
                line.send((child.pid, child.exitcode))
                continue
            try:
                order = line.recv()
            except EOFError:
                for child in living.values():
                    child.kill()
                    child.join()
                return
            child = _CONTEXT.Process(target=_carry_out, args=(order, line, wall_ahead))
            child.start()
            living[child.sentinel] = child
            line.send((child.pid, None))


def _carry_out(order: Order, line: Connection, wall_ahead: c_double) -> None:
    """Be a process of the command."""
    end_with_parent()
    line.close()
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environment)
    os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor, open to the end
    sys.stdout, sys.stderr = _redirected(1, order.out), _redirected(2, order.err)
    sys.unraisablehook, threading.excepthook = sys.__unraisablehook__, threading.__excepthook__
    for number, limit in order.limits.items():
        resource.setrlimit(number, (limit, limit))
    if order.descriptors is not None:
        most = order.descriptors + len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - numbers, not paths
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if order.doors is not None:
        live_apart(order.doors)
    if order.has_own_clock:  # what dates signatures reads it past ``clock``
        wall = time.time
        time.time = clock._read = lambda: wall() + wall_ahead.value
    signal.sigwait({_BEGIN})
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {_BEGIN})
    sys.exit(main(order.arguments))


def start(process: ForkProcess) -> None:
    """Fork a process, also where there are threads: pytest's hold nothing now."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()


def end_with_parent() -> None:
    """End when the thread that this process was forked from ends."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def _redirected(descriptor: int, file: Path | None) -> TextIO | None:
    """What Python has for a descriptor that leads to a file, or nowhere."""
    if file is None:
        os.close(descriptor)
        return None
    opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(opened, descriptor)
    os.close(opened)
    return open(descriptor, "w", encoding="utf-8", closefd=False)


def _text(file: Path | None) -> str:
    return file.read_text("utf-8", "replace") if file is not None and file.exists() else ""
