"""Which job a message names: SNS's envelope, raw delivery, and everything else that may lie in a queue."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_purge.inventory.announced import announced_job

JOB = {"Action": "InventoryRetrieval", "ArchiveId": None, "Completed": True, "JobId": "HkF9", "StatusCode": "Succeeded"}
ENVELOPE = {"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:jobs", "Message": json.dumps(JOB)}

MESSAGES = [
    (ENVELOPE, "HkF9"),
    (JOB, "HkF9"),
    (JOB | {"Message": "not an envelope", "Type": "Select"}, "HkF9"),
    (ENVELOPE | {"Type": "SubscriptionConfirmation"}, None),
    (ENVELOPE | {"Message": "plain text"}, None),
    (ENVELOPE | {"Message": JOB}, None),
    (ENVELOPE | {"Message": json.dumps(ENVELOPE)}, None),
    (JOB | {"JobId": 7}, None),
    (JOB | {"JobId": None}, None),
    ({}, None),
    ([JOB], None),
    ("HkF9", None),
]


@pytest.mark.parametrize(("message", "job_id"), MESSAGES)
def test_a_job_is_named_by_the_envelope_or_the_raw_message_and_by_nothing_else(
    message: object, job_id: str | None
) -> None:
    assert announced_job(json.dumps(message)) == job_id


@pytest.mark.parametrize("body", ["", "{", "[" * 100_000, '{"JobId": "\ud800"}', "HkF9", "\x00"])
def test_what_is_no_json_names_nothing(body: str) -> None:
    assert announced_job(body) is None


@given(st.text())
def test_no_text_is_too_strange_to_be_left_alone(body: str) -> None:
    assert announced_job(body) is None
    assert announced_job(json.dumps(ENVELOPE | {"Message": body})) is None
