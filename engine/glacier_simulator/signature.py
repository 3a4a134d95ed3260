"""Signature Version 4, checked as the service does: written from AWS's specification, sharing nothing with any
client.

A request is taken apart into the canonical form, the signature is calculated again from the configured secret,
and everything that differs is refused with the code and words AWS uses.  Only the ``Authorization`` header form
is known; presigned URLs count as unsigned.

Source: IAM User Guide, "Create a signed AWS API request".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import NamedTuple, Protocol
from urllib.parse import quote

from glacier_simulator import dates
from glacier_simulator.account import Caller, Credential
from glacier_simulator.exchange import Request
from glacier_simulator.refusal import Refusal

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "glacier"
SKEW_SECONDS = 300.0
"""A signature is good for five minutes either way ("- 5 min." in AWS's own refusals)."""

REGIONS = frozenset(
    {
        *("af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1"),
        *("ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ca-central-1", "cn-north-1", "cn-northwest-1"),
        *("eu-central-1", "eu-north-1", "eu-south-1", "eu-west-1", "eu-west-2", "eu-west-3", "me-south-1"),
        *("sa-east-1", "us-east-1", "us-east-2", "us-gov-east-1", "us-gov-west-1", "us-west-1", "us-west-2"),
    }
)
"""Where the vault service is (botocore's endpoints.json); newer regions never got it."""

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +"
    r"Credential=(?P<key>[^/, ]+)/(?P<date>[0-9]{8})/(?P<region>[^/, ]+)/(?P<service>[^/, ]+)/aws4_request *, *"
    r"SignedHeaders=(?P<headers>[a-z0-9;_.-]+) *, *Signature=(?P<signature>[0-9a-f]{64})"
)
_SCOPE_REGION = re.compile(r"Credential=[^/, ]*/[0-9]{8}/([a-z0-9-]{1,32})/(?:glacier|sts)/aws4_request")
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


class Keys(Protocol):
    """The keys somebody may sign with."""

    def get(self, key: str, /) -> Credential | None:
        """Whose it is; None: nobody's."""


class _Signed(NamedTuple):
    key: str
    date: str
    region: str
    service: str
    headers: list[str]
    signature: str


def region_of_scope(request: Request, default: str) -> str:
    """The region a request was signed for, without checking anything; ``default`` if that says nothing."""
    match = _SCOPE_REGION.search(request.headers.get("authorization", ""))
    return match[1] if match and match[1] in REGIONS else default


def check_signature(request: Request, keys: Keys, wall: float, service: str = SERVICE) -> Caller:
    """Say who signed the request, or refuse it. ``wall`` is the time of signing, epoch seconds."""
    signed = _read(request)
    credential = keys.get(signed.key)
    if credential is None:
        raise Refusal("UnrecognizedClientException", "The security token included in the request is invalid.")
    _check_scope(signed, service)
    moment = _check_date(request, signed, wall)
    expected = _signature(request, signed, moment, credential.secret)
    if not hmac.compare_digest(expected, signed.signature):
        raise Refusal("InvalidSignatureException", _MISMATCH)
    _check_token(request, credential, wall)
    return Caller(
        account_id=credential.account_id,
        principal_arn=credential.principal_arn,
        region=signed.region,
        policy=credential.policy,
        role_arn=credential.role_arn,
        tags=credential.tags,
    )


def _read(request: Request) -> _Signed:
    header = request.headers.get("authorization")
    if not header:
        raise Refusal("MissingAuthenticationTokenException", "Missing Authentication Token")
    match = _AUTHORIZATION.fullmatch(header)
    if match is None:
        raise Refusal("IncompleteSignatureException", f"Authorization header is incomplete: {header[:64]}")
    headers = match["headers"].split(";")
    if "host" not in headers:
        raise Refusal("InvalidSignatureException", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    return _Signed(match["key"], match["date"], match["region"], match["service"], headers, match["signature"])


def _check_scope(signed: _Signed, service: str) -> None:
    if signed.service != service:
        raise Refusal("InvalidSignatureException", f"Credential should be scoped to correct service: '{service}'.")
    if signed.region not in REGIONS:
        raise Refusal(
            "InvalidSignatureException", f"Credential should be scoped to a valid region, not '{signed.region}'."
        )


def _check_date(request: Request, signed: _Signed, wall: float) -> str:
    moment = request.headers.get("x-amz-date") or request.headers.get("date", "")
    seconds = dates.read(moment) if re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", moment) else None
    if seconds is None:
        raise Refusal("IncompleteSignatureException", "Date must be in ISO-8601 'basic format'. See 'x-amz-date'.")
    if not moment.startswith(signed.date):
        raise Refusal(
            "InvalidSignatureException",
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{signed.date}' != '{moment[:8]}', from '{moment}'.",
        )
    now, minutes = dates.basic(wall), int(SKEW_SECONDS // 60)
    if seconds < int(wall) - SKEW_SECONDS:
        limit = dates.basic(wall - SKEW_SECONDS)
        raise Refusal(
            "InvalidSignatureException",
            f"Signature expired: {moment} is now earlier than {limit} ({now} - {minutes} min.)",
        )
    if seconds > wall + SKEW_SECONDS:
        limit = dates.basic(wall + SKEW_SECONDS)
        raise Refusal(
            "InvalidSignatureException",
            f"Signature not yet current: {moment} is still later than {limit} ({now} + {minutes} min.)",
        )
    return moment


def _check_token(request: Request, credential: Credential, wall: float) -> None:
    token = request.headers.get("x-amz-security-token")
    if token != credential.session_token:
        raise Refusal("UnrecognizedClientException", "The security token included in the request is invalid.")
    if credential.expires is not None and wall >= credential.expires:
        raise Refusal("ExpiredTokenException", "The security token included in the request is expired")


def _signature(request: Request, signed: _Signed, moment: str, secret: str) -> str:
    scope = f"{signed.date}/{signed.region}/{signed.service}/aws4_request"
    digest = hashlib.sha256(_canonical_request(request, signed.headers).encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"{ALGORITHM}\n{moment}\n{scope}\n{digest}"
    return hmac.digest(key, text.encode(), "sha256").hex()


def _canonical_request(request: Request, signed_headers: list[str]) -> str:
    pairs = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in request.query.items())
    headers = [f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed_headers]
    payload = request.headers.get("x-amz-content-sha256") or hashlib.sha256(request.body).hexdigest()
    return "\n".join(
        [
            request.method,
            quote(_without_dots(request.path), safe="/~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(headers),
            ";".join(signed_headers),
            payload,
        ]
    )


def _without_dots(path: str) -> str:
    """The path as it is signed: without empty, ``.`` and ``..`` parts (RFC 3986)."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    end = "/" if path.endswith("/") and parts else ""
    return "/" + "/".join(parts) + end
