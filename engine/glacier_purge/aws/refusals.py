"""What it means, for people, that AWS's chain gave no credentials: whose fault it is and what to do about it."""

from __future__ import annotations

import ssl
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from botocore import exceptions as sdk

from glacier_purge.aws.faults import SET_THE_CLOCK, Fault, fault_of, told
from glacier_purge.aws.mfa import NotAnsweredError
from glacier_purge.aws.tls import fault_in_words, host_asked, tls_fault
from glacier_purge.errors import ClockWrong, CredentialsFailed, CredentialsUnreachable, GlacierPurgeError, HostFailed
from glacier_purge.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier_purge.aws.roles import Role

NO_PROFILES: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
_AWS_LOGIN = "login_session"
"""The key of a profile that `aws login` made."""
_SINGLE_SIGN_ON = frozenset({"sso_session", "sso_start_url"})
_AGAIN = "then run the same command again"
_OVER = "the refreshed credentials are still expired"
"""What botocore says of a set that is over when it comes."""
_LOGIN = (sdk.SSOError, sdk.TokenRetrievalError, sdk.NoAuthTokenError)
_ROLE_ADVICE: Mapping[str, str] = {
    "AccessDenied": "Check the role, who may take it, and the code if one was asked for; each works once",
    "AccessDeniedException": "Check the role, who may take it, and the code if one was asked for; each works once",
    "ExpiredToken": "Log in again",
    "ExpiredTokenException": "Whoever writes the identity token has to write a new one",
    "InvalidIdentityToken": "Whoever writes the identity token has to write a new one",
}

_ASSUMING_ADVICE: Mapping[str, str] = {
    "AccessDenied": (
        "Of a role that is missing AWS says the same. Both sides have to allow it: the trust policy of the role this "
        "caller, with the external id and session tags that it gives (config/iam/trust.json), and the policy of this "
        "caller the role (config/iam/assume.json). Correct --role, --external-id, --session-tag, or a policy"
    ),
    "ValidationError": "Correct --role, --external-id or --session-tag",
    "InvalidParameterValue": "Correct --session-tag",
    "PackedPolicyTooLarge": "Give fewer or shorter session tags (--session-tag)",
    "RegionDisabledException": "Have the account's administrator activate STS in this region",
}


def refusal(
    fault: Exception, asked: str, profile: str | None, profiles: Mapping[str, Mapping[str, Any]] = NO_PROFILES
) -> CredentialsFailed:
    """Say what kept ``asked`` (in words) from giving credentials for ``profile`` (None: the default one).

    ``profiles`` are those of the AWS configuration, where it can be read.
    """
    name = profile or "default"
    said = redact(" ".join(told(fault).split())).replace(". ", "; ")
    if isinstance(fault, HostFailed):  # which passes, as a network does
        return CredentialsUnreachable(str(fault))
    if isinstance(fault, GlacierPurgeError):
        return CredentialsFailed(str(fault))
    return _by_a_person(fault, said, name, profiles) or _by_what_was_asked(fault, said, asked, name)


def role_refused(fault: Exception, role: Role) -> CredentialsFailed:
    """Say that ``role`` is not given, to whom (AWS names them), and what lets it be."""
    answer: Any = getattr(fault, "response", {})
    said = redact(" ".join(told(fault).split())).replace(". ", "; ")
    otherwise = "Renew the AWS credentials" if fault_of(fault) is Fault.CREDENTIALS else "Check --role"
    advice = _ASSUMING_ADVICE.get(answer.get("Error", {}).get("Code", ""), otherwise)
    return CredentialsFailed(f"the role {role.arn} is not given: {said}. {advice}, {_AGAIN}.")


def _by_a_person(
    fault: Exception, said: str, name: str, profiles: Mapping[str, Mapping[str, Any]]
) -> CredentialsFailed | None:
    """What somebody has to log in or type something for; None for all else."""
    login = _profile_with_login(profiles, name)
    if isinstance(fault, NotAnsweredError):
        return CredentialsFailed(
            f"profile {name} needs a one-time code (MFA), and {said}. Where there is a terminal, run `aws sts "
            f"get-caller-identity --profile {name}`, {_AGAIN}: it uses that session for as long as it lasts."
        )
    is_unreadable = isinstance(fault, KeyError) and profiles.get(login, {}).keys() & _SINGLE_SIGN_ON
    if isinstance(fault, _LOGIN) or is_unreadable:
        return CredentialsFailed(
            f"the login of profile {login} is missing or over ({said}). Run `aws sso login --profile {login}`, "
            f"{_AGAIN}."
        )
    return none_found(profiles, name) if _AWS_LOGIN in profiles.get(login, {}) else None


def _by_what_was_asked(fault: Exception, said: str, asked: str, name: str) -> CredentialsFailed:
    """What is wrong with a configuration, a clock, a certificate, or with an answer or its absence."""
    of_tls, whose = tls_fault(fault), fault_of(fault)
    if isinstance(of_tls, ssl.SSLCertVerificationError) and whose is not Fault.CONFIGURATION:
        return CredentialsFailed(f"{asked}: {fault_in_words(of_tls, host_asked(fault))}.")
    if whose is Fault.CONFIGURATION:
        return CredentialsFailed(
            f"the AWS configuration of profile {name} does not hold: {said}. Correct it, {_AGAIN}."
        )
    if whose is Fault.CLOCK:
        return ClockWrong(f"profile {name} is not given credentials: {said}. {SET_THE_CLOCK}")
    if whose is Fault.NO_ANSWER:
        return CredentialsUnreachable(f"{asked}: no answer ({said}). Run the same command again when there is one.")
    if isinstance(fault, sdk.ClientError):
        advice = _ROLE_ADVICE.get(fault.response.get("Error", {}).get("Code", ""), "Check the profile")
        return CredentialsFailed(f"profile {name} is not given credentials: {said}. {advice}, {_AGAIN}.")
    if _OVER in said:
        return CredentialsFailed(
            f"{asked} gave credentials that are over by this host's clock. Look at both, {_AGAIN}."
        )
    what = said if whose is Fault.CREDENTIALS else f"{type(fault).__name__}: {said}"
    return CredentialsFailed(f"{asked}: {what}. Put that right, {_AGAIN}.")


def none_found(profiles: Mapping[str, Mapping[str, Any]], profile: str | None) -> CredentialsFailed:
    """Say that the chain came to its end for ``profile`` (None: the default one) without any."""
    login = _profile_with_login(profiles, profile or "default")
    if _AWS_LOGIN in profiles.get(login, {}):
        return CredentialsFailed(
            f"profile {login} is one of `aws login`, which only the AWS CLI can read. Run `aws login --profile "
            f"{login}`, add a profile with: credential_process = aws configure export-credentials --profile {login} "
            "--format process, and give that one with --profile."
        )
    return CredentialsFailed(
        "no AWS credentials were found. Log in, or set --profile, AWS_PROFILE or AWS_ACCESS_KEY_ID."
    )


def _profile_with_login(profiles: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """The profile that somebody logs in to for ``name``: itself, or one that its role is taken from."""
    at, seen = name, set[str]()
    while at not in seen:
        seen.add(at)
        profile = profiles.get(at, {})
        if profile.keys() & {_AWS_LOGIN, *_SINGLE_SIGN_ON}:
            return at
        at = profile.get("source_profile", at)
    return name
