"""A role by its name or ARN, and what it is asked for with."""

from __future__ import annotations

import pytest

from glacier_purge.aws.roles import (
    Role,
    checked_external_id,
    checked_role,
    checked_tags,
    session_name,
    tags,
)
from glacier_purge.errors import UsageError

ARN = "arn:aws:iam::111111111111:role/ops/purge"


def role(named: str, account_id: str | None = "111111111111", partition: str = "aws") -> Role:
    return Role(named=named, account_id=account_id, partition=partition, session_name="glacier-purge-ada")


@pytest.mark.parametrize(
    ("one", "arn"),
    [
        (role("purge"), "arn:aws:iam::111111111111:role/purge"),
        (role("ops/purge"), ARN),
        (role("purge", partition="aws-us-gov"), "arn:aws-us-gov:iam::111111111111:role/purge"),
        (role(ARN), ARN),
        (role(ARN, None), ARN),
    ],
)
def test_which_role_it_is(one: Role, arn: str) -> None:
    assert one.arn == arn


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (role("purge", None), "may be any account's"),
        (role(ARN, "222222222222"), "is of account 111111111111, and account 222222222222 is worked in"),
    ],
)
def test_a_role_that_nobody_can_tell_or_another_accounts_is_refused(one: Role, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        one.check()


@pytest.mark.parametrize("named", ["", "a b", "arn:aws:iam::1:role/x", "arn:aws:iam::111111111111:user/x", "/x", "x/"])
def test_what_is_no_role(named: str) -> None:
    with pytest.raises(UsageError, match="is no role"):
        checked_role(named)


@pytest.mark.parametrize("text", ["", "x", "a b", "é7", "x" * 1225])
def test_what_is_no_external_id(text: str) -> None:
    with pytest.raises(UsageError, match="no external id"):
        checked_external_id(text)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (("ticket",), "write KEY=VALUE"),
        (("=x",), "write KEY=VALUE"),
        (("a=<b>",), "write KEY=VALUE"),
        (("aws:a=b",), "write KEY=VALUE"),
        (("a=" + "x" * 257,), "write KEY=VALUE"),
        (("a=1", "A=2"), "given twice"),
        (tuple(f"t{number}=1" for number in range(51)), "50 tags at most, not 51"),
    ],
)
def test_what_are_no_session_tags(written: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        checked_tags(written)


def test_session_tags_are_keys_with_values() -> None:
    written = ("ticket=OPS-7", "by=ada lovelace", "empty=", "expression=a=b")
    assert checked_tags(written) == written
    assert tags(written) == (("ticket", "OPS-7"), ("by", "ada lovelace"), ("empty", ""), ("expression", "a=b"))


@pytest.mark.parametrize(
    ("who", "name"),
    [
        ("ada@host", "glacier-purge-ada@host"),
        ("ada lovelace@büro", "glacier-purge-ada-lovelace@b-ro"),
        ("x" * 80, "glacier-purge-" + "x" * 50),
    ],
)
def test_a_session_says_which_tool_it_was_and_who(who: str, name: str) -> None:
    assert session_name(who) == name
