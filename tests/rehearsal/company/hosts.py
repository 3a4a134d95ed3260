"""The hosts of a company's workers: a network namespace, a disk and a way to everything else, which can be taken up."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.rehearsal.company.estate import ACCOUNTS, key_of
from tests.reliability.apart import Bridge

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COMMAND = (sys.executable, "-m", "glacier_purge")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the service, the bucket and Temporal are."""

    service: str
    bucket: str
    temporal: str
    lease_seconds: float
    rate: float

    def environment(self, name: str, folder: Path) -> dict[str, str]:
        """What a process of the host ``name`` gets, whose keys are its own; ``folder`` is for its files."""
        config = folder / f"aws-{name}"
        config.write_text(
            "".join(
                f"[profile of-{account_id}]\naws_access_key_id = {key_of(name, account_id)}\n"
                "aws_secret_access_key = rehearsal\n"
                for account_id in ACCOUNTS
            ),
            "utf-8",
        )
        clean = {word: value for word, value in os.environ.items() if not word.startswith(("AWS_", "GLACIER_PURGE_"))}
        return clean | {
            "AWS_CONFIG_FILE": str(config),
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_GLACIER": self.service,
            "TEMPORAL_ADDRESS": self.temporal,
            "GLACIER_PURGE_REPLICA__URL": "s3://purges/company",
            "GLACIER_PURGE_REPLICA__ENDPOINT_URL": self.bucket,
            "GLACIER_PURGE_REPLICA__LEASE_SECONDS": str(self.lease_seconds),
            "GLACIER_PURGE_PACE__MAX_RATE": str(self.rate),
            "GLACIER_PURGE_REPORT__PAGE": "false",
        }


@dataclass
class Host:
    """One of them. ``kill`` ends its worker and all that it started, as a power cut would."""

    name: str
    folder: Path
    places: Places
    at_once: int
    worker: int = 0
    bridges: dict[str, Bridge] = field(default_factory=dict)
    _first: subprocess.Popen[str] | None = None

    @property
    def disk(self) -> Path:
        """What is lost with it."""
        return self.folder / "hosts" / self.name

    def begin(self) -> None:
        """Make it, and start its worker."""
        urls = {"service": self.places.service, "bucket": self.places.bucket}
        ports = {what: urlsplit(url).port or 0 for what, url in urls.items()}
        ports["temporal"] = int(self.places.temporal.rpartition(":")[2])
        self.bridges = {what: Bridge(self.folder / f"{self.name}-{what}", port) for what, port in ports.items()}
        doors = [f"{port}={self.bridges[what].path}" for what, port in ports.items()]
        command = [*COMMAND, "cluster", "worker", str(self.disk / "purge"), "--at-once", str(self.at_once)]
        self._first = subprocess.Popen(
            [sys.executable, "-m", "tests.rehearsal.company.inside", *doors, "--", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment(),
        )
        self.start()

    def start(self) -> None:
        """Start its worker, which is not there."""
        assert self._first is not None
        assert self._first.stdin is not None
        assert self._first.stdout is not None
        self.disk.mkdir(parents=True, exist_ok=True)
        self._first.stdin.write(f"{self.folder / f'{self.name}.log'}\n")
        self._first.stdin.flush()
        self.worker = int(self._first.stdout.readline())

    def kill(self) -> None:
        """End the worker and its steps in the middle of whatever they do."""
        with suppress(ProcessLookupError):
            os.killpg(self.worker, signal.SIGKILL)

    def lose_disk(self) -> None:
        """Lose all that lies on it."""
        shutil.rmtree(self.disk)

    def cut(self, *ways: str) -> None:
        """Take its ways to the service or the bucket up."""
        for way in ways:
            self.bridges[way].cut()

    def mend(self, *ways: str) -> None:
        """Let it through again."""
        for way in ways:
            self.bridges[way].mend()

    def end(self) -> None:
        """End it for good."""
        self.kill()
        if self._first is not None:
            self._first.kill()
            self._first.communicate()
        for bridge in self.bridges.values():
            bridge.close()

    def _environment(self) -> Mapping[str, str]:
        return self.places.environment(self.name, self.folder) | {"XDG_STATE_HOME": str(self.disk / "state")}
