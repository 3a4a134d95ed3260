"""A simulator in a process of its own, started and ended by the verbs that need one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, build_opener

from glacier_purge.errors import GlacierPurgeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REGION = "us-east-1"
_ENDING_SECONDS_MAX = 10.0
_DIRECT = build_opener(ProxyHandler({}))
"""Opens loopback addresses only, so it must not be led astray by a proxy variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedSimulator:
    """A simulator that answers: its address, and what its own pages say."""

    endpoint_url: str
    account_id: str
    vault: str

    def address(self) -> dict[str, str]:
        """The ``aws`` section of settings that lead to it."""
        return {"endpoint_url": self.endpoint_url, "account_id": self.account_id, "region": _REGION}

    def save_inventory(self, path: Path) -> None:
        """Write the vault's inventory, as of now, to ``path``."""
        with (
            _DIRECT.open(f"{self.endpoint_url}/_simulator/vaults/{self.vault}/inventory") as reply,
            path.open("wb") as file,
        ):
            shutil.copyfileobj(reply, file)

    def ledger(self) -> dict[str, Any]:
        """What the simulator received and has left."""
        with _DIRECT.open(f"{self.endpoint_url}/_simulator/ledger") as reply:
            ledger: dict[str, Any] = json.load(reply)
        return ledger


@contextmanager
def started_simulator(*options: str) -> Iterator[StartedSimulator]:
    """Start ``glacier-purge simulate`` with ``options``; end it on leaving."""
    command = [sys.executable, "-m", "glacier_purge", "simulate", "--region", _REGION, *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    # A session of its own: Ctrl-C is for the purge, which still needs the simulator to settle what is in flight.
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, env=environment, start_new_session=True
    ) as process:
        try:
            yield _read_address(process)
        finally:
            process.terminate()
            try:
                process.wait(_ENDING_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()


def _read_address(process: subprocess.Popen[bytes]) -> StartedSimulator:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise GlacierPurgeError(f"the simulator ended at once with exit code {process.wait()}; its message is above.")
    told = json.loads(line)
    return StartedSimulator(endpoint_url=told["endpoint_url"], account_id=told["account_id"], vault=told["vault"])
