"""Which operation a request asks for: a table from method and shape of the path to operation.

The shape is the path with its names replaced by ``*``; names are taken apart before they are decoded, so
``%2F`` in a name never makes a new path part.  One slash at the end is forgiven, as common servers do - which
is why a client that lets ``..`` into an archive id ends up at DeleteVault.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote

from glacier_simulator import refusal
from glacier_simulator.exchange import Request

_OPERATIONS: dict[tuple[str, str], str] = {
    ("GET", "vaults"): "ListVaults",
    ("PUT", "vaults/*"): "CreateVault",
    ("GET", "vaults/*"): "DescribeVault",
    ("DELETE", "vaults/*"): "DeleteVault",
    ("POST", "vaults/*/archives"): "UploadArchive",
    ("DELETE", "vaults/*/archives/*"): "DeleteArchive",
    ("POST", "vaults/*/multipart-uploads"): "InitiateMultipartUpload",
    ("GET", "vaults/*/multipart-uploads"): "ListMultipartUploads",
    ("PUT", "vaults/*/multipart-uploads/*"): "UploadMultipartPart",
    ("GET", "vaults/*/multipart-uploads/*"): "ListParts",
    ("POST", "vaults/*/multipart-uploads/*"): "CompleteMultipartUpload",
    ("DELETE", "vaults/*/multipart-uploads/*"): "AbortMultipartUpload",
    ("POST", "vaults/*/jobs"): "InitiateJob",
    ("GET", "vaults/*/jobs"): "ListJobs",
    ("GET", "vaults/*/jobs/*"): "DescribeJob",
    ("GET", "vaults/*/jobs/*/output"): "GetJobOutput",
    ("POST", "vaults/*/lock-policy"): "InitiateVaultLock",
    ("GET", "vaults/*/lock-policy"): "GetVaultLock",
    ("DELETE", "vaults/*/lock-policy"): "AbortVaultLock",
    ("POST", "vaults/*/lock-policy/*"): "CompleteVaultLock",
    ("GET", "vaults/*/access-policy"): "GetVaultAccessPolicy",
    ("PUT", "vaults/*/access-policy"): "SetVaultAccessPolicy",
    ("DELETE", "vaults/*/access-policy"): "DeleteVaultAccessPolicy",
    ("GET", "vaults/*/notification-configuration"): "GetVaultNotifications",
    ("PUT", "vaults/*/notification-configuration"): "SetVaultNotifications",
    ("DELETE", "vaults/*/notification-configuration"): "DeleteVaultNotifications",
    ("GET", "vaults/*/tags"): "ListTagsForVault",
    ("POST", "vaults/*/tags"): "",  # by the query's ``operation``
    ("GET", "policies/data-retrieval"): "GetDataRetrievalPolicy",
    ("PUT", "policies/data-retrieval"): "SetDataRetrievalPolicy",
    ("GET", "provisioned-capacity"): "ListProvisionedCapacity",
    ("POST", "provisioned-capacity"): "PurchaseProvisionedCapacity",
}
_TAG_OPERATIONS = {"add": "AddTagsToVault", "remove": "RemoveTagsFromVault"}


class Route(NamedTuple):
    """Where a request leads: the operation's name, the account in the path, and the names in it."""

    operation: str
    account_id: str
    names: tuple[str, ...]


def route(request: Request) -> Route:
    """Find the operation. Raises ``Refusal`` for a path or method that leads nowhere."""
    parts = request.path.split("/")
    if len(parts) > 2 and parts[-1] == "":
        parts.pop()
    if len(parts) < 3 or parts[0] != "" or len(parts) > 7:
        raise _nowhere(request)
    account_id, rest = unquote(parts[1]), parts[2:]
    names = tuple(unquote(name) for name in rest[1::2]) if rest[0] == "vaults" else ()
    if rest[0] == "vaults":
        rest[1::2] = "*" * len(names)
    operation = _OPERATIONS.get((request.method, "/".join(rest)))
    if operation == "":
        operation = _TAG_OPERATIONS.get(request.query.get("operation", ""))
    if operation is None or "" in names:
        raise _nowhere(request)
    return Route(operation, account_id, names)


def _nowhere(request: Request) -> refusal.Refusal:
    shown = f"{request.method} {request.path[:256]}"
    return refusal.Refusal("UnknownOperationException", f"There is no operation {shown}")
