from __future__ import annotations

import pytest

from glacier_purge.redaction import redact

KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key AKIAIOSFODNN7EXAMPLE used", "key AKIA…MPLE used"),
        ("ASIAIOSFODNN7EXAMPLE", "ASIA…MPLE"),
        (f"secret is {KEY}.", "secret is [hidden]."),
        (f"aws_secret_access_key = {KEY}", "aws_secret_access_key = [hidden]"),
        ('{"SecretAccessKey": "short-one", "n": 1}', '{"SecretAccessKey": "[hidden]", "n": 1}'),
        ("'X-Amz-Security-Token': b'IQoJb3JpZ2luX2VjEA/+='", "'X-Amz-Security-Token': b'[hidden]'"),
        ("x-amz-security-token:IQoJb3JpZ2luX2VjEA//\nhost:h", "x-amz-security-token:[hidden]\nhost:h"),
        ("SessionToken=abc&x=1", "SessionToken=[hidden]&x=1"),
        ("no way to http://jane:Hunter2@proxy:3128/", "no way to http://jane:[hidden]@proxy:3128/"),
        ("'http://:p%40ss@[::1]:8080'", "'http://:[hidden]@[::1]:8080'"),
        ("got IQoJb3JpZ2luX2VjEA/+=== and more", "got [hidden] and more"),
        ("(eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0.c2ln)", "([hidden])"),
        ("token=FwoGZXIvYXdzEBYaDH", "token=[hidden]"),
        (
            '{"accessToken": "eyJ0eXAi.x", "client_secret":"abc"}',
            '{"accessToken": "[hidden]", "client_secret":"[hidden]"}',
        ),
        ("DB_PASSWORD=hunter2 passwd: hunter2", "DB_PASSWORD=[hidden] passwd: [hidden]"),
        ("Authorization: Bearer abc.def rest", "Authorization: [hidden] rest"),
        (
            "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1, Signature=fe5f\nnext",
            "Authorization: [hidden]\nnext",
        ),
        ("Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024", "Signature=[hidden]"),
    ],
)
def test_secrets_are_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "NkbByEejwEggmBz2fTHgJrg0XBoDfjP4q6iu87-TjhqG6eGoOY9Z8i1_AUyUsuhPAdTqLHy8pTl5nfCFJmDl2yEZONi5L26Omw12vcs",
        "fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        f"an archive {'IQoJ' + 'b-_9' * 33 + 'xy'} that is one",
        "http://127.0.0.1:8080/a@b and arn:aws:s3:::x@y",
        "arn:aws:glacier:us-east-1:123456789012:vaults/photos",
        "the authorization of this run has expired",
        "the security token included in the request is invalid",
        "Error loading SSO Token: Token for corp does not exist",
    ],
)
def test_what_people_must_be_able_to_read_is_left_whole(text: str) -> None:
    assert redact(text) == text
