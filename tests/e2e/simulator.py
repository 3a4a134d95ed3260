"""The simulator for tests that look at commands: in a thread, since its start as a process costs more than most tests.

As a process it has tests of its own (``glacier_simulator/test_simulate_command.py``).
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, Request, build_opener

from anyio.from_thread import start_blocking_portal

from glacier_simulator import SimulatedGlacier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DIRECT = build_opener(ProxyHandler({}))


@dataclass
class Simulator:
    """A service on loopback that has the simulator's pages (moto's has none)."""

    endpoint_url: str
    account_id: str
    vault: str
    archives: int

    def get(self, page: str) -> bytes:
        with DIRECT.open(f"{self.endpoint_url}/_simulator/{page}", timeout=30) as reply:
            content: bytes = reply.read()
            return content

    def post(self, page: str, **order: object) -> None:
        body = json.dumps(order).encode()
        with DIRECT.open(Request(f"{self.endpoint_url}/_simulator/{page}", body, method="POST"), timeout=30):
            pass

    def ledger(self) -> dict[str, Any]:
        ledger: dict[str, Any] = json.loads(self.get("ledger"))
        return ledger

    def inventory(self, path: Path, format: str = "json") -> Path:  # noqa: A002
        path.write_bytes(self.get(f"vaults/{self.vault}/inventory?format={format}"))
        return path

    def ids_left(self) -> set[str]:
        inventory = json.loads(self.get(f"vaults/{self.vault}/inventory?format=json"))
        return {record["ArchiveId"] for record in inventory["ArchiveList"]}


def ask_for(simulator: Simulator, method: str, path: str, body: bytes = b"") -> None:
    """Ask the service itself for something, as anybody who has keys."""
    hashed = sha256(body).hexdigest()
    headers = {
        "x-amz-glacier-version": "2012-06-01",
        "x-amz-content-sha256": hashed,
        "x-amz-sha256-tree-hash": hashed,
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/glacier/aws4_request, "
        "SignedHeaders=host, Signature=0",
    }
    with DIRECT.open(Request(f"{simulator.endpoint_url}{path}", body or None, headers, method=method), timeout=30):
        pass


def stock(simulator: Simulator, vault: str, archives: int) -> None:
    """Make another vault with so many small archives."""
    ask_for(simulator, "PUT", f"/-/vaults/{vault}")
    for number in range(archives):
        ask_for(simulator, "POST", f"/-/vaults/{vault}/archives", f"{vault} {number}".encode())


@contextmanager
def simulating(**settings: Any) -> Iterator[Simulator]:
    """Serve a ``SimulatedGlacier`` with these settings while the context lasts."""
    with (
        start_blocking_portal(backend_options={"use_uvloop": True}) as portal,
        portal.wrap_async_context_manager(SimulatedGlacier(**settings)) as glacier,
    ):
        archives = glacier.service.ledger.archives_left
        yield Simulator(glacier.endpoint_url, glacier.account_id, glacier.vault, archives)
