"""Processes of the command that have it loaded when they begin: real ones, for the price of a fork.

Nine tenths of what a short command costs is Python loading its parts.  A process that did that once gives birth to the
others, each with its own memory, threads, descriptors and end; it is started by the first of them and ends with who
started it, and so do they.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pkgutil
import resource
import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import glacier_purge
from glacier_purge.cli import main

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""
_PARTS = [part.name for part in pkgutil.walk_packages(glacier_purge.__path__, "glacier_purge.")]
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [name for name in _PARTS if not name.endswith("__main__")]
    + ["uvloop", "anyio._backends._asyncio", "anyio.streams.tls", "stringprep", __name__]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command line and what is around it. ``limits`` are soft ones, by their number in ``resource``; ``out`` and
    ``err`` are files, or None where it begins without that descriptor."""

    arguments: tuple[str, ...]
    environment: dict[str, str]
    folder: Path
    out: Path | None
    err: Path | None
    limits: dict[int, int] = field(default_factory=dict)


class Forked:
    """A running command, with the ways of ``subprocess.Popen`` that are needed.

    One that is ``held`` begins when it is told to ``begin``: until then somebody can begin to trace it.
    """

    def __init__(self, order: Order, *, held: bool = False) -> None:
        self.order = order
        gate, self._gate = _CONTEXT.Pipe(duplex=False)
        self._process = _CONTEXT.Process(target=_carry_out, args=(order, gate))
        self._process.start()
        gate.close()
        assert self._process.pid is not None
        self.pid = self._process.pid
        if not held:
            self.begin()

    def begin(self) -> None:
        """Let it begin."""
        self._gate.send(None)
        self._gate.close()

    def poll(self) -> int | None:
        """How it ended: an exit code, or a signal's number below zero; None while it has not."""
        return self._process.exitcode

    def wait(self, timeout: float = 120.0) -> int:
        """Wait for its end, ``timeout`` seconds at most. Raises ``TimeoutError``."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutError(f"{self.order.arguments} has not ended after {timeout:g} s: {self.err()}")
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, and wait until it is gone."""
        self.send_signal(signal.SIGKILL)
        self.wait()

    def out(self) -> str:
        """What it has printed."""
        return "" if self.order.out is None else self.order.out.read_text("utf-8")

    def err(self) -> str:
        """What it has told."""
        return "" if self.order.err is None else self.order.err.read_text("utf-8")


def _carry_out(order: Order, gate: Connection) -> None:
    """Be that process."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    gate.recv()
    gate.close()
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environment)
    _redirect(1, order.out)
    _redirect(2, order.err)
    for number, limit in order.limits.items():
        resource.setrlimit(number, (limit, resource.getrlimit(number)[1]))
    sys.exit(main(order.arguments))


def _redirect(descriptor: int, file: Path | None) -> None:
    if file is None:
        os.close(descriptor)
        return
    opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(opened, descriptor)
    os.close(opened)
