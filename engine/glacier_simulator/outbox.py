"""Replies of one connection on their way out: in order, each when it is due, none faster than the client reads.

There is no task and no timer per reply: one timer is armed for the first reply that still has to wait.  A reply is
either finished bytes or steps (see ``wire``) that are taken one at a time; steps may wait, and may end the connection
in any of the ways a network can.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from glacier_simulator.wire import Again, Ending, Step

_PIECES_PER_TURN = 16  # of a streamed body, before other connections get their turn
_ACCEPTED = b"HTTP/1.1 204 "
_LINGER_ZERO = struct.pack("ii", 1, 0)  # closing then sends RST instead of FIN

_log = logging.getLogger("glacier_simulator")


class Outgoing:
    """A reply that leaves ``delay_seconds`` from now; ``close`` ends the connection behind it."""

    __slots__ = ("close", "delay_seconds", "payload")

    def __init__(self, payload: bytes | Iterable[Step], delay_seconds: float = 0.0, *, close: bool = False) -> None:
        self.payload = payload
        self.delay_seconds = delay_seconds
        self.close = close


class LastSaid:
    """The last 204 that a box between service and clients saw pass."""

    __slots__ = ("anywhere",)

    def __init__(self) -> None:
        self.anywhere = b""


class Outbox:
    """Owns the writing half of a connection. ``drained`` is called whenever something has left."""

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        drained: Callable[[], None],
        said: LastSaid,
    ) -> None:
        self._said = said
        self._said_here = b""
        self._transport = transport
        self._loop = loop
        self._drained = drained
        self._queue: deque[tuple[float, Outgoing]] = deque()
        self._ready: list[bytes] = []  # due bytes, written together
        self._steps: Iterator[Step] | None = None
        self._closes_after_steps = False
        self._timer: asyncio.Handle | None = None
        self._is_corked = False
        self.paused_at: float | None = None
        """Since when the client has been reading too slowly, in the loop's time."""
        self.is_closed = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is owed to the client."""
        return not self._queue and self._steps is None

    @property
    def waiting(self) -> int:
        """How many replies wait for their turn."""
        return len(self._queue)

    def cork(self) -> None:
        """Hold finished bytes back until ``uncork``, so that the replies to one read leave in one write."""
        self._is_corked = True

    def uncork(self) -> None:
        """Write what was held back."""
        self._is_corked = False
        self._flush()

    def put(self, outgoing: Outgoing) -> None:
        """Send this reply after all that were put before it."""
        if self.is_closed:
            return
        due = self._loop.time() + outgoing.delay_seconds if outgoing.delay_seconds else 0.0
        self._queue.append((due, outgoing))
        if self._timer is None and self._steps is None:
            self._advance()

    def pause(self) -> None:
        """The client reads more slowly than we write: take no further steps."""
        self.paused_at = self._loop.time()

    def resume(self) -> None:
        """The client has caught up."""
        self.paused_at = None
        if self._steps is not None and self._timer is None:
            self._take_steps()

    def discard(self) -> None:
        """Forget everything; the connection is gone or going."""
        self.is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._queue.clear()
        self._ready.clear()
        steps, self._steps = self._steps, None
        close = getattr(steps, "close", None)
        if close is not None:
            close()

    def end(self, ending: Ending) -> None:
        """End the connection in the given way; replies still waiting are lost."""
        self._flush()
        self.discard()
        if ending is Ending.RESET:
            _arm_reset(self._transport)
            self._transport.abort()
        elif ending is Ending.HALF_CLOSE and self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _advance(self) -> None:
        """Send every reply that is due; arm the timer for the first that is not."""
        self._timer = None
        while self._queue and self._steps is None and not self.is_closed:
            due, outgoing = self._queue[0]
            if due > self._loop.time():
                self._timer = self._loop.call_at(due, self._advance)
                break
            self._queue.popleft()
            self._begin(outgoing)
        if not self._is_corked:
            self._flush()
        self._drained()

    def _begin(self, outgoing: Outgoing) -> None:
        if isinstance(outgoing.payload, bytes):
            self._ready.append(outgoing.payload)
            if outgoing.payload.startswith(_ACCEPTED):
                self._said_here = self._said.anywhere = outgoing.payload
            if outgoing.close:
                self.end(Ending.CLOSE)
            return
        self._flush()
        self._closes_after_steps = outgoing.close
        self._steps = iter(outgoing.payload)
        self._take_steps()

    def _take_steps(self) -> None:
        """Go on with the current reply until it waits or ends, or until other connections should have a turn."""
        self._timer = None
        for _ in range(_PIECES_PER_TURN):
            if self.paused_at is not None or self.is_closed:
                return
            step = self._next_step()
            if isinstance(step, Again):
                step = (self._said_here if step is Again.HERE else self._said.anywhere) or Ending.CLOSE
            if isinstance(step, bytes):
                self._transport.write(step)
            elif isinstance(step, Ending):
                self.end(step)
                return
            elif step is not None:
                self._timer = self._loop.call_later(step, self._take_steps)
                return
            else:
                self._steps = None
                self._timer = self._loop.call_later(0, self._advance)
                if self._closes_after_steps:
                    self.end(Ending.CLOSE)
                return
        self._timer = self._loop.call_later(0, self._take_steps)

    def _next_step(self) -> Step | None:
        assert self._steps is not None
        try:
            return next(self._steps, None)
        except Exception:  # a fault of ours in the middle of a body: the client must not take the part for the whole
            _log.exception("the simulator failed in the middle of a reply")
            return Ending.RESET

    def _flush(self) -> None:
        if self._ready:
            self._transport.write(self._ready[0] if len(self._ready) == 1 else b"".join(self._ready))
            self._ready.clear()


def _arm_reset(transport: asyncio.Transport) -> None:
    watched = transport.get_extra_info("socket")
    with socket.socket(fileno=os.dup(watched.fileno())) as same:  # the loops' own socket objects promise no options
        same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
