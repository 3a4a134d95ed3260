"""The listening socket in front of the pretended service, and the end of what connects to it.

It listens on loopback only.  It owns every connection: closing it ends them all, and one sweep every few seconds ends
those that have gone silent, so that there is no timer per request and nothing leaks whatever clients do.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl

from glacier_purge.errors import UsageError
from glacier_simulator.outbox import LastSaid
from glacier_simulator.protocol import Connection, Desk

IDLE_SECONDS = 75.0
REQUEST_SECONDS = 300.0
_BACKLOG = 2048


class SimulatorServer:
    """Serves a desk over HTTP until it is closed."""

    def __init__(
        self, desk: Desk, *, idle_seconds: float = IDLE_SECONDS, request_seconds: float = REQUEST_SECONDS
    ) -> None:
        self._desk = desk
        self.said = LastSaid()
        self._idle_seconds = idle_seconds
        self._request_seconds = request_seconds
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._none_left: asyncio.Event | None = None
        self._tls = False

    @property
    def endpoint_url(self) -> str:
        """Where it listens, as clients want it. Only after ``start``."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{'https' if self._tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def open_connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    async def start(self, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Listen. Raises ``UsageError`` for an address that is not loopback or a port that is taken."""
        check_loopback(host)
        if not 0 <= port <= 65_535:  # some loops take the rest of the division
            raise UsageError(f"{port} is not a port: 0 (a free one) to 65535.")
        loop = asyncio.get_running_loop()
        self._tls = tls is not None
        try:
            self._server = await loop.create_server(
                lambda: Connection(self._desk, loop, self), host, port, ssl=tls, backlog=_BACKLOG
            )
        except OSError as error:
            raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}. Choose another --port.") from error
        self._sweep()

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.drop()
        if self._connections:  # aborted transports report their end on the loop's next turns
            self._none_left = asyncio.Event()
            await self._none_left.wait()
        if self._server is not None:
            await self._server.wait_closed()

    def joined(self, connection: Connection) -> None:
        """Somebody has connected."""
        self._connections.add(connection)

    def left(self, connection: Connection) -> None:
        """A connection has ended."""
        self._connections.discard(connection)
        if not self._connections and self._none_left is not None:
            self._none_left.set()

    def end_stale(self, now: float) -> None:
        """End the connections that are stale by ``now``, in the loop's time."""
        for connection in tuple(self._connections):
            if connection.is_stale(now, idle_seconds=self._idle_seconds, request_seconds=self._request_seconds):
                connection.drop()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self.end_stale(loop.time())
        self._sweep_timer = loop.call_later(min(self._idle_seconds, self._request_seconds) / 4, self._sweep)


def check_loopback(host: str) -> None:
    """Raise ``UsageError`` unless ``host`` is an address of this machine alone."""
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise UsageError(
            f"{host!r} is not a loopback address. The simulator serves this machine only: 127.0.0.1 or ::1."
        )
