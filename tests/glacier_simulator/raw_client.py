"""The plainest HTTP client there can be: it sends what it is given and shows what comes back, right or wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

VERSION = {"x-amz-glacier-version": "2012-06-01"}


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class RawClient:
    """One connection."""

    def __init__(self, endpoint_url: str, *, head_bytes_max: int = 65_536) -> None:
        self._address = urlsplit(endpoint_url)
        self._head_bytes_max = head_bytes_max

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection(
            self._address.hostname, self._address.port, limit=self._head_bytes_max
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    def send(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.writer.write(request_bytes(method, path, body, headers))

    async def read(self) -> Reply:
        """One reply; raises ``IncompleteReadError`` or ``ConnectionError`` when there is none or not a whole one."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")[:-2]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if headers.get("transfer-encoding") == "chunked":
            body = await self._chunks()
        else:
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Reply(int(status_line.split(" ")[1]), headers, body)

    async def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
        self.send(method, path, body, headers)
        return await self.read()

    async def rest(self) -> bytes:
        """Everything until the other side ends the connection."""
        return await self.reader.read()

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return body


def request_bytes(method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    named = {"Host": "localhost", **VERSION, **(headers or {})}
    if body or method in {"POST", "PUT"}:
        named.setdefault("Content-Length", str(len(body)))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop run until something holds."""
    for _ in range(10_000):
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came to hold")


async def ask(endpoint_url: str, method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
    """One request on a connection of its own."""
    async with RawClient(endpoint_url) as client:
        return await client.ask(method, path, body, headers)
