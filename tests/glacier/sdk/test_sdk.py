"""The aioboto3 adapter against loopback servers that count what really arrives."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from glacier_purge.archive import ANY_LENGTH, ArchiveId, Vault
from glacier_purge.aws.access import Access, StaticCredentials
from glacier_purge.errors import ConfigurationFailed, CredentialsFailed, RunStopped, ServiceRefused
from glacier_purge.glacier.reply import Meaning
from tests.clients import open_sdk
from tests.glacier.one_delete import delete
from tests.glacier.raw_server import Exchange, HangUpError, answers, description, refusal, reply, serving

if TYPE_CHECKING:
    from pathlib import Path

VAULT = Vault(account_id="123456789012", region="us-east-1", name="photos")
KEYS = StaticCredentials(access_key_id="AKIDEXAMPLE", secret_access_key="secret")
ARCHIVE = ArchiveId("-" + "a_Z9" * 34 + "x")


def access(endpoint_url: str | None, **changes: object) -> Access:
    return Access(endpoint_url=endpoint_url, credentials=KEYS, request_timeout_seconds=5.0, **changes)  # type: ignore[arg-type]  # tests vary one setting


async def test_a_delete_is_one_request_for_the_explicit_account() -> None:
    async with serving(answers(reply())) as server, open_sdk(VAULT, access(server.endpoint_url)) as glacier:
        got = await delete(glacier, ARCHIVE)
    assert (got.meaning, got.status, got.request_id is not None) == (Meaning.DELETED, 204, True)
    (request,) = server.requests
    assert request.startswith(f"DELETE /123456789012/vaults/photos/archives/{ARCHIVE} HTTP/1.1\r\n".encode())
    assert b"x-amz-glacier-version: 2012-06-01" in request


async def hang_up(exchange: Exchange) -> None:
    raise HangUpError


async def test_a_dropped_connection_costs_one_request_and_no_hidden_second_one() -> None:
    async with serving(hang_up) as server, open_sdk(VAULT, access(server.endpoint_url)) as glacier:
        assert (await delete(glacier, ARCHIVE)).meaning is Meaning.NO_REPLY
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests"])
async def test_the_sdk_retries_nothing(status: str) -> None:
    async with serving(answers(reply(status))) as server, open_sdk(VAULT, access(server.endpoint_url)) as glacier:
        await delete(glacier, ARCHIVE)
    assert len(server.requests) == 1


async def test_ids_of_other_emulators_are_admitted_on_request() -> None:
    async with (
        serving(answers(reply())) as server,
        open_sdk(VAULT, access(server.endpoint_url, id_rule=ANY_LENGTH)) as glacier,
    ):
        assert (await delete(glacier, ArchiveId("900150983cd24fb0"))).meaning is Meaning.DELETED


async def test_no_credentials_is_a_reply_and_sends_nothing() -> None:
    async with (
        serving(answers(reply())) as server,
        open_sdk(VAULT, Access(endpoint_url=server.endpoint_url)) as glacier,
    ):
        got = await delete(glacier, ARCHIVE)
        with pytest.raises(CredentialsFailed, match="no AWS credentials"):
            await glacier.renew_credentials()
        with pytest.raises(CredentialsFailed, match="no AWS credentials"):
            await glacier.describe_vault()
    assert got.meaning is Meaning.CREDENTIALS
    assert server.requests == []


async def test_new_credentials_in_a_file_are_picked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    file.write_text("[default]\naws_access_key_id=AKIDOLD\naws_secret_access_key=s\n")
    async with (
        serving(answers(reply(), reply(), description(VAULT), reply())) as server,
        open_sdk(VAULT, Access(endpoint_url=server.endpoint_url)) as glacier,
    ):
        await delete(glacier, ARCHIVE)
        file.write_text("[default]\naws_access_key_id=AKIDNEW\naws_secret_access_key=s\naws_session_token=t\n")
        await delete(glacier, ARCHIVE)
        await glacier.renew_credentials()
        await delete(glacier, ARCHIVE)
    assert [b"Credential=AKIDOLD" in request for request in server.requests] == [True, True, False, False]
    for request in server.requests[2:]:
        assert b"Credential=AKIDNEW" in request
        assert b"X-Amz-Security-Token: t" in request


async def test_a_pretended_service_needs_nothing_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    monkeypatch.setenv("AWS_ENDPOINT_URL_GLACIER", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with serving(answers(reply())) as server, open_sdk(VAULT, access(server.endpoint_url)) as glacier:
        assert (await delete(glacier, ARCHIVE)).meaning is Meaning.DELETED


async def test_a_missing_profile_is_told_at_the_start() -> None:
    with pytest.raises(ConfigurationFailed, match="nobody"):
        async with open_sdk(VAULT, Access(profile="nobody")):
            pass


async def test_endpoints_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    async with open_sdk(VAULT, access(None)) as glacier:
        assert glacier.endpoint_url == "https://glacier.us-east-1.amazonaws.com"


async def test_a_vault_is_described() -> None:
    body = (
        b'{"CreationDate":"2012-02-20T17:01:45.198Z","LastInventoryDate":"2026-11-20T00:28:00.000Z",'
        b'"NumberOfArchives":192,"SizeInBytes":78088912,"VaultARN":"' + VAULT.arn.encode() + b'","VaultName":"photos"}'
    )
    async with (
        serving(answers(reply("200 OK", body=body))) as server,
        open_sdk(VAULT, access(server.endpoint_url)) as g,
    ):
        got = await g.describe_vault()
    assert (got.arn, got.archives, got.size_bytes) == (VAULT.arn, 192, 78088912)
    assert got.last_inventory is not None
    assert got.last_inventory.isoformat() == "2026-11-20T00:28:00+00:00"


@pytest.mark.parametrize(
    "before_the_first",
    [
        b'"LastInventoryDate":null,"NumberOfArchives":null,"SizeInBytes":null,',
        b'"LastInventoryDate":null,"NumberOfArchives":0,"SizeInBytes":0,',
        b'"NumberOfArchives":0,"SizeInBytes":0,',
        b"",
    ],
    ids=["the guide", "the service", "an SDK's example", "nothing at all"],
)
async def test_a_vault_never_inventoried_has_no_counts(before_the_first: bytes) -> None:
    """0 would be read as a vault without archives, and many may have been uploaded today."""
    body = (
        b'{"CreationDate":"2012-02-20T17:01:45.198Z",'
        + before_the_first
        + b'"VaultARN":"'
        + VAULT.arn.encode()
        + b'","VaultName":"photos"}'
    )
    async with (
        serving(answers(reply("200 OK", body=body))) as server,
        open_sdk(VAULT, access(server.endpoint_url)) as g,
    ):
        got = await g.describe_vault()
    assert (got.last_inventory, got.archives, got.size_bytes) == (None, None, None)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal("404 Not Found", "ResourceNotFoundException", "Vault not found"), ServiceRefused),
        (refusal("403 Forbidden", "AccessDeniedException"), ServiceRefused),
        (refusal("400 Bad Request", "NoLongerSupportedException"), ServiceRefused),
        (reply("200 OK", body=b"<html>Log in to WiFi</html>", request_id=None), RunStopped),
        (refusal("403 Forbidden", "ExpiredTokenException"), CredentialsFailed),
        (reply("503 Service Unavailable"), RunStopped),
    ],
)
async def test_a_vault_that_is_not_described_says_why(answer: bytes, error: type[Exception]) -> None:
    async with serving(answers(answer)) as server, open_sdk(VAULT, access(server.endpoint_url)) as glacier:
        with pytest.raises(error, match=r"DescribeVault of arn:.*:vaults/photos"):
            await glacier.describe_vault()


async def test_secrets_stay_out_of_debug_logs(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with serving(answers(reply())) as server, open_sdk(VAULT, access(server.endpoint_url)) as glacier:
            await delete(glacier, ARCHIVE)
    assert "Signature" not in caplog.text
    assert "CanonicalRequest" not in caplog.text
