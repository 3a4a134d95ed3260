"""A loop over real sockets whose time jumps to the next timer when no byte is on its way and nothing is left to do.

Both ends of every connection are in this process, and loopback hands over what was written at once, so a moment in
which no socket is ready is one in which everybody waits for a timer.  Work for threads is done in place and names are
looked up where a test says, so the same seed gives the same run, and six hours without a network take seconds.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import socket
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from unittest.mock import patch

import aiohttp.connector
import anyio.to_thread
import botocore.auth
import uvloop

from glacier_purge import clock
from glacier_purge.run.host import Host
from glacier_simulator import clock as simulator_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

T = TypeVar("T")

Address = tuple[socket.AddressFamily, tuple[Any, ...]]
Names = "Callable[[str, int], Sequence[Address]]"
"""Looks a host and port up; raises ``socket.gaierror``."""

_LOOKS = 3
"""How often sockets are looked at before time jumps: the kernel may hand a byte over on the other processor."""
_STUCK_SECONDS = 10.0
"""Real ones, without a timer and without a byte: then there is nothing left that could ever happen."""


def looked_up(names: Callable[[str, int], Sequence[Address]], host: str, port: Any, family: int) -> list[Any]:
    """What ``getaddrinfo`` gives for a host, by ``names``, but for addresses, which are their own."""
    try:
        kind = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.inet_pton(kind, host)
        found: Sequence[Address] = [(kind, (host, port))]
    except OSError:
        found = names(host, int(port))
    return [
        (kind, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address if kind == socket.AF_INET else (*address, 0, 0))
        for kind, address in found
        if family in {0, kind}
    ]


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module. ``names`` answers every look-up of a name."""

    def __init__(self, names: Callable[[str, int], Sequence[Address]]) -> None:
        self._seconds = 0.0
        self.clock_set_by_seconds = 0.0
        """How far somebody has set this host's wall clock; the service's goes on as it was."""
        self._names = names
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Seconds since the loop began."""
        return self._seconds

    def jump(self, seconds: float) -> None:
        """Let time pass at once."""
        self._seconds += seconds

    def run_in_executor(self, _executor: Any, work: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:  # type: ignore[override]  # a future is what it gives
        """Do it in place: while a thread works, time would run away."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(work(*arguments))
        except Exception as fault:
            done.set_exception(fault)
        return done

    async def getaddrinfo(self, host: Any, port: Any, *_: Any, family: int = 0, **__: Any) -> list[Any]:
        """Ask ``names``."""
        return looked_up(self._names, host, port, family)


class _Jumping(selectors.DefaultSelector):
    """Waits for no time to pass: lets it."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        for _ in range(_LOOKS):
            if (ready := super().select(0)) or timeout == 0:
                return ready
            os.sched_yield()
        if timeout is None:
            if not (ready := super().select(_STUCK_SECONDS)):
                raise RuntimeError("everybody waits for somebody, and nobody for a timer")
            return ready
        self._loop.jump(timeout)
        return []


def run_in_real_time(work: Coroutine[Any, Any, T], names: Callable[[str, int], Sequence[Address]]) -> T:
    """Carry ``work`` out on the loop that commands run on, whose sockets and TLS are its own."""

    async def getaddrinfo(host: Any, port: Any, *_: Any, family: int = 0, **__: Any) -> list[Any]:
        return looked_up(names, host, port, family)

    loop: Any = uvloop.new_event_loop()
    loop.getaddrinfo = getaddrinfo
    try:
        return loop.run_until_complete(work)  # type: ignore[no-any-return]  # what ``work`` gives
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def run(work: Coroutine[Any, Any, T], names: Callable[[str, int], Sequence[Address]]) -> T:
    """Carry ``work`` out on a loop of its own, in whose time every clock of this process goes meanwhile."""
    loop = VirtualLoop(names)
    with _time_of(loop):
        try:
            return loop.run_until_complete(work)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()


@contextmanager
def _time_of(loop: VirtualLoop) -> Iterator[None]:
    began = time.time()

    async def in_place(work: Callable[..., T], *arguments: Any, **_: Any) -> T:
        return work(*arguments)

    def right() -> float:
        return began + loop.time()

    def wall() -> float:
        return right() + loop.clock_set_by_seconds

    def as_signed(remove_tzinfo: bool = True) -> datetime:
        now = datetime.fromtimestamp(wall(), UTC)
        return now.replace(tzinfo=None) if remove_tzinfo else now

    with (
        patch.object(time, "monotonic", loop.time),
        patch.object(time, "time", wall),
        patch.object(aiohttp.connector, "monotonic", loop.time),
        patch.object(clock, "_read", wall),
        patch.object(simulator_clock, "_read", right),
        patch.object(botocore.auth, "get_current_datetime", as_signed),
        patch.object(anyio.to_thread, "run_sync", in_place),
        patch.dict(Host.__init__.__kwdefaults__, {"clock": loop.time, "wall_clock": wall, "elsewhere": in_place}),
    ):
        yield
