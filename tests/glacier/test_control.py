"""The control client against the simulator: every verb, what is not there, what is refused, and how patient it is."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import CredentialsFailed
from glacier_purge.glacier.control import ControlRefused, JobAction, JobState, NoAnswer, Removal
from glacier_simulator import SimulatedGlacier
from glacier_simulator.faults import Rule
from tests.clients import HOUR, VAULT, control, simulated
from tests.glacier.raw_server import answers, refusal, reply, serving
from tests.glacier_simulator.raw_client import RawClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FILMS = replace(VAULT, name="films")
DESCRIBED = json.dumps(
    {"VaultARN": VAULT.arn, "VaultName": VAULT.name, "CreationDate": "2012-02-20T17:01:45.198Z"}
).encode()
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "x", "Effect": "Deny", "Principal": "*", "Action": "glacier:UploadArchive", "Resource": "*"}
        ],
    }
)


async def test_an_inventory_job_is_started_found_and_read_in_ranges() -> None:
    async with simulated() as (glacier, client):
        job_id = await client.initiate_inventory("glacier-purge")
        started = await client.describe_job(job_id)
        assert started is not None
        assert (started.state, started.action, started.size_bytes) == (JobState.IN_PROGRESS, JobAction.INVENTORY, None)
        with pytest.raises(ControlRefused, match="not currently available for download"):
            [piece async for piece in client.job_output(job_id, 0, 9)]
        glacier.clock.step(6 * HOUR)
        (job,) = [job async for job in client.list_jobs()]
        assert (job.job_id, job.state, job.description) == (job_id, JobState.SUCCEEDED, "glacier-purge")
        assert job.inventory is not None
        assert (job.inventory.format, job.inventory.limit, job.inventory.marker) == ("JSON", None, None)
        assert job.size_bytes is not None
        middle = job.size_bytes // 2
        parts = [piece async for piece in client.job_output(job_id, 0, middle)]
        parts += [piece async for piece in client.job_output(job_id, middle + 1, job.size_bytes - 1)]
        assert len(json.loads(b"".join(parts))["ArchiveList"]) == 100
        with pytest.raises(ControlRefused, match="not as long"):
            [piece async for piece in client.job_output(job_id, middle, job.size_bytes + 5)]
        glacier.clock.step(25 * HOUR)
        assert await client.describe_job(job_id) is None
        with pytest.raises(ControlRefused) as gone:
            [piece async for piece in client.job_output(job_id, 0, 9)]
        assert gone.value.is_not_there


async def test_what_is_not_there_is_none_and_no_error() -> None:
    async with simulated() as (_, client):
        assert await client.vault_lock() is None
        assert await client.access_policy() is None
        assert await client.notifications() is None
        assert await client.describe_job("n" * 92) is None
        assert await client.tags() == {}
        assert [job async for job in client.list_jobs()] == []
        assert [upload async for upload in client.multipart_uploads()] == []


async def test_a_missing_vault_is_an_error_and_never_nothing_there() -> None:
    async with SimulatedGlacier(archives=1) as glacier, control(glacier.endpoint_url, vault=FILMS) as client:
        for ask in (client.vault_lock, client.access_policy, client.notifications, client.describe_vault):
            with pytest.raises(ControlRefused, match="Vault not found") as refused:
                await ask()
            assert refused.value.is_vault_missing


async def test_policies_tags_and_topic_are_read() -> None:
    async with simulated() as (glacier, client), RawClient(glacier.endpoint_url) as somebody:
        await somebody.ask("POST", "/-/vaults/photos/tags?operation=add", b'{"Tags": {"LegalHold": "true"}}')
        body = json.dumps({"SNSTopic": "arn:t", "Events": ["InventoryRetrievalCompleted"]}).encode()
        await somebody.ask("PUT", "/-/vaults/photos/notification-configuration", body)
        await somebody.ask("POST", "/-/vaults/photos/lock-policy", json.dumps({"Policy": POLICY}).encode())
        assert await client.tags() == {"LegalHold": "true"}
        lock, topic = await client.vault_lock(), await client.notifications()
    assert lock is not None
    assert (lock.policy, lock.state) == (POLICY, "InProgress")
    assert lock.expires is not None
    assert topic is not None
    assert (topic.topic, topic.events) == ("arn:t", ("InventoryRetrievalCompleted",))


async def test_the_access_policy_is_set_and_taken_away() -> None:
    async with simulated() as (_, client):
        await client.set_access_policy(POLICY)
        assert await client.access_policy() == POLICY
        await client.delete_access_policy()
        assert await client.access_policy() is None


async def test_uploads_are_listed_page_by_page_and_aborted() -> None:
    async with simulated() as (glacier, client), RawClient(glacier.endpoint_url) as somebody:
        for number in range(55):
            headers = {"x-amz-part-size": "1048576", "x-amz-archive-description": f"film {number}"}
            await somebody.ask("POST", "/-/vaults/photos/multipart-uploads", headers=headers)
        uploads = [upload async for upload in client.multipart_uploads()]
        assert sorted(upload.description for upload in uploads) == sorted(f"film {number}" for number in range(55))
        for upload in uploads:
            await client.abort_multipart_upload(upload.upload_id)
        assert [upload async for upload in client.multipart_uploads()] == []


async def test_all_vaults_are_listed_page_by_page() -> None:
    async with simulated(archives=0) as (glacier, client):
        for number in range(24):
            glacier.service.create_vault(f"vault{number}", glacier.clock.now())
        assert len([vault async for vault in client.list_vaults()]) == 25


async def test_a_vault_is_deleted_only_when_an_inventory_says_that_it_is_empty() -> None:
    async with simulated() as (_, client):
        assert await client.delete_vault() is Removal.NOT_YET
    async with simulated(archives=0) as (glacier, client):
        assert await client.delete_vault() is Removal.DONE
        glacier.service.close_account()
        assert await client.delete_vault() is Removal.NO_LONGER_SUPPORTED
    async with SimulatedGlacier() as glacier, control(glacier.endpoint_url, vault=FILMS) as client:
        assert await client.delete_vault() is Removal.MISSING


async def test_the_services_time_is_the_date_of_a_reply() -> None:
    dated = reply("200 OK", "Date: Fri, 20 Nov 2026 10:00:00 GMT", body=DESCRIBED)
    async with serving(answers(dated)) as server, control(server.endpoint_url) as client:
        told = (await client.describe_vault()).service_time
    assert told is not None
    assert told.isoformat() == "2026-11-20T10:00:00+00:00"


@pytest.mark.parametrize("application", [None, "archive-clearing"])
async def test_requests_name_the_sdk_the_tool_and_the_users_application(
    application: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if application is not None:
        monkeypatch.setenv("AWS_SDK_UA_APP_ID", application)
    dated = reply("200 OK", body=DESCRIBED)
    async with serving(answers(dated)) as server, control(server.endpoint_url) as door:
        await door.describe_vault()
    (agent,) = re.findall(rb"\r\nUser-Agent: (.*)\r\n", server.requests[0])
    names = [name.partition("/")[0] for name in agent.decode().split()]
    assert names == ["aiobotocore", "glacier-purge", *(["app"] if application else []), "botocore"]
    assert (b" app/archive-clearing " in agent) == (application is not None)


@pytest.mark.parametrize("kind", ["throttle", "internal-error", "reset-after", "bad-gateway", "truncated-head"])
async def test_weather_is_waited_out(kind: str) -> None:
    async with simulated(faults=[Rule(kind, operation="*", count=3)]) as (glacier, client):
        assert (await client.describe_vault()).archives == 100
        assert glacier.ledger["faults"] == {kind: 3}


async def test_weather_that_lasts_is_told_after_the_last_try() -> None:
    slept: list[float] = []
    async with SimulatedGlacier(faults=[Rule("throttle", operation="*")]) as glacier:
        async with control(glacier.endpoint_url, slept=slept) as client:
            with pytest.raises(NoAnswer, match=r"GetVaultLock of arn:.* throttled"):
                await client.vault_lock()
        assert glacier.ledger["faults"] == {"throttle": 4}
    assert len(slept) == 3


async def test_a_wait_asked_for_by_the_service_is_kept() -> None:
    slept: list[float] = []
    later = refusal("400 Bad Request", "ThrottlingException", "Rate exceeded", "Retry-After: 7")
    async with serving(answers(later)) as server, control(server.endpoint_url, slept=slept) as client:
        with pytest.raises(NoAnswer):
            await client.tags()
    assert [seconds >= 7.0 for seconds in slept] == [True, True, True]


async def test_credentials_that_are_not_accepted_are_renewed_once() -> None:
    async with simulated(faults=[Rule("expired-token", operation="*", count=1)]) as (_, client):
        assert (await client.describe_vault()).archives == 100
    async with simulated(faults=[Rule("expired-token", operation="*")]) as (glacier, client):
        with pytest.raises(CredentialsFailed, match="Renew"):
            await client.describe_vault()
        assert glacier.ledger["faults"] == {"expired-token": 2}


@pytest.mark.parametrize("kind", ["captive-portal", "redirect"])
async def test_what_somebody_else_answers_is_no_answer_and_soon_given_up(kind: str) -> None:
    async with simulated(faults=[Rule(kind, operation="*")]) as (glacier, client):
        with pytest.raises(NoAnswer, match="stands between"):
            await client.tags()
        assert glacier.ledger["faults"] == {kind: 3}


@pytest.mark.parametrize("kind", ["access-denied", "not-supported"])
async def test_a_refusal_is_asked_for_once(kind: str) -> None:
    async with simulated(faults=[Rule(kind, operation="*")]) as (glacier, client):
        with pytest.raises(ControlRefused) as refused:
            await client.tags()
        assert glacier.ledger["faults"] == {kind: 1}
    assert refused.value.is_denied is (kind == "access-denied")


async def test_an_output_is_asked_for_as_patiently_as_all_else() -> None:
    """Where the service throttles every second request, a look at permissions came to no end otherwise."""
    async with simulated(faults=[Rule("throttle", operation="GetJobOutput", count=2)]) as (glacier, client):
        job_id = await client.initiate_inventory("glacier-purge")
        glacier.clock.step(6 * HOUR)
        assert b"".join([piece async for piece in client.job_output(job_id, 0, 9)]) == glacier.inventory_text()[:10]


@pytest.mark.parametrize("kind", ["output-cut", "truncated-body"])
async def test_an_output_that_breaks_off_gives_what_came_and_then_says_so(kind: str) -> None:
    async with simulated(faults=[Rule(kind, operation="GetJobOutput")]) as (glacier, client):
        job_id = await client.initiate_inventory("glacier-purge")
        glacier.clock.step(6 * HOUR)
        job = await client.describe_job(job_id)
        assert job is not None
        assert job.size_bytes is not None
        came: list[bytes] = []
        with pytest.raises(NoAnswer, match="broke off"):
            await gather_into(came, client.job_output(job_id, 0, job.size_bytes - 1))
    assert 0 < sum(map(len, came)) < job.size_bytes


async def gather_into(came: list[bytes], pieces: AsyncIterator[bytes]) -> None:
    async for piece in pieces:
        came.append(piece)  # noqa: PERF401 - what came before the fault is to be kept


async def test_an_answer_without_its_list_does_not_mean_that_there_is_nothing() -> None:
    strange = reply("200 OK", body=DESCRIBED)
    async with serving(answers(strange)) as server, control(server.endpoint_url) as client:
        for asked, member in ((client.list_jobs(), "JobList"), (client.multipart_uploads(), "UploadsList")):
            with pytest.raises(NoAnswer, match=f"missing required field `{member}`"):
                [item async for item in asked]
