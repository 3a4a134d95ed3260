"""Every way the service says no: one table from error code to status and type, and the exact bytes of the reply.

A refusal is raised where it is found and becomes a response in one place.  Messages that clients are known to
match on are made by the functions below, so that each stands in the code once.

Sources: Developer Guide, "Error responses"; botocore's service model 2012-06-01; messages as quoted by users of
the service (mt-aws-glacier #32 #35, glacier-vault-remove #28, glacieruploader #61, bakthat #10, awssum #59).
"""

from __future__ import annotations

import json

from glacier_simulator.exchange import Response

_STATUS: dict[str, int] = {
    "AccessDeniedException": 403,
    "BadRequest": 400,
    "ExpiredTokenException": 403,
    "IncompleteSignatureException": 400,
    "InsufficientCapacityException": 503,  # the guide's figure; botocore's model says 400
    "InvalidParameterValueException": 400,
    "InvalidSignatureException": 403,
    "LimitExceededException": 400,
    "MissingAuthenticationTokenException": 400,
    "MissingParameterValueException": 400,
    "NoLongerSupportedException": 400,
    "PolicyEnforcedException": 400,
    "RequestTimeoutException": 408,
    "ResourceNotFoundException": 404,
    "SerializationException": 400,
    "ServiceUnavailableException": 500,  # not 503
    "ThrottlingException": 400,  # not 429
    "UnknownOperationException": 404,
    "UnrecognizedClientException": 400,
}
_SERVER_FAULTS = frozenset({"InsufficientCapacityException", "ServiceUnavailableException"})

THROTTLED_BODY = b'{"code":"ThrottlingException","message":"Rate exceeded","type":"Client"}'
"""72 bytes, as a captured Content-Length says (mt-aws-glacier #35)."""


class Refusal(Exception):
    """The service's no. ``code`` is a row of the guide's table; ``status`` and type follow from it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = _STATUS[code]

    def response(self) -> Response:
        """Make the reply that says so."""
        fault = "Server" if self.code in _SERVER_FAULTS else "Client"
        body = {"code": self.code, "message": self.message, "type": fault}
        return _error(self.status, json.dumps(body, separators=(",", ":")).encode())


def throttled() -> Response:
    """Refuse for rate."""
    return _error(400, THROTTLED_BODY)


def _error(status: int, body: bytes) -> Response:
    return Response(status, [("Content-Type", "application/json")], body)


def vault_missing(arn_or_name: str) -> Refusal:
    """The vault is not there; said of names no vault can have too, with the bare name in place of the ARN."""
    return not_found(f"Vault not found for ARN: {arn_or_name}")


def wrong_vault(arn: str) -> Refusal:
    """The archive id belongs to another vault (which the message does not say)."""
    return invalid(f"Invalid vault name: {arn}")


def foreign_account(account_id: str) -> Refusal:
    """The path names an account in which the caller has nothing (awssum #59, to the byte)."""
    return Refusal("AccessDeniedException", f"Access denied for account ID: {account_id}")


def vault_in_use(arn: str) -> Refusal:
    """DeleteVault came before an inventory that says zero, or after a write since."""
    return invalid(f"Vault not empty or recently written to: {arn}")


def invalid(message: str) -> Refusal:
    """A parameter's value is not valid."""
    return Refusal("InvalidParameterValueException", message)


def missing(what: str) -> Refusal:
    """A required parameter is missing."""
    return Refusal("MissingParameterValueException", f"Required parameter missing: {what}")


def unreadable(message: str) -> Refusal:
    """The body is not what it should be, before anything in it was understood."""
    return Refusal("SerializationException", message)


def not_found(message: str) -> Refusal:
    """Something other than a vault is not there."""
    return Refusal("ResourceNotFoundException", message)
