"""A hook that is a program: the event on its standard input and in its environment, a time limit, its output logged.

Its environment is ours without what gives somebody the right to delete: no variable of AWS's, nor our own but for the
event's.  What deletes does not also tell; a program that sends by AWS has a profile of its own for that.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import structlog

from glacier_purge.aws.programs import run_program
from glacier_purge.hooks.event import NotTold
from glacier_purge.redaction import redact

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from glacier_purge.hooks.event import Event

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))

_LINES_MAX = 50
"""Of what a program prints so many lines are logged."""
_LINE_BYTES_MAX = 1_000
_KEPT_FROM_IT = ("AWS_", "GLACIER_PURGE_")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandHook:
    """A program with its arguments, what it is called before people, and how long it may take."""

    name: str
    program: tuple[str, ...]
    timeout_seconds: float
    secrets: frozenset[str] = frozenset()
    """Variables that hold the secrets of other hooks."""


async def run_hook(hook: CommandHook, event: Event, environment: Mapping[str, str]) -> None:
    """Run the program for one event. Raises ``NotTold`` where it cannot be started, takes too long or fails."""
    said = _Said(hook.name)
    kept = {
        name: value
        for name, value in environment.items()
        if not name.upper().startswith(_KEPT_FROM_IT) and name not in hook.secrets
    }
    with anyio.move_on_after(hook.timeout_seconds):
        try:
            code = await run_program(
                hook.program,
                out=said.read,
                errors=said.read,
                stdin=event.body + b"\n",
                environment=kept | dict(event.variables),
            )
        except (OSError, ValueError) as fault:
            raise NotTold(f"it cannot be started ({getattr(fault, 'strerror', None) or fault})") from fault
        if code == 0:
            return
        raise NotTold(f"it ended with exit code {code}" if code > 0 else f"it was ended by signal {-code}")
    raise NotTold(f"it took longer than {hook.timeout_seconds:g} s and was ended, with all that it had started")


class _Said:
    """What a program prints, logged line by line without secrets; what is too much is read and not kept."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines = 0

    async def read(self, stream: asyncio.StreamReader) -> None:
        """Read one of its outputs to its end."""
        rest = b""
        while piece := await stream.read(64 * 1024):
            *lines, rest = (rest + piece).split(b"\n")
            self._log(lines)
            rest = rest[:_LINE_BYTES_MAX]
        self._log([rest])

    def _log(self, lines: list[bytes]) -> None:
        for line in filter(None, map(bytes.strip, lines)):
            self._lines += 1
            if self._lines > _LINES_MAX:
                return
            _log.info("hook.said", hook=self._name, line=redact(line[:_LINE_BYTES_MAX].decode(errors="replace")))
