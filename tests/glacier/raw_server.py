"""A loopback HTTP server that does exactly what a test says, byte for byte, and keeps every request it received."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from glacier_purge.archive import Vault

REQUEST_ID = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdEfGhIj"

Answer = Callable[["Exchange"], Awaitable[None]]
"""What the server does with a request. Returning keeps the connection open for the next one."""


class HangUpError(Exception):
    """Raised by an answer: close the connection now."""


@dataclass
class RawServer:
    """``requests`` are whole requests in order of arrival; ``connections`` counts accepted ones."""

    endpoint_url: str
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0


@dataclass
class Exchange:
    """One request as received, and the way to answer it. ``number`` counts from 1 over the whole server."""

    server: RawServer
    number: int
    request: bytes
    writer: asyncio.StreamWriter

    async def send(self, reply: bytes) -> None:
        """Send a reply, with a request id of this exchange's own in place of ``REQUEST_ID``."""
        await self.send_as_it_is(reply.replace(REQUEST_ID.encode(), request_id_of(self.number).encode()))

    async def send_as_it_is(self, reply: bytes) -> None:
        self.writer.write(reply)
        await self.writer.drain()

    def reset(self) -> None:
        """Drop the connection with a TCP reset instead of a proper end."""
        self.writer.transport.abort()


def request_id_of(number: int) -> str:
    """The request id in the reply to request ``number`` of a server."""
    return f"{REQUEST_ID[:-6]}{number:06d}"


def reply(
    status: str = "204 No Content",
    *headers: str,
    body: bytes = b"",
    request_id: str | None = REQUEST_ID,
    framing: str | None = None,
) -> bytes:
    """Build a whole reply; ``framing`` replaces the Content-Length line."""
    lines = [f"HTTP/1.1 {status}"]
    if request_id is not None:
        lines.append(f"x-amzn-RequestId: {request_id}")
    lines.append("Date: Sun, 22 Nov 2026 15:14:03 GMT")
    lines.extend(headers)
    if framing is None and not status.startswith(("204", "1")):
        framing = f"Content-Length: {len(body)}"
    if framing:
        lines.append(framing)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def refusal(status: str, code: str, message: str = "", *headers: str) -> bytes:
    """Build an error reply as Amazon Glacier words it."""
    body = f'{{"code":"{code}","message":"{message}","type":"Client"}}'.encode()
    return reply(status, "Content-Type: application/json", *headers, body=body)


def description(vault: Vault) -> bytes:
    """Build DescribeVault's answer for a vault that was never inventoried."""
    body = f'{{"CreationDate":"2012-02-20T17:01:45.198Z","VaultARN":"{vault.arn}","VaultName":"{vault.name}"}}'
    return reply("200 OK", "Content-Type: application/json", body=body.encode())


def answers(*replies: bytes) -> Answer:
    """Answer the first request with the first reply and so on, the last one for all that follow."""

    async def answer(exchange: Exchange) -> None:
        await exchange.send(replies[min(exchange.number, len(replies)) - 1])

    return answer


@asynccontextmanager
async def serving(
    answer: Answer, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[RawServer]:
    """Serve ``answer`` on a free port until the context is left; every connection is dropped then."""
    open_connections: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        open_connections.add(writer)
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                server.requests.append(request)
                await answer(Exchange(server, len(server.requests), request, writer))
        except (HangUpError, asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, host, 0, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    server = RawServer(f"{'http' if tls is None else 'https'}://{shown}:{port}")
    try:
        yield server
    finally:
        listener.close()
        for writer in open_connections:
            writer.transport.abort()
        await asyncio.sleep(0)
