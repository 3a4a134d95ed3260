"""The whole look at a vault, against the simulator: what is asked, what a missing permission hides, what blocks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from glacier_purge.aws.credentials import Caller, Lifetime
from glacier_purge.glacier.control import ControlRefused
from glacier_purge.guard.examination import Examination, Surroundings
from glacier_purge.guard.findings import Finding, Weight
from glacier_purge.plan.cost import read_price_table
from glacier_simulator.faults import Rule
from tests.clients import HOUR, VAULT, simulated
from tests.glacier_simulator.raw_client import RawClient


def around() -> Surroundings:
    """Surroundings as of now: the clocks are compared, and a suite takes minutes."""
    return Surroundings(
        caller=Caller(account_id=VAULT.account_id, arn="arn:aws:iam::123456789012:role/purge"),
        lifetime=Lifetime.LASTING,
        disk_free_bytes=10**12,
        now=datetime.now(UTC),
        service_now=lambda: datetime.now(UTC),
        recent=timedelta(days=7),
        prices=read_price_table(None),
    )


READS = ["ListTagsForVault", "GetVaultLock", "GetVaultAccessPolicy", "ListMultipartUploads", "GetVaultNotifications"]


def by_subject(found: list[Finding]) -> dict[str, Finding]:
    return {finding.subject: finding for finding in found}


async def test_a_quiet_vault_has_nothing_in_the_way_and_is_not_touched() -> None:
    async with simulated() as (glacier, client):
        before = glacier.service.state()
        found = await Examination(client, around()).findings()
        assert Weight.BLOCKING not in {finding.weight for finding in found}
        assert glacier.service.state()["estate"]["accounts"] == before["estate"]["accounts"]
    subjects = by_subject(found)
    assert {"caller", "clock", "vault lock", "vault access policy", "tags", "retrievals", "disk"} <= set(subjects)
    assert subjects["account"].weight is Weight.WARNING
    assert subjects["writers"].weight is Weight.WARNING, "the simulator's last inventory is half a day old"


async def test_what_others_do_with_the_vault_is_found() -> None:
    lock = {
        "Statement": {
            "Sid": "keep",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "glacier:DeleteArchive",
            "Resource": "*",
        }
    }
    async with simulated() as (glacier, client), RawClient(glacier.endpoint_url) as somebody:
        archive = json.loads(glacier.inventory_text())["ArchiveList"][0]["ArchiveId"]
        await somebody.ask("POST", "/-/vaults/photos/tags?operation=add", b'{"Tags": {"purge:deny": "true"}}')
        await somebody.ask("POST", "/-/vaults/photos/lock-policy", json.dumps({"Policy": json.dumps(lock)}).encode())
        job = json.dumps({"Type": "archive-retrieval", "ArchiveId": archive}).encode()
        await somebody.ask("POST", "/-/vaults/photos/jobs", job)
        glacier.clock.step(6 * HOUR)
        await somebody.ask("POST", "/-/vaults/photos/jobs", job)
        await somebody.ask("POST", "/-/vaults/photos/jobs", b'{"Type": "inventory-retrieval"}')
        await somebody.ask("POST", "/-/vaults/photos/multipart-uploads", headers={"x-amz-part-size": "1048576"})
        subjects = by_subject(await Examination(client, around()).findings())
    assert subjects["tags"].weight is Weight.BLOCKING
    assert subjects["vault lock"].what == "keep denies deleting any archive"
    assert subjects["retrievals"].what == "1 under way, 1 done and still downloadable"
    assert subjects["uploads"].what == "1 multipart uploads in progress"


@pytest.mark.parametrize("operation", READS)
async def test_what_may_not_be_read_is_a_finding_and_never_all_is_well(operation: str) -> None:
    async with simulated(faults=[Rule("access-denied", operation=operation)]) as (_, client):
        found = await Examination(client, around()).findings()
    assert any(finding.subject == "permissions" and operation in finding.what for finding in found)
    told = {finding.subject for finding in found if finding.weight is Weight.FINE}
    hidden = dict(zip(READS, ["tags", "vault lock", "vault access policy", "uploads", "notifications"], strict=True))
    assert hidden[operation] not in told


@pytest.mark.parametrize("operation", ["ListJobs", "DescribeJob", "GetJobOutput"])
async def test_without_the_permissions_for_an_inventory_nothing_can_begin(operation: str) -> None:
    async with simulated(faults=[Rule("access-denied", operation=operation)]) as (_, client):
        found = await Examination(client, around()).findings()
    assert [finding.what for finding in found if finding.weight is Weight.BLOCKING] == [f"denied: {operation}"]


async def test_a_vault_that_may_not_be_described_ends_the_look() -> None:
    async with simulated(faults=[Rule("access-denied", operation="DescribeVault")]) as (_, client):
        with pytest.raises(ControlRefused, match="DescribeVault"):
            await Examination(client, around()).findings()
