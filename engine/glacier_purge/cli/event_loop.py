"""The event loop that verbs run in."""

from __future__ import annotations

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

_M_MMAP_THRESHOLD = -3  # malloc.h
_OWN_PAGES_BYTES = 256 * 1024
"""Memory from this size on is given back to the system as soon as it is free: above all what uvloop reads TLS into, for
each connection. Left to itself glibc keeps it, and its heap grows for hours as connections come and go: 119 instead of
97 MB after three minutes of resets."""


def in_event_loop(work: Callable[[], Awaitable[int]]) -> int:
    """Run a verb's coroutine function on the fastest loop there is, and return its exit code.

    Raises ``OSError`` where the host has no room for a loop, of which loops say all kinds of things as they break down,
    and ``RunStopped`` when a signal ended it that the verb does not listen for itself.
    """
    from glacier_purge.cli.signals import until_stopped

    try:
        import uvloop  # noqa: F401
    except ImportError:
        options = {}
    else:
        options = {"use_uvloop": True}
    gc.set_threshold(*_GARBAGE)
    _give_large_pieces_back()
    _check_limit()
    is_begun = False

    async def begun() -> int:
        nonlocal is_begun
        is_begun = True
        return await until_stopped(work)

    try:
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


def _give_large_pieces_back() -> None:
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):  # musl has none, and needs none
        libc.mallopt(_M_MMAP_THRESHOLD, _OWN_PAGES_BYTES)


def _refused_below(error: BaseException | None) -> OSError | None:
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error
