"""One accepted connection down to its bytes: TLS or none, pieces of any size, and every way to end."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from contextlib import suppress

_LINGER_ZERO = struct.pack("ii", 1, 0)
"""Closing then sends a reset."""
_READ_BYTES = 65_536


class Wire:
    """The proxy's end of a connection. Whatever it does when the other end is gone raises ``ConnectionError``."""

    def __init__(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = accepted
        self._loop = asyncio.get_running_loop()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None

    async def secure(self, context: ssl.SSLContext) -> None:
        """Shake hands. Raises ``ConnectionError`` when the client does not want to."""
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive()
            except ssl.SSLError as fault:
                await self._flush()
                raise ConnectionError(str(fault)) from fault
        await self._flush()

    async def read(self) -> bytes:
        """Read on; nothing is the end."""
        if self._tls is None:
            return await self._loop.sock_recv(self._socket, _READ_BYTES)
        while True:
            try:
                return self._tls.read(_READ_BYTES)
            except ssl.SSLWantReadError:
                await self._receive()
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as fault:
                raise ConnectionError(str(fault)) from fault

    async def read_raw(self, most: int) -> bytes:
        """Read bytes as they are on the wire."""
        return await self._loop.sock_recv(self._socket, most)

    async def write(self, data: bytes) -> None:
        """Write all of it, in one piece (a record, under TLS)."""
        if self._tls is None:
            await self.write_raw(data)
            return
        self._tls.write(data)
        await self._flush()

    async def write_raw(self, data: bytes) -> None:
        """Write bytes as they are on the wire, past TLS."""
        await self._loop.sock_sendall(self._socket, data)

    async def write_pieces(self, data: bytes, piece_bytes: int, seconds: float) -> None:
        """Write so many bytes at a time, and wait in between."""
        for first in range(0, len(data), piece_bytes):
            await self.write(data[first : first + piece_bytes])
            await asyncio.sleep(seconds)

    def reset(self) -> None:
        """End it with a TCP reset."""
        self.reset_when_closed()
        self._socket.close()

    def reset_when_closed(self) -> None:
        """Have it end with a TCP reset, whoever closes it."""
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)

    async def end(self) -> None:
        """End it properly, under TLS with word of it."""
        await self._say_goodbye()
        self.cut()

    async def half_close(self) -> None:
        """End only what is written."""
        await self._say_goodbye()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """End it properly for TCP, and without a word for TLS."""
        self._socket.close()

    async def _say_goodbye(self) -> None:
        if self._tls is None:
            return
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        with suppress(OSError):
            await self._flush()

    async def _receive(self) -> None:
        data = await self._loop.sock_recv(self._socket, _READ_BYTES)
        if not data:
            raise ConnectionError("the client left")
        self._incoming.write(data)

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await self._loop.sock_sendall(self._socket, data)
