"""The two steps in which a person, or the system, stops a command: in good order, then at once.

Ctrl-C, SIGTERM or SIGHUP once: nothing new is sent and requests in flight settle.  Twice: everything is cancelled.
Either way what is on disk is whole and the same command goes on.

A signal that was ignored when the process began stays ignored: that is how ``nohup`` and shells in the background keep
a process from it.  And once one stopped a command, none that comes after it gives the process another exit code: the
event loop would put back the default, which kills, before it has ended, and Python does at its own end.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from glacier_purge.cli.output import tell
from glacier_purge.errors import Interrupted, RunStopped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Listens for them. ``drain`` ends the work in good order: for what reason, and what that counts as."""

    def __init__(self, drain: Callable[[str, type[RunStopped]], None]) -> None:
        self._drain = drain
        self.stopped_as: type[RunStopped] | None = None
        """What the first of them counts as: ``Interrupted`` where it was Ctrl-C; None while there was none."""

    async def listen(self, everything: anyio.CancelScope) -> None:
        """Listen until cancelled; ``everything`` is what the second one ends at once."""
        loop = asyncio.get_running_loop()

        def hear(number: signal.Signals) -> None:
            if self.stopped_as is None:
                self.stopped_as = _counts_as(number)
                loop.call_soon_threadsafe(self._stop, _name(number), self.stopped_as)
            else:
                loop.call_soon_threadsafe(_stop_at_once, _name(number), everything)

        with heard(STOP_SIGNALS, hear):
            await anyio.sleep_forever()

    def _stop(self, name: str, counts_as: type[RunStopped]) -> None:
        tell(f"{name}: nothing new is sent, requests in flight settle. Once more stops at once.")
        self._drain(name, counts_as)


def _stop_at_once(name: str, everything: anyio.CancelScope) -> None:
    tell(f"{name} again: stopping at once. The same command goes on.")
    everything.cancel()


async def until_stopped(work: Callable[[], Awaitable[int]]) -> int:
    """Do what does not listen for itself: the first signal cancels it, the second ends the process.

    Raises ``RunStopped``, or ``Interrupted`` where it was Ctrl-C.
    """
    loop = asyncio.get_running_loop()
    stopped_by: signal.Signals | None = None

    def hear(number: signal.Signals) -> None:
        nonlocal stopped_by
        if stopped_by is not None:
            os._exit(_counts_as(stopped_by).exit_code)
        stopped_by = number
        loop.call_soon_threadsafe(everything.cancel)

    with anyio.CancelScope() as everything, heard(STOP_SIGNALS, hear):
        return await work()
    assert stopped_by is not None, "nothing else cancels it"
    raise _counts_as(stopped_by)(f"stopped by {_name(stopped_by)}. The same command goes on.")


def _name(number: signal.Signals) -> str:
    return "Ctrl-C" if number == signal.SIGINT else number.name


def _counts_as(number: signal.Signals) -> type[RunStopped]:
    return Interrupted if number == signal.SIGINT else RunStopped


@contextmanager
def deaf_at_the_end() -> Iterator[Callable[[], None]]:
    """Gives what makes the process deaf to Ctrl-C until the context is left.

    Once its work is done its exit code is known, and a Ctrl-C in the middle of closing a loop leaves tracebacks only.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before, is_deaf = signal.getsignal(signal.SIGINT), False

    def become_deaf() -> None:
        nonlocal is_deaf
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            is_deaf = True
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    try:
        yield become_deaf
    finally:
        if is_deaf:
            signal.signal(signal.SIGINT, before)


@contextmanager
def heard(numbers: tuple[signal.Signals, ...], hear: Callable[[signal.Signals], object]) -> Iterator[None]:
    """Call ``hear`` for each of these signals, but for those that are ignored. When one came, they are ignored after
    this was left: the process has its exit code.

    It is called between two instructions of whatever the main thread does, and must be quick.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone is told of signals
        yield
        return
    before = {number: signal.getsignal(number) for number in numbers}
    heeded = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    came = False

    def deliver(number: int, _: object) -> None:
        nonlocal came
        came = True
        hear(signal.Signals(number))

    for number in heeded:
        signal.signal(number, deliver)
    try:
        yield
    finally:
        for number, handler in heeded.items():
            if signal.getsignal(number) is deliver:  # else whoever listened within heard it
                signal.signal(number, signal.SIG_IGN if came else handler)
