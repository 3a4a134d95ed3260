"""A receiver of webhooks on loopback: it keeps what it was sent, and answers as a test wants it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping


@dataclass
class Receiver:
    """What came: headers and bodies, in order. ``answers`` are given one by one, then 200s; None is none at all."""

    url: str = ""
    answers: list[int | None] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    """What every answer has besides."""
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    seen: Callable[[], None] = lambda: None
    """Called when something came."""

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.came]

    @property
    def kinds(self) -> list[str]:
        return [event["type"].removeprefix("glacier-purge.") for event in self.events]

    async def take(self, request: web.Request) -> web.Response:
        self.came.append((dict(request.headers), await request.read()))
        self.seen()
        answer = self.answers.pop(0) if self.answers else 200
        if answer is None:
            await asyncio.sleep(3600)
        return web.Response(status=answer or 200, headers=self.headers)


@asynccontextmanager
async def receiving(*answers: int | None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Listen on a free port until the context ends."""
    receiver = Receiver(answers=list(answers))
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    _, port = runner.addresses[0]
    receiver.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{port}/in?token=very-secret"
    try:
        yield receiver
    finally:
        await runner.cleanup()
