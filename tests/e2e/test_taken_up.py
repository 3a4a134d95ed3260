"""A fleet that two hosts carry in turn, each with a disk of its own: what the bucket has is gone on with."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.replica.s3 import pretend_s3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Bench

pytestmark = [
    pytest.mark.in_process,
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.parametrize("bench", [{"archives": 60, "latency-ms": 1}], indirect=True),
]
HOUR = 3600.0


class Hosts:
    """Two of them, by name: each has its folder, and state of its own."""

    def __init__(self, bench: Bench, bucket_url: str) -> None:
        self.bench = bench
        (bench.folder / "fleet.toml").write_text('[[vaults]]\nname = "photos"\n', "utf-8")
        bench.variables |= {
            "GLACIER_PURGE_REPLICA__URL": "s3://purges/vaults",
            "GLACIER_PURGE_REPLICA__ENDPOINT_URL": bucket_url,
            "GLACIER_PURGE_REPLICA__LEASE_SECONDS": "3",
            "AWS_ENDPOINT_URL_GLACIER": bench.simulator.endpoint_url,
            "AWS_REGION": "us-east-1",
        }

    def carry(self, host: str, *more: str, exit_code: int = 75) -> dict[str, Any]:
        self.bench.variables["XDG_STATE_HOME"] = str(self.bench.folder / f"state-of-{host}")
        fleet = ("fleet", str(self.bench.folder / "fleet.toml"), "--run-dir", str(self.bench.folder / host))
        return self.bench.json(*fleet, "--no-wait", "--take-up", *more, exit_code=exit_code)

    def planned_on(self, host: str) -> list[str]:
        """Carry it until its plan waits; the options that approve it."""
        self.carry(host)
        self.bench.simulator.post("clock", step_seconds=6 * HOUR)
        return [word for digest in self.carry(host)["confirm_digests"] for word in ("--confirm-digest", digest)]

    def proven_on(self, host: str) -> dict[str, Any]:
        """Let days pass until there is the certificate."""
        self.bench.simulator.post("clock", step_seconds=26 * HOUR)
        self.carry(host)
        self.bench.simulator.post("clock", step_seconds=6 * HOUR)
        return self.carry(host, exit_code=0)


@pytest.fixture
def hosts(bench: Bench) -> Iterator[Hosts]:
    with pretend_s3() as made:
        yield Hosts(bench, made.endpoint("all"))


def test_a_lost_disk_costs_neither_plan_nor_approval_nor_the_log(hosts: Hosts) -> None:
    # glacier-purge fleet fleet.toml --run-dir DIR --replica URL --take-up --no-wait
    approved = hosts.planned_on("anna")
    hosts.carry("anna", *approved)
    assert hosts.bench.simulator.ledger()["deletes_received"] == 60
    shutil.rmtree(hosts.bench.folder / "anna")
    done = hosts.proven_on("bert")
    assert [(one["state"], one["deleted"]) for one in done["vaults"]] == [("done", 60)]
    assert done["vaults"][0]["certificate"]
    assert hosts.bench.simulator.ledger()["deletes_received"] == 60
    assert hosts.bench.json("audit", "verify", done["vaults"][0]["last_round"])["verdict"] == "sound"


def test_who_comes_back_goes_on_where_another_host_is_and_keeps_what_it_had(hosts: Hosts) -> None:
    approved = hosts.planned_on("anna")
    assert hosts.carry("bert")["confirm_digests"] == [approved[1]], "planned once"
    hosts.carry("bert", *approved)
    told = hosts.carry("anna")
    assert [(one["phase"], one["deleted"]) for one in told["vaults"]] == [("verify", 60)]
    assert hosts.bench.simulator.ledger()["deletes_received"] == 60
    kept = [*(hosts.bench.folder / "anna" / "superseded").iterdir()]
    assert [(one / "lifecycle.jsonl").exists() for one in kept] == [True]
    done = hosts.proven_on("anna")
    assert [one["state"] for one in done["vaults"]] == ["done"]
    assert [one["phase"] for one in hosts.bench.json("status", str(hosts.bench.folder / "anna"))["vaults"]] == ["done"]


def test_what_one_host_began_and_nobody_kept_makes_no_second_plan(hosts: Hosts) -> None:
    hosts.planned_on("anna")
    folder = hosts.bench.folder / "bert"
    hosts.carry("bert")
    (vault,) = (one for one in folder.iterdir() if one.is_dir() and one.name.endswith("-photos"))
    shutil.rmtree(vault)
    (vault).mkdir(mode=0o700)  # a process was killed when it had made the folder
    assert [one["phase"] for one in hosts.carry("bert")["vaults"]] == ["approval"]


def test_without_a_bucket_there_is_nothing_to_take_up(hosts: Hosts) -> None:
    del hosts.bench.variables["GLACIER_PURGE_REPLICA__URL"]
    hosts.bench.run(
        *("fleet", str(hosts.bench.folder / "fleet.toml"), "--run-dir", str(hosts.bench.folder / "anna"), "--take-up"),
        exit_code=2,
    )
