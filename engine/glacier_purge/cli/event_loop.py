"""The event loop that verbs run in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def in_event_loop(work: Callable[[], Awaitable[int]]) -> int:
    """Run a verb's coroutine function on the fastest loop there is, and return its exit code."""
    try:
        import uvloop  # noqa: F401
    except ImportError:
        options = {}
    else:
        options = {"use_uvloop": True}
    exit_code: int = anyio.run(work, backend_options=options)
    return exit_code
