"""What it means, for people, that AWS's chain gave no credentials: whose fault it is and what to do about it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from botocore import exceptions as sdk

from glacier_purge.aws.mfa import NotAnsweredError
from glacier_purge.errors import CredentialsFailed, CredentialsUnreachable
from glacier_purge.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOGIN = (sdk.SSOError, sdk.TokenRetrievalError, sdk.NoAuthTokenError)
_CONFIGURATION = (
    sdk.ConfigNotFound,
    sdk.ConfigParseError,
    sdk.InvalidConfigError,
    sdk.PartialCredentialsError,
    sdk.ProfileNotFound,
    sdk.UnknownCredentialError,
)
_UNREACHED = (sdk.HTTPClientError, sdk.ConnectionError)
_LATER = {
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "IDPCommunicationError",
}
_ROLE_ADVICE: Mapping[str, str] = {
    "AccessDenied": "Check the role, who may take it, and the code if one was asked for; each works once",
    "AccessDeniedException": "Check the role, who may take it, and the code if one was asked for; each works once",
    "ExpiredToken": "Log in again",
    "ExpiredTokenException": "Whoever writes the identity token has to write a new one",
    "InvalidIdentityToken": "Whoever writes the identity token has to write a new one",
}


def refusal(fault: Exception, asked: str, profile: str | None) -> CredentialsFailed:
    """Say what kept ``asked`` (in words) from giving credentials for ``profile`` (None: the default one)."""
    name = profile or "default"
    said = redact(" ".join(str(fault).split())).rstrip(".").replace(". ", "; ")
    again = "then run the same command again"
    if isinstance(fault, NotAnsweredError):
        return CredentialsFailed(
            f"profile {name} needs a one-time code (MFA), and {said}. Where there is a terminal, run `aws sts "
            f"get-caller-identity --profile {name}`, {again}: it uses that session for as long as it lasts."
        )
    if isinstance(fault, _LOGIN):
        return CredentialsFailed(
            f"the login of profile {name} is missing or over ({said}). Run `aws sso login --profile {name}`, {again}."
        )
    if isinstance(fault, _CONFIGURATION):
        return CredentialsFailed(f"the AWS configuration of profile {name} does not hold: {said}. Correct it, {again}.")
    if isinstance(fault, sdk.ClientError):
        return _refused(fault, asked, name)
    if isinstance(fault, _UNREACHED) and not isinstance(fault.__cause__ or fault.__context__, ssl.SSLError):
        return CredentialsUnreachable(f"{asked}: not reached ({said}). Run the same command again when it can be.")
    return CredentialsFailed(f"{asked}: {type(fault).__name__}: {said}. Put that right, {again}.")


def _refused(fault: sdk.ClientError, asked: str, name: str) -> CredentialsFailed:
    code = fault.response.get("Error", {}).get("Code", "")
    status = int(fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    said = redact(" ".join(str(fault).split())).rstrip(".").replace(". ", "; ")
    if code in _LATER or status >= 500 or status == 429:
        return CredentialsUnreachable(f"{asked}: {said}. Run the same command again later.")
    advice = _ROLE_ADVICE.get(code, "Check the profile")
    return CredentialsFailed(
        f"profile {name} is not given credentials: {said}. {advice}, then run the same command again."
    )
