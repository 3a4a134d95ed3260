"""A server that answers every request at once with Amazon Glacier's 204: the floor any client is measured against.

Run as ``python sink.py [CERTIFICATE_AND_KEY.pem]``; prints its port, ends with its standard input.  It only looks for
the ends of requests, so that it is never what a client waits for.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from typing import cast

import uvloop

REPLY = (
    b"HTTP/1.1 204 No Content\r\nx-amzn-RequestId: AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdEfGhIj\r\n"
    b"Date: Sun, 22 Nov 2026 15:14:03 GMT\r\n\r\n"
)


class Sink(asyncio.Protocol):
    def __init__(self) -> None:
        self._before = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        data = self._before + data
        *whole, self._before = data.split(b"\r\n\r\n")
        if whole:
            self._transport.write(REPLY * len(whole))


async def serve(certificate: str | None) -> None:
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", 0, ssl=tls, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(sys.argv[1] if len(sys.argv) > 1 else None))
