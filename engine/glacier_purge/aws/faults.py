"""Whose fault it is when AWS's SDK, or the HTTP client below it, raises: one table for every exception they have.

The exceptions are known by name, so that nobody loads an SDK to be told about one, and a test goes through all that the
installed SDK has and fails over one that is not here.  What a service refuses is told apart by the code string of its
answer, never by the SDK's classes; the codes that every service of AWS has in common are here, what Amazon Glacier has
beside them is ``glacier.reply``.
"""

from __future__ import annotations

from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any

from glacier_purge.errors import (
    ClockWrong,
    ConfigurationFailed,
    CredentialsFailed,
    GlacierPurgeError,
    RunStopped,
    ServiceRefused,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class Fault(Enum):
    """Whose fault it is, and so what a command ends with."""

    CREDENTIALS = "credentials"
    """None, expired, or not to be had by the way the configuration says: 253."""
    CONFIGURATION = "configuration"
    """A profile, variable or file says what can't be: 253."""
    CLOCK = "clock"
    """The host's clock is wrong: 253, since it stays wrong until somebody sets it."""
    REFUSED = "refused"
    """The service says no: 254."""
    NO_ANSWER = "no answer"
    """Not reached, or no answer that can be read, or "later": 3."""
    BUG = "bug"
    """Nothing that files, disks, networks or answers can cause: 255."""


THROTTLED_CODES = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "RequestThrottledException",
        "RequestThrottled",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "ProvisionedThroughputExceededException",
        "SlowDown",
    }
)
UNAVAILABLE_CODES = frozenset(
    {
        "ServiceUnavailableException",
        "ServiceUnavailable",
        "InternalFailure",
        "InternalServerError",
        "InternalServerException",
        "InternalServiceError",
        "InternalError",
        "RequestTimeoutException",
        "RequestTimeout",
        "IDPCommunicationError",
    }
)
CREDENTIALS_CODES = frozenset(
    {
        "ExpiredTokenException",
        "ExpiredToken",
        "RequestExpired",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "InvalidToken",
        "TokenRefreshRequired",
        "AuthFailure",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "MissingAuthenticationTokenException",
        "MissingAuthenticationToken",
        "IncompleteSignatureException",
        "IncompleteSignature",
    }
)
CLOCK_CODES = frozenset({"RequestTimeTooSkewed", "RequestInTheFuture"})
CLOCK_MESSAGES = tuple(
    (code, beginning)
    for code in ("InvalidSignatureException", "SignatureDoesNotMatch")
    for beginning in ("Signature expired", "Signature not yet current")
)
"""(code, how the message begins): a signature that would be good at another time."""

_FAULTS: dict[Fault, dict[str, str]] = {
    Fault.CREDENTIALS: {
        "botocore": "NoCredentialsError CredentialRetrievalError "
        "NoAuthTokenError TokenRetrievalError SSOError SSOTokenLoadError UnauthorizedSSOTokenError LoginError "
        "LoginTokenLoadError LoginRefreshRequired LoginAuthorizationCodeError LoginInsufficientPermissions "
        "RefreshWithMFAUnsupportedError InvalidTokenError",
    },
    Fault.CONFIGURATION: {
        "botocore": "ConfigNotFound ConfigParseError PartialCredentialsError UnknownCredentialError "
        "ProfileNotFound InvalidConfigError InfiniteLoopConfigError "
        "InvalidRegionError UnknownRegionError NoRegionError BaseEndpointResolverError UnknownEndpointError "
        "UnknownFIPSEndpointError EndpointVariantError EndpointProviderError EndpointResolutionError "
        "UnknownEndpointResolutionBuiltInName InvalidEndpointConfigurationError ServiceNotInRegionError "
        "InvalidEndpointDiscoveryConfigurationError InvalidDefaultsMode InvalidIMDSEndpointError "
        "InvalidIMDSEndpointModeError InvalidProxiesConfigError InvalidRetryConfigurationError InvalidRetryModeError "
        "InvalidMaxRetryAttemptsError InvalidS3AddressingStyleError InvalidS3UsEast1RegionalEndpointConfigError "
        "InvalidSTSRegionalEndpointsConfigError InvalidChecksumConfigError InvalidDNSNameError InvalidHostLabelError "
        "UnknownSignatureVersionError UnsupportedSignatureVersionError UnsupportedS3ArnError "
        "UnsupportedS3AccesspointConfigurationError UnsupportedS3ConfigurationError UnsupportedS3ControlArnError "
        "UnsupportedS3ControlConfigurationError UnsupportedOutpostResourceError DataNotFoundError "
        "MissingDependencyException MD5UnavailableError InvalidArnException",
        "aiohttp": "InvalidURL InvalidUrlClientError InvalidUrlRedirectClientError NonHttpUrlClientError "
        "NonHttpUrlRedirectClientError",
    },
    Fault.NO_ANSWER: {
        "botocore": "BotoCoreError ConnectionError EndpointConnectionError SSLError ConnectTimeoutError "
        "ProxyConnectionError HTTPClientError ConnectionClosedError ReadTimeoutError ResponseStreamingError "
        "IncompleteReadError MetadataRetrievalError BadIMDSRequestError _RetriesExceededError ChecksumError "
        "FlexibleChecksumError CapacityNotAvailableError ResponseParserError ParserError ChecksumMismatch "
        "InvalidHeadersLength InvalidPayloadLength DuplicateHeader NoInitialResponseError EventStreamError "
        "EndpointDiscoveryException EndpointDiscoveryRefreshFailed EndpointDiscoveryRequired",
        "aiobotocore": "AioReadTimeoutError",
        "aiohttp": "ClientError ClientConnectionError ClientConnectionResetError ClientOSError ClientConnectorError "
        "ClientConnectorDNSError ClientProxyConnectionError ClientSSLError ClientConnectorSSLError "
        "ClientConnectorCertificateError UnixClientConnectorError ServerConnectionError ServerDisconnectedError "
        "ServerTimeoutError ConnectionTimeoutError SocketTimeoutError ServerFingerprintMismatch ClientPayloadError "
        "ClientResponseError ClientHttpProxyError ContentTypeError TooManyRedirects RedirectClientError "
        "HttpProcessingError BadHttpMessage HttpBadRequest BadStatusLine BadHttpMethod InvalidHeader InvalidURLError "
        "LineTooLong PayloadEncodingError ContentEncodingError ContentLengthError TransferEncodingError "
        "DecompressSizeError TooManyMembersError UploadAbortedError EofStream",
    },
    Fault.BUG: {
        "botocore": "ValidationError ParamValidationError AliasConflictParameterError RangeError UnknownKeyError "
        "UnknownParameterError MissingParametersError OperationNotPageableError PaginationError UnknownServiceError "
        "UnknownServiceStyle ApiVersionNotFoundError UnknownClientMethodError UndefinedModelAttributeError "
        "MissingServiceIdError InvalidExpressionError WaiterError WaiterConfigError UnseekableStreamError "
        "UnsupportedServiceProtocolsError AwsChunkedWrapperError StubResponseError StubAssertionError "
        "UnStubbedResponseError InvalidShapeError InvalidShapeReferenceError NoShapeFoundError OperationNotFoundError",
        "aiohttp": "WSServerHandshakeError WSMessageTypeError WSHandshakeError WebSocketError",
        "aioboto3": "DecryptError",
        "boto3": "Boto3Error DynamoDBNeedsConditionError DynamoDBNeedsKeyConditionError RetriesExceededError "
        "DynamoDBOperationNotSupportedError NoVersionFound ResourceLoadException ResourceNotExistsError "
        "S3TransferFailedError S3UploadFailedError UnknownAPIVersionError",
    },
}
"""By package, the names of its exceptions. A class that is not here is what its base is."""

_BY_NAME = {
    (package, name): fault
    for fault, packages in _FAULTS.items()
    for package, names in packages.items()
    for name in names.split()
}


def is_listed(kind: type[BaseException]) -> bool:
    """Tell whether the table has a class itself, and not only a base of it; refusals are listed by their code."""
    return _named(kind) in _BY_NAME or _named(kind) == _REFUSAL


def fault_of(error: BaseException) -> Fault:
    """Say whose fault an exception of the SDK is, or of what it stands on; what is in no table is a bug, or for
    ``host_faults`` to say.

    The SDK wraps: credentials that could not be had because nobody answered are not the credentials' fault, and an
    address of a proxy that is none is no network's.
    """
    fault = _itself(error)
    instead = _INSTEAD.get(fault, fault)
    return instead if any(_itself(below) is instead for below in _below(error) if is_listed(type(below))) else fault


_INSTEAD = {Fault.CREDENTIALS: Fault.NO_ANSWER, Fault.NO_ANSWER: Fault.CONFIGURATION}


def _itself(error: BaseException) -> Fault:
    for kind in type(error).__mro__:
        if _named(kind) == _REFUSAL:
            return _of_refusal(error)
        if _named(kind) in _BY_NAME:
            return _BY_NAME[_named(kind)]
    is_of_network = isinstance(error, OSError) and error.filename is None
    return Fault.NO_ANSWER if is_of_network else Fault.BUG


def fault_of_code(code: str, message: str, status: int) -> Fault:
    """Say whose fault a refusal of any service of AWS is."""
    if code in CLOCK_CODES or any(code == one and message.startswith(start) for one, start in CLOCK_MESSAGES):
        return Fault.CLOCK
    if code in THROTTLED_CODES | UNAVAILABLE_CODES or status >= 500 or status in {408, 429}:
        return Fault.NO_ANSWER
    return Fault.CREDENTIALS if code in CREDENTIALS_CODES else Fault.REFUSED


def told(error: BaseException) -> str:
    """What an exception of the SDK says, with what lies below it: the SDK leaves out why a proxy or a name failed."""
    said = str(error).rstrip(".")
    for below in _below(error):
        why = str(below).rstrip(".")
        if why and why not in said:
            return f"{said} ({type(below).__name__}: {why.splitlines()[0]})"
    return said


SET_THE_CLOCK = "Set this host's clock (`timedatectl` tells of it), then run the same command again."
_CHECK_CONFIGURATION = (
    "Check the profile (--profile, AWS_PROFILE), the AWS_ variables and the files AWS_CONFIG_FILE and "
    "AWS_SHARED_CREDENTIALS_FILE name (~/.aws/config and ~/.aws/credentials otherwise)."
)


def as_error(error: Exception, what: str, advice: str) -> GlacierPurgeError:
    """Say as an error of ours that a question to a service failed; ``advice`` is for one that was refused.

    Raises ``error`` itself where it is a bug, or ours already.
    """
    said = f"{what}: {told(error)}."
    match fault_of(error):
        case Fault.BUG:
            raise error
        case Fault.CONFIGURATION:
            return ConfigurationFailed(f"{said} {_CHECK_CONFIGURATION}")
        case Fault.CREDENTIALS:
            return CredentialsFailed(f"{said} Renew the AWS credentials, then run the same command again.")
        case Fault.CLOCK:
            return ClockWrong(f"{said} {SET_THE_CLOCK}")
        case Fault.REFUSED:
            return ServiceRefused(f"{said} {advice}")
        case Fault.NO_ANSWER:
            return RunStopped(f"{said} Try again later.")


@contextmanager
def configured() -> Iterator[None]:
    """Raise ``ConfigurationFailed`` for what the SDK can't make of the user's configuration, in which values that are
    no numbers or addresses are ``ValueError`` to it.
    """
    try:
        yield
    except GlacierPurgeError:
        raise
    except Exception as error:
        if fault_of(error) is not Fault.CONFIGURATION and type(error) is not ValueError:
            raise
        raise ConfigurationFailed(
            f"AWS's configuration does not hold: {told(error)}. {_CHECK_CONFIGURATION} Nothing was sent."
        ) from error


_REFUSAL = ("botocore", "ClientError")


def _of_refusal(error: BaseException) -> Fault:
    answer: Any = getattr(error, "response", {})
    refusal, metadata = answer.get("Error", {}), answer.get("ResponseMetadata", {})
    return fault_of_code(refusal.get("Code", ""), refusal.get("Message") or "", metadata.get("HTTPStatusCode", 0))


def _named(kind: type[BaseException]) -> tuple[str, str]:
    return kind.__module__.partition(".")[0], kind.__name__


def _below(error: BaseException) -> Iterator[BaseException]:
    below = error.__cause__ or error.__context__
    while below is not None:
        yield below
        below = below.__cause__ or below.__context__
