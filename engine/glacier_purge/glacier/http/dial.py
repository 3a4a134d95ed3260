"""Making a connection: names resolved again, both IP families tried, TLS with certificate and host name checked.

Addresses are tried as "Happy Eyeballs" (RFC 8305) asks: families in turn, the next one started when the last has failed
or has taken 250 ms, the first to answer wins.  uvloop has none of this, so aiohappyeyeballs does it on both loops.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

from aiohappyeyeballs import start_connection

from glacier_purge.aws.tls import fault_in_words
from glacier_purge.glacier.reply import Meaning, Reply, no_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohappyeyeballs import AddrInfoType

    from glacier_purge.glacier.http.connection import Connection

NEXT_ADDRESS_AFTER_SECONDS = 0.25
"""RFC 8305, section 5: "Connection Attempt Delay", recommended value."""

RESOLVE_AGAIN_AFTER_SECONDS = 5.0
"""So that a thousand connections opened at once cost one lookup, and a service that moved is found."""

DIALS_AT_ONCE_MAX = 64
"""A TLS handshake costs milliseconds of CPU; a thousand at once would all run into the connect timeout."""


class NotConnectedError(Exception):
    """No connection could be made. ``reply`` says so as the answer to a delete."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.message)
        self.reply = reply


class Dialer:
    """Makes connections to one host and port; ``tls`` is None for plain HTTP on loopback.

    ``timeout_seconds`` bounds the making of one connection, ``patience_seconds`` also the wait for its turn.
    """

    def __init__(
        self, host: str, port: int, *, tls: ssl.SSLContext | None, timeout_seconds: float, patience_seconds: float
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._timeout_seconds = timeout_seconds
        self._patience_seconds = patience_seconds
        self._at_once = asyncio.Semaphore(DIALS_AT_ONCE_MAX)
        self._resolving = asyncio.Lock()
        self._addresses: Sequence[AddrInfoType] = ()
        self._resolve_again_at = 0.0

    async def dial(self, new_connection: Callable[[], Connection]) -> Connection:
        """Return a new connection ready for its first request. Raises ``NotConnectedError``."""
        where = f"{self._host}:{self._port}"
        try:
            async with (
                asyncio.timeout(self._patience_seconds),
                self._at_once,
                asyncio.timeout(self._timeout_seconds),
            ):
                return await self._connect(new_connection)
        except TimeoutError as fault:
            message = f"no connection to {where} in {self._timeout_seconds:g} s"
            raise NotConnectedError(no_reply("ConnectTimeoutError", message)) from fault
        except ssl.SSLCertVerificationError as fault:
            message = fault_in_words(fault, where)
            raise NotConnectedError(Reply(Meaning.UNTRUSTED, code="SSLError", message=message)) from fault
        except ssl.SSLError as fault:
            raise NotConnectedError(no_reply("SSLError", fault_in_words(fault, where))) from fault
        except OSError as fault:
            self._resolve_again_at = 0.0
            raise NotConnectedError(
                no_reply("EndpointConnectionError", f"no connection to {where}: {str(fault) or type(fault).__name__}")
            ) from fault

    async def _connect(self, new_connection: Callable[[], Connection]) -> Connection:
        chosen = await start_connection(
            await self._resolved(), happy_eyeballs_delay=NEXT_ADDRESS_AFTER_SECONDS, interleave=1
        )
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                new_connection, sock=chosen, ssl=self._tls, server_hostname=self._host if self._tls else None
            )
        except BaseException:
            chosen.close()
            raise
        return connection

    async def _resolved(self) -> Sequence[AddrInfoType]:
        loop = asyncio.get_running_loop()
        async with self._resolving:
            if loop.time() >= self._resolve_again_at:
                found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
                if not found:
                    raise OSError("the name has no address")
                self._addresses = found
                self._resolve_again_at = loop.time() + RESOLVE_AGAIN_AFTER_SECONDS
        return self._addresses
