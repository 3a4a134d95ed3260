"""What a policy says about deleting, over the forms of the Developer Guide and what is not understood."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from glacier_purge.guard.policy import (
    DELETE_VAULT,
    Denial,
    PolicyUnreadable,
    named_by_allow,
    rules_against,
    rules_against_deleting,
)

CREATED = datetime(2026, 1, 1, 12, tzinfo=UTC)
NO_TAGS: dict[str, str] = {}
HELD = {"LegalHold": "true"}


def policy(condition: object = None, **changes: object) -> str:
    statement: dict[str, Any] = {
        "Sid": "no-delete",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "glacier:DeleteArchive",
        "Resource": "arn:aws:glacier:us-east-1:123456789012:vaults/photos",
    }
    if condition is not None:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | changes]})


def denials(text: str, tags: dict[str, str] = NO_TAGS) -> list[Denial]:
    return [rule.denial for rule in rules_against_deleting(text, tags)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [Denial.ALWAYS]),
        ({"Action": ["glacier:UploadArchive", "glacier:DeleteArchive"]}, [Denial.ALWAYS]),
        ({"Action": "glacier:Delete*"}, [Denial.ALWAYS]),
        ({"Action": "GLACIER:*"}, [Denial.ALWAYS]),
        ({"Action": "*"}, [Denial.ALWAYS]),
        ({"Principal": {"AWS": "*"}}, [Denial.ALWAYS]),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:role/purge"}}, [Denial.UNCLEAR]),
        ({"Action": "glacier:UploadArchive"}, []),
        ({"Action": "glacier:DeleteVault"}, []),
        ({"Effect": "Allow"}, []),
    ],
)
def test_a_deny_without_a_condition_is_always(changes: dict[str, object], expected: list[Denial]) -> None:
    assert denials(policy(**changes)) == expected


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        pytest.param("true", None, id="tags that nobody may read"),
        pytest.param("${aws:PrincipalTag/team}", HELD, id="a variable"),
        pytest.param(["no", "${aws:username}"], HELD, id="one of them a variable"),
    ],
)
@pytest.mark.parametrize("operator", ["StringEquals", "StringLike", "StringEqualsIgnoreCaseIfExists"])
def test_a_deny_by_a_tag_is_unclear_where_either_side_is_not_known(
    operator: str, value: object, tags: dict[str, str] | None
) -> None:
    by_tag = policy({operator: {"glacier:ResourceTag/LegalHold": value}})
    assert [rule.denial for rule in rules_against_deleting(by_tag, tags)] == [Denial.UNCLEAR]


def test_a_deny_for_all_principals_but_some_is_unclear() -> None:
    but_legal = {"Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::123456789012:role/legal"}, "Action": "*"}
    assert denials(json.dumps({"Statement": but_legal})) == [Denial.UNCLEAR]


@pytest.mark.parametrize(("excepted", "expected"), [("glacier:Describe*", [Denial.ALWAYS]), ("glacier:Delete*", [])])
def test_not_action_denies_what_it_does_not_name(excepted: str, expected: list[Denial]) -> None:
    statement = {"Effect": "Deny", "Principal": "*", "NotAction": excepted, "Resource": "*"}
    assert denials(json.dumps({"Statement": statement})) == expected


@pytest.mark.parametrize("key", ["glacier:ArchiveAgeInDays", "glacier:ArchiveAgeinDays"])
def test_young_archives_can_be_deleted_from_a_date_on_with_a_day_to_spare(key: str) -> None:
    (rule,) = rules_against_deleting(policy({"NumericLessThan": {key: "365"}}), NO_TAGS)
    assert (rule.denial, rule.days, rule.sid) == (Denial.YOUNG, 365.0, "no-delete")
    assert rule.deletable_from(CREATED) == datetime(2027, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("condition", "tags", "expected"),
    [
        ({"NumericGreaterThan": {"glacier:ArchiveAgeInDays": "30"}}, NO_TAGS, [Denial.OLD]),
        ({"NumericEquals": {"glacier:ArchiveAgeInDays": "30"}}, NO_TAGS, [Denial.UNCLEAR]),
        ({"NumericLessThan": {"glacier:ArchiveAgeInDays": "a year"}}, NO_TAGS, [Denial.UNCLEAR]),
        ({"NumericLessThan": {"glacier:ArchiveAgeInDays": 30}}, NO_TAGS, [Denial.YOUNG]),
        ({"NumericLessThan": {"glacier:ArchiveAgeInDays": "nan"}}, NO_TAGS, [Denial.UNCLEAR]),
        ({"NumericLessThan": {"glacier:ArchiveAgeInDays": ["30", "inf"]}}, NO_TAGS, [Denial.UNCLEAR]),
        ({"StringLike": {"glacier:ResourceTag/LegalHold": "[tr]*"}}, {"LegalHold": "[tr]ue"}, [Denial.TAG]),
        ({"StringLike": {"glacier:ResourceTag/LegalHold": ["true", ""]}}, HELD, [Denial.TAG]),
        ({"StringLike": {"glacier:ResourceTag/LegalHold": ["true", ""]}}, {"LegalHold": "false"}, []),
        ({"StringEquals": {"glacier:ResourceTag/LegalHold": "true"}}, NO_TAGS, []),
        ({"StringEqualsIfExists": {"glacier:ResourceTag/LegalHold": "true"}}, NO_TAGS, [Denial.TAG]),
        ({"StringEqualsIgnoreCase": {"glacier:ResourceTag/legalhold": "TRUE"}}, HELD, [Denial.TAG]),
        ({"StringNotEquals": {"glacier:ResourceTag/LegalHold": "no"}}, HELD, [Denial.UNCLEAR]),
        ({"Bool": {"aws:MultiFactorAuthPresent": "false"}}, NO_TAGS, [Denial.UNCLEAR]),
        (
            {
                "NumericLessThan": {"glacier:ArchiveAgeInDays": "30"},
                "StringEquals": {"glacier:ResourceTag/LegalHold": "true"},
            },
            HELD,
            [Denial.YOUNG],
        ),
        (
            {
                "NumericLessThan": {"glacier:ArchiveAgeInDays": "30"},
                "StringEquals": {"glacier:ResourceTag/LegalHold": "true"},
            },
            NO_TAGS,
            [],
        ),
        (
            {
                "NumericLessThan": {"glacier:ArchiveAgeInDays": "30"},
                "Bool": {"aws:MultiFactorAuthPresent": "false"},
            },
            NO_TAGS,
            [Denial.UNCLEAR],
        ),
    ],
)
def test_conditions_are_judged_or_called_unclear(
    condition: object, tags: dict[str, str], expected: list[Denial]
) -> None:
    assert denials(policy(condition), tags) == expected


def test_only_youth_passes_with_time() -> None:
    for condition in (None, {"NumericGreaterThan": {"glacier:ArchiveAgeInDays": "30"}}):
        (rule,) = rules_against_deleting(policy(condition), NO_TAGS)
        assert rule.deletable_from(CREATED) is None


@pytest.mark.parametrize("days", ["9999999", "1e12"])
def test_an_age_beyond_all_dates_is_never_reached(days: str) -> None:
    (rule,) = rules_against_deleting(policy({"NumericLessThan": {"glacier:ArchiveAgeInDays": days}}), NO_TAGS)
    assert rule.denial is Denial.YOUNG
    assert rule.deletable_from(CREATED) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"Statement": ["x"]}',
        '{"Statement": {}}',
        policy("no condition"),
        policy(Effect="deny"),
        policy(Effect=["Deny"]),
        policy(Action=5),
        policy(Action=[]),
        policy(Action=["glacier:UploadArchive", None]),
    ],
)
def test_what_is_no_policy_is_not_taken_for_a_harmless_one(text: str) -> None:
    with pytest.raises(PolicyUnreadable):
        rules_against_deleting(text, NO_TAGS)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Action": "glacier:DeleteVault"}, [Denial.ALWAYS]),
        ({"Action": "glacier:Delete*"}, [Denial.ALWAYS]),
        ({"Action": "*"}, [Denial.ALWAYS]),
        ({"Action": "glacier:DeleteArchive"}, []),
        ({"Action": "glacier:DeleteVaultAccessPolicy"}, []),
        ({"Action": "glacier:DeleteVault", "Effect": "Allow"}, []),
        ({"Action": "glacier:*", "Principal": {"AWS": "arn:aws:iam::123456789012:role/purge"}}, [Denial.UNCLEAR]),
        ({"Action": "*", "Condition": {"NumericLessThan": {"glacier:ArchiveAgeInDays": "365"}}}, []),
        (
            {"Action": "*", "Condition": {"NumericLessThanIfExists": {"glacier:ArchiveAgeInDays": "1"}}},
            [Denial.UNCLEAR],
        ),
        ({"Action": "*", "Condition": {"NumericNotEquals": {"glacier:ArchiveAgeInDays": "1"}}}, [Denial.UNCLEAR]),
        ({"Action": "*", "Condition": {"Null": {"glacier:ArchiveAgeInDays": "true"}}}, [Denial.UNCLEAR]),
    ],
)
def test_what_denies_removing_the_vault_is_told_apart_from_what_denies_deleting_archives(
    changes: dict[str, object], expected: list[Denial]
) -> None:
    rules = rules_against(DELETE_VAULT, policy(**changes), NO_TAGS)
    assert [rule.denial for rule in rules] == expected


ROLE, OTHER = "arn:aws:iam::999999999999:role/backup", "arn:aws:iam::999999999999:root"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"Action": "glacier:UploadArchive", "Principal": {"AWS": ROLE}}, [ROLE]),
        ({"Action": "glacier:upload*", "Principal": {"AWS": [ROLE, OTHER, ROLE]}}, [ROLE, OTHER]),
        ({"Action": "*", "Principal": "*"}, ["anybody"]),
        ({"Action": ["glacier:ListJobs", "glacier:InitiateMultipartUpload"], "Principal": {"AWS": "*"}}, ["anybody"]),
        ({"NotAction": "glacier:DeleteArchive", "Action": None, "Principal": {"Service": "backup"}}, ["backup"]),
        ({"Action": "*", "NotPrincipal": {"AWS": OTHER}}, [f"anybody but {OTHER}"]),
        ({"Action": "*", "Principal": {"AWS": ROLE}, "Condition": {"Bool": {}}}, [f"{ROLE}, under a condition"]),
        ({"Action": "*", "Principal": {"AWS": {"odd": 1}}}, ["{'odd': 1}"]),
        ({"Action": "glacier:DeleteArchive", "Principal": {"AWS": ROLE}}, []),
        ({"Action": "glacier:UploadArchive", "Effect": "Deny"}, []),
    ],
)
def test_whom_an_allow_names_for_uploads(changes: dict[str, object], named: list[str]) -> None:
    text = policy(**{"Effect": "Allow", **changes})
    assert named_by_allow(["glacier:UploadArchive", "glacier:InitiateMultipartUpload"], text) == named
