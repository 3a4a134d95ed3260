"""The command in this process, in a folder of its own: its start as a process costs more than most of its work."""

from __future__ import annotations

import json
import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import structlog

from glacier_purge.cli import main
from tests.answers import check_ending, check_if_for_programs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from tests.e2e.simulator import Simulator


class Said(NamedTuple):
    """What a command answered."""

    exit_code: int
    out: str
    err: str


@dataclass
class Shell:
    """The command, a folder, and a simulator in another process."""

    folder: Path
    simulator: Simulator
    capsys: pytest.CaptureFixture[str]

    @property
    def run_dir(self) -> Path:
        return self.folder / "run"

    def __call__(self, *arguments: str) -> Said:
        self.capsys.readouterr()
        exit_code = main([*arguments])
        printed = self.capsys.readouterr()
        check_if_for_programs(arguments, printed.out)
        check_ending(arguments, exit_code)
        return Said(exit_code, printed.out, printed.err)

    def plan(self, inventory: Path, *options: str, vault: str = "photos") -> Said:
        at = ("--endpoint-url", self.simulator.endpoint_url, "--run-dir", str(self.run_dir))
        return self("plan", vault, "--inventory", str(inventory), *at, *options)

    def planned(self, *options: str, form: str = "json", vault: str = "photos") -> str:
        """Plan well, and return the digest."""
        inventory = self.simulator.inventory(self.folder / f"inventory.{form}", form)
        said = self.plan(inventory, "--output", "json", *options, vault=vault)
        assert said.exit_code == 0, said.err
        digest: str = json.loads(said.out)["digest"]
        return digest

    def apply(self, digest: str, *options: str) -> Said:
        return self("apply", str(self.run_dir), "--confirm-digest", digest, *options)

    def requests(self) -> int:
        requests: int = self.simulator.ledger()["requests"]
        return requests


@contextmanager
def process_settings_kept() -> Iterator[None]:
    """Put back what the command changes of the process it runs in."""
    root, umask = logging.getLogger(), os.umask(0o077)
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
        os.umask(umask)
