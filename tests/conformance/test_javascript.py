"""AWS's SDK for JavaScript (v3) against a simulator that checks signatures: operations, pages, waiters, errors."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.witnesses import hear, hear_javascript, needs_javascript, needs_witness

pytestmark = [pytest.mark.witness, needs_javascript]


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    testimony: dict[str, Any] = hear_javascript()
    return testimony


def test_it_finds_nothing_wrong_with_any_operation(said: dict[str, Any]) -> None:
    complaints = [f"{one['operation']}: {problem}" for one in said["results"] for problem in one["problems"]]
    assert complaints == []
    assert {one["operation"] for one in said["results"]} == set(said["operations"])
    assert len(said["operations"]) == 33


@needs_witness
def test_it_is_told_what_boto3_is_told(said: dict[str, Any]) -> None:
    for one, other in zip(said["results"], hear("by_boto3")["results"], strict=True):
        assert (one["operation"], one["status"]) == (other["operation"], other["status"])
        # boto3 counts what it took out of the reply itself among its members
        assert set(one["reply"]) - {"status"} == set(other["reply"]) - {"status"}, one["operation"]


def test_what_was_stored_comes_back(said: dict[str, Any]) -> None:
    outputs = [one["output"] for one in said["results"] if one["operation"] == "GetJobOutput"]
    assert [text[:10] for text in outputs] == ['{"VaultARN', '{"VaultARN', "ArchiveId,", "pppppppppp"]
    assert len(outputs[1]) == 100
    tags = next(one["reply"] for one in said["results"] if one["operation"] == "ListTagsForVault")
    assert tags == {"Tags": {"team": "tapes", "empty": ""}}


def test_refusals_are_its_own_classes_with_the_services_codes(said: dict[str, Any]) -> None:
    assert len(said["refusals"]) > 8
    for one in said["refusals"]:
        assert (one["code"], one["raised"], one["type"]) == (one["wanted"], one["wanted"], "Client"), one
        assert one["hasRequestId"]
    assert [(one["code"], one["status"]) for one in said["strangers"]] == [
        ("InvalidSignatureException", 403),
        ("UnrecognizedClientException", 400),
    ]


def test_it_pages_to_the_end_though_it_asks_for_a_thousand(said: dict[str, Any]) -> None:
    assert said["pages"] == {
        "vaults": {"sizes": [10, 10, 7], "names": 27},
        "jobs": {"sizes": [50, 5], "names": 55},
        "uploads": {"sizes": [50, 5], "names": 55},
    }
    assert said["waiters"] == ["SUCCESS", "SUCCESS"]


def test_a_vault_never_inventoried_is_described_as_in_the_sdks_own_example(said: dict[str, Any]) -> None:
    described = said["described"]["reply"]
    assert set(described) == {"VaultARN", "VaultName", "CreationDate", "NumberOfArchives", "SizeInBytes"}
    assert (described["NumberOfArchives"], described["SizeInBytes"]) == (0, 0)
