"""The event loop that verbs run in."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_GARBAGE = (20_000, 20, 20)
"""Containers made before the collector looks, and its rounds before it looks further. It finds next to nothing here,
and at Python's own 700 it takes 7 % of a fleet's CPU; this many wait in some 2 MB."""


_FILES = 16
"""As many as a loop opens for itself, and more; every verb needs more than that."""

_TRIM_SECONDS = 10.0
"""How often free memory is given back to the system. glibc keeps what connections read TLS into, 256 KB each, and ever
more of its heap is in use for as long as they come and go: 11 MB more in 45 seconds of resets. It takes a millisecond.
Rejected: having it map such pieces one by one (uvloop takes one for each reply: 5 us a delete)."""


def in_event_loop(work: Callable[[], Awaitable[int]]) -> int:
    """Run a verb's coroutine function on the fastest loop there is, and return its exit code.

    Raises ``OSError`` where the host has no room for a loop, of which loops say all kinds of things as they break down,
    and ``RunStopped`` when a signal ended it that the verb does not listen for itself.
    """
    from glacier_purge.cli.signals import deaf_at_the_end, until_stopped

    try:
        import uvloop  # noqa: F401
    except ImportError:
        options = {}
    else:
        options = {"use_uvloop": True}
    gc.set_threshold(*_GARBAGE)
    _check_limit()
    is_begun = False

    async def begun() -> int:
        nonlocal is_begun
        is_begun = True
        _give_memory_back()
        try:
            return await until_stopped(work)
        finally:
            become_deaf()

    try:
        with deaf_at_the_end() as become_deaf:
            exit_code: int = anyio.run(begun, backend_options=options)
    except RuntimeError as error:
        if not is_begun and (refused := _refused_below(error)) is not None:
            raise refused from None
        raise
    return exit_code


def _check_limit() -> None:
    """Raise ``OSError`` where too few files may be opened for a loop: libuv, under the fastest one, ends the process
    there without a word.
    """
    opened: list[int] = []
    try:
        opened.extend(os.dup(2) for _ in range(_FILES))
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _give_memory_back() -> None:
    """Now, and again for as long as the loop runs; where the C library cannot, not at all."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
        asyncio.get_running_loop().call_later(_TRIM_SECONDS, _give_memory_back)


def _refused_below(error: BaseException | None) -> OSError | None:
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error
