"""From the hooks that somebody set to open lines: commands and webhooks, with their secrets, proxy and trust."""

from __future__ import annotations

import os
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.clock import utc_now
from glacier_purge.errors import ConfigurationFailed, NotOurs
from glacier_purge.happenings import Happening
from glacier_purge.hooks.command import CommandHook, run_hook
from glacier_purge.hooks.delivery import Delivery, Line, delivering
from glacier_purge.storage.given_file import GivenFileWrong, as_text, open_given, read_whole
from glacier_purge.storage.ownership import check_writable_by_us_alone

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

    from glacier_purge.hooks.event import Event
    from glacier_purge.settings import HookSettings, Settings

    Again = Callable[[str | None], str]
    """The command that goes on from here; with a plan's digest, the one that approves it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What it takes to tell hooks of one process's work.

    ``say`` is told of a hook that did not take an event; ``again`` gives the command that goes on, None where it is
    the one of the folder.  A wait is long after ``long_seconds``.
    """

    delivery: Delivery
    say: Callable[[str], None]
    again: Again | None
    long_seconds: float


def approving(again: str) -> Again:
    """The command that goes on, and with a digest the one that approves it."""
    return lambda digest: again if digest is None else f"{again} --confirm-digest {digest}"


@asynccontextmanager
async def telling(
    settings: Settings, say: Callable[[str], None], again: Again | None = None
) -> AsyncIterator[Telling | None]:
    """Open the lines to all hooks of the settings; None where there are none.

    Raises ``ConfigurationFailed`` for a secret that can't be read, a file of certificates and a proxy that can't be
    used: whoever wants to be told has to know before it begins that nobody would be.
    """
    if not settings.hooks:
        yield None
        return
    lines = _lines(settings)
    async with delivering(lines) as delivery:
        yield Telling(delivery=delivery, say=say, again=again, long_seconds=settings.report.waiting_long_seconds)


def _lines(settings: Settings) -> list[Line]:
    secrets = frozenset(hook.secret_env for hook in settings.hooks if hook.secret_env is not None)
    tls = _trust(settings) if any(hook.url is not None for hook in settings.hooks) else None
    names = [hook.name for hook in settings.hooks]
    return [
        Line(
            name=hook.name if names.count(hook.name) == 1 else f"{hook.name} ({number})",
            happenings=frozenset(hook.events or Happening),
            send=_to_command(hook, secrets) if tls is None or hook.url is None else _to_url(hook, hook.url, tls),
        )
        for number, hook in enumerate(settings.hooks, 1)
    ]


def _to_command(hook: HookSettings, secrets: frozenset[str]) -> Callable[[Event], Awaitable[None]]:
    command = CommandHook(name=hook.name, program=hook.program, timeout_seconds=hook.timeout_seconds, secrets=secrets)
    return lambda event: run_hook(command, event, os.environ)


def _to_url(hook: HookSettings, url: str, tls: ssl.SSLContext) -> Callable[[Event], Awaitable[None]]:
    from glacier_purge.aws.proxies import proxy_for, proxy_url_for  # noqa: PLC0415 - not needed by who has none
    from glacier_purge.hooks.webhook import WebHook, call_hook  # noqa: PLC0415 - heavy

    proxy_for(url)  # refuses one that does not speak HTTP
    return partial(
        call_hook,
        WebHook(name=hook.name, url=url, timeout_seconds=hook.timeout_seconds, secret=_secret(hook)),
        tls=tls,
        proxy=proxy_url_for(url),
        agent=f"glacier-purge/{version('glacier-purge')}",
        clock=lambda: utc_now().timestamp(),
        chance=random.random,
    )


def _trust(settings: Settings) -> ssl.SSLContext:
    from glacier_purge.aws.profiles import Configuration  # noqa: PLC0415 - not needed by who has none
    from glacier_purge.aws.tls import bundle_in_force, client_context  # noqa: PLC0415 - heavy

    given = settings.aws.ca_bundle
    return client_context(
        bundle_in_force(Path(given) if given else None, Configuration.of_profile(settings.aws.profile))
    )


def _secret(hook: HookSettings) -> str | None:
    """The secret that signs; None where none is wanted. Raises ``ConfigurationFailed`` for one that is not there."""
    if hook.secret_env is not None:
        if secret := os.environ.get(hook.secret_env):
            return secret
        raise ConfigurationFailed(
            f"the secret of the hook {hook.name} is to be in the environment variable {hook.secret_env}, which is not "
            "set. Set it, or take secret_env out. Nothing was sent."
        )
    if hook.secret_file is None:
        return None
    file = Path(hook.secret_file)
    try:
        with open_given(file) as opened:
            check_writable_by_us_alone(file, os.fstat(opened.fileno()))
            secret = as_text(read_whole(opened)).strip()
    except (GivenFileWrong, NotOurs) as fault:
        raise ConfigurationFailed(f"the secret of the hook {hook.name} in {file}: {fault}.") from fault
    if not secret:
        raise ConfigurationFailed(f"the secret of the hook {hook.name} in {file}: there is nothing in it.")
    return secret
