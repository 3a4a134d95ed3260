"""The installed command with a bucket: a host is lost with its disk, or hands over, and another goes on."""

from __future__ import annotations

import json
import shutil
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_steering import FEWER, begun
from tests.replica.s3 import pretend_s3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Bench
    from tests.replica.s3 import PretendS3

pytestmark = [pytest.mark.in_process, pytest.mark.slow, pytest.mark.timeout(180)]

URL = "s3://purges/vaults"


@pytest.fixture
def s3(bench: Bench) -> Iterator[PretendS3]:
    with pretend_s3() as made:
        bench.variables |= {
            "GLACIER_PURGE_REPLICA__ENDPOINT_URL": made.endpoint("here"),
            "GLACIER_PURGE_REPLICA__LEASE_SECONDS": "3",
        }
        yield made


def redirected(bench: Bench, name: str) -> None:
    """Look at another folder from now on: the first one is gone, and what lay outside of it is another host's."""
    shutil.rmtree(bench.run_dir)
    bench.variables["XDG_STATE_HOME"] = str(bench.folder / f"state-of-{name}")


@pytest.mark.parametrize("bench", [FEWER], indirect=True)
def test_a_host_is_lost_with_its_disk_and_another_takes_the_run(bench: Bench, s3: PretendS3) -> None:
    # glacier-purge apply DIR --replica URL; glacier-purge take OTHER --from URL
    process = begun(bench, "--replica", URL, deletes=150)
    process.kill()
    process.communicate()
    sent = bench.simulator.ledger()["deletes_received"]
    inventory = (bench.run_dir / "inventory.json").read_bytes()
    redirected(bench, "other")
    told = bench.run("take", str(bench.run_dir), "--from", URL)
    assert "whole and checked" in told.stderr
    assert (bench.run_dir / "inventory.json").read_bytes() == inventory
    outcomes = bench.check_invariants()
    assert len(outcomes) == 1000
    received = bench.simulator.ledger()["deletes_received"]
    assert 1000 <= received <= 1000 + sent
    assert [line["event"] for line in bench.log() if line["event"] == "restored"] == ["restored"]
    assert bench.json("audit", "verify", str(bench.run_dir))["verdict"] == "sound"


@pytest.mark.parametrize("bench", [FEWER], indirect=True)
def test_a_run_is_handed_over_and_nothing_is_sent_twice(bench: Bench, s3: PretendS3) -> None:
    # glacier-purge handover DIR --replica URL; glacier-purge restore OTHER --from URL; glacier-purge apply OTHER
    process = begun(bench, "--replica", URL)
    handed = bench.json("handover", str(bench.run_dir), "--replica", URL)
    process.communicate(timeout=60)
    assert process.returncode == 3
    assert (handed["was_at_work"], handed["vault"]) == (True, bench.simulator.vault)
    log = bench.log()
    assert handed["records"] == len(log)
    redirected(bench, "other")
    restored = bench.json("restore", str(bench.run_dir), "--from", handed["origin"])
    assert restored["then"] == f"glacier-purge apply {bench.run_dir} --replica {URL}"
    assert [line for line in bench.log() if line["event"] != "restored"] == log
    bench.run("apply", str(bench.run_dir), "--replica", URL)
    bench.check_invariants()
    assert bench.simulator.ledger()["deletes_received"] == 1000
    again = bench.json("handover", str(bench.run_dir), "--replica", URL)
    assert (again["was_at_work"], again["records"]) == (False, len(bench.log()))
    lease = next(key for key in s3.objects if "/leases/" in key)
    s3.objects[lease] = b"nobody asks for it any more"
    finished = bench.run("apply", str(bench.run_dir), "--replica", URL)
    assert "is finished: nothing more is sent" in finished.stderr
    assert bench.simulator.ledger()["deletes_received"] == 1000


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody knows that the other process is dead")
@pytest.mark.parametrize("bench", [FEWER], indirect=True)
def test_a_process_that_was_killed_has_its_lease_taken_at_once_on_the_same_host(bench: Bench, s3: PretendS3) -> None:
    # glacier-purge apply DIR --replica URL, killed and given again while its lease would hold for ten minutes
    bench.variables["GLACIER_PURGE_REPLICA__LEASE_SECONDS"] = "600"
    process = begun(bench, "--replica", URL, deletes=100)
    process.kill()
    process.communicate()
    began = time.monotonic()
    bench.run("apply", str(bench.run_dir), "--replica", URL)
    assert time.monotonic() - began < 300
    bench.check_invariants()
    assert [line["lease_epoch"] for line in bench.log() if line["event"] == "opened"] == [1, 2]
    assert bench.json("audit", "verify", str(bench.run_dir))["verdict"] == "sound"


@pytest.mark.parametrize("bench", [{"archives": 50}], indirect=True)
def test_what_can_not_be_restored_is_told_and_leaves_no_folder(bench: Bench, s3: PretendS3) -> None:
    # glacier-purge restore DIR --from URL, where there is none, there are several, or one is damaged
    other = bench.folder / "other"
    assert "holds no replica" in bench.run("restore", str(other), "--from", URL, exit_code=2).stderr
    assert "no place in a bucket" in bench.run("restore", str(other), "--from", "purges", exit_code=2).stderr
    bench.run(*bench.apply_arguments(bench.plan()["digest"], "--replica", URL))
    first = next(key for key in s3.objects if "/log/" in key)
    whole = s3.objects[first]
    s3.objects[first] = whole[:-10]
    assert first in bench.run("restore", str(other), "--from", URL, exit_code=4).stderr
    assert not other.exists()
    s3.objects[first] = whole
    s3.objects |= {
        key.replace("/log/", "-b/log/").replace("/files/", "-b/files/"): s3.objects[key] for key in [*s3.objects]
    }
    assert "holds 2 replicas" in bench.run("restore", str(other), "--from", URL, exit_code=2).stderr
    s3.cut_off.add("here")
    assert "could not be" in bench.run("restore", str(other), "--from", URL, exit_code=3).stderr
    assert not other.exists()
    plan = json.loads((bench.run_dir / "plan.json").read_bytes())
    s3.cut_off.clear()
    bench.run("restore", str(other), "--from", first.partition("/log/")[0].replace("purges/", "s3://purges/", 1))
    assert json.loads((other / "plan.json").read_bytes()) == plan


@pytest.mark.parametrize("bench", [{"time-scale": 14_400, "archives": 60}], indirect=True)
def test_a_lifecycle_goes_on_on_another_host_from_whatever_step_it_was_in(bench: Bench, s3: PretendS3) -> None:
    # glacier-purge run photos --run-dir DIR --freeze --replica URL, lost and taken elsewhere after each step
    vault = bench.simulator.vault
    removed = ("--delete-vault", vault, "--even-the-last-vault")
    given = ("--endpoint-url", bench.simulator.endpoint_url, "--freeze", *removed)
    first = ("run", vault, "--run-dir", str(bench.run_dir), *given, "--replica", URL)
    asked = bench.json(*first, "--no-wait", exit_code=75)
    assert asked["waiting_for"].startswith("inventory job")
    for number in range(2):
        redirected(bench, f"host-{number}")
        asked = bench.json("take", str(bench.run_dir), "--from", URL, *given, exit_code=75)
        assert "somebody's approval" in asked["waiting_for"]
    digest = bench.json("status", str(bench.run_dir))["confirm_digest"]
    redirected(bench, "sender")
    approved = ("--confirm-digest", digest, "--max-rate", "6")
    process = bench.start("take", str(bench.run_dir), "--from", URL, *given, *approved)
    bench.wait_for_deletes(15, process)
    process.kill()
    process.communicate()
    redirected(bench, "last")
    done = bench.json("take", str(bench.run_dir), "--from", URL, *given)
    assert (done["state"], done["round"], done["vault_deleted"]) == ("done", 1, True)
    assert bench.json("audit", "verify", str(bench.run_dir))["verdict"] == "sound"
    redirected(bench, "auditor")
    bench.json("restore", str(bench.run_dir), "--from", URL)
    assert bench.json("audit", "verify", str(bench.run_dir))["verdict"] == "sound"
    assert (bench.run_dir / "round-1" / "certificate.json").exists()
    events = [json.loads(line)["event"] for line in (bench.run_dir / "lifecycle.jsonl").read_bytes().splitlines()]
    assert ("uploads denied" in events, events[-1]) == (True, "vault deleted")
