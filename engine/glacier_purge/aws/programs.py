"""Programs of others, started so that nothing they do can harm: one that hangs is ended with all it started, one that
leaves something at work is not waited for, and what they say is read for as long as they run."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from signal import SIGKILL
from subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    Reader = Callable[[asyncio.StreamReader], Awaitable[None]]

_LOOK_SECONDS = 0.1
"""How often is looked whether it ended with its output still open."""
_REST_SECONDS = 0.5
"""What it printed last is read for so long after its end."""


async def run_program(
    command: Sequence[str],
    *,
    out: Reader,
    errors: Reader,
    stdin: int | bytes | None = DEVNULL,
    environment: Mapping[str, str] | None = None,
    is_alone: bool = True,
) -> int:
    """Run a program to its end and return its exit code, the signal's number negated where one ended it.

    ``out`` and ``errors`` read what it prints; what they raise ends it.  It is killed when nobody waits for it any
    more, and where it ``is_alone`` (a session of its own, without our terminal) with whatever it started.  Raises
    ``OSError`` and ``ValueError`` where it cannot be started.
    """
    given = stdin if isinstance(stdin, bytes) else None
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=PIPE if given is not None else stdin,  # type: ignore[arg-type]  # bytes are given
        stdout=PIPE,
        stderr=PIPE,
        env=environment,
        start_new_session=is_alone,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    if given is not None and process.stdin is not None:
        process.stdin.write(given)
        process.stdin.close()
    reading = asyncio.gather(out(process.stdout), errors(process.stderr))
    try:
        while not reading.done() and process.returncode is None:
            await asyncio.wait([reading], timeout=_LOOK_SECONDS)
        await asyncio.wait([reading], timeout=_REST_SECONDS)
        if reading.done():
            reading.result()
            await process.wait()
    finally:
        with anyio.CancelScope(shield=True):
            reading.cancel()
            await asyncio.wait([reading])
            with suppress(asyncio.CancelledError):
                reading.exception()  # of no interest any more, and asyncio tells of one that nobody took
            code = await _ended(process, kill=os.killpg if is_alone else os.kill)
    return code


async def _ended(process: asyncio.subprocess.Process, kill: Callable[[int, int], None]) -> int:
    """Return how the program ended, killed if it is still there."""
    with suppress(ProcessLookupError):
        if process.returncode is None:
            kill(process.pid, SIGKILL)
    while process.returncode is None:  # noqa: ASYNC110 - ``wait`` waits for its pipes, which others may hold open
        await asyncio.sleep(_LOOK_SECONDS / 10)
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - no public way; lets go of the pipes, and
    return process.returncode  # called before the end it would look for that itself, of which asyncio complains
