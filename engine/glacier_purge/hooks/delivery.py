"""Events on their way: each hook with a queue and a task of its own, so that none keeps another waiting, least of all a
purge.

Handing an event over takes no time and never fails.  A queue that is full and a hook that does not take an event are
told to who handed it over, and that is all that comes of it.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from glacier_purge.errors import one_error
from glacier_purge.hooks.event import NotTold

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from glacier_purge.happenings import Happening
    from glacier_purge.hooks.event import Event

    Told = Callable[[str, str | None], None]
    """Is told by name which hook is done with an event, and why it did not take it; None where it did."""

_WAITING_MAX = 100
"""Events that wait for one hook. A fleet of hundreds may want as many approvals at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A hook's name, what it is told of, and what tells it; that raises ``NotTold``."""

    name: str
    happenings: frozenset[Happening]
    send: Callable[[Event], Awaitable[None]]


class Delivery:
    """The lines that are open, until their context ends."""

    def __init__(self, lines: Sequence[tuple[Line, MemoryObjectSendStream[tuple[Event, Told]]]]) -> None:
        self._lines = lines

    def hand_over(self, event: Event, told: Told, *, but: Collection[str] = ()) -> list[str]:
        """Send an event to every hook that is told of such, ``but`` those; return of which ``told`` will hear."""
        under_way = []
        for line, queue in self._lines:
            if event.happening not in line.happenings or line.name in but:
                continue
            try:
                queue.send_nowait((event, told))
            except anyio.WouldBlock:
                told(line.name, f"{_WAITING_MAX} events wait for it already")
            else:
                under_way.append(line.name)
        return under_way


@asynccontextmanager
async def delivering(lines: Sequence[Line]) -> AsyncIterator[Delivery]:
    """Deliver events while in the context; leaving it cuts off what is under way."""
    with one_error():  # of the work in the context: a hook has none that leaves its task
        async with anyio.create_task_group() as tasks:
            queues = []
            for line in lines:
                send, receive = anyio.create_memory_object_stream[tuple["Event", "Told"]](_WAITING_MAX)
                queues.append((line, send))
                tasks.start_soon(_deliver, line, receive)
            try:
                yield Delivery(queues)
            finally:
                tasks.cancel_scope.cancel()
                for _, send in queues:
                    send.close()


async def _deliver(line: Line, queue: MemoryObjectReceiveStream[tuple[Event, Told]]) -> None:
    with queue:
        async for event, told in queue:
            try:
                await line.send(event)
            except NotTold as fault:
                told(line.name, str(fault))
            except Exception as fault:  # whatever a hook does, it is the hook's alone
                told(line.name, f"unexpected error: {type(fault).__name__}: {fault}")
            else:
                told(line.name, None)
