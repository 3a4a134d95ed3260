"""What replies mean: the table, row by row, and the few rules around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_purge.glacier.reply import (
    ENDS_THE_RUN,
    MESSAGE_CHARACTERS_MAX,
    Meaning,
    interpret,
    no_reply,
    read_error,
    read_reply,
    retry_after_seconds,
)

AWS = {b"x-amzn-requestid": b"abc"}


@pytest.mark.parametrize(
    ("status", "code", "message", "meaning"),
    [
        (204, None, "", Meaning.DELETED),
        (400, "ThrottlingException", "Rate exceeded", Meaning.THROTTLED),
        (400, "RequestLimitExceeded", "", Meaning.THROTTLED),
        (503, "SlowDown", "", Meaning.THROTTLED),
        (429, None, "", Meaning.THROTTLED),
        (500, "ServiceUnavailableException", "", Meaning.SERVER_FAULT),
        (408, "RequestTimeoutException", "", Meaning.SERVER_FAULT),
        (408, None, "", Meaning.SERVER_FAULT),
        (500, None, "", Meaning.SERVER_FAULT),
        (502, None, "", Meaning.SERVER_FAULT),
        (504, "SomethingNew", "", Meaning.SERVER_FAULT),
        (403, "ExpiredTokenException", "", Meaning.CREDENTIALS),
        (403, "InvalidSignatureException", "", Meaning.CREDENTIALS),
        (400, "InvalidSignatureException", "", Meaning.CREDENTIALS),
        (400, "UnrecognizedClientException", "", Meaning.CREDENTIALS),
        (400, "MissingAuthenticationTokenException", "", Meaning.CREDENTIALS),
        (403, "RequestTimeTooSkewed", "", Meaning.CLOCK),
        (403, "InvalidSignatureException", "Signature expired: 20261130T1925Z is now earlier than", Meaning.CLOCK),
        (403, "SignatureDoesNotMatch", "Signature not yet current: 20261130T1925Z is still later", Meaning.CLOCK),
        (403, "AccessDeniedException", "", Meaning.REFUSED),
        (403, None, "", Meaning.REFUSED),
        (404, "ResourceNotFoundException", "Vault not found for ARN: x", Meaning.VAULT_MISSING),
        (404, None, "", Meaning.VAULT_MISSING),
        (400, "VaultNotFound", "", Meaning.VAULT_MISSING),
        (400, "InvalidParameterValueException", "Invalid vault name: arn:x", Meaning.WRONG_VAULT),
        (400, "InvalidParameterValueException", "Invalid archive id", Meaning.UNKNOWN),
        (400, "NoLongerSupportedException", "", Meaning.NO_LONGER_SUPPORTED),
        (400, "LimitExceededException", "", Meaning.UNKNOWN),
        (400, "SerializationException", "", Meaning.UNKNOWN),
        (400, None, "", Meaning.NO_REPLY),
        (200, None, "", Meaning.NO_REPLY),
        (202, "SomethingNew", "", Meaning.NO_REPLY),
        (302, None, "", Meaning.NOT_AWS),
    ],
)
def test_a_reply_of_the_service_is_judged_by_its_code(
    status: int, code: str | None, message: str, meaning: Meaning
) -> None:
    assert interpret(status, code, message, from_aws=True) is meaning


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (204, None, Meaning.NOT_AWS),
        (200, None, Meaning.NOT_AWS),
        (302, None, Meaning.NOT_AWS),
        (403, None, Meaning.NOT_AWS),
        (403, "AccessDeniedException", Meaning.NOT_AWS),
        (404, None, Meaning.NOT_AWS),
        (400, "ThrottlingException", Meaning.THROTTLED),
        (429, None, Meaning.THROTTLED),
        (500, "ServiceUnavailableException", Meaning.SERVER_FAULT),
        (502, None, Meaning.SERVER_FAULT),
        (408, None, Meaning.SERVER_FAULT),
    ],
)
def test_without_a_request_id_only_bad_weather_is_believed(status: int, code: str | None, meaning: Meaning) -> None:
    assert interpret(status, code, "", from_aws=False) is meaning


@given(st.integers(100, 599), st.none() | st.text(), st.text(), st.booleans())
def test_nothing_but_a_204_of_the_service_is_a_deletion(
    status: int, code: str | None, message: str, from_aws: bool
) -> None:
    deleted = interpret(status, code, message, from_aws=from_aws) is Meaning.DELETED
    assert deleted == (status == 204 and from_aws)


def test_weather_never_ends_a_run() -> None:
    assert not ENDS_THE_RUN & {
        Meaning.DELETED,
        Meaning.THROTTLED,
        Meaning.SERVER_FAULT,
        Meaning.NO_REPLY,
        Meaning.CREDENTIALS,
        Meaning.UNKNOWN,
    }


@pytest.mark.parametrize(
    ("body", "error_type", "code", "message"),
    [
        (
            b'{"code":"ThrottlingException","message":"Rate exceeded","type":"Client"}',
            None,
            "ThrottlingException",
            "Rate exceeded",
        ),
        (b'{"__type":"VaultNotFound","message":"Vault not found"}', None, "VaultNotFound", "Vault not found"),
        (b'{"__type":"com.amazon#AccessDenied","Message":"no"}', None, "AccessDenied", "no"),
        (b'{"code":"A","message":null}', None, "A", ""),
        (b'{"code":"A"}', "B:http://internal.example/", "B", ""),
        (b"", "ThrottlingException", "ThrottlingException", ""),
        (b"<html>", None, None, ""),
        (b'{"code":1}', None, None, ""),
        (b"[]", None, None, ""),
        (b'{"message":"no code"}', None, None, ""),
        (b'{"code":"\xff"}', None, None, ""),
    ],
)
def test_the_code_is_read_as_the_sdk_reads_it(
    body: bytes, error_type: str | None, code: str | None, message: str
) -> None:
    assert read_error(body, error_type) == (code, message)


@given(st.binary(), st.none() | st.text())
def test_no_body_breaks_the_reader(body: bytes, error_type: str | None) -> None:
    read_error(body, error_type)


def test_a_whole_reply_is_read() -> None:
    got = read_reply(204, AWS, b"")
    assert (got.meaning, got.status, got.request_id) == (Meaning.DELETED, 204, "abc")


def test_a_message_is_cut_to_a_length_for_people() -> None:
    got = read_reply(400, AWS, b'{"code":"A","message":"' + b"x" * 5_000 + b'"}')
    assert len(got.message) == MESSAGE_CHARACTERS_MAX
    assert len(no_reply("Fault", "x" * 5_000).message) == MESSAGE_CHARACTERS_MAX


@pytest.mark.parametrize(
    ("retry_after", "x_amz_retry_after", "seconds"),
    [
        (None, None, None),
        ("3", None, 3.0),
        (" 3 ", None, 3.0),
        (None, "1500", 1.5),
        ("9", "1500", 1.5),
        ("9", "soon", 9.0),
        ("86400", None, 300.0),
        ("-1", None, None),
        ("1e9", None, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None, None),
        ("9" * 5_000, None, None),
    ],
)
def test_waits_asked_for_are_read_and_bounded(
    retry_after: str | None, x_amz_retry_after: str | None, seconds: float | None
) -> None:
    assert retry_after_seconds(retry_after, x_amz_retry_after) == seconds
