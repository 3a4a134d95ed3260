"""The bytes of a delete: what is signed is what is sent."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from glacier_purge.archive import ArchiveId, Vault
from glacier_purge.glacier.http.request import DeleteRequest, host_header

VAULT = Vault(account_id="123456789012", region="us-east-1", name="a..b")
ARCHIVE = ArchiveId("-" * 138)


@dataclass(frozen=True)
class Keys:
    access_key: str = "AKID"
    secret_key: str = "secret"
    token: str | None = None


def header(request: bytes, name: str) -> str:
    return dict(line.split(": ", 1) for line in request.decode().split("\r\n")[1:] if line)[name]


@pytest.mark.parametrize(
    ("endpoint_url", "host"),
    [
        ("https://glacier.us-east-1.amazonaws.com", "glacier.us-east-1.amazonaws.com"),
        ("https://glacier.us-east-1.amazonaws.com:443", "glacier.us-east-1.amazonaws.com"),
        ("http://127.0.0.1:80", "127.0.0.1"),
        ("http://127.0.0.1:443", "127.0.0.1:443"),
        ("https://[::1]:8443", "[::1]:8443"),
    ],
)
def test_the_host_is_named_as_it_is_signed(endpoint_url: str, host: str) -> None:
    assert host_header(endpoint_url) == host


def test_the_path_has_six_segments() -> None:
    (request,) = DeleteRequest(VAULT, host="h").to_delete([ARCHIVE], Keys(), 0)
    path = request.split(b" ")[1].decode()
    assert path == f"/123456789012/vaults/a..b/archives/{ARCHIVE}"
    assert len(path.split("/")) == 6


def test_the_date_follows_the_clock_and_the_keys_follow_the_credentials() -> None:
    request = DeleteRequest(VAULT, host="h")
    (first,) = request.to_delete([ARCHIVE], Keys(), 1_000_000_000.9)
    assert header(first, "X-Amz-Date") == "20010909T014640Z"
    (later,) = request.to_delete([ARCHIVE], Keys(), 1_000_000_001.0)
    assert header(later, "X-Amz-Date") == "20010909T014641Z"
    (earlier,) = request.to_delete([ARCHIVE], Keys(), 999_999_999.0)  # a clock may be set back
    assert header(earlier, "X-Amz-Date") == "20010909T014639Z"
    (renewed,) = request.to_delete([ARCHIVE], Keys(access_key="NEW", token="t"), 999_999_999.0)
    assert "Credential=NEW/20010909/" in header(renewed, "Authorization")
    assert header(renewed, "X-Amz-Security-Token") == "t"


def test_no_two_deletes_share_an_invocation_id() -> None:
    request = DeleteRequest(VAULT, host="h")
    requests = [made for many in (1, 2, 3) for made in request.to_delete([ARCHIVE] * many, Keys(), 0)]
    ids = [header(made, "amz-sdk-invocation-id") for made in requests]
    assert len(set(ids)) == 6
    assert {len(each) for each in ids} == {36}
