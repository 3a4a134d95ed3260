from __future__ import annotations

import json
from typing import Any

import pytest

from glacier_simulator import dates
from glacier_simulator.policy import MalformedPolicyError, Question, is_allowed, is_denied, parse

ARN = "arn:aws:glacier:us-east-1:123456789012:vaults/photos"
ME = "arn:aws:iam::123456789012:user/me"
QUESTION = Question("glacier:DeleteArchive", ARN, ME, "123456789012", 1.8e9, {"LegalHold": "true"}, 100.7)


def deny(condition: dict[str, Any] | None = None, **changes: Any) -> str:
    statement = {"Effect": "Deny", "Principal": "*", "Action": "glacier:DeleteArchive", "Resource": ARN, **changes}
    if condition is not None:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [{k: v for k, v in statement.items() if v is not None}]})


AGE = "glacier:ArchiveAgeInDays"


@pytest.mark.parametrize(
    ("condition", "denied"),
    [
        (None, True),
        ({"NumericLessThan": {AGE: "365"}}, True),
        ({"NumericLessThanEquals": {"glacier:ArchiveAgeinDays": 100}}, True),
        ({"NumericLessThan": {AGE: "100"}}, False),
        ({"NumericGreaterThan": {AGE: "100"}}, False),
        ({"NumericGreaterThanEquals": {AGE: ["100"]}}, True),
        ({"NumericEquals": {AGE: ["1", "100"]}}, True),
        ({"NumericNotEquals": {AGE: ["1", "100"]}}, False),
        ({"StringEquals": {"glacier:ResourceTag/LegalHold": "true"}}, True),
        ({"StringLike": {"glacier:ResourceTag/LegalHold": ["", "t*"]}}, True),
        ({"StringNotEquals": {"glacier:ResourceTag/Absent": "x"}}, True),
        ({"StringEquals": {"glacier:ResourceTag/Absent": "x"}}, False),
        ({"StringEqualsIfExists": {"glacier:ResourceTag/Absent": "x"}}, True),
        ({"StringEqualsIgnoreCase": {"glacier:ResourceTag/LegalHold": "TRUE"}}, True),
        ({"StringNotEqualsIgnoreCase": {"glacier:ResourceTag/LegalHold": "TRUE"}}, False),
        ({"StringNotLike": {"glacier:ResourceTag/LegalHold": "f*"}}, True),
        ({"Null": {"glacier:ResourceTag/Absent": "true"}}, True),
        ({"Null": {"glacier:ResourceTag/LegalHold": True}}, False),
        ({"Null": {"glacier:ResourceTag/LegalHold": "false"}}, True),
        ({"Bool": {"aws:MultiFactorAuthPresent": "false"}}, False),
        ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}, True),
        ({"DateGreaterThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}, False),
        ({"DateLessThan": {"aws:EpochTime": "1900000000"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/me"}}, True),
        ({"ArnNotEquals": {"aws:PrincipalArn": ME}}, False),
        ({"NumericLessThan": {AGE: "365"}, "StringEquals": {"glacier:ResourceTag/LegalHold": "false"}}, False),
    ],
)
def test_a_deny_holds_under_its_condition(condition: dict[str, Any] | None, denied: bool) -> None:
    assert is_denied(parse(deny(condition)), QUESTION) is denied


@pytest.mark.parametrize(
    ("changes", "denied"),
    [
        ({"Action": "glacier:*"}, True),
        ({"Action": ["glacier:deletearchive"]}, True),
        ({"Action": ["glacier:Upload*", "glacier:Delete?rchive"]}, True),
        ({"Action": "glacier:DeleteVault"}, False),
        ({"Action": None, "NotAction": "glacier:DeleteVault"}, True),
        ({"Action": None, "NotAction": "glacier:Delete*"}, False),
        ({"Resource": "arn:aws:glacier:*:*:vaults/pho*"}, True),
        ({"Resource": "arn:aws:glacier:us-east-1:123456789012:vaults/other"}, False),
        ({"Resource": None, "NotResource": ARN}, False),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, True),
        ({"Principal": {"AWS": ["123456789012"]}}, True),
        ({"Principal": {"AWS": "arn:aws:iam::999999999999:root"}}, False),
        ({"Principal": {"AWS": ME}}, True),
        ({"Principal": None, "NotPrincipal": {"AWS": ME}}, False),
        ({"Effect": "Allow"}, False),
    ],
)
def test_a_deny_is_about_who_what_and_where(changes: dict[str, Any], denied: bool) -> None:
    assert is_denied(parse(deny(**changes)), QUESTION) is denied


def test_an_age_is_unknown_where_no_archive_is_named() -> None:
    nameless = Question("glacier:DeleteArchive", ARN, ME, "123456789012", 1.8e9, {})
    assert not is_denied(parse(deny({"NumericLessThan": {AGE: "365"}})), nameless)
    assert is_denied(parse(deny({"NumericLessThanIfExists": {AGE: "365"}})), nameless)


def test_an_allow_is_no_deny_and_a_deny_no_allow() -> None:
    assert is_allowed(parse(deny(Effect="Allow")), QUESTION)
    assert not is_allowed(parse(deny()), QUESTION)


def test_a_date_condition_changes_with_time() -> None:
    rules = parse(deny({"DateLessThan": {"aws:CurrentTime": dates.in_seconds(1.8e9 + 1)}}))
    assert is_denied(rules, QUESTION)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "[" * 100_000,
        '{"Statement": [1]}',
        '{"Statement": {"Effect": "Maybe"}}',
        '{"Statement": {"Effect": "Deny"}}',
        deny(Principal=None),
        deny(Action=None),
        deny(Resource=None),
        deny(Action=[{}]),
        deny({"NumericSomehow": {AGE: "1"}}),
        deny({"NumericLessThan": {AGE: "many"}}),
        deny({"DateLessThan": {"aws:CurrentTime": "soon"}}),
        deny({"Bool": "true"}),
        deny(Condition=[]),
    ],
)
def test_what_is_not_understood_is_refused_not_ignored(text: str) -> None:
    with pytest.raises(MalformedPolicyError):
        parse(text)
