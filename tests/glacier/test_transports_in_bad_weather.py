"""Both transports against the pretended service: signatures it checks, faults of every kind it knows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from glacier_purge.archive import ArchiveId, Vault
from glacier_purge.aws.access import Access, StaticCredentials
from glacier_purge.glacier.reply import Meaning, Reply
from glacier_simulator.fault_kinds import KINDS
from glacier_simulator.faults import Rule
from glacier_simulator.kit import SimulatedGlacier
from tests.clients import open_rest, open_sdk
from tests.glacier.one_delete import delete

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from glacier_purge.glacier.port import Glacier

    Opener = Callable[[Vault, Access], AbstractAsyncContextManager[Glacier]]

VAULT = Vault(account_id="123456789012", region="us-east-1", name="photos")
KEYS = StaticCredentials(access_key_id="AKIDEXAMPLE", secret_access_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
OPENERS: dict[str, Opener] = {"sdk": open_sdk, "rest": open_rest}
ARCHIVES = 8


def archive_ids(simulated: SimulatedGlacier) -> list[ArchiveId]:
    import json

    return [ArchiveId(record["ArchiveId"]) for record in json.loads(simulated.inventory_text())["ArchiveList"]]


@pytest.mark.parametrize("transport", OPENERS)
@pytest.mark.parametrize("tls", [False, True])
async def test_a_service_that_checks_signatures_takes_every_delete(transport: str, tls: bool) -> None:
    keys = {KEYS.access_key_id: KEYS.secret_access_key}
    async with SimulatedGlacier(archives=100, secret_keys=keys, tls=tls) as simulated:
        access = Access(endpoint_url=simulated.endpoint_url, credentials=KEYS, ca_bundle=simulated.ca_file)
        async with OPENERS[transport](VAULT, access) as glacier:
            got = await asyncio.gather(*(delete(glacier, each) for each in archive_ids(simulated)))
            described = await glacier.describe_vault()
        assert {reply.meaning for reply in got} == {Meaning.DELETED}
        assert len({reply.request_id for reply in got}) == 100
        assert (simulated.ledger["deletes_received"], simulated.ledger["archives_left"]) == (100, 0)
        assert described.arn == VAULT.arn


@pytest.mark.parametrize("transport", OPENERS)
async def test_a_wrong_secret_is_a_matter_of_credentials(transport: str) -> None:
    async with SimulatedGlacier(archives=1, secret_keys={KEYS.access_key_id: "another"}) as simulated:
        access = Access(endpoint_url=simulated.endpoint_url, credentials=KEYS)
        async with OPENERS[transport](VAULT, access) as glacier:
            reply = await delete(glacier, archive_ids(simulated)[0])
        assert (reply.meaning, reply.code) == (Meaning.CREDENTIALS, "InvalidSignatureException")
        assert simulated.ledger["archives_left"] == 1


async def replies_under(kind: str, open_transport: Opener) -> list[Reply]:
    """Delete each archive under a fault that strikes every request, and hold each reply against what was done."""
    got: list[Reply] = []
    async with SimulatedGlacier(archives=ARCHIVES, faults=[Rule(kind)], seed=7) as simulated:
        access = Access(endpoint_url=simulated.endpoint_url, credentials=KEYS)
        async with open_transport(VAULT, access) as glacier:
            for archive_id in archive_ids(simulated):
                reply = await delete(glacier, archive_id)
                received = simulated.service.ledger.times_received(archive_id)
                assert received <= 1, "sent twice"
                assert received == 1 or reply.meaning is not Meaning.DELETED, "a lie"
                got.append(reply)
    return got


@pytest.mark.at_length(one_in=4)
@pytest.mark.looptime
@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_no_fault_makes_a_transport_lie_or_send_twice_and_both_say_the_same(kind: str) -> None:
    by_sdk = await replies_under(kind, open_sdk)
    by_rest = await replies_under(kind, open_rest)
    assert [(reply.meaning, reply.status, reply.retry_after_seconds) for reply in by_rest] == [
        (reply.meaning, reply.status, reply.retry_after_seconds) for reply in by_sdk
    ]
