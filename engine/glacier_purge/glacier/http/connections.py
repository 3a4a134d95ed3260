"""The connections to one endpoint: as many as are asked for at once, up to a limit, kept while they are in use.

The most recently used connection goes out first, so that surplus ones fall idle and are closed.  Time limits of all
connections are kept by one coarse timer, which also supplies the time: no clock is read and no timer set per request.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from glacier_purge.glacier.http.accepted import AcceptedReplies
from glacier_purge.glacier.http.connection import Connection
from glacier_purge.glacier.http.dial import NotConnectedError
from glacier_purge.glacier.reply import no_reply

if TYPE_CHECKING:
    from glacier_purge.glacier.http.connection import TakesReply
    from glacier_purge.glacier.http.dial import Dialer

KEEP_ALIVE_SECONDS = 12.0
"""Idle connections are closed by us before the service does it under a request; the SDK's own figure."""

SWEEP_SECONDS = 0.25
"""How often time limits are looked at; they are late by at most this."""


class ConnectionPool:
    """Hands out connections to one caller at a time; what comes back on them goes to ``replied``.

    ``close`` drops all of them.  ``request_timeout_seconds`` bounds a request from its sending to its whole reply.
    ``kind`` is the class of connections: the plain one, or its twin on which notes are taken.
    """

    def __init__(
        self,
        dialer: Dialer,
        replied: TakesReply,
        *,
        limit: int,
        request_timeout_seconds: float,
        kind: type[Connection] = Connection,
    ) -> None:
        self._dialer = dialer
        self._limit = limit
        self._request_timeout_seconds = request_timeout_seconds
        self._new_connection = partial(kind, self, AcceptedReplies(), replied)
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time()
        self.reply_due_at = self._now + request_timeout_seconds
        """Until when a request that is sent now has to be answered."""
        self._idle_until = self._now + KEEP_ALIVE_SECONDS
        self._sweeping: asyncio.TimerHandle | None = None
        self._places_taken = 0
        self._connections: dict[Connection, None] = {}  # in order: what ends at once does so in the order it began
        self._idle: list[Connection] = []
        self._queue: deque[asyncio.Future[Connection | None]] = deque()

    @property
    def open_connections(self) -> int:
        """How many connections there are now."""
        return len(self._connections)

    def take(self, most: int) -> list[Connection]:
        """Return idle connections, without waiting, as far as there are any."""
        taken: list[Connection] = []
        while self._idle and (missing := most - len(taken)) > 0:
            taken += [connection for connection in self._idle[-missing:] if connection.usable]
            del self._idle[-missing:]
        return taken

    async def wait(self) -> Connection:
        """Return an idle connection, open one, or wait in line at the limit. Raises ``NotConnectedError``."""
        if idle := self.take(1):
            return idle[0]
        if self._places_taken >= self._limit:
            handed_over = await self._wait_in_line()
            if handed_over is not None and handed_over.usable:
                return handed_over
            if handed_over is not None:
                return await self.wait()
        else:
            self._places_taken += 1
        return await self._open()

    def released(self, connection: Connection) -> None:
        """Hand a connection that is free again to the next in line, or keep it."""
        while self._queue:
            next_in_line = self._queue.popleft()
            if not next_in_line.done():
                next_in_line.set_result(connection)
                return
        connection.expires_at = self._idle_until
        self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """Forget a connection and give its place away."""
        if connection not in self._connections:
            return
        del self._connections[connection]
        if connection in self._idle:
            self._idle.remove(connection)
        self._give_place_away()

    def close(self) -> None:
        """Drop every connection; requests in flight are not settled any more."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for connection in self._connections:
            connection.drop()
        self._idle.clear()

    async def _wait_in_line(self) -> Connection | None:
        """Wait for a connection, or for the place (None) of one that was lost."""
        turn: asyncio.Future[Connection | None] = self._loop.create_future()
        self._queue.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(turn.result())
            raise

    def _give_back(self, handed_over: Connection | None) -> None:
        if handed_over is None:
            self._give_place_away()
        else:
            self.released(handed_over)

    def _give_place_away(self) -> None:
        while self._queue:
            next_in_line = self._queue.popleft()
            if not next_in_line.done():
                next_in_line.set_result(None)
                return
        self._places_taken -= 1

    async def _open(self) -> Connection:
        """Open a connection in the place that was taken for it."""
        try:
            connection = await self._dialer.dial(self._new_connection)
            if not connection.usable:
                raise NotConnectedError(no_reply("ConnectionClosedError", "the connection was lost as soon as made"))
        except BaseException:
            self._give_place_away()
            raise
        self._connections[connection] = None
        if self._sweeping is None:
            self._sweep()
        return connection

    def _sweep(self) -> None:
        """End what has lasted too long, and come again while there is anything to look at."""
        self._now = self._loop.time()
        self.reply_due_at = self._now + self._request_timeout_seconds
        self._idle_until = self._now + KEEP_ALIVE_SECONDS
        for connection in [each for each in self._connections if each.expires_at <= self._now]:
            connection.expire()
        if self._connections:
            self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep)
        else:
            self._sweeping = None
