"""A rehearsal lives on the simulator's time: its days may pass in seconds, and so must the days a client waits.

The simulator tells its time and how fast it runs on ``/_simulator/clock``.  That is asked only of an endpoint on this
machine, past any proxy and without following anybody elsewhere; whatever does not answer like a simulator leaves the
wall's time in force.  Between two looks the time is worked out, so that asking for it costs nothing; while somebody
sleeps it is looked at again every second, because the simulator's clock may be stepped, or its speed changed.  Those
who sleep by the same clock share the looks: a fleet has hundreds of them.
"""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.request import HTTPErrorProcessor, HTTPSHandler, OpenerDirector, ProxyHandler, build_opener

import anyio
import anyio.to_thread
import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from http.client import HTTPResponse
    from urllib.request import Request

    RehearsalTime = tuple[Callable[[], datetime], Callable[[float], Awaitable[None]]]
    """The time now (UTC), and a sleep of so many of its seconds."""

_CLOCK_PAGE = "/_simulator/clock"
_ANSWER_SECONDS_MAX = 2.0
_ANSWER_BYTES_MAX = 4096
_LOOK_AGAIN_SECONDS = 1.0


def rehearsal_time(endpoint_url: str, *, tls: ssl.SSLContext | None = None) -> RehearsalTime | None:
    """The clock (UTC) and the sleep (simulated seconds) of the simulator at ``endpoint_url``, for ``SleepingWaiter``.

    None when that is not on this machine or no simulator. ``tls`` is what its certificate is held to, over TLS.
    """
    from glacier_purge.aws.endpoints import is_loopback

    if not is_loopback(endpoint_url):
        return None
    try:
        simulated = _SimulatedTime(endpoint_url.rstrip("/") + _CLOCK_PAGE, _direct(tls))
    except (OSError, HTTPException, ValueError):
        return None
    return simulated.now, simulated.sleep


class _Told(msgspec.Struct, frozen=True):
    """What the page says; other members are for people."""

    now_seconds: float
    time_scale: float


class _SimulatedTime:
    """Raises ``OSError``, ``HTTPException`` or ``ValueError`` when the page is not there or not understood."""

    def __init__(self, page: str, opener: OpenerDirector) -> None:
        self._page = page
        self._opener = opener
        self._look_due = time.monotonic() + _LOOK_AGAIN_SECONDS
        self._look()

    def now(self) -> datetime:
        """The simulated time, as of the last look and the speed it had then."""
        return datetime.fromtimestamp(self._seconds(), UTC)

    async def sleep(self, seconds: float) -> None:
        """Sleep until so many simulated seconds have passed."""
        until = self._seconds() + seconds
        while (left_seconds := until - self._seconds()) > 0:
            scale = self._last[0].time_scale
            await anyio.sleep(min(left_seconds / scale, _LOOK_AGAIN_SECONDS) if scale else _LOOK_AGAIN_SECONDS)
            if time.monotonic() >= self._look_due:
                self._look_due = time.monotonic() + _LOOK_AGAIN_SECONDS  # before looking: nobody else needs to
                await anyio.to_thread.run_sync(self._look_again)

    def _seconds(self) -> float:
        told, looked = self._last
        return told.now_seconds + (time.monotonic() - looked) * told.time_scale

    def _look(self) -> None:
        with self._opener.open(self._page, timeout=_ANSWER_SECONDS_MAX) as reply:
            if reply.status != HTTPStatus.OK:
                raise ValueError(f"{self._page} answers {reply.status}")
            told = msgspec.json.decode(reply.read(_ANSWER_BYTES_MAX), type=_Told)
        if not (told.time_scale >= 0 and 0 <= told.now_seconds < datetime.max.replace(tzinfo=UTC).timestamp()):
            raise ValueError(f"{self._page} tells an impossible time: {told}")
        self._last = told, time.monotonic()  # as one: somebody may ask for the time meanwhile

    def _look_again(self) -> None:
        """Look; a simulator that has gone meanwhile will be missed by the next request that matters."""
        try:
            self._look()
        except (OSError, HTTPException, ValueError):
            return


class _AsItCame(HTTPErrorProcessor):
    """Every answer is given back whatever its status, to be closed by who asked; nobody is followed anywhere."""

    def http_response(self, request: Request, response: HTTPResponse) -> HTTPResponse:
        return response

    https_response = http_response


def _direct(tls: ssl.SSLContext | None) -> OpenerDirector:
    trust = [] if tls is None else [HTTPSHandler(context=tls)]
    return build_opener(ProxyHandler({}), _AsItCame, *trust)
