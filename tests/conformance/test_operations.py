"""All 33 operations, acted out by boto3 and by the AWS CLI, held against botocore's own model."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance import coverage
from tests.conformance.witnesses import hear, needs_witness

pytestmark = [pytest.mark.witness, needs_witness]


def complaints(testimony: dict[str, Any]) -> list[str]:
    return [f"{one['operation']}: {problem}" for one in testimony["results"] for problem in one["problems"]]


def replies(testimony: dict[str, Any], operation: str) -> list[dict[str, Any]]:
    return [one["reply"] for one in testimony["results"] if one["operation"] == operation]


@pytest.fixture(scope="module")
def by_boto3() -> dict[str, Any]:
    testimony: dict[str, Any] = hear("by_boto3")
    return testimony


@pytest.fixture(scope="module")
def by_cli() -> dict[str, Any]:
    testimony: dict[str, Any] = hear("by_cli")
    return testimony


def test_boto3_finds_nothing_wrong_with_any_operation(by_boto3: dict[str, Any]) -> None:
    assert complaints(by_boto3) == []
    assert {one["operation"] for one in by_boto3["results"]} == set(by_boto3["operations"])
    assert len(by_boto3["operations"]) == 33


def test_the_aws_cli_finds_nothing_wrong_with_any_operation(by_cli: dict[str, Any]) -> None:
    assert complaints(by_cli) == []
    assert {one["operation"] for one in by_cli["results"]} == set(by_cli["operations"])


def test_refusals_are_read_as_the_errors_they_are(by_boto3: dict[str, Any], by_cli: dict[str, Any]) -> None:
    assert len(by_boto3["refusals"]) == len(by_cli["refusals"]) > 0
    for one in [*by_boto3["refusals"], *by_cli["refusals"]]:
        assert one["code"] == one["wanted"], one["operation"]
        assert one.get("raised", one["wanted"]) == one["wanted"]


def test_both_clients_are_told_the_same(by_boto3: dict[str, Any], by_cli: dict[str, Any]) -> None:
    for one, other in zip(by_boto3["results"], by_cli["results"], strict=True):
        assert one["operation"] == other["operation"]
        assert set(one["reply"]) == set(other["reply"]), one["operation"]


def test_what_was_stored_comes_back(by_cli: dict[str, Any]) -> None:
    assert replies(by_cli, "ListTagsForVault") == [{"Tags": {"team": "tapes", "empty": ""}}]
    assert [lock["State"] for lock in replies(by_cli, "GetVaultLock")] == ["InProgress", "Locked"]
    assert replies(by_cli, "ListParts")[0]["Parts"][0]["RangeInBytes"] == "0-1048575"
    assert replies(by_cli, "GetDataRetrievalPolicy")[0]["Policy"]["Rules"][0]["Strategy"] == "BytesPerHour"
    assert [len(listed["JobList"]) for listed in replies(by_cli, "ListJobs")] == [2, 2]
    outputs = [one["output"] for one in by_cli["results"] if one["output"]]
    assert [text[:10] for text in outputs] == ['{"VaultARN', '{"VaultARN', "ArchiveId,", "pppppppppp"]


def test_the_coverage_table_is_current(by_boto3: dict[str, Any], by_cli: dict[str, Any]) -> None:
    assert coverage.FILE.read_text("utf-8") == coverage.table(by_boto3, by_cli), (
        "run python -m tests.conformance.coverage"
    )
