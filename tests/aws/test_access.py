"""How the service is reached, and who asks."""

from __future__ import annotations

import pytest

from glacier_purge.aws.access import Access, StaticCredentials
from glacier_purge.errors import CredentialsFailed, UsageError
from tests.clients import caller_identity
from tests.glacier.raw_server import answers, reply, serving

KEYS = StaticCredentials(access_key_id="AKID", secret_access_key="secret-key", session_token="secret-token")


def test_secrets_do_not_show() -> None:
    assert "secret" not in repr(Access(credentials=KEYS))


@pytest.mark.parametrize("endpoint_url", [None, "https://glacier.us-east-1.amazonaws.com"])
def test_certificates_are_always_checked_outside_this_machine(endpoint_url: str | None) -> None:
    with pytest.raises(UsageError, match="--ca-bundle"):
        Access(endpoint_url=endpoint_url, verify_certificates=False)
    assert not Access(endpoint_url="https://127.0.0.1:8443", verify_certificates=False).verify_certificates


IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Arn>{arn}</Arn><UserId>AIDA</UserId><Account>123456789012</Account></GetCallerIdentityResult>"
    "</GetCallerIdentityResponse>"
)


@pytest.mark.parametrize(
    ("arn", "is_root"),
    [("arn:aws:sts::123456789012:assumed-role/purger/me", False), ("arn:aws:iam::123456789012:root", True)],
)
async def test_the_caller_is_known_by_account_and_arn(arn: str, is_root: bool) -> None:
    said = reply("200 OK", "Content-Type: text/xml", body=IDENTITY.format(arn=arn).encode())
    async with serving(answers(said)) as server:
        caller = await caller_identity(Access(endpoint_url=server.endpoint_url, credentials=KEYS), "us-east-1")
    assert (caller.account_id, caller.arn, caller.is_root) == ("123456789012", arn, is_root)
    assert server.requests[0].startswith(b"POST / ")


async def test_a_caller_that_is_not_known_is_a_failure_of_credentials() -> None:
    said = reply(
        "403 Forbidden",
        "Content-Type: text/xml",
        body=b"<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>",
    )
    async with serving(answers(said)) as server:
        with pytest.raises(CredentialsFailed, match="InvalidClientTokenId"):
            await caller_identity(Access(endpoint_url=server.endpoint_url, credentials=KEYS), "us-east-1")


async def test_without_credentials_nobody_asks() -> None:
    with pytest.raises(CredentialsFailed, match="no AWS credentials"):
        await caller_identity(Access(), "us-east-1")
