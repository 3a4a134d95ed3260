"""One step of a fleet in a process of its own, for a workflow engine: it dies with whoever started it, and is drained
when it is told to.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Self

import msgspec

from glacier_purge.errors import GlacierPurgeError
from glacier_purge.report.results.stepping import FleetStepped, Stepped

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["FleetStepped", "NoAnswerOfStep", "StepProcess", "Stepped"]

_STDERR_KEPT_BYTES = 2000


class NoAnswerOfStep(GlacierPurgeError):
    """The process ended without a document: its settings are wrong, or it has a bug; its last words say which."""


class StepProcess:
    """``fleet FILE --no-wait`` under way. What it says on stderr is this process's own word, too."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._ending = asyncio.ensure_future(_ended(process))
        self.was_drained = False
        """Whether it was told to end from here."""

    @classmethod
    async def begun(cls, file: Path, folder: Path, options: Sequence[str]) -> Self:
        """Start it. To be called in the main thread, since children die with the thread that started them."""
        command = ("fleet", str(file), "--run-dir", str(folder), "--no-wait", "--output", "json", *options)
        pipe = asyncio.subprocess.PIPE
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "glacier_purge.api.child", str(os.getpid()), *command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
            )
        )

    async def ended(self, within_seconds: float) -> bool:
        """Wait for its end, but no longer; whether it came."""
        await asyncio.wait({self._ending}, timeout=within_seconds)
        return self._ending.done()

    def drain(self) -> None:
        """Have it send nothing new and end, once: what it is told twice ends it in the middle."""
        if not self.was_drained and not self._ending.done():
            self.was_drained = True
            self._process.terminate()

    async def answer(self) -> FleetStepped:
        """The document it ended with. Raises ``NoAnswerOfStep``."""
        document, stderr = await self._ending
        try:
            return msgspec.json.decode(document, type=FleetStepped)
        except msgspec.DecodeError as error:
            words = stderr.decode(errors="replace").strip()
            raise NoAnswerOfStep(f"a step ended with {self._process.returncode} and no answer: {words}") from error


async def _ended(process: Process) -> tuple[bytes, bytes]:
    assert process.stdout is not None
    assert process.stderr is not None
    document, stderr = await asyncio.gather(process.stdout.read(), _passed_on(process.stderr))
    await process.wait()
    return document, stderr


async def _passed_on(stream: asyncio.StreamReader) -> bytes:
    """Its last words."""
    kept = b""
    while chunk := await stream.read(65536):
        sys.stderr.buffer.write(chunk)
        sys.stderr.buffer.flush()
        kept = (kept + chunk)[-_STDERR_KEPT_BYTES:]
    return kept
