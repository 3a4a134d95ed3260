"""The policies users copy: least privilege is a promise, so it is checked like one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

if TYPE_CHECKING:
    from pathlib import Path

READING = {
    "glacier:DescribeJob",
    "glacier:DescribeVault",
    "glacier:GetJobOutput",
    "glacier:GetVaultAccessPolicy",
    "glacier:GetVaultLock",
    "glacier:GetVaultNotifications",
    "glacier:ListJobs",
    "glacier:ListMultipartUploads",
    "glacier:ListTagsForVault",
}

PROTECTION = {
    "glacier:DescribeVault",
    "glacier:GetVaultAccessPolicy",
    "glacier:GetVaultLock",
    "glacier:ListTagsForVault",
}
ALLOWED = {
    "plan-and-verify.json": READING | {"glacier:InitiateJob", "glacier:ListVaults"},
    "delete.json": PROTECTION | {"glacier:DeleteArchive"},
    "freeze.json": {"glacier:GetVaultAccessPolicy", "glacier:SetVaultAccessPolicy", "glacier:DeleteVaultAccessPolicy"},
    "delete-vault.json": PROTECTION | {"glacier:DeleteVault", "glacier:ListVaults"},
}
VAULT = "arn:aws:glacier:REGION:ACCOUNT:vaults/VAULT"
WITHOUT_VAULT = {"glacier:ListVaults"}
"""Names no vault, so a policy cannot either."""


def statements(file: Path) -> list[dict[str, Any]]:
    policy = json.loads(file.read_text("utf-8"))
    assert policy["Version"] == "2012-10-17"
    found: list[dict[str, Any]] = policy["Statement"]
    return found


def actions(statement: dict[str, Any]) -> set[str]:
    named = statement["Action"]
    return {named} if isinstance(named, str) else set(named)


def test_these_are_all_the_policies(repository: Path) -> None:
    others = {"replica.json", "trust.json", "assume.json"}
    assert {file.name for file in (repository / "config/iam").glob("*.json")} == {*ALLOWED, *others}


def test_a_role_trusts_one_caller_who_gives_the_external_id(repository: Path) -> None:
    taking, tagging = statements(repository / "config/iam/trust.json")
    assert (actions(taking), actions(tagging)) == ({"sts:AssumeRole"}, {"sts:TagSession"})
    for statement in (taking, tagging):
        assert statement["Effect"] == "Allow"
        assert statement["Principal"] == {"AWS": "arn:aws:iam::CALLERS_ACCOUNT:role/CALLER"}
    assert taking["Condition"]["StringEquals"] == {"sts:ExternalId": "EXTERNAL_ID"}
    assert taking["Condition"]["StringLike"] == {"sts:RoleSessionName": "glacier-purge-*"}


def test_the_caller_may_take_roles_that_are_named_and_nothing_else(repository: Path) -> None:
    (taking,) = statements(repository / "config/iam/assume.json")
    assert (taking["Effect"], actions(taking)) == ("Allow", {"sts:AssumeRole", "sts:TagSession"})
    assert taking["Resource"] == ["arn:aws:iam::ACCOUNT:role/ROLE"]


def test_the_bucket_is_read_and_written_below_a_prefix_and_nothing_is_deleted(repository: Path) -> None:
    objects, listing = statements(repository / "config/iam/replica.json")
    assert (actions(objects), objects["Resource"]) == ({"s3:GetObject", "s3:PutObject"}, "arn:aws:s3:::BUCKET/PREFIX/*")
    assert (actions(listing), listing["Resource"]) == ({"s3:ListBucket"}, "arn:aws:s3:::BUCKET")
    assert listing["Condition"]["StringLike"] == {"s3:prefix": "PREFIX/*"}
    for statement in (objects, listing):
        assert statement["Effect"] == "Allow"
        assert statement["Condition"]["StringEquals"] == {"aws:RequestedRegion": "REGION"}


@pytest.mark.parametrize("name", ALLOWED)
def test_a_policy_allows_its_step_and_nothing_else(name: str, repository: Path) -> None:
    found = statements(repository / "config/iam" / name)
    assert set[str]().union(*map(actions, found)) == ALLOWED[name]
    operations = botocore.session.get_session().get_service_model("glacier").operation_names
    assert {f"glacier:{operation}" for operation in operations} >= ALLOWED[name]


@pytest.mark.parametrize("name", ALLOWED)
def test_a_policy_is_bound_to_one_vault_of_a_region_and_deletes_until_a_date(name: str, repository: Path) -> None:
    for statement in statements(repository / "config/iam" / name):
        assert statement["Effect"] == "Allow"
        without_vault = actions(statement) <= WITHOUT_VAULT
        assert statement["Resource"] == ("*" if without_vault else VAULT)
        assert statement["Condition"]["StringEquals"] == {"aws:RequestedRegion": "REGION"}
        deletes = any(action.startswith("glacier:Delete") for action in actions(statement))
        assert ("DateLessThan" in statement["Condition"]) is deletes
        assert "*" not in json.dumps(statement | {"Resource": ""})
        assert set(statement) == {"Sid", "Effect", "Action", "Resource", "Condition"}
