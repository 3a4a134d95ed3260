"""The HTTP server of the live page and the metrics: loopback or a Unix socket, a secret in the address, read-only.

A browser on this machine may be made to ask here by any page it shows, so nothing is answered but to a request that
names this very host and the secret, and that no other site began.  No answer can be framed, kept, or run anything but
the one script whose hash its policy names.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import web

from glacier_purge.errors import UsageError

EVERY_SECONDS = 1.0
"""How often the page is told how it goes."""
_CHART_EVERY = 5
_LOOKERS_MAX = 32
_END_SECONDS = 1.0

_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "glacier-purge",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page is: a Unix socket's path, or host and port; kept, so that a restarted process takes it again."""

    host: str = "127.0.0.1"
    port: int = 0
    unix: str | None = None
    secret: str

    @property
    def address(self) -> str:
        """What to open in a browser."""
        if self.unix is not None:
            return f"http://localhost/{self.secret}/ over the Unix socket {self.unix}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/{self.secret}/"


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown: the page, its policy, what changes of it as JSON, and the metrics; each made when asked for."""

    page: Callable[[], Awaitable[tuple[str, str]]]
    """HTML, and the policy it needs."""
    news: Callable[[bool], Awaitable[dict[str, object]]]
    """What changed, with the chart where that is wanted."""
    metrics: Callable[[], Awaitable[bytes]]


def place(text: str, kept: Place | None = None) -> Place:
    """Read ``HOST:PORT``, ``PORT``, ``unix:PATH`` or nothing. Raises ``UsageError`` for what is not on this machine.

    ``kept`` is where it was before: its secret stays, and its port where none is named.
    """
    secret = secrets.token_urlsafe(24) if kept is None else kept.secret
    if text.startswith("unix:"):
        return Place(unix=text.removeprefix("unix:"), secret=secret)
    host, _, port = text.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if host not in {"127.0.0.1", "::1", "localhost"}:
        raise UsageError(f"--page {text}: the page is for this machine alone; take 127.0.0.1:PORT or unix:PATH.")
    if port and not (port.isascii() and port.isdigit() and int(port) < 65_536):
        raise UsageError(f"--page {text}: write HOST:PORT, a PORT, or unix:PATH.")
    number = int(port or 0) or (kept.port if kept is not None and kept.unix is None else 0)
    return Place(host=host, port=number, secret=secret)


@asynccontextmanager
async def open_door(where: Place, shown: Shown) -> AsyncIterator[Place]:
    """Serve while the context lasts; gives where, with the port that was found.

    Raises ``UsageError`` where the place can't be taken.
    """
    door = _Door(where, shown)
    application = web.Application(middlewares=[door.guard], client_max_size=1024)
    application.router.add_get("/{secret}/", door.page)
    application.router.add_get("/{secret}/events", door.events)
    application.router.add_get("/{secret}/metrics", door.metrics)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_END_SECONDS, handle_signals=False)
    await runner.setup()
    try:
        door.where = await _listening(runner, where)
        yield door.where
    finally:
        door.closing.set()
        await runner.cleanup()
        if where.unix is not None:
            Path(where.unix).unlink(missing_ok=True)  # noqa: ASYNC240 - a moment


async def _listening(runner: web.AppRunner, where: Place) -> Place:
    if where.unix is not None:
        site: web.BaseSite = web.SockSite(runner, _socket(where.unix))
        await site.start()
        return where
    for port in dict.fromkeys((where.port, 0)):
        try:
            site = web.TCPSite(runner, where.host, port)
            await site.start()
        except OSError as error:
            if port == 0:
                raise UsageError(f"no page at {where.host}: {error.strerror or error}.") from error
            continue
        found = runner.addresses[0][1]
        return msgspec.structs.replace(where, port=found)
    raise AssertionError("the last port is any that is free")


def _socket(path: str) -> socket.socket:
    file = Path(path)
    try:
        if file.is_socket():
            file.unlink()
        raw = socket.socket(socket.AF_UNIX)
        os.fchmod(raw.fileno(), stat.S_IRUSR | stat.S_IWUSR)
        raw.bind(path)
        file.chmod(0o600)
    except OSError as error:
        raise UsageError(f"no page at unix:{path}: {error.strerror or error}.") from error
    return raw


class _Door:
    def __init__(self, where: Place, shown: Shown) -> None:
        self.where = where
        self._shown = shown
        self._lookers = 0
        self.closing = asyncio.Event()

    @web.middleware
    async def guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer nobody who does not know the secret, or whom another site sent."""
        if not self._is_meant(request):
            return web.Response(status=404, text="nothing is here\n", headers=_HEADERS)
        return await handler(request)

    def _is_meant(self, request: web.Request) -> bool:
        given = request.match_info.get("secret", "")
        if not hmac.compare_digest(given.encode(), self.where.secret.encode()):
            return False
        if self.where.unix is None and request.host not in self._hosts():
            return False
        return request.headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}

    def _hosts(self) -> set[str]:
        names = {"127.0.0.1", "localhost", "[::1]"}
        return {f"{name}:{self.where.port}" for name in names}

    async def page(self, _request: web.Request) -> web.Response:
        html, policy = await self._shown.page()
        headers = _HEADERS | {"Content-Security-Policy": f"{policy}; frame-ancestors 'none'; base-uri 'none'"}
        return web.Response(text=html, content_type="text/html", charset="utf-8", headers=headers)

    async def metrics(self, _request: web.Request) -> web.Response:
        headers = _HEADERS | {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=await self._shown.metrics(), headers=headers)

    async def events(self, request: web.Request) -> web.StreamResponse:
        if self._lookers >= _LOOKERS_MAX:
            return web.Response(status=503, text="too many look already\n", headers=_HEADERS)
        response = web.StreamResponse(headers=_HEADERS | {"Content-Type": "text/event-stream; charset=utf-8"})
        self._lookers += 1
        try:
            await response.prepare(request)
            told = 0
            while not self.closing.is_set():
                news = await self._shown.news(told % _CHART_EVERY == 0)
                await response.write(b"retry: 2000\ndata: " + msgspec.json.encode(news) + b"\n\n")
                told += 1
                await self._pause()
        except (ConnectionResetError, OSError):
            pass  # whoever looked has gone
        finally:
            self._lookers -= 1
        return response

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self.closing.wait(), EVERY_SECONDS)
        except TimeoutError:
            return
