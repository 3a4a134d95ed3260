"""The command as it is installed, which also writes down once a second how many tasks its event loop has.

A process shows its memory and its descriptors from outside, its tasks it does not.  So the soak starts the command
through this, and nothing for it is in what is shipped: `python -m tests.reliability.soaked FILE VERB ...`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

import anyio

from glacier_purge.cli import main

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

EACH_SECONDS = 1.0
_run = anyio.run


def _counting(file: str) -> Callable[..., Any]:
    """What takes the place of ``anyio.run``: the same, with a timer beside that counts."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)

    def count(loop: asyncio.AbstractEventLoop) -> None:
        os.pwrite(descriptor, b"%8d\n" % len(asyncio.all_tasks(loop)), 0)
        loop.call_later(EACH_SECONDS, count, loop)

    def run(work: Callable[[], Awaitable[object]], **options: Any) -> object:
        async def counted() -> object:
            count(asyncio.get_running_loop())
            return await work()

        return _run(counted, **options)

    return run


if __name__ == "__main__":
    anyio.run = _counting(sys.argv[1])  # type: ignore[assignment]  # of its signature only what the command uses
    sys.exit(main(sys.argv[2:]))
