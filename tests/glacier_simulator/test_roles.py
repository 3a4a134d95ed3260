"""Roles of the pretended accounts: who may take them, what their sessions may do and for how long, in AWS's words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import botocore.session
import msgspec
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from glacier_simulator.account import Credential
from glacier_simulator.policy import parse_identity, parse_trust
from glacier_simulator.roles import Role
from glacier_simulator.vault import PretendGlacier
from tests.glacier_simulator.asking import DAY, HOUR, NOW, read, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier_simulator.policy import Statement

HUB, SPOKE, OTHER = "999999999999", "111111111111", "222222222222"
OPERATOR = f"arn:aws:iam::{HUB}:user/operator"
PURGE, NEAR = f"arn:aws:iam::{SPOKE}:role/purge", f"arn:aws:iam::{OTHER}:role/near"
MISSING = f"arn:aws:iam::{SPOKE}:role/nobody"

_SESSION = botocore.session.get_session()


def trusting(who: object, condition: object = None, action: object = ("sts:AssumeRole", "sts:TagSession")) -> Any:
    statement = {"Effect": "Allow", "Principal": {"AWS": who}, "Action": action, "Condition": condition or {}}
    return parse_trust(json.dumps({"Version": "2012-10-17", "Statement": statement}))


def allowing(action: object, resource: object = "*", condition: object = None) -> tuple[Statement, ...]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition or {}}
    return parse_identity(json.dumps({"Statement": statement}))


class Company:
    """Three accounts, each with a vault; clients of botocore that sign, and are answered in process."""

    last: ClassVar[Company]

    def __init__(self, trust: Any = None, *, operator: Any = None, more: Any = None, **of_role: Any) -> None:
        keys = {
            "AKIAOPERATOR": Credential("secret", HUB, OPERATOR, policy=operator),
            "AKIASTRANGER": Credential("secret", OTHER, f"arn:aws:iam::{OTHER}:user/stranger"),
        }
        Company.last = self
        roles = [Role(arn=PURGE, trust=trust or trusting(OPERATOR), **of_role), *(more or [])]
        self.glacier = PretendGlacier(account_id=HUB, credentials=keys, roles={one.arn: one for one in roles})
        for account in (HUB, SPOKE, OTHER):
            self.glacier.generate_vault("photos", 3, NOW, owner=(account, "us-east-1"))
        self.now = NOW

    def client(self, service: str, key: str = "AKIAOPERATOR", secret: str = "secret", token: str | None = None) -> Any:
        config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
        client = _SESSION.create_client(
            service,
            "us-east-1",
            endpoint_url="http://127.0.0.1:9",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=config,
        )
        client.meta.events.register(f"before-send.{service}", self._send)
        return client

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        response = self.glacier.handle(read(request), self.now)
        return AWSResponse(request.url, response.status, dict(response.headers), _Raw(whole(response)))

    def assume(self, role: str = PURGE, key: str = "AKIAOPERATOR", **more: Any) -> dict[str, Any]:
        given = {"RoleArn": role, "RoleSessionName": "glacier-purge-ada", **more}
        answer: dict[str, Any] = self.client("sts", key).assume_role(**given)
        return answer

    def as_session(self, service: str, given: dict[str, Any]) -> Any:
        keys = given["Credentials"]
        return self.client(service, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


@pytest.fixture(autouse=True)
def signing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have botocore sign at the time of the company that was made last."""
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: datetime.fromtimestamp(Company.last.now, UTC))


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Any:
        yield self._body


def code(ask: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(ClientError) as refused:
        ask()
    response: Any = refused.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_a_session_acts_as_its_role_in_its_account_and_in_no_other() -> None:
    company = Company()
    given = company.assume(Tags=[{"Key": "ticket", "Value": "OPS-7"}])
    session = f"arn:aws:sts::{SPOKE}:assumed-role/purge/glacier-purge-ada"
    assert given["AssumedRoleUser"]["Arn"] == session
    assert company.as_session("sts", given).get_caller_identity()["Arn"] == session
    assert company.as_session("sts", given).get_caller_identity()["Account"] == SPOKE
    glacier = company.as_session("glacier", given)
    assert [one["VaultARN"] for one in glacier.list_vaults()["VaultList"]] == [
        f"arn:aws:glacier:us-east-1:{SPOKE}:vaults/photos"
    ]
    assert code(lambda: glacier.list_vaults(accountId=HUB)) == (403, "AccessDeniedException")
    assert code(lambda: glacier.describe_vault(accountId=OTHER, vaultName="photos")) == (403, "AccessDeniedException")


def test_who_asks_is_told_who_it_is() -> None:
    said = Company().client("sts").get_caller_identity()
    assert (said["Arn"], said["Account"]) == (OPERATOR, HUB)


DENIED = (403, "AccessDenied")
ID = {"StringEquals": {"sts:ExternalId": "corp-7"}}
TICKET = {"StringLike": {"aws:RequestTag/ticket": "OPS-*"}}


@pytest.mark.parametrize(
    ("company", "asked", "expected"),
    [
        ({}, {"role": MISSING}, DENIED),
        ({}, {"key": "AKIASTRANGER"}, DENIED),
        ({"trust": trusting("*", ID)}, {}, DENIED),
        ({"trust": trusting("*", ID)}, {"ExternalId": "corp-8"}, DENIED),
        ({"trust": trusting(HUB, TICKET)}, {}, DENIED),
        ({"trust": trusting(HUB, TICKET)}, {"Tags": [{"Key": "ticket", "Value": "none"}]}, DENIED),
        ({"trust": trusting(HUB, action="sts:AssumeRole")}, {"Tags": [{"Key": "a", "Value": "b"}]}, DENIED),
        ({"operator": allowing("sts:AssumeRole")}, {"Tags": [{"Key": "a", "Value": "b"}]}, DENIED),
        ({"operator": allowing("sts:AssumeRole", NEAR)}, {}, DENIED),
        ({"operator": allowing("glacier:*")}, {}, DENIED),
        ({"trust": trusting("*", {"StringLike": {"sts:RoleSessionName": "backup-*"}})}, {}, DENIED),
    ],
)
def test_who_may_not_is_told_nothing_but_that(
    company: dict[str, Any], asked: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert code(lambda: Company(**company).assume(**asked)) == expected


@pytest.mark.parametrize(
    ("trust", "asked"),
    [
        (trusting(OPERATOR), {}),
        (trusting(f"arn:aws:iam::{HUB}:root"), {}),
        (trusting("*", ID), {"ExternalId": "corp-7"}),
        (trusting(HUB, TICKET), {"Tags": [{"Key": "ticket", "Value": "OPS-7"}, {"Key": "by", "Value": ""}]}),
    ],
)
def test_who_may_is_given_a_session(trust: Any, asked: dict[str, Any]) -> None:
    assert Company(trust).assume(**asked)["Credentials"]["AccessKeyId"].startswith("ASIA")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"role": "purge"}, "ValidationError"),
        ({"RoleSessionName": "a"}, "ValidationError"),
        ({"RoleSessionName": "ada at work"}, "ValidationError"),
        ({"RoleSessionName": ""}, "ValidationError"),
        ({"ExternalId": "x"}, "ValidationError"),
        ({"DurationSeconds": 899}, "ValidationError"),
        ({"DurationSeconds": 7200}, "ValidationError"),
        ({"DurationSeconds": 50_000}, "ValidationError"),
        ({"DurationSeconds": "soon"}, "MalformedInput"),
        ({"Tags": [{"Key": "", "Value": "x"}]}, "ValidationError"),
        ({"Tags": [{"Key": "a", "Value": "x" * 257}]}, "ValidationError"),
        ({"Tags": [{"Key": "a", "Value": "<b>"}]}, "ValidationError"),
        ({"Tags": [{"Key": "aws:a", "Value": "x"}]}, "InvalidParameterValue"),
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]}, "InvalidParameterValue"),
        ({"Tags": [{"Key": f"t{number}", "Value": "1"} for number in range(51)]}, "ValidationError"),
        ({"Tags": [{"Key": "a"}]}, "MalformedInput"),
    ],
)
def test_what_cannot_be_asked_for(asked: dict[str, Any], expected: str) -> None:
    assert code(lambda: Company().assume(**asked)) == (400, expected)


def test_other_actions_are_unknown() -> None:
    assert code(lambda: Company().client("sts").get_session_token()) == (400, "InvalidAction")


def test_a_session_ends_when_it_was_said_to() -> None:
    company = Company(session_seconds_max=2 * 3600)
    given = company.assume(DurationSeconds=7200)
    glacier, sts = (company.as_session(service, given) for service in ("glacier", "sts"))
    company.now = NOW + 2 * HOUR - 5
    assert glacier.list_vaults()["VaultList"]
    company.now = NOW + 2 * HOUR + 5
    assert code(glacier.list_vaults) == (403, "ExpiredTokenException")
    assert code(sts.get_caller_identity) == (403, "ExpiredToken")


def test_an_expired_key_is_forgotten_after_a_week() -> None:
    company = Company()
    given = company.assume()
    company.now = NOW + 8 * DAY
    company.assume()
    assert code(company.as_session("glacier", given).list_vaults) == (400, "UnrecognizedClientException")


def test_a_role_may_give_shorter_sessions_than_are_asked_for() -> None:
    company = Company(lasts_seconds=30)
    glacier = company.as_session("glacier", company.assume())
    company.now = NOW + 31
    assert code(glacier.list_vaults) == (403, "ExpiredTokenException")


def test_a_session_of_a_session_lasts_an_hour_at_most() -> None:
    near = Role(arn=NEAR, trust=trusting(PURGE), session_seconds_max=4 * 3600)
    company = Company(more=[near])
    assert code(lambda: company.assume(NEAR)) == DENIED, "which trusts the role and not who has it"
    sts = company.as_session("sts", company.assume())
    asked = {"RoleArn": NEAR, "RoleSessionName": "further"}
    assert sts.assume_role(**asked)["AssumedRoleUser"]["Arn"].endswith(":assumed-role/near/further")
    assert code(lambda: sts.assume_role(**asked, DurationSeconds=7200)) == (400, "ValidationError")


@pytest.mark.parametrize(
    ("key", "secret", "expected"),
    [("AKIANOBODY", "secret", "InvalidClientTokenId"), ("AKIAOPERATOR", "wrong", "SignatureDoesNotMatch")],
)
def test_who_signs_wrongly_is_told_in_the_codes_of_sts(key: str, secret: str, expected: str) -> None:
    sts = Company().client("sts", key, secret)
    assert code(sts.get_caller_identity) == (403, expected)


def test_a_session_needs_its_token() -> None:
    company = Company()
    keys = company.assume()["Credentials"]
    naked = company.client("glacier", keys["AccessKeyId"], keys["SecretAccessKey"])
    assert code(naked.list_vaults) == (400, "UnrecognizedClientException")


def test_a_session_may_what_its_role_may_and_its_tags_say() -> None:
    rules = allowing(
        ["glacier:ListVaults", "glacier:DescribeVault"], "*", {"StringEquals": {"aws:PrincipalTag/epoch": "4"}}
    )
    company = Company(policy=rules)
    as_it_is, later = (
        company.as_session("glacier", company.assume(Tags=[{"Key": "epoch", "Value": epoch}])) for epoch in ("4", "5")
    )
    assert as_it_is.describe_vault(vaultName="photos")["VaultName"] == "photos"
    assert code(lambda: later.describe_vault(vaultName="photos")) == (403, "AccessDeniedException")


@pytest.mark.parametrize("principal", [PURGE, f"arn:aws:sts::{SPOKE}:assumed-role/purge/glacier-purge-ada"])
def test_a_vaults_policy_may_name_a_role_or_one_session_of_it(principal: str) -> None:
    company = Company()
    glacier = company.as_session("glacier", company.assume())
    denying = {
        "Effect": "Deny",
        "Principal": {"AWS": principal},
        "Action": "glacier:DescribeVault",
        "Resource": f"arn:aws:glacier:us-east-1:{SPOKE}:vaults/photos",
    }
    glacier.set_vault_access_policy(vaultName="photos", policy={"Policy": json.dumps({"Statement": denying})})
    assert code(lambda: glacier.describe_vault(vaultName="photos")) == (403, "AccessDeniedException")


def test_sessions_outlive_a_restart() -> None:
    company = Company()
    given = company.assume()
    keys = company.glacier._credentials
    company.glacier = PretendGlacier.restored(
        msgspec.msgpack.decode(msgspec.msgpack.encode(company.glacier.state())), credentials=keys
    )
    assert company.as_session("sts", given).get_caller_identity()["Account"] == SPOKE
