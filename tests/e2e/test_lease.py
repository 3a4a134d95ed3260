"""The installed command under a lease in a bucket: another host keeps it out, and it goes on when that one is gone."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

import glacier_purge.api.leasing
from glacier_purge.api.clients import Clients
from glacier_purge.api.leasing import leasing
from glacier_purge.archive import Vault
from glacier_purge.aws.access import Access
from glacier_purge.settings import load_settings
from tests.clients import KEYS
from tests.conformance.witnesses import needs_witness
from tests.e2e.test_foreign import by_boto3, moto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Bench
    from tests.e2e.simulator import Simulator

__all__ = ["moto"]
pytestmark = [pytest.mark.in_process, pytest.mark.witness, needs_witness]

MAKE = """
import sys, boto3
boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1").create_bucket(Bucket="purges")
"""
SETTINGS = """
[replica]
url = "s3://purges/photos"
endpoint_url = "{}"
lease_seconds = 4
"""


@contextmanager
def no_lock_here(*_: object) -> Iterator[str]:
    """What a process on another host has of this one's locks."""
    yield ""


@contextmanager
def held_elsewhere(settings: Path, vault: Vault, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another host's process that has the vault's lease, as far as bucket and locks can tell."""
    held, over = threading.Event(), list[anyio.Event]()

    async def hold() -> None:
        access = Access(endpoint_url=bench.simulator.endpoint_url, credentials=KEYS)
        async with (
            Clients() as clients,
            leasing(vault, load_settings(file=settings), clients, access, bench.run_dir) as lease,
        ):
            await lease.hold(bench.run_dir)
            over.append(anyio.Event())
            held.set()
            await over[0].wait()

    with start_blocking_portal() as portal:
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(glacier_purge.api.leasing, "lease_locked", no_lock_here)
            working = portal.start_task_soon(hold)
            assert held.wait(20)
        yield
        portal.call(over[0].set)
        working.result(20)


@pytest.mark.parametrize("bench", [{"archives": 60}], indirect=True)
def test_another_host_keeps_it_out_and_its_end_lets_it_in(
    bench: Bench, moto: Simulator, witness: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # glacier-purge apply DIR --replica s3://purges/photos
    by_boto3(witness, MAKE, moto.endpoint_url)
    settings = tmp_path / "two-hosts.toml"
    settings.write_text(SETTINGS.format(moto.endpoint_url))
    settings.chmod(0o600)
    plan = bench.plan("--config", str(settings))
    assert plan["sender"] == "one at a time of all hosts that are given s3://purges/photos; others are not kept out"
    arguments = bench.apply_arguments(plan["digest"], "--config", str(settings))
    missing = bench.run(*arguments, "--replica", "s3://nowhere/photos", exit_code=3)
    assert "NoSuchBucket" in missing.stderr
    assert "Nothing was sent, since another host may work on" in missing.stderr
    vault = Vault(account_id=plan["account_id"], region=plan["region"], name=plan["vault"])
    with held_elsewhere(settings, vault, bench, monkeypatch):
        refused = bench.run(*arguments, exit_code=75)
        assert "another host works on" in refused.stderr
        assert bench.simulator.ledger()["deletes_received"] == 0
    bench.run(*arguments)
    bench.check_invariants()
    [opened] = [line for line in bench.log() if line["event"] == "opened"]
    assert opened["lease_epoch"] == 2
    assert bench.run("audit", "verify", str(bench.run_dir)).returncode == 0
