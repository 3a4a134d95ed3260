"""Identity policies, and the four of ``config/iam``: all 33 operations as each role, signed by botocore."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from glacier_simulator import dates
from glacier_simulator.operations import OPERATIONS
from glacier_simulator.policy import MalformedPolicyError, parse_identity
from tests.glacier_simulator.asking import ACCOUNT, DAY, NOW, OWNER, Boto

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

VAULT_ARN = f"arn:aws:glacier:us-east-1:{ACCOUNT}:vaults/photos"
UNTIL = NOW + 30 * DAY

PLAN_AND_VERIFY = {
    *("DescribeJob", "DescribeVault", "GetJobOutput", "GetVaultAccessPolicy", "GetVaultLock", "GetVaultNotifications"),
    *("InitiateJob", "ListJobs", "ListMultipartUploads", "ListTagsForVault", "ListVaults"),
}
PROTECTION = ("DescribeVault", "GetVaultAccessPolicy", "GetVaultLock", "ListTagsForVault")
ROLES: dict[str, set[str]] = {
    "plan-and-verify.json": PLAN_AND_VERIFY,
    "delete.json": {"DeleteArchive", *PROTECTION},
    "freeze.json": {"GetVaultAccessPolicy", "SetVaultAccessPolicy", "DeleteVaultAccessPolicy"},
    "delete-vault.json": {"DeleteVault", "ListVaults", *PROTECTION},
}

_UPLOAD: dict[str, object] = {"vaultName": "photos", "uploadId": "U" * 92}
_POLICY = {"Policy": json.dumps({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}})}
PARAMETERS: dict[str, dict[str, object]] = {
    **{name: {"vaultName": "photos"} for name in OPERATIONS},
    "ListVaults": {},
    "GetDataRetrievalPolicy": {},
    "ListProvisionedCapacity": {},
    "PurchaseProvisionedCapacity": {},
    "AbortMultipartUpload": _UPLOAD,
    "AddTagsToVault": {"vaultName": "photos", "Tags": {"owner": "me"}},
    "CompleteMultipartUpload": {**_UPLOAD, "archiveSize": "1", "checksum": "0" * 64},
    "CompleteVaultLock": {"vaultName": "photos", "lockId": "L" * 92},
    "DeleteArchive": {"vaultName": "photos", "archiveId": "A" * 138},
    "DescribeJob": {"vaultName": "photos", "jobId": "J" * 92},
    "GetJobOutput": {"vaultName": "photos", "jobId": "J" * 92},
    "InitiateJob": {"vaultName": "photos", "jobParameters": {"Type": "inventory-retrieval"}},
    "InitiateMultipartUpload": {"vaultName": "photos", "partSize": str(2**20)},
    "InitiateVaultLock": {"vaultName": "photos", "policy": _POLICY},
    "ListParts": _UPLOAD,
    "RemoveTagsFromVault": {"vaultName": "photos", "TagKeys": ["owner"]},
    "SetDataRetrievalPolicy": {"Policy": {"Rules": [{"Strategy": "FreeTier"}]}},
    "SetVaultAccessPolicy": {"vaultName": "photos", "policy": _POLICY},
    "SetVaultNotifications": {"vaultName": "photos", "vaultNotificationConfig": {"SNSTopic": "t", "Events": ["x"]}},
    "UploadArchive": {"vaultName": "photos", "body": b"bytes"},
    "UploadMultipartPart": {**_UPLOAD, "range": "bytes 0-0/*", "body": b"x"},
}


@pytest.fixture(scope="module")
def boto() -> Boto:
    return Boto()


def filled_in(template: Path, *, region: str = "us-east-1", vault: str = "photos", until: float = UNTIL) -> str:
    """A template as a person would fill it in."""
    text = template.read_text("utf-8")
    for placeholder, value in {
        "REGION": region,
        "ACCOUNT": ACCOUNT,
        "VAULT": vault,
        "YYYY-MM-DDT00:00:00Z": dates.in_seconds(until),
    }.items():
        text = text.replace(placeholder, value)
    return text


def as_bearer(boto: Boto, text: str) -> Any:
    """A fresh service with a vault, asked by a credential with this policy."""
    service = boto.renew(msgspec.structs.replace(OWNER, policy=parse_identity(text)))
    service.generate_vault("photos", 5, NOW)
    return service


def denial(boto: Boto, operation: str, **changes: object) -> str | None:
    """The message with which the identity's policy refuses an operation; None when it lets it through."""
    try:
        boto.client._make_api_call(operation, {"accountId": "-", **PARAMETERS[operation], **changes})
    except ClientError as refused:
        error, status = refused.response["Error"], refused.response["ResponseMetadata"]["HTTPStatusCode"]
        if error["Code"] != "AccessDeniedException":
            return None
        assert status == 403
        return str(error["Message"])
    return None


def statement(
    action: str | Sequence[str], resource: str = "*", effect: str = "Allow", **more: object
) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_its_part_and_every_other_operation_is_refused(
    boto: Boto, repository: Path, role: str, operation: str
) -> None:
    service = as_bearer(boto, filled_in(repository / "config/iam" / role))
    before = service.state()
    message = denial(boto, operation)
    if operation in ROLES[role]:
        assert message is None
        return
    assert message is not None
    assert message.startswith(f"User: {OWNER.principal_arn} is not authorized to perform: glacier:{operation} on ")
    assert message.endswith(f"because no identity-based policy allows the glacier:{operation} action")
    after = service.state()
    assert after["estate"]["accounts"] == before["estate"]["accounts"]
    assert after["estate"]["shelves"] == before["estate"]["shelves"]


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_without_a_policy_nothing_is_refused(boto: Boto, operation: str) -> None:
    boto.renew().generate_vault("photos", 5, NOW)
    assert denial(boto, operation) is None


@pytest.mark.parametrize(
    "changes", [{"region": "eu-west-1"}, {"vault": "films"}], ids=["of another region", "of another vault"]
)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_good_for_one_vault_of_one_region(
    boto: Boto, repository: Path, role: str, changes: dict[str, str]
) -> None:
    as_bearer(boto, filled_in(repository / "config/iam" / role, **changes))  # type: ignore[arg-type]  # all are texts
    let_through = {operation for operation in ROLES[role] if denial(boto, operation) is None}
    assert let_through <= ({"ListVaults"} if "vault" in changes else set())


@pytest.mark.parametrize(
    ("role", "operation"), [("delete.json", "DeleteArchive"), ("delete-vault.json", "DeleteVault")]
)
def test_nothing_is_deleted_after_the_date(boto: Boto, repository: Path, role: str, operation: str) -> None:
    as_bearer(boto, filled_in(repository / "config/iam" / role, until=NOW + DAY))
    assert denial(boto, "DescribeVault") is None
    boto.now += DAY - 1
    assert denial(boto, operation) is None
    boto.now += 1
    assert denial(boto, operation) is not None


def test_an_explicit_deny_wins_and_says_so(boto: Boto) -> None:
    as_bearer(boto, policy(statement("glacier:*"), statement("glacier:delete*", effect="Deny")))
    assert denial(boto, "DescribeVault") is None
    message = denial(boto, "DeleteArchive")
    assert message is not None
    assert message.endswith("with an explicit deny in an identity-based policy")


def test_archives_can_be_denied_by_age_and_vaults_by_tag(boto: Boto) -> None:
    young = {"NumericLessThan": {"glacier:ArchiveAgeInDays": "1095"}}
    held = {"StringEquals": {"glacier:ResourceTag/LegalHold": "true"}}
    deny = [
        statement(["glacier:DeleteArchive", "glacier:InitiateJob"], effect="Deny", Condition=young),
        statement("glacier:DeleteVault", effect="Deny", Condition=held),
    ]
    service = as_bearer(boto, policy(statement("glacier:*"), *deny))
    text = b"".join(service.inventory_now("photos", "JSON", NOW).pieces())
    oldest, *_, youngest = [record["ArchiveId"] for record in json.loads(text)["ArchiveList"]]
    for archive_id, refused in ((oldest, False), (youngest, True)):
        retrieval = {"Type": "archive-retrieval", "ArchiveId": archive_id}
        assert (denial(boto, "InitiateJob", jobParameters=retrieval) is not None) is refused
        assert (denial(boto, "DeleteArchive", archiveId=archive_id) is not None) is refused
    assert denial(boto, "InitiateJob") is None
    assert denial(boto, "DeleteVault") is None
    denial(boto, "AddTagsToVault", Tags={"LegalHold": "true"})
    assert denial(boto, "DeleteVault") is not None
    summary = service.ledger.summary()
    assert (summary["deletes_received"], summary["denied"]) == (2, 1)


def test_who_may_not_see_a_vault_is_not_told_whether_it_exists(boto: Boto) -> None:
    as_bearer(boto, policy(statement("glacier:DescribeVault", VAULT_ARN)))
    there, not_there = denial(boto, "DeleteVault"), denial(boto, "DeleteVault", vaultName="nowhere")
    assert there is not None
    assert not_there == there.replace("vaults/photos", "vaults/nowhere")


def test_in_ones_own_account_the_vaults_allow_is_enough(boto: Boto) -> None:
    as_bearer(boto, policy(statement("glacier:SetVaultAccessPolicy")))
    assert denial(boto, "DeleteArchive") is not None
    allow = {"Policy": policy(statement("glacier:DeleteArchive", VAULT_ARN, Principal="*"))}
    assert denial(boto, "SetVaultAccessPolicy", policy=allow) is None
    assert denial(boto, "DeleteArchive") is None


@pytest.mark.parametrize(
    ("resource", "let_through"),
    [
        ("*", {"ListVaults", "GetDataRetrievalPolicy", "ListProvisionedCapacity"}),
        (f"arn:aws:glacier:us-east-1:{ACCOUNT}:vaults/*", {"ListVaults"}),
        (f"arn:aws:glacier:us-east-1:{ACCOUNT}:policies/retrieval-limit-policy", {"GetDataRetrievalPolicy"}),
        (VAULT_ARN, set[str]()),
    ],
)
def test_what_names_no_vault_has_a_resource_of_its_own(boto: Boto, resource: str, let_through: set[str]) -> None:
    as_bearer(boto, policy(statement("glacier:*", resource)))
    asked = {"ListVaults", "GetDataRetrievalPolicy", "ListProvisionedCapacity"}
    assert {operation for operation in asked if denial(boto, operation) is None} == let_through


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"Statement": [1]}',
        policy(statement("glacier:*", Principal="*")),
        policy(statement("glacier:*", NotPrincipal="*")),
        policy(statement("glacier:*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})),
        policy({"Effect": "Allow", "Resource": "*"}),
    ],
)
def test_what_is_no_identity_policy_is_refused(text: str) -> None:
    with pytest.raises(MalformedPolicyError):
        parse_identity(text)
