"""A hook that is an address: the event by POST, signed, tried again where that may help, and never led elsewhere.

Signed is as https://www.standardwebhooks.com has it, for which receivers have libraries: HMAC-SHA256 of id, time and
body, so that nobody without the secret can send an event, change one, or send one again a day later.  Servers and
proxies are known as for everything else that is sent (aws.tls, aws.proxies).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
import anyio

from glacier_purge.aws.tls import fault_in_words, tls_fault
from glacier_purge.hooks.event import CONTENT_TYPE, NotTold

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from glacier_purge.hooks.event import Event

_ATTEMPTS_MAX = 5
_FIRST_WAIT_SECONDS, _WAIT_SECONDS_MAX = 1.0, 60.0
_LATER = {408, 425, 429}
"""Answers that are worth another try besides 5xx: too slow, too early, too often."""
_STANDARD_SECRET = "whsec_"  # noqa: S105 - how a secret begins


@dataclass(frozen=True, slots=True, kw_only=True)
class WebHook:
    """An address, what it is called before people, how long an answer may take, and the secret that signs."""

    name: str
    url: str = field(repr=False)
    timeout_seconds: float
    secret: str | None = field(default=None, repr=False)


def signed(event: Event, secret: str, now_seconds: float) -> dict[str, str]:
    """The headers that show who sent an event, and when. A secret may be written as the standard has it, in base64."""
    key = secret.encode()
    if secret.startswith(_STANDARD_SECRET):
        try:
            key = base64.b64decode(secret.removeprefix(_STANDARD_SECRET), validate=True)
        except ValueError as fault:
            raise NotTold(f"its secret begins with {_STANDARD_SECRET} and is no base64 after that") from fault
    at = f"{now_seconds:.0f}"
    mark = hmac.digest(key, b".".join((event.id.encode(), at.encode(), event.body)), hashlib.sha256)
    return {
        "webhook-id": event.id,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(mark).decode()}",
    }


def wait_seconds(attempt: int, retry_after: str | None, chance: float) -> float:
    """How long to wait after an attempt (from 1) that failed: as the server says, else twice as long each time."""
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), _WAIT_SECONDS_MAX)
    return min(_FIRST_WAIT_SECONDS * 2.0 ** (attempt - 1), _WAIT_SECONDS_MAX) * (0.5 + chance / 2)


async def call_hook(
    hook: WebHook,
    event: Event,
    *,
    tls: ssl.SSLContext,
    proxy: str | None,
    agent: str,
    clock: Callable[[], float],
    chance: Callable[[], float],
) -> None:
    """Send one event, again where that may help. Raises ``NotTold`` where it was not taken in the end.

    ``clock`` gives the time in seconds since 1970, by which it is signed.
    """
    headers = {"Content-Type": CONTENT_TYPE, "User-Agent": agent}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False) as session:
        attempt, is_sent = 0, False
        while not is_sent:
            attempt += 1
            own = headers if hook.secret is None else headers | signed(event, hook.secret, clock())
            try:
                await _sent(session, hook, event.body, own, tls, proxy)
                is_sent = True
            except _Later as later:
                if attempt == _ATTEMPTS_MAX:
                    raise NotTold(f"{later}, {_ATTEMPTS_MAX} times") from later
                await anyio.sleep(wait_seconds(attempt, later.retry_after, chance()))


class _Later(Exception):
    """It was not taken, and may be another time."""

    def __init__(self, why: str, retry_after: str | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after


async def _sent(
    session: aiohttp.ClientSession,
    hook: WebHook,
    body: bytes,
    headers: Mapping[str, str],
    tls: ssl.SSLContext,
    proxy: str | None,
) -> None:
    """Send it once. Raises ``_Later`` where another try may help, and ``NotTold`` where none does."""
    try:
        async with session.post(
            hook.url,
            data=body,
            headers=headers,
            ssl=tls,
            proxy=proxy,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=hook.timeout_seconds),
        ) as reply:
            status, answered = reply.status, reply.headers
    except TimeoutError as fault:
        raise _Later(f"it gave no answer in {hook.timeout_seconds:g} s") from fault
    except aiohttp.ClientError as fault:
        refused = tls_fault(fault)
        if isinstance(refused, ssl.SSLCertVerificationError):
            raise NotTold(fault_in_words(refused, urlsplit(hook.url).netloc.rpartition("@")[2])) from fault
        raise _Later(f"it cannot be reached ({_why(fault)})") from fault
    except (OSError, ValueError) as fault:
        raise _Later(f"it cannot be reached ({_why(fault)})") from fault
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise NotTold(f"it answered with a redirect ({status}), which is not followed; give the address it leads to")
    if status >= 500 or status in _LATER:
        raise _Later(f"it answered {status}", answered.get("Retry-After"))
    raise NotTold(f"it answered {status}")


def _why(fault: BaseException) -> str:
    """What the system says of it; a library's own words may name the whole address."""
    below = fault.os_error if isinstance(fault, aiohttp.ClientConnectorError) else fault
    return getattr(below, "strerror", None) or type(fault).__name__
