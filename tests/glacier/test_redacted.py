"""What may be kept of a request and of a reply: a list of what stays, tried on all that people and boxes put there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from glacier_purge.glacier.redacted import HIDDEN, kept_reply, kept_request

ID, JOB, HASH = "i" * 138, "j" * 92, "0" * 63 + "a"
AWS_ON_SIGNATURES = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details.\n\nThe Canonical String for this request "
    "should have been\n'GET\n/-/vaults\n\nhost:glacier\nx-amz-security-token:canaryTOKEN\n'"
)
DENIED = (
    "User: arn:aws:sts::{whom} is not authorized to perform: glacier:DeleteArchive on resource: "
    "arn:aws:glacier:eu-west-1:{account}:vaults/v because no identity-based policy allows it"
)
ALLOWED_OUT = DENIED.format(whom="000000000000:[hidden]", account="000000000000")


def reply(body: object, *headers: tuple[str, str]) -> dict[str, Any]:
    return kept_reply(400, "1.1", list(headers), body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Rate exceeded", "Rate exceeded"),
        (f"Invalid archive ID: {ID}", f"Invalid archive ID: {ID}"),
        (f"The job ID was not found: {JOB}", f"The job ID was not found: {JOB}"),
        (f"Checksum mismatch: expected {HASH}", f"Checksum mismatch: expected {HASH}"),
        (
            "Vault not found for ARN: arn:aws:glacier:eu-west-1:123456789012:vaults/2019-photos-of-somebody",
            "Vault not found for ARN: arn:aws:glacier:eu-west-1:000000000000:vaults/2019-photos-of-somebody",
        ),
        (DENIED.format(whom="123456789012:assumed-role/admin/anna@example.org", account="123456789012"), ALLOWED_OUT),
        ("Access denied for account ID: 123456789012", "Access denied for account ID: 000000000000"),
        (AWS_ON_SIGNATURES, AWS_ON_SIGNATURES.partition("\n")[0]),
        ("The token AKIAIOSFODNN7EXAMPLE is unknown", "The token [hidden] is unknown"),
        ("key wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "key [hidden]"),
        ("token " + "canary7TOKEN" * 20, "token [hidden]"),
    ],
)
def test_messages_stay_without_whom_they_name(said: str, kept: str) -> None:
    for member in ("message", "Message", "StatusMessage"):
        assert reply({"code": "x", member: said})["json"][member] == kept


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ({"LastInventoryDate": None, "SizeInBytes": 0}, {"LastInventoryDate": None, "SizeInBytes": 0}),
        ({"CreationDate": "2012-02-20T17:01:45.198Z"}, {"CreationDate": "2012-02-20T17:01:45.198Z"}),
        ({"JobList": [{"JobId": JOB, "JobDescription": "Anna's"}]}, {"JobList": [{"JobId": JOB, "JobDescription": 0}]}),
        ({"JobDescription": "glacier-purge"}, {"JobDescription": "glacier-purge"}),
        ({"ArchiveDescription": "/home/anna/x"}, {"ArchiveDescription": 0}),
        ({"policy": {"Policy": '{"Statement":[]}'}}, {"policy": {"Policy": 0}}),
        ({"Tags": {"owner": "anna", "cost": "1"}}, {"Tags": {"[hidden] 1": 0, "[hidden] 2": 0}}),
        ({"TagKeys": ["owner"]}, {"TagKeys": [0]}),
        ({"SNSTopic": "arn:aws:sns:eu-west-1:123456789012:anna"}, {"SNSTopic": 0}),
        ({"Brand New": "x", "BrandNew": "x", "anna@example.org": 1}, {"[hidden] 1": 0, "BrandNew": 0, "[hidden] 3": 1}),
        ({"Completed": True, "Deep": [[{"Marker": "m"}]]}, {"Completed": True, "Deep": [[{"Marker": "m"}]]}),
        ([], []),
        ("a word", 0),
    ],
)
def test_members_stay_and_their_text_does_where_it_is_the_services(body: object, kept: object) -> None:
    def shown(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shown(each) for name, each in value.items()}
        if isinstance(value, list):
            return [shown(each) for each in value]
        return 0 if value == HIDDEN else value

    assert shown(reply(body)["json"]) == kept


@pytest.mark.parametrize("body", [b"<html>login as anna</html>", b"\xff\xfe", b'{"cut', b"<Arn>x</Arn>"])
def test_what_is_no_json_is_counted_and_not_kept(body: bytes) -> None:
    assert reply(body) == {"status": 400, "version": "1.1", "headers": [], "body_bytes": len(body)}


def test_headers_stay_by_name_and_few_by_what_they_say() -> None:
    kept = kept_request(
        "GET",
        "/123456789012/vaults?marker=arn%3Aaws%3Aglacier%3Aus-east-1%3A123456789012%3Avaults%2Fv&limit=10",
        [
            ("Host", "glacier.us-east-1.amazonaws.com"),
            ("X-Amz-Date", "20261130T192518Z"),
            ("x-amz-glacier-version", "2012-06-01"),
            (
                "Authorization",
                f"AWS4-HMAC-SHA256 Credential=K/2/r/s/t, SignedHeaders=host;x-amz-date, Signature={HASH}",
            ),
            ("X-Amz-Security-Token", "secret"),
            ("Proxy-Authorization", "Basic c2VjcmV0"),
            ("Cookie", "secret"),
            ("User-Agent", "anna's machine"),
        ],
        b"",
    )
    assert kept["target"] == (
        "/000000000000/vaults?marker=arn%3Aaws%3Aglacier%3Aus-east-1%3A000000000000%3Avaults%2Fv&limit=10"
    )
    assert [text for _, text in kept["headers"]] == [
        *("glacier.us-east-1.amazonaws.com", "20261130T192518Z", "2012-06-01", "SignedHeaders=host;x-amz-date"),
        *(HIDDEN, HIDDEN, HIDDEN, HIDDEN),
    ]
    assert kept["json" if "json" in kept else "body_bytes"] == 0
    answered = reply(b"", ("x-amzn-RequestId", "A" * 40), ("Set-Cookie", "secret"), ("Via", "proxy.anna.example"))
    assert [text for _, text in answered["headers"]] == ["A" * 40, HIDDEN, HIDDEN]
    located = reply(b"", ("Location", f"/123456789012/vaults/v/jobs/{JOB}"), ("Content-Type", "application/json"))
    assert [text for _, text in located["headers"]] == [f"/000000000000/vaults/v/jobs/{JOB}", "application/json"]


def test_a_long_body_is_its_length() -> None:
    assert kept_reply(206, "1.1", [], 70_000)["body_bytes"] == 70_000
