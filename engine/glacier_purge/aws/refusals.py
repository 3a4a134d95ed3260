"""What it means, for people, that AWS's chain gave no credentials: whose fault it is and what to do about it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from botocore import exceptions as sdk

from glacier_purge.aws.faults import SET_THE_CLOCK, Fault, fault_of, told
from glacier_purge.aws.mfa import NotAnsweredError
from glacier_purge.aws.tls import fault_in_words, host_asked, tls_fault
from glacier_purge.errors import ClockWrong, CredentialsFailed, CredentialsUnreachable
from glacier_purge.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOGIN = (sdk.SSOError, sdk.TokenRetrievalError, sdk.NoAuthTokenError)
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
    said = redact(" ".join(told(fault).split())).replace(". ", "; ")
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
    if (whose := fault_of(fault)) is Fault.CONFIGURATION:
        return CredentialsFailed(f"the AWS configuration of profile {name} does not hold: {said}. Correct it, {again}.")
    if whose is Fault.CLOCK:
        return ClockWrong(f"profile {name} is not given credentials: {said}. {SET_THE_CLOCK}")
    if isinstance(of_tls := tls_fault(fault), ssl.SSLCertVerificationError):
        return CredentialsFailed(f"{asked}: {fault_in_words(of_tls, host_asked(fault))}.")
    if whose is Fault.NO_ANSWER:
        return CredentialsUnreachable(f"{asked}: no answer ({said}). Run the same command again when there is one.")
    if isinstance(fault, sdk.ClientError):
        advice = _ROLE_ADVICE.get(fault.response.get("Error", {}).get("Code", ""), "Check the profile")
        return CredentialsFailed(f"profile {name} is not given credentials: {said}. {advice}, {again}.")
    return CredentialsFailed(f"{asked}: {type(fault).__name__}: {said}. Put that right, {again}.")
