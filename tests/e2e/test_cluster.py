"""A company's vaults under a real Temporal server: workers, server and what it knew may be lost; the simulator's ledger
has the last word.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError

from glacier_purge.cluster.client import ended, pairs
from tests.cluster.dev_server import DevServer
from tests.e2e.conftest import COMMAND
from tests.e2e.simulator import stock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from glacier_purge.cluster.orders import Row
    from tests.e2e.conftest import Bench

HOUR = 3600.0
PAIR = "123456789012/us-east-1"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


class Cluster:
    """A bench with a server; its workers are the test's to start."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.server = DevServer(bench.folder)
        self.home = bench.folder / "home"
        bench.variables |= {
            "TEMPORAL_ADDRESS": self.server.address,
            "AWS_ENDPOINT_URL_GLACIER": bench.simulator.endpoint_url,
            "AWS_REGION": "us-east-1",
        }
        (bench.folder / "fleet.toml").write_text('[[vaults]]\nname = "*"\n', "utf-8")
        self.server.start()

    def worker(self) -> subprocess.Popen[str]:
        # glacier-purge cluster worker home
        with (self.bench.folder / "worker.log").open("a", encoding="utf-8") as log:
            worker = subprocess.Popen(
                [*COMMAND, "cluster", "worker", str(self.home)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                cwd=self.bench.folder,
                env=self.bench.environment(),
            )
        self.bench.started.append(worker)
        return worker

    def begin(self) -> dict[str, Any]:
        every = ("--look-every-seconds", "1", "--heartbeat-seconds", "2")
        return self.bench.json("cluster", "start", "fleet.toml", *every)

    def until(self, is_so: Callable[[Looked], object]) -> Looked:
        """Look until it is so, while the service's hours pass wherever a vault waits for them."""
        ends_at, looked = time.monotonic() + 180, None
        while time.monotonic() < ends_at:
            looked = asyncio.run(self._look())
            if is_so(looked):
                return looked
            if looked.is_going_on and any(one["needs"] == "time" and one["until"] for one in looked.vaults):
                self.bench.simulator.post("clock", step_seconds=HOUR)
            time.sleep(1.0)
        log = (self.bench.folder / "worker.log").read_text("utf-8")
        raise AssertionError(f"it did not come to that: {looked}\n{log}")

    async def _look(self) -> Looked:
        client = await Client.connect(self.server.address)
        going_on = await pairs(client)
        vaults = [*(row for one in going_on for row in one.rows), *await ended(client)]
        return Looked(is_going_on=bool(going_on), vaults=vaults)


@dataclass(frozen=True)
class Looked:
    """What `cluster status` shows, without a process for it."""

    is_going_on: bool
    vaults: list[Row]

    @property
    def waiting(self) -> list[str]:
        return [digest for vault in self.vaults for digest in vault["confirm_digests"]]

    @property
    def is_over(self) -> bool:
        return not self.is_going_on and bool(self.vaults)


@pytest.fixture
def cluster(bench: Bench) -> Iterator[Cluster]:
    cluster = Cluster(bench)
    yield cluster
    cluster.server.kill()


def children(process: subprocess.Popen[str]) -> list[int]:
    """The processes that a worker started and that live."""
    return [int(one) for one in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("utf-8").split()]


async def approved_by_another_client(address: str, digest: str) -> None:
    client = await Client.connect(address)
    await client.get_workflow_handle(f"glacier-purge/{PAIR}").execute_update("approve", args=[[digest], [], "mallory"])


@pytest.mark.parametrize("bench", [{"archives": 60, "latency-ms": 1}], indirect=True)
def test_two_vaults_come_to_their_certificates_though_the_engine_forgets_them_on_the_way(cluster: Cluster) -> None:
    stock(cluster.bench.simulator, "films", 5)
    worker = cluster.worker()
    begun = cluster.begin()
    assert (begun["pairs"], begun["vaults"]) == ([PAIR], 2)
    cluster.bench.run("cluster", "start", "fleet.toml", exit_code=2)
    planned = cluster.until(lambda looked: len(looked.waiting) == 2)

    wrong = "0" * 64
    cluster.bench.run("cluster", "approve", wrong, exit_code=2)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        asyncio.run(approved_by_another_client(cluster.server.address, wrong))
    assert "no plan with the digest 000" in str(refused.value.cause)
    assert cluster.bench.simulator.ledger()["deletes_received"] == 0

    cluster.server.kill()
    cluster.server.forget()
    cluster.server.start()
    cluster.begin()
    again = cluster.until(lambda looked: len(looked.waiting) == 2)
    assert again.waiting == planned.waiting, "what was planned before is not planned again"
    cluster.bench.json("cluster", "approve", *again.waiting)

    cluster.until(lambda looked: looked.is_over)
    told = cluster.bench.json("cluster", "status")
    assert [one["state"] for one in told["vaults"]] == ["done", "done"]
    assert all(one["certificate"] for one in told["vaults"])
    ledger = cluster.bench.simulator.ledger()
    assert (ledger["deletes_received"], ledger["archives_left"], ledger["already_gone"]) == (65, 0, 0)
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=60)
    assert worker.returncode == 0


@pytest.mark.parametrize("bench", [{"archives": 3000, "latency-ms": 5, "rate": 150, "burst": 20}], indirect=True)
def test_a_worker_and_then_the_server_are_killed_in_the_middle_of_a_purge(cluster: Cluster) -> None:
    simulator = cluster.bench.simulator
    worker = cluster.worker()
    cluster.begin()
    cluster.bench.json("cluster", "approve", *cluster.until(lambda looked: looked.waiting).waiting)
    cluster.bench.wait_for_deletes(300, worker)

    born = children(worker)
    assert born
    worker.kill()
    worker.wait()
    ends_at = time.monotonic() + 30
    while any(Path(f"/proc/{one}").exists() for one in born):
        assert time.monotonic() < ends_at, "a step outlived its worker"
        time.sleep(0.1)
    sent = simulator.ledger()["deletes_received"]
    assert sent < 2000, "it was over before it was killed"

    worker = cluster.worker()
    cluster.bench.wait_for_deletes(sent + 300, worker)
    cluster.server.kill()
    without = simulator.ledger()["deletes_received"]
    cluster.bench.wait_for_deletes(without + 200, worker)
    cluster.server.start()

    over = cluster.until(lambda looked: looked.is_over)
    assert [(one["state"], one["deleted"], one["failed"]) for one in over.vaults] == [("done", 3000, 0)]
    ledger = simulator.ledger()
    assert (ledger["archives_left"], ledger["unknown"], ledger["wrong_vault"]) == (0, 0, 0)
    assert ledger["already_gone"] <= 30, "of a hundred, more than one was sent twice"
