"""A role taken from the pretended STS: what is done as it, in whose account, and what is said where it is refused."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.api.clients import Clients
from glacier_purge.archive import Vault
from glacier_purge.aws.access import Access, StaticCredentials
from glacier_purge.aws.credentials import Caller, Lifetime
from glacier_purge.aws.roles import Role
from glacier_purge.errors import CredentialsFailed, CredentialsUnreachable, UsageError, WrongAccount
from glacier_simulator import FaultRule, SimulatedGlacier
from glacier_simulator.accounts_file import read_accounts
from tests.aws.company import EXTERNAL_ID, FILES, FILMS, HUB, OPERATOR, PHOTOS, company, pretended
from tests.clients import no_sleep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PURGE = Role(
    named="purge",
    account_id=FILMS,
    partition="aws",
    session_name="glacier-purge-ada@host",
    external_id=EXTERNAL_ID,
    session_tags=(("ticket", "OPS-7"),),
)
THEIRS = Vault(account_id=FILMS, region="us-east-1", name="films")
STRANGER = StaticCredentials(access_key_id="AKIASTRANGER", secret_access_key="secret")
NOBODY = StaticCredentials(access_key_id="AKIANOBODY", secret_access_key="secret")


@pytest.fixture
async def glacier() -> AsyncIterator[SimulatedGlacier]:
    async with SimulatedGlacier(accounts=pretended()) as glacier:
        yield glacier


def access(glacier: SimulatedGlacier, role: Role | None = PURGE, **more: Any) -> Access:
    return Access(endpoint_url=glacier.endpoint_url, role=role, **{"credentials": OPERATOR, **more})


async def test_what_is_asked_is_asked_as_the_role_in_its_account(glacier: SimulatedGlacier) -> None:
    reached = access(glacier)
    async with Clients() as clients:
        caller = await clients.caller(reached, "us-east-1")
        listed = await clients.list_vaults(reached, "us-east-1", None)
        assert (await (await clients.control(THEIRS, reached)).describe_vault()).archives == 3
        assert await clients.lifetime(reached, "us-east-1") is Lifetime.RENEWED
    assert caller == Caller(account_id=FILMS, arn=f"arn:aws:sts::{FILMS}:assumed-role/purge/glacier-purge-ada@host")
    assert [one.arn for one in listed] == [
        f"arn:aws:glacier:us-east-1:{FILMS}:vaults/{name}" for name in ("films", "photos")
    ]
    assert glacier.ledger["operations"]["AssumeRole"] == 1
    (session,) = glacier.service.roles.sessions.values()
    assert session.tags == (("ticket", "OPS-7"),)


@pytest.mark.parametrize("account_id", [HUB, PHOTOS])
async def test_a_session_of_another_account_than_the_vaults_is_refused_before_anything_is_asked(
    glacier: SimulatedGlacier, account_id: str
) -> None:
    vault = replace(THEIRS, account_id=account_id)
    async with Clients() as clients:
        with pytest.raises(WrongAccount, match=f"belong to account {FILMS} .*assumed-role/purge/.* Nothing was sent"):
            await clients.control(vault, access(glacier))
        with pytest.raises(WrongAccount, match="Nothing was sent"):
            async with clients.service(vault, access(glacier), "rest"):
                pass
    assert set(glacier.ledger["operations"]) == {"AssumeRole", "GetCallerIdentity"}


@pytest.mark.parametrize(
    ("role", "credentials", "said"),
    [
        (PURGE, STRANGER, "AccessDenied.*user/stranger is not authorized to perform: sts:AssumeRole.*trust.json"),
        (replace(PURGE, external_id="corp-8"), OPERATOR, "role/purge is not given: .*user/operator is not authorized"),
        (replace(PURGE, external_id=None), OPERATOR, "--external-id"),
        (replace(PURGE, named="nobody"), OPERATOR, "role/nobody is not given: .*Of a role that is missing AWS says"),
        (
            replace(PURGE, session_tags=(("a", "1"), ("A", "2"))),
            OPERATOR,
            "InvalidParameterValue.*Correct --session-tag",
        ),
        (PURGE, NOBODY, "InvalidClientTokenId.*Renew the AWS credentials"),
    ],
)
async def test_who_could_not_take_what_is_said_and_what_to_do(
    glacier: SimulatedGlacier, role: Role, credentials: StaticCredentials, said: str
) -> None:
    async with Clients() as clients:
        with pytest.raises(CredentialsFailed, match=said) as refused:
            await clients.caller(access(glacier, role, credentials=credentials), "us-east-1")
    assert str(refused.value).endswith("then run the same command again.")
    assert not isinstance(refused.value, CredentialsUnreachable)
    assert OPERATOR.secret_access_key not in str(refused.value)


async def test_a_role_that_nobody_can_tell_is_refused_before_anything_is_asked(glacier: SimulatedGlacier) -> None:
    async with Clients() as clients:
        with pytest.raises(UsageError, match="--account-id"):
            await clients.caller(access(glacier, replace(PURGE, account_id=None)), "us-east-1")
    assert glacier.ledger["operations"] == {}


async def test_where_sts_does_not_answer_it_is_no_refusal() -> None:
    outage = FaultRule("internal-error", operation="AssumeRole")
    async with SimulatedGlacier(accounts=pretended(), faults=[outage]) as glacier, Clients(sleep=no_sleep) as clients:
        with pytest.raises(CredentialsUnreachable, match="STS's AssumeRole for role arn:aws:iam::2"):
            await clients.caller(access(glacier), "us-east-1")


async def test_a_session_that_is_refused_is_had_again(glacier: SimulatedGlacier) -> None:
    reached = access(glacier)
    async with Clients() as clients:
        source = clients._region(reached, "us-east-1").session.credentials
        first = await source.get_frozen_credentials()
        source._renewed_at = float("-inf")
        glacier.service.roles.sessions.clear()
        await source.renew()
        assert (await source.get_frozen_credentials()).access_key != first.access_key
        assert (await clients.list_vaults(reached, "us-east-1", None))[0].archives == 3


async def test_each_role_has_a_source_of_its_own(glacier: SimulatedGlacier) -> None:
    async with Clients() as clients:
        for account_id in (FILMS, PHOTOS, FILMS):
            reached = access(glacier, replace(PURGE, account_id=account_id))
            assert (await clients.caller(reached, "us-east-1")).account_id == account_id
    assert glacier.ledger["operations"]["AssumeRole"] == 2


async def test_nothing_secret_is_logged(glacier: SimulatedGlacier, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with Clients() as clients:
            await (await clients.control(THEIRS, access(glacier))).describe_vault()
    (session,) = glacier.service.roles.sessions.values()
    for secret in (OPERATOR.secret_access_key, session.secret, session.session_token):
        assert secret is not None
        assert secret not in caplog.text


async def test_a_role_is_taken_with_what_awss_chain_gives(
    glacier: SimulatedGlacier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", OPERATOR.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", OPERATOR.secret_access_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", glacier.endpoint_url)
    async with Clients() as clients:
        assert (await clients.caller(access(glacier, credentials=None), "us-east-1")).account_id == FILMS


@pytest.mark.parametrize(
    ("changed", "is_given"),
    [
        ({}, True),
        ({"session_tags": ()}, True),
        ({"external_id": "corp-8"}, False),
        ({"session_name": "somebody-else"}, False),
        ({"session_tags": (("epoch", "1"),)}, False),
        ({"account_id": PHOTOS}, False),
    ],
)
async def test_the_policies_that_ship_give_a_role_to_this_tool_and_nothing_else(
    repository: Path, changed: dict[str, Any], is_given: bool
) -> None:
    said = {
        "arn:aws:iam::CALLERS_ACCOUNT:role/CALLER": f"arn:aws:iam::{HUB}:user/operator",
        "EXTERNAL_ID": EXTERNAL_ID,
        "ACCOUNT:role/ROLE": f"{FILMS}:role/purge",
    }
    files = dict(FILES)
    for name in ("trust.json", "assume.json"):
        text = (repository / "config/iam" / name).read_text("utf-8")
        for placeholder, value in said.items():
            text = text.replace(placeholder, value)
        files[name] = text
    accounts = read_accounts(
        company().replace('operator", access', 'operator", policy = "assume.json", access'), files.__getitem__
    )
    async with SimulatedGlacier(accounts=accounts) as glacier, Clients() as clients:
        reached = access(glacier, replace(PURGE, **changed))
        if is_given:
            assert (await clients.caller(reached, "us-east-1")).account_id == FILMS
        else:
            with pytest.raises(CredentialsFailed, match="is not given"):
                await clients.caller(reached, "us-east-1")
