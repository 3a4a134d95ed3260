"""Denies uploads to a vault while it is purged, in its access policy, and puts the policy back afterwards.

One statement of ours is merged into whatever policy the vault has.  What was there, and what we made of it, is in
``freeze.json`` in the run folder before the service is asked to change anything, so a crash at any moment can be
thawed.  The policy is somebody else's: thawing restores the text that was there only when the policy is still exactly
what we made of it; when somebody changed it meanwhile, only our own statement is taken out of theirs.  The service has
no compare-and-set, so a change made in the instant between our reading and our writing would be lost; that window is
one request long.

It denies uploads by everybody, the account's own users included.  It never touches deletes, reads or the vault lock.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from glacier_purge.errors import PlanRefused, ServiceRefused
from glacier_purge.json_document import DocumentUnreadable, decoded, read_document
from glacier_purge.service.control import ControlRefused

if TYPE_CHECKING:
    from glacier_purge.run.folder import RunFolder
    from glacier_purge.service.control import GlacierControl

FREEZE_FILE = "freeze.json"
DENIED = (
    "glacier:UploadArchive",
    "glacier:InitiateMultipartUpload",
    "glacier:UploadMultipartPart",
    "glacier:CompleteMultipartUpload",
)
"""Everything by which an archive can come to be (API reference); aborting an upload stays allowed."""
_SID = "GlacierPurgeFreeze"
POLICY_BYTES_MAX = 20 * 1024
"""A vault access policy is 20 KB at most (Developer Guide, "SetVaultAccessPolicy")."""


class Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``freeze.json`` says. ``original`` is the policy's text before, None where there was none."""

    vault_arn: str
    sid: str
    original: str | None
    made: str
    thawed: bool = False


def settled_sha256(frozen: Frozen) -> str:
    """SHA-256 (hex) of what ``freeze.json`` held when uploads were denied: thawing changes a word of it, not this."""
    return hashlib.sha256(_encoded(msgspec.structs.replace(frozen, thawed=False))).hexdigest()


def left_over(policy: str, ours: str | None = None) -> list[str]:
    """The ids of statements in a policy that some lifecycle made and did not take away; ``ours`` is not one of them."""
    sids = [str(statement.get("Sid", "")) for statement in _statements(_read(policy))]
    return [sid for sid in sids if sid.startswith(_SID) and sid != ours]


async def freeze(control: GlacierControl, folder: RunFolder) -> None:
    """Deny uploads to the vault; does nothing when they are denied by us already.

    Raises ``ServiceRefused`` when there is a policy that our statement can't be merged into; nothing was changed then.
    """
    sid = _sid(folder)
    current = await control.access_policy()
    if current is not None and _has(current, sid):
        return
    made = merged(current, _statement(sid, control.vault.arn))
    _write(folder, Frozen(vault_arn=control.vault.arn, sid=sid, original=current, made=made))
    await control.set_access_policy(made)


async def thaw(control: GlacierControl, folder: RunFolder) -> None:
    """Take back what ``freeze`` did; does nothing when there is nothing to take back, or no vault any more."""
    frozen = read_frozen(folder)
    if frozen is None or frozen.thawed:
        return
    if frozen.vault_arn != control.vault.arn:
        raise PlanRefused(f"{folder.path / FREEZE_FILE} is about {frozen.vault_arn}, not {control.vault.arn}.")
    try:
        await _put_back(control, frozen, await control.access_policy())
    except ControlRefused as refused:
        if not refused.is_vault_missing:  # a vault that was deleted took its policy along
            raise
    _write(folder, msgspec.structs.replace(frozen, thawed=True))


def read_frozen(folder: RunFolder) -> Frozen | None:
    """What a freeze left to be taken back; None when the vault was never frozen by this run."""
    file = folder.path / FREEZE_FILE
    try:
        return read_document(file, Frozen)
    except DocumentUnreadable as error:
        raise PlanRefused(
            f"{file} cannot be read ({error}). Look at the vault's access policy and take the statement that begins "
            "with GlacierPurgeFreeze out by hand."
        ) from error


def merged(policy: str | None, statement: dict[str, Any]) -> str:
    """A policy with one statement more. Raises ``ServiceRefused`` for a policy that can't take it."""
    document: dict[str, Any] = {"Version": "2012-10-17"} if policy is None else _read(policy)
    document["Statement"] = [*_statements(document), statement]
    text = msgspec.json.encode(document).decode()
    if len(text.encode()) > POLICY_BYTES_MAX:
        raise ServiceRefused(
            f"the vault's access policy has no room for a statement more ({len(text):,} of {POLICY_BYTES_MAX:,} "
            "bytes). Go on without --freeze, or shorten the policy. Nothing was changed."
        )
    return text


def without(policy: str, sid: str) -> str | None:
    """A policy without the statement of that id; None when nothing is left of it."""
    document = _read(policy)
    rest = [statement for statement in _statements(document) if statement.get("Sid") != sid]
    return msgspec.json.encode({**document, "Statement": rest}).decode() if rest else None


async def _put_back(control: GlacierControl, frozen: Frozen, current: str | None) -> None:
    if current is None or not _has(current, frozen.sid):
        return
    is_ours = _read(current) == _read(frozen.made)
    restored = frozen.original if is_ours else without(current, frozen.sid)
    if restored is None:
        await control.delete_access_policy()
    else:
        await control.set_access_policy(restored)


def _sid(folder: RunFolder) -> str:
    """An id for our statement: letters and digits only, and no two runs have the same."""
    run = str(folder.path.resolve())
    return f"{_SID}{hashlib.sha256(run.encode()).hexdigest()[:16]}"


def _statement(sid: str, vault_arn: str) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": list(DENIED), "Resource": vault_arn}


def _has(policy: str, sid: str) -> bool:
    return any(statement.get("Sid") == sid for statement in _statements(_read(policy)))


def _read(policy: str) -> dict[str, Any]:
    try:
        return decoded(policy, dict[str, Any])
    except DocumentUnreadable as error:
        raise ServiceRefused(
            f"the vault's access policy is no policy document ({error}). It was not touched."
        ) from error


def _statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements; a single one may stand without a list around it."""
    found = document.get("Statement", [])
    statements = found if isinstance(found, list) else [found]
    if not all(isinstance(statement, dict) for statement in statements):
        raise ServiceRefused("the vault's access policy has a statement that is none. It was not touched.")
    return statements


def _write(folder: RunFolder, frozen: Frozen) -> None:
    folder.replace(FREEZE_FILE, _encoded(frozen))


def _encoded(frozen: Frozen) -> bytes:
    return msgspec.json.format(msgspec.json.encode(frozen), indent=2) + b"\n"
