"""What reaches AWS is opened once, shared, and asks again whose credentials these are when they changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.api.clients import Clients
from glacier_purge.archive import ANY_LENGTH, Vault
from glacier_purge.aws.access import Access
from glacier_purge.aws.chain import Chain, ChainAttempt
from glacier_purge.aws.credentials import Caller
from glacier_purge.aws.session import AwsSession
from glacier_purge.errors import ConfigurationFailed, WrongAccount
from tests.clients import KEYS, VAULT, simulated
from tests.glacier.raw_server import answers, reply, serving

if TYPE_CHECKING:
    from glacier_purge.aws.credentials import Check

FILMS = Vault(account_id=VAULT.account_id, region=VAULT.region, name="films")
ROME = Vault(account_id=VAULT.account_id, region="eu-south-1", name="films")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The clients that were made, by service."""
    made: list[str] = []
    client = AwsSession.client

    def counting(self: AwsSession, service: str) -> Any:
        made.append(service)
        return client(self, service)

    monkeypatch.setattr(AwsSession, "client", counting)
    return made


async def test_vaults_of_one_region_share_a_client_and_sdk_deletes_have_their_own(opened: list[str]) -> None:
    async with simulated(archives=1) as (glacier, _), Clients() as clients:
        opened.clear()
        access = Access(endpoint_url=glacier.endpoint_url, credentials=KEYS)
        for vault in (VAULT, FILMS, VAULT):
            await clients.control(vault, access)
        async with clients.service(VAULT, access, "rest"):
            assert opened == ["glacier"]
        async with clients.service(VAULT, access, "sdk"):
            assert opened == ["glacier"] * 2
        await clients.control(ROME, access)
    assert opened == ["glacier"] * 3


async def test_one_chain_of_credentials_serves_every_way_to_one_region_of_a_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[str] = []
    begin = Chain.begin

    def counting(self: Chain, refused_key: str | None, check: Check | None) -> ChainAttempt:
        begun.append(self._region)
        return begin(self, refused_key, check)

    monkeypatch.setattr(Chain, "begin", counting)
    for name, value in (("AWS_ACCESS_KEY_ID", "first"), ("AWS_SECRET_ACCESS_KEY", "secret")):
        monkeypatch.setenv(name, value)
    async with simulated(archives=1) as (glacier, _), Clients() as clients:
        access = Access(endpoint_url=glacier.endpoint_url)
        ways = [access, replace(access, id_rule=ANY_LENGTH), replace(access, max_in_flight=2)]
        begun.clear()
        for one in ways:
            await (await clients.control(VAULT, one)).describe_vault()
            await clients.find_vault("photos", one, VAULT.region)
        assert begun == [VAULT.region]
        await clients.lifetime(access, ROME.region)
    assert begun == [VAULT.region, ROME.region]


@pytest.fixture
def callers(monkeypatch: pytest.MonkeyPatch) -> list[Caller]:
    """Who answers when AWS is asked, the first first; asked once more, nobody does."""
    left: list[Caller] = []

    async def caller(_session: AwsSession, _retry: object) -> Caller:
        return left.pop(0)

    monkeypatch.setattr("glacier_purge.glacier.sdk.caller.caller_identity", caller)
    return left


async def test_aws_is_asked_once_whose_credentials_these_are_and_again_when_they_were_renewed(
    callers: list[Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("AWS_ACCESS_KEY_ID", "first"), ("AWS_SECRET_ACCESS_KEY", "secret")):
        monkeypatch.setenv(name, value)
    callers += [
        Caller(account_id=account, arn=f"arn:aws:iam::{account}:user/a") for account in ("123456789012", "9" * 12)
    ]
    async with Clients() as clients:
        for vault in (VAULT, FILMS):
            await clients.control(vault, Access())
        assert len(callers) == 1
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "second")
        async with clients.service_over("rest", VAULT, Access()) as service:
            with pytest.raises(WrongAccount, match="belong to account 999999999999"):
                await service.renew_credentials()
        with pytest.raises(WrongAccount, match="belong to account 999999999999"):
            await clients.control(FILMS, Access())
    assert callers == []


async def test_s3_is_asked_where_it_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a pretended AWS another place on loopback, of the real one its own places; any other is refused by name."""
    async with (
        serving(answers(reply("404 Not Found"))) as s3,
        simulated(archives=1) as (glacier, _),
        Clients() as clients,
    ):
        pretended = clients.stores(Access(endpoint_url=glacier.endpoint_url, credentials=KEYS), VAULT.region)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint_url)
        async with pretended.open_copies() as copies:
            assert await copies.object_size_bytes("photos", "one.jpg") is None
        real = clients.stores(Access(credentials=KEYS), VAULT.region)
        for place in (s3.endpoint_url, "https://minio.company.example"):
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", place)
            with pytest.raises(ConfigurationFailed, match=r"^AWS_ENDPOINT_URL_S3 sends what is asked of S3 to"):
                async with real.open_copies():
                    pass
    assert len(s3.requests) == 1
