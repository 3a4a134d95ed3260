"""Requests signed by botocore pass; whatever is changed afterwards is refused in AWS's words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from glacier_simulator import dates
from glacier_simulator.account import Credential
from glacier_simulator.refusal import Refusal
from glacier_simulator.signature import check_signature
from glacier_simulator.vault import PretendGlacier
from tests.glacier_simulator.asking import ACCOUNT, KEY, NOW, OWNER, SECRET, VERSION, read, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier_simulator.exchange import Request

TOKEN = "session-token"
VISITOR = Credential(SECRET, ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s", TOKEN, expires=NOW * 2)
KEYS = {KEY: OWNER, "ASIAVISITOR": VISITOR}


def signed(
    path: str = "/-/vaults/photos",
    *,
    method: str = "GET",
    body: bytes = b"",
    key: str = KEY,
    secret: str = SECRET,
    token: str | None = None,
    region: str = "us-east-1",
    service: str = "glacier",
) -> tuple[Request, float]:
    """A request signed by botocore, and the time it was signed at."""
    request = AWSRequest(method, f"https://glacier.us-east-1.amazonaws.com{path}", dict(VERSION), body)
    SigV4Auth(Credentials(key, secret, token), service, region).add_auth(request)
    wire = read(request.prepare())
    moment = dates.read(wire.headers["x-amz-date"])
    assert moment is not None
    return wire, moment


def changed(request: Request, **headers: str | None) -> Request:
    """The request with headers set, or taken out where None."""
    merged = {**request.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return msgspec.structs.replace(request, headers={name: value for name, value in merged.items() if value})


@pytest.mark.parametrize(
    "path",
    [
        "/-/vaults/photos",
        "/123456789012/vaults",
        "/-/vaults?limit=5&marker=arn%3Aaws%3Aglacier%3Aus-east-1%3A123456789012%3Avaults%2Fa%20b",
        "/-/vaults/photos/tags?operation=add",
        "/-/vaults/a%20b/archives/-_x",
        "/-/vaults/photos/archives/..",
        "/-/vaults/photos/",
        "/-//vaults/./photos",
        "/-/vaults/ph%C3%B6tos?empty=",
    ],
)
def test_what_botocore_signs_is_accepted(path: str) -> None:
    request, moment = signed(path)
    caller = check_signature(request, KEYS, moment)
    assert (caller.account_id, caller.principal_arn, caller.region) == (ACCOUNT, OWNER.principal_arn, "us-east-1")


def test_a_body_and_a_session_token_are_part_of_the_signature() -> None:
    request, moment = signed(method="POST", body=b"{}", key="ASIAVISITOR", token=TOKEN)
    assert check_signature(request, KEYS, moment).principal_arn == VISITOR.principal_arn
    with pytest.raises(Refusal, match="does not match"):
        check_signature(msgspec.structs.replace(request, body=b"{ }"), KEYS, moment)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda r: changed(r, authorization=None), "MissingAuthenticationTokenException", "Missing Authentication"),
        (lambda r: changed(r, authorization="Bearer x"), "IncompleteSignatureException", "Bearer x"),
        (lambda r: changed(r, x_amz_date=None), "IncompleteSignatureException", "ISO-8601"),
        (lambda r: changed(r, x_amz_date="20991332T000000Z"), "IncompleteSignatureException", "ISO-8601"),
        (lambda r: changed(r, x_amz_date="20200101T000000Z"), "InvalidSignatureException", "Credential scope"),
        (lambda r: changed(r, host="elsewhere"), "InvalidSignatureException", "does not match"),
        (lambda r: changed(r, x_amz_glacier_version="2013-01-01"), "InvalidSignatureException", "does not match"),
        (lambda r: msgspec.structs.replace(r, method="DELETE"), "InvalidSignatureException", "does not match"),
        (lambda r: msgspec.structs.replace(r, path="/-/vaults/other"), "InvalidSignatureException", "does not match"),
        (lambda r: msgspec.structs.replace(r, query={"a": "b"}), "InvalidSignatureException", "does not match"),
        (
            lambda r: changed(r, authorization=r.headers["authorization"].replace("host;", "")),
            "InvalidSignatureException",
            "'Host' must be",
        ),
        (lambda r: changed(r, x_amz_security_token="x"), "UnrecognizedClientException", "token included"),
    ],
)
def test_what_was_changed_is_refused(change: Callable[[Request], Request], code: str, words: str) -> None:
    request, moment = signed()
    with pytest.raises(Refusal, match=words) as caught:
        check_signature(change(request), KEYS, moment)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"key": "AKIAUNKNOWN"}, "UnrecognizedClientException", "token included in the request is invalid"),
        ({"secret": "wrong"}, "InvalidSignatureException", "does not match"),
        ({"region": "mars-north-1"}, "InvalidSignatureException", "valid region, not 'mars-north-1'"),
        ({"service": "s3"}, "InvalidSignatureException", "correct service: 'glacier'"),
        ({"key": "ASIAVISITOR"}, "UnrecognizedClientException", "token included in the request is invalid"),
    ],
)
def test_who_may_not_sign_is_refused(options: dict[str, str], code: str, words: str) -> None:
    request, moment = signed(**options)  # type: ignore[arg-type] # only the string options are in the table
    with pytest.raises(Refusal, match=words) as caught:
        check_signature(request, KEYS, moment)
    assert caught.value.code == code


def test_a_signature_lasts_five_minutes_either_way() -> None:
    request, moment = signed()
    for skew in (-299.0, 0.0, 299.0):
        check_signature(request, KEYS, moment + skew)
    with pytest.raises(Refusal, match=r"Signature expired: \S+Z is now earlier than \S+Z \(\S+Z - 5 min\.\)"):
        check_signature(request, KEYS, moment + 302)
    with pytest.raises(Refusal, match=r"Signature not yet current: \S+Z is still later than"):
        check_signature(request, KEYS, moment - 302)


def test_an_expired_token_is_named_as_such() -> None:
    expired = msgspec.structs.replace(VISITOR, expires=1.0)
    request, moment = signed(key="ASIAVISITOR", token=TOKEN)
    glacier = PretendGlacier(credentials={"ASIAVISITOR": expired})
    assert refused(glacier.handle(request, NOW, wall=moment))[:2] == (403, "ExpiredTokenException")


def test_the_region_signed_for_is_the_region_asked() -> None:
    glacier = PretendGlacier()
    glacier.create_vault("photos", NOW)
    home, _ = signed()
    abroad, _ = signed(region="eu-west-1")
    nowhere, _ = signed(region="mars-north-1")
    assert glacier.handle(home, NOW).status == 200
    assert refused(glacier.handle(abroad, NOW)) == (
        404,
        "ResourceNotFoundException",
        f"Vault not found for ARN: arn:aws:glacier:eu-west-1:{ACCOUNT}:vaults/photos",
    )
    assert glacier.handle(nowhere, NOW).status == 200


OTHER = Credential("secret", "222222222222", "arn:aws:iam::222222222222:user/other")


def test_another_account_needs_to_be_allowed_by_the_vaults_policy() -> None:
    glacier = PretendGlacier(credentials={KEY: OWNER, "OTHER": OTHER})
    vault = glacier.generate_vault("photos", 3, NOW)
    archive_id = vault.shelf.archive_id(0)

    def by_other(method: str, path: str) -> tuple[int, str]:
        request, moment = signed(f"/{ACCOUNT}{path}", method=method, key="OTHER", secret="secret")
        response = glacier.handle(request, NOW, wall=moment)
        return (response.status, "") if response.status < 300 else refused(response)[:2]

    denied = (403, "AccessDeniedException")
    assert by_other("GET", "/vaults/photos") == denied
    assert by_other("GET", "/vaults") == denied
    assert by_other("PUT", "/vaults/theirs") == denied
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
        "Action": "glacier:DeleteArchive",
        "Resource": "*",
    }
    vault.facts.access_policy = json.dumps({"Statement": statement})
    vault.settle()
    assert by_other("GET", "/vaults/photos") == denied
    assert by_other("DELETE", f"/vaults/photos/archives/{archive_id}") == (204, "")
    assert by_other("GET", "/vaults/nope") == (404, "ResourceNotFoundException")
