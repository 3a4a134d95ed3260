"""What a run takes from the machine it runs on, as values, so that a test can hand in a world of its own."""

from __future__ import annotations

import getpass
import hashlib
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TypeVar

import anyio.to_thread

from glacier_purge.clock import wall_seconds
from glacier_purge.plan.files import Elsewhere
from glacier_purge.replica.holder import LeaseHolder

_T = TypeVar("_T")


async def _left_behind(work: Callable[[], _T], /) -> _T:
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Clocks, chance, a place for slow work, and what keeps other hosts from the vault meanwhile.

    ``clock`` is monotonic seconds; ``wall_clock`` is Unix seconds, written down and held against windows of hours, and
    decides nothing else.
    """

    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = wall_seconds
    random: Callable[[], float] = random.random
    elsewhere: Elsewhere = anyio.to_thread.run_sync
    aside: Elsewhere = _left_behind
    """A place for work that may never come to its end, as on a share that hangs: it is left behind then."""
    lease: LeaseHolder | None = None
    """Held by the caller, and kept; its moments are those of ``clock``. None: other hosts are not kept out."""


def who() -> str:
    """The user and host that do this, for the record."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


@cache
def package_sha256() -> str:
    """One hash over this package's source files, so that a run can tell later which code it was.

    Read once a process: a fleet of hundreds would read the whole package for each of its plans.
    """
    digest = hashlib.sha256()
    for name, content in sorted(_sources(files("glacier_purge"), "")):
        digest.update(f"{name}\n{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _sources(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _sources(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".py"):
            found.append((prefix + entry.name, entry.read_bytes()))
    return found
