"""The statement by which a lifecycle denies uploads, and a vault's access policy with and without it. Pure.

The policy is somebody else's, and so is every text that is not understood: what is no policy document is refused here
and never taken for an empty one.  Two policies are the same when they say the same; how a text is spaced is nobody's
business but the owner's, who gets it back as it was where that is known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

import msgspec

from glacier_purge.errors import ServiceRefused
from glacier_purge.storage.documents import DocumentUnreadable, decoded

SID_PREFIX = "GlacierPurgeFreeze"
"""What the id of every statement of ours begins with, whichever lifecycle made it."""
DENIED_ACTIONS = (
    "glacier:UploadArchive",
    "glacier:InitiateMultipartUpload",
    "glacier:UploadMultipartPart",
    "glacier:CompleteMultipartUpload",
)
"""Everything by which an archive can come to be (API reference); aborting an upload stays allowed."""
POLICY_BYTES_MAX = 20 * 1024
"""A vault access policy is 20 KB at most (Developer Guide, "SetVaultAccessPolicy")."""


def sid_for(identity: bytes) -> str:
    """The id of the statement of whoever has this identity: letters and digits only, as policies want it."""
    return f"{SID_PREFIX}{hashlib.sha256(identity).hexdigest()[:16]}"


def denial(sid: str, vault_arn: str) -> dict[str, Any]:
    """The statement: nobody uploads, the account's own users included. Deletes and reads are not touched."""
    return {"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": list(DENIED_ACTIONS), "Resource": vault_arn}


def ours_in(policy: str | None) -> list[dict[str, Any]]:
    """The statements of any lifecycle's in a policy. Raises ``ServiceRefused`` for what is no policy."""
    if policy is None:
        return []
    return [one for one in _statements(_read(policy)) if str(one.get("Sid", "")).startswith(SID_PREFIX)]


def sids_of(statements: list[dict[str, Any]]) -> list[str]:
    """The ids of statements that have one."""
    return [str(one["Sid"]) for one in statements]


def with_statement(policy: str | None, statement: dict[str, Any]) -> str:
    """A policy with one statement more. Raises ``ServiceRefused`` for a policy that can't take it."""
    document: dict[str, Any] = {"Version": "2012-10-17", "Statement": []} if policy is None else _read(policy)
    text = _written({**document, "Statement": [*_statements(document), statement]})
    if len(text.encode()) > POLICY_BYTES_MAX:
        raise ServiceRefused(
            f"the vault's access policy has no room for a statement more ({len(text.encode()):,} of "
            f"{POLICY_BYTES_MAX:,} bytes). Go on without --freeze, or shorten the policy. Nothing was changed."
        )
    return text


def without(policy: str | None, sids: Collection[str]) -> str | None:
    """A policy without the statements of these ids; None when nothing is left of it.

    Raises ``ServiceRefused`` for what is no policy.
    """
    if policy is None:
        return None
    document = _read(policy)
    rest = [statement for statement in _statements(document) if statement.get("Sid") not in list(sids)]
    return _written({**document, "Statement": rest}) if rest else None


def is_same(one: str | None, other: str | None) -> bool:
    """Tell whether two policies say the same; what is no policy is the same as nothing."""
    try:
        return _meaning(one) == _meaning(other)
    except ServiceRefused:
        return False


def _meaning(policy: str | None) -> dict[str, Any]:
    document = {} if policy is None else _read(policy)
    statements = _statements(document) if policy is not None else []
    return {**document, "Statement": statements} if statements else {}


def _read(policy: str) -> dict[str, Any]:
    try:
        document = decoded(policy, dict[str, Any])
    except DocumentUnreadable as error:
        raise ServiceRefused(
            f"the vault's access policy is no policy document ({error}). It was not touched."
        ) from error
    if "Statement" not in document:
        raise ServiceRefused("the vault's access policy is no policy document (no Statement). It was not touched.")
    return document


def _statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements; a single one may stand without a list around it."""
    found = document["Statement"]
    statements = found if isinstance(found, list) else [found]
    if not all(isinstance(statement, dict) for statement in statements):
        raise ServiceRefused("the vault's access policy has a statement that is none. It was not touched.")
    return statements


def _written(document: dict[str, Any]) -> str:
    return msgspec.json.encode(document).decode()
