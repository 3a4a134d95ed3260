"""An event loop without a selector: when nothing is left to be done now, its time moves to what is due next."""

from __future__ import annotations

import asyncio
import itertools
import math
import socket
from typing import TYPE_CHECKING, Any

from anyio._backends._asyncio import CancelScope

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.reliability.simulation.machine import Machine


_LONGEST_SECONDS = 24 * 3600
"""BaseEventLoop asks a selector for no longer wait than this."""

_numbers = itertools.count()

_TURN_SECONDS = 1e-6
"""Whoever looks at a clock until it has come to a moment waits for ever where computing takes no time at all."""


class StuckError(AssertionError):
    """Nothing is under way, nothing is due, and whoever waits would wait for ever."""


class NumberedTask(asyncio.Task[Any]):
    """A task whose hash is its number: by their addresses, the order of a set of them would be chance."""

    def __init__(self, *args: Any, **more: Any) -> None:
        self._number = next(_numbers)
        super().__init__(*args, **more)

    def __hash__(self) -> int:
        return self._number


class NumberedScope(CancelScope):
    """A scope whose hash is its number, as a task's is."""

    __slots__ = ("_number",)

    def __init__(self, *args: Any, **more: Any) -> None:
        self._number = next(_numbers)
        super().__init__(*args, **more)

    def __hash__(self) -> int:
        return self._number


class VirtualLoop(asyncio.BaseEventLoop):
    """One process's loop on a pretended machine, whose time, network and threads it is given."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self._machine = machine
        self._selector = self
        self.set_task_factory(lambda loop, *args, **more: NumberedTask(*args, loop=loop, **more))
        self._afterlife_seconds = 0.0

    def time(self) -> float:
        """Seconds since the process began. A dead one's timers still come, while no time passes elsewhere."""
        return self._machine.uptime + self._afterlife_seconds

    # What BaseEventLoop asks of a selector.

    def select(self, timeout: float | None) -> list[Any]:
        """Let the time pass to what is due next: of the loop's, or of what happens in the world."""
        if self._machine.is_dead:
            self._afterlife_seconds += timeout or 0.0
            return []
        self._machine.turned()
        if timeout is None:
            self._machine.pass_time(math.inf)
        elif timeout <= 0.0:
            self._machine.uptime += _TURN_SECONDS
        else:  # to the very moment: a timer that comes too early by a rounding would come for ever
            due = self._scheduled[0].when()  # type: ignore[attr-defined]
            self._machine.pass_time(min(due, self.time() + timeout) if timeout >= _LONGEST_SECONDS else due)
        return []

    def close(self) -> None:
        """Forget everything that was still to be done."""
        self._ready.clear()  # type: ignore[attr-defined]  # BaseEventLoop's own, as all below
        self._scheduled.clear()  # type: ignore[attr-defined]
        super().close()

    def _process_events(self, events: list[Any]) -> None:
        del events

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector who would have to be woken."""

    # Threads.

    def run_in_executor(self, executor: object, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]  # as asyncio's own
        """Do it at once; that it is done is heard of later, as of a thread."""
        del executor
        future = self.create_future()
        try:
            result = func(*args)
        except Exception as error:
            self.call_later(self._machine.work_seconds(), _fail, future, error)
        else:
            self.call_later(self._machine.work_seconds(), _succeed, future, result)
        return future

    # The network.

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:
        """Every name is this host."""
        del host
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", int(port)))]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Reach the service, or not. The socket is only a token; no packet leaves."""
        del sock, address
        await self._machine.network.reach()

    async def create_connection(self, protocol_factory: Any, *args: Any, sock: Any = None, **_: Any) -> Any:
        """Connect two protocols by memory."""
        assert sock is not None
        assert not args
        return self._machine.network.connect(self, protocol_factory, sock)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _succeed(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)
