"""A server that answers every request at once with Amazon Glacier's 204: the floor any client is measured against.

Run as ``python sink.py [CERTIFICATE_AND_KEY.pem [PORT]]``; prints its port, ends with its standard input.  It only
looks for the ends of requests, so that it is never what a client waits for; GET tells of a vault without jobs.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from itertools import count
from typing import cast

import uvloop

REPLY = (
    b"HTTP/1.1 204 No Content\r\nx-amzn-RequestId: AbCdEfGhIjKlMnOpQrStUvWxYz0123456789%012d\r\n"
    b"Date: Sun, 22 Nov 2026 15:14:03 GMT\r\n\r\n"
)
_NUMBERS = count(1)  # each reply has a request id of its own, or clients that mind would take it for a repeated one
DESCRIPTION = (
    b'{"CreationDate":"2012-02-20T17:01:45.198Z","LastInventoryDate":"2026-11-20T08:16:34.000Z","NumberOfArchives":1,'
    b'"SizeInBytes":1,"VaultARN":"arn:aws:glacier:us-east-1:123456789012:vaults/photos","VaultName":"photos"}'
)
JOBS = b'{"JobList":[],"Marker":null}'
UPLOADS = b'{"UploadsList":[],"Marker":null}'


class Sink(asyncio.Protocol):
    def __init__(self) -> None:
        self._before = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        data = self._before + data
        *whole, self._before = data.split(b"\r\n\r\n")
        if not whole:
            return
        if all(request.startswith(b"DELETE") for request in whole):
            self._transport.write(b"".join(REPLY % next(_NUMBERS) for _ in whole))
        else:
            self._transport.write(b"".join(_reply_to(request) for request in whole))


def _reply_to(request: bytes) -> bytes:
    if request.startswith(b"DELETE"):
        return REPLY % next(_NUMBERS)
    line = request.partition(b"\r\n")[0]
    body = JOBS if b"/jobs" in line else UPLOADS if b"/multipart-uploads" in line else DESCRIPTION
    framing = b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    return (REPLY % next(_NUMBERS)).replace(b"204 No Content", b"200 OK").replace(b"\r\n\r\n", framing) + body


async def serve(certificate: str | None, port: int) -> None:
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", port, ssl=tls, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asked = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(asked[0] if asked else None, int(asked[1]) if len(asked) > 1 else 0))
