"""Whose fault it is when the SDK raises: a table that has every exception there is, and what is made of each."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import TYPE_CHECKING

import aioboto3.s3.cse
import aiobotocore.response
import aiohttp
import aiohttp.client_exceptions
import aiohttp.compression_utils
import aiohttp.http_exceptions
import boto3.exceptions
import botocore.discovery
import botocore.eventstream
import botocore.exceptions
import botocore.model
import botocore.parsers
import botocore.utils
import pytest

from glacier_purge.aws.faults import (
    CLOCK_CODES,
    CLOCK_MESSAGES,
    CREDENTIALS_CODES,
    THROTTLED_CODES,
    UNAVAILABLE_CODES,
    Fault,
    configured,
    fault_of,
    fault_of_code,
    is_listed,
    told,
)
from glacier_purge.aws.refusals import refusal
from glacier_purge.errors import ClockWrong, ConfigurationFailed, CredentialsFailed, CredentialsUnreachable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

MODULES = (
    *(botocore.exceptions, botocore.parsers, botocore.eventstream, botocore.discovery, botocore.utils, botocore.model),
    *(aiohttp.client_exceptions, aiohttp.http_exceptions, aiohttp.compression_utils, boto3.exceptions),
    *(aiobotocore.response, aioboto3.s3.cse),
)
"""All that define exceptions a client can raise; those of aiohttp's servers and of vendored copies are not met."""


def exceptions_of(module: ModuleType) -> Iterator[type[Exception]]:
    for value in vars(module).values():
        is_error = isinstance(value, type) and issubclass(value, Exception) and not issubclass(value, Warning)
        if is_error and value.__module__ == module.__name__:
            yield value


EXCEPTIONS = sorted({kind for module in MODULES for kind in exceptions_of(module)}, key=str)


def test_the_whole_tree_of_the_sdk_is_in_the_table() -> None:
    assert [kind for kind in EXCEPTIONS if not is_listed(kind)] == []
    assert len(EXCEPTIONS) > 150


def test_no_module_of_the_sdk_with_exceptions_of_its_own_was_forgotten() -> None:
    roots = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, aiohttp.ClientError)
    known = {module.__name__ for module in MODULES} | {"botocore.errorfactory"}  # classes of codes, made by clients

    def below(kind: type[Exception]) -> Iterator[type[Exception]]:
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    for name in ("aiobotocore.session", "aiobotocore.credentials", "aiobotocore.endpoint", "aiohttp.connector"):
        importlib.import_module(name)
    strangers = {each.__module__ for root in roots for each in below(root)} - known
    assert {name for name in strangers if name.partition(".")[0] in {"botocore", "aiobotocore", "aiohttp"}} == set()


def test_an_exception_that_a_newer_sdk_has_is_what_its_base_is() -> None:
    class LoginOfTomorrow(botocore.exceptions.SSOError):  # type: ignore[misc]  # botocore publishes no types
        fmt = "tomorrow"

    assert not is_listed(LoginOfTomorrow)
    assert fault_of(LoginOfTomorrow()) is Fault.CREDENTIALS


def after(cause: Exception, error: Exception) -> Exception:
    """``error`` as it is raised while ``cause`` is handled."""
    error.__context__ = cause
    return error


def refused(code: str, message: str = "", status: int = 400) -> Exception:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error: Exception = botocore.exceptions.ClientError(answer, "AssumeRole")
    return error


NO_NAME = aiohttp.ClientConnectionError("Cannot connect to host sts: Name or service not known")
ASKED = SimpleNamespace(real_url="http://proxy:3128")
SAYS_NO = aiohttp.ClientHttpProxyError(ASKED, (), status=403, message="Forbidden")  # type: ignore[arg-type]  # enough
UNREACHED = botocore.exceptions.EndpointConnectionError(endpoint_url="https://sts")
PROXY = botocore.exceptions.ProxyConnectionError(proxy_url="http://proxy:3128")


@pytest.mark.parametrize(
    ("error", "kind", "exit_code", "said"),
    [
        (after(NO_NAME, UNREACHED), CredentialsUnreachable, 3, "Name or service not known"),
        (after(SAYS_NO, PROXY), CredentialsUnreachable, 3, "403, message='Forbidden'"),
        (
            after(UNREACHED, botocore.exceptions.CredentialRetrievalError(provider="sso", error_msg="no")),
            *(CredentialsUnreachable, 3, "no answer"),
        ),
        (refused("Throttling", "Rate exceeded"), CredentialsUnreachable, 3, "Rate exceeded"),
        (refused("InternalFailure", status=500), CredentialsUnreachable, 3, "InternalFailure"),
        (
            refused("AccessDenied", "not authorized to perform sts:AssumeRole", 403),
            CredentialsFailed,
            253,
            "not given credentials",
        ),
        (
            refused("ExpiredToken", "The security token is expired", 403),
            CredentialsFailed,
            253,
            "not given credentials",
        ),
        (refused("SignatureDoesNotMatch", "Signature expired: 2026", 403), ClockWrong, 253, "Set this host's clock"),
        (refused("RequestTimeTooSkewed", status=403), ClockWrong, 253, "Set this host's clock"),
        (
            botocore.exceptions.InvalidConfigError(error_msg='the "nix" sso_session does not exist'),
            *(CredentialsFailed, 253, "does not hold"),
        ),
        (
            botocore.exceptions.CredentialRetrievalError(provider="custom-process", error_msg="exit 1"),
            *(CredentialsFailed, 253, "custom-process"),
        ),
        (FileNotFoundError(2, "No such file or directory", "helper"), CredentialsFailed, 253, "helper"),
        (PermissionError(13, "Permission denied", "config"), CredentialsFailed, 253, "Permission denied"),
        (KeyError("AccessKeyId"), CredentialsFailed, 253, "AccessKeyId"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_why_there_are_no_credentials(
    error: Exception, kind: type[CredentialsFailed], exit_code: int, said: str
) -> None:
    failure = refusal(error, "AWS's chain of credentials", None)
    assert type(failure) is kind
    assert failure.exit_code == exit_code
    assert said in str(failure)


@pytest.mark.parametrize(
    ("code", "message", "status", "fault"),
    [
        *((code, "", 400, Fault.NO_ANSWER) for code in sorted(THROTTLED_CODES | UNAVAILABLE_CODES)),
        *((code, "", 403, Fault.CREDENTIALS) for code in sorted(CREDENTIALS_CODES)),
        *((code, "", 403, Fault.CLOCK) for code in sorted(CLOCK_CODES)),
        *((code, f"{start}: 20261130T192500Z", 403, Fault.CLOCK) for code, start in CLOCK_MESSAGES),
        ("AccessDenied", "", 403, Fault.REFUSED),
        ("ResourceNotFoundException", "", 404, Fault.REFUSED),
        ("NobodyKnows", "", 400, Fault.REFUSED),
        ("NobodyKnows", "", 503, Fault.NO_ANSWER),
        ("429", "", 429, Fault.NO_ANSWER),
        ("408", "", 408, Fault.NO_ANSWER),
    ],
)
def test_whose_fault_a_code_is(code: str, message: str, status: int, fault: Fault) -> None:
    assert fault_of_code(code, message, status) is fault


def test_an_address_of_a_proxy_that_is_none_is_the_configurations() -> None:
    wrapped = after(aiohttp.InvalidURL("rubbish://"), botocore.exceptions.HTTPClientError(error="rubbish"))
    assert fault_of(wrapped) is Fault.CONFIGURATION


def test_a_configuration_that_can_not_be_is_told_with_what_lies_below() -> None:
    fault = botocore.exceptions.ConfigParseError(path="config")
    with (
        pytest.raises(ConfigurationFailed, match=r"not hold: .*config \(ValueError: line 1\)\. Check the profile"),
        configured(),
    ):
        raise after(ValueError("line 1\nand more"), fault)


@pytest.mark.parametrize("error", [KeyError("x"), UsageError("ours"), UNREACHED])
def test_all_else_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, configured():
        raise error
    assert caught.value is error


def test_what_is_said_already_is_not_said_again() -> None:
    assert told(after(ValueError("why"), ValueError("it failed: why."))) == "it failed: why"
