"""Connections that are memory: bytes of one end are the other's, in order, until one of them ends or the wire is cut.

The far end is the pretended service's own connection class, so that faults look on the wire as they do on a socket.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import TYPE_CHECKING, Any

from glacier_simulator.outbox import LastSaid
from glacier_simulator.protocol import Connection

if TYPE_CHECKING:
    from random import Random

    from glacier_simulator.desk import ServiceDesk
    from tests.reliability.simulation.machine import Machine

CONNECT_SECONDS = 0.002


class Network:
    """The way to one desk. While it is ``cut``, what is sent is lost and nobody connects."""

    def __init__(self, desk: ServiceDesk, machine: Machine, chance: Random) -> None:
        self.said = LastSaid()
        self.cut: str | None = None
        """None, or how nobody gets through: "refused", "silent"."""
        self._desk = desk
        self._machine = machine
        self._chance = chance
        self._ends: set[End] = set()
        self._far = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        """What the service's end believes to be its socket."""

    def close(self) -> None:
        """Give the tokens back."""
        self.drop()
        self._far.close()

    def drop(self) -> None:
        """Forget every connection: whose process is gone, nothing comes over any more."""
        for end in self._ends:
            end.sock.close()
        self._ends.clear()

    def lost(self, end: End) -> None:
        """Forget one end."""
        end.sock.close()
        self._ends.discard(end)

    def joined(self, connection: Connection) -> None:
        """See ``glacier_simulator.protocol.Host``."""

    def left(self, connection: Connection) -> None:
        """See ``glacier_simulator.protocol.Host``."""

    async def reach(self) -> None:
        """Wait until the service is reached."""
        await asyncio.sleep(CONNECT_SECONDS)
        if self.cut == "silent":
            await asyncio.get_running_loop().create_future()
        if self.cut is not None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))

    def connect(self, loop: asyncio.AbstractEventLoop, near_protocol: Any, sock: socket.socket) -> tuple[Any, Any]:
        """Make both ends."""
        near = End(self, loop, near_protocol(), sock)
        far = End(self, loop, Connection(self._desk, loop, self), self._far.dup())
        near.peer, far.peer = far, near
        self._ends |= {near, far}
        far.protocol.connection_made(far)
        near.protocol.connection_made(near)
        return near, near.protocol

    def carries(self) -> bool:
        """Whether what is sent now arrives."""
        return self.cut is None and not self._machine.is_dead

    def pieces(self, data: bytes) -> list[bytes]:
        """How it arrives: mostly whole."""
        if len(data) < 2 or self._chance.random() > 0.02:
            return [data]
        where = self._chance.randrange(1, len(data))
        return [data[:where], data[where:]]


class End(asyncio.Transport):
    """One end of a connection."""

    peer: End

    def __init__(self, network: Network, loop: asyncio.AbstractEventLoop, protocol: Any, sock: socket.socket) -> None:
        super().__init__({"socket": sock, "peername": ("127.0.0.1", 80), "sockname": ("127.0.0.1", 40_000)})
        self.protocol = protocol
        self._network = network
        self._loop = loop
        self.sock = sock
        self._is_closing = self._is_lost = self._has_ended = False
        self._is_paused = False
        self._arrived: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send; lost without a word where the wire is cut."""
        if not self._is_closing and data and self._network.carries():
            for piece in self._network.pieces(bytes(data)):
                self._loop.call_soon(self.peer.arrive, piece)

    def get_write_buffer_size(self) -> int:
        """Nothing is ever kept back."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """So nobody is ever told to wait."""

    def arrive(self, data: bytes) -> None:
        """Take what the other end sent."""
        if self._is_paused:
            self._arrived.append(data)
        elif not self._is_lost:
            self.protocol.data_received(data)

    def pause_reading(self) -> None:
        """Keep what arrives."""
        self._is_paused = True

    def resume_reading(self) -> None:
        """Hand on what was kept."""
        self._is_paused = False
        arrived, self._arrived = self._arrived, []
        for data in arrived:
            self._loop.call_soon(self.arrive, data)
        if self._has_ended:
            self._loop.call_soon(self.end)

    def is_reading(self) -> bool:
        """Whether what arrives is handed on."""
        return not self._is_paused

    def can_write_eof(self) -> bool:
        """As TCP."""
        return True

    def write_eof(self) -> None:
        """Send nothing more."""
        if self._network.carries():
            self._loop.call_soon(self.peer.end)

    def end(self) -> None:
        """Hear that the other end sends nothing more."""
        self._has_ended = True
        if not self._is_paused and not self._is_lost and not self.protocol.eof_received():
            self.close()

    def is_closing(self) -> bool:
        """Whether it takes nothing more."""
        return self._is_closing

    def close(self) -> None:
        """End in good order."""
        if not self._is_closing:
            self.write_eof()
            self._loop.call_soon(self.lose, None)
        self._is_closing = True

    def abort(self) -> None:
        """End at once, and reset the other end."""
        if not self._is_lost:
            self._is_closing = True
            self._loop.call_soon(self.lose, None)
            if self._network.carries():
                reset = ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
                self._loop.call_soon(self.peer.lose, reset)

    def lose(self, error: Exception | None) -> None:
        """Be gone."""
        if not self._is_lost:
            self._is_lost = self._is_closing = True
            self.protocol.connection_lost(error)
            self._network.lost(self)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand on to another."""
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Whoever is handed what arrives."""
        return self.protocol  # type: ignore[no-any-return]  # of whatever kind
