"""A simulator for the verbs that need one: in a process of its own, started and ended here, or already running.

Whatever is not this project's simulator on loopback is refused: those verbs delete without asking.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, build_opener

from glacier_purge.archive import Vault, check_vault_name
from glacier_purge.cli.signals import STOP_SIGNALS, heard
from glacier_purge.errors import GlacierPurgeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REGION = "us-east-1"
_ENDING_SECONDS_MAX = 10.0
_ANSWER_SECONDS_MAX = 600.0
_ADVICE = (
    "What is measured here deletes without asking, so it speaks to a simulator on loopback and to nothing else. "
    "Nothing was sent. To time a real purge make a plan and carry it out: glacier-purge plan VAULT --inventory FILE, "
    "then glacier-purge apply RUN-DIR."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedSimulator:
    """A simulator that answers: its address, and what its own pages say.

    ``ca_file`` holds the authority to trust when it serves HTTPS; ``process_id`` is None when somebody else started it.
    """

    endpoint_url: str
    account_id: str
    vault: str
    region: str = _REGION
    ca_file: str | None = None
    process_id: int | None = None

    def address(self) -> dict[str, str]:
        """The ``aws`` section of settings that lead to it."""
        return {"endpoint_url": self.endpoint_url, "account_id": self.account_id, "region": self.region}

    def save_inventory(self, path: Path) -> None:
        """Write the vault's inventory, as of now, to ``path``."""
        with path.open("wb") as file:
            self.copy_inventory(file)

    def copy_inventory(self, file: IO[bytes]) -> None:
        """Write the vault's inventory, as of now, to an open file."""
        page = f"{self.endpoint_url}/_simulator/vaults/{self.vault}/inventory"
        with _direct(self.ca_file).open(page, timeout=_ANSWER_SECONDS_MAX) as reply:
            shutil.copyfileobj(reply, file)

    def ledger(self) -> dict[str, Any]:
        """What the simulator received and has left."""
        page = f"{self.endpoint_url}/_simulator/ledger"
        with _direct(self.ca_file).open(page, timeout=_ANSWER_SECONDS_MAX) as reply:
            ledger: dict[str, Any] = json.load(reply)
        return ledger


def running_simulator(endpoint_url: str, vault: str, ca_file: str | None) -> tuple[StartedSimulator, dict[str, Any]]:
    """The simulator that listens at ``endpoint_url`` and the inventory of its vault, as of now.

    Raises ``UsageError`` for an address that is not loopback, and for one where no simulator with that vault answers.
    """
    from glacier_purge.aws.endpoints import is_loopback

    check_vault_name(vault)
    if not is_loopback(endpoint_url):
        raise UsageError(f"{endpoint_url} is not on this machine. {_ADVICE}")
    url = endpoint_url.rstrip("/")
    found = StartedSimulator(endpoint_url=url, account_id="-", vault=vault, ca_file=ca_file)
    try:
        if "deletes_received" not in found.ledger():
            raise UsageError(f"{endpoint_url} shows a ledger that is not a simulator's. {_ADVICE}")
        with TemporaryFile() as file:
            found.copy_inventory(file)
            file.seek(0)
            inventory: dict[str, Any] = json.load(file)
        owner = Vault.from_arn(inventory["VaultARN"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"no simulator with a vault {vault!r} answers at {endpoint_url}: {error}. {_ADVICE}"
        ) from error
    return replace(found, account_id=owner.account_id, region=owner.region), inventory


@contextmanager
def started_simulator(*options: str) -> Iterator[StartedSimulator]:
    """Start ``glacier-purge simulate`` with ``options``; end it on leaving."""
    command = [sys.executable, "-m", "glacier_purge", "simulate", "--region", _REGION, *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    stopped_by: list[signal.Signals] = []
    process: subprocess.Popen[bytes] | None = None
    with TemporaryFile() as log:
        try:
            with heard(STOP_SIGNALS, stopped_by.append):  # one that is begun and not known yet would be left behind
                # A session of its own: Ctrl-C is for the purge, which still needs it to settle what is in flight.
                process = subprocess.Popen(  # noqa: S603 - our own command
                    command, stdout=subprocess.PIPE, stderr=log, env=environment, start_new_session=True
                )
            if stopped_by:
                raise KeyboardInterrupt
            yield _read_address(process, log)
        finally:
            if process is not None:
                _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    with process:
        process.terminate()
        try:
            process.wait(_ENDING_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()


def _read_address(process: subprocess.Popen[bytes], log: IO[bytes]) -> StartedSimulator:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        exit_code = process.wait()
        log.seek(0)
        message = log.read().decode(errors="replace").strip()
        raise GlacierPurgeError(f"the simulator ended at once with exit code {exit_code}: {message}")
    told = json.loads(line)
    return StartedSimulator(
        endpoint_url=told["endpoint_url"],
        account_id=told["account_id"],
        vault=told["vault"],
        ca_file=told.get("ca_file"),
        process_id=process.pid,
    )


def _direct(ca_file: str | None) -> OpenerDirector:
    """Opens loopback addresses only, so it must not be led astray by a proxy variable."""
    trust = [] if ca_file is None else [HTTPSHandler(context=ssl.create_default_context(cafile=ca_file))]
    return build_opener(ProxyHandler({}), *trust)
