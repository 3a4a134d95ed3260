"""Denies uploads to a vault while it is purged, in its access policy, and puts the policy back afterwards.

One statement of ours is merged into whatever policy the vault has.  Its id comes from the lifecycle's terms, which are
written once and move with the folder, so whoever goes on with the lifecycle knows its statement again.  What was there
before is in ``freeze.json`` in the folder before the service is asked to change anything, and stays there until it was
put back: a policy with our statement in it is never taken for the owner's.

The service's word counts, and not ours: after each change the policy is read back, and only what it says then is
reported.  What is put back is what the vault has now without our statement, in the owner's own spelling where that
says the same; so an owner's changes are kept, and a ``freeze.json`` that is lost or edited can hurt nobody.  The
service has no compare-and-set, so a change made in the instant between our reading and our writing would be lost; that
window is one request long.

It denies uploads by everybody, the account's own users included.  It never touches deletes, reads or the vault lock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

import msgspec

from glacier_purge.errors import PlanRefused, RunStopped
from glacier_purge.glacier.control import ControlRefused, GlacierControl
from glacier_purge.guard.upload_denial import (
    SID_PREFIX,
    denial,
    is_same,
    ours_in,
    sid_for,
    sids_of,
    with_statement,
    without,
)
from glacier_purge.storage.documents import DocumentUnreadable, encoded, read_document
from glacier_purge.storage.folder import TERMS_FILE, RunFolder

FREEZE_FILE = "freeze.json"


class Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``freeze.json`` says. ``original`` is the policy's text before, None where there was none; ``made`` is what
    it became, for people who compare; ``thawed`` that it was put back."""

    vault_arn: str
    sid: str
    original: str | None
    made: str
    thawed: bool = False


def settled_sha256(frozen: Frozen) -> str:
    """SHA-256 (hex) of what ``freeze.json`` held when uploads were denied: thawing changes a word of it, not this."""
    return hashlib.sha256(encoded(msgspec.structs.replace(frozen, thawed=False))).hexdigest()


async def freeze(control: GlacierControl, folder: RunFolder) -> str:
    """Deny uploads to the vault and see that they are; return the id of the statement that denies them.

    Does nothing where they are denied by this lifecycle already.  Raises ``ServiceRefused`` when there is a policy that
    our statement can't be merged into (nothing was changed then), ``PlanRefused`` for a ``freeze.json`` that is not
    this vault's, and ``RunStopped`` when the service said yes and its policy does not.
    """
    known, sid, arn = _known(control, folder), _sid(folder), control.vault.arn
    earlier = None if known is None or known.thawed else known
    current = await control.access_policy()
    frozen = to_write_down(earlier, current, sid, arn)
    statement = denial(frozen.sid, arn)
    if frozen != earlier:
        _write(folder, frozen)
    if _of(current, {frozen.sid}) == [statement]:
        return frozen.sid
    await control.set_access_policy(with_statement(without(current, {sid, frozen.sid}), statement))
    if _of(await control.access_policy(), {frozen.sid}) != [statement]:
        raise RunStopped(
            f"{arn}: the service took an access policy that denies uploads, and does not have it. Uploads may be "
            "denied or not; nothing is deleted meanwhile. The same command looks again and goes on."
        )
    return frozen.sid


async def is_denied(control: GlacierControl, folder: RunFolder) -> bool:
    """Tell whether the vault's policy still has the statement that ``freeze`` set, whole.

    One that may not be read is taken to have it, and so is that of a vault that is gone: nothing is concluded then.
    Raises as ``take_out`` does.
    """
    known = _known(control, folder)
    sid = _sid(folder) if known is None else known.sid
    try:
        current = await control.access_policy()
    except ControlRefused:
        return True
    return _of(current, {sid}) == [denial(sid, control.vault.arn)]


async def thaw(control: GlacierControl, folder: RunFolder) -> list[str]:
    """Take back what ``freeze`` did, if anything is to be taken back, and see that it is.

    Returns the ids of other lifecycles' statements, by which uploads are denied all the same.  A vault that is gone
    took its policy along.  Raises ``RunStopped`` when the service has another policy afterwards, ``PlanRefused`` as
    ``freeze`` does, and ``ServiceRefused`` for a policy that is none; only when it returns may "as before" be said.
    """
    known = _known(control, folder)
    sids = {_sid(folder)} if known is None else {_sid(folder), known.sid}
    try:
        left = await take_out(control, sids, None if known is None else known.original)
    except ControlRefused as refused:
        if not refused.is_vault_missing:
            raise
        left = None
    if known is not None and not known.thawed:
        _write(folder, msgspec.structs.replace(known, thawed=True))
    return sids_of(ours_in(left))


async def take_out(control: GlacierControl, sids: Collection[str], original: str | None = None) -> str | None:
    """Take the statements of these ids out of the vault's policy; return what the service has afterwards.

    ``original`` is the text that was there before, put back where it says the same as what is left.  Raises
    ``RunStopped`` when the service has something else afterwards, and ``ServiceRefused`` for a policy that is none.
    """
    current = await control.access_policy()
    if not _of(current, sids):
        return current
    left = without(current, sids)
    restored = original if original is not None and is_same(original, left) else left
    if restored is None:
        await control.delete_access_policy()
    else:
        await control.set_access_policy(restored)
    after = await control.access_policy()
    if not is_same(after, restored):
        raise RunStopped(
            f"{control.vault.arn}: its access policy was put back, and the service has another one: somebody changed "
            "it in that moment, or the change was lost, and uploads may still be denied. Look at it (aws glacier "
            "get-vault-access-policy); the same command tries again, and glacier-purge thaw "
            f"{control.vault.name} shows and takes out every statement of ours."
        )
    return after


def to_write_down(earlier: Frozen | None, current: str | None, sid: str, vault_arn: str) -> Frozen:
    """What ``freeze.json`` has to say before a policy is set, when the vault has the policy ``current``.

    ``earlier`` is what it says of a freeze that was not taken back.  The original is the owner's last word: what the
    vault has without our statement, in the spelling that was kept where that says the same.  Raises ``ServiceRefused``.
    """
    sids = {sid} if earlier is None else {sid, earlier.sid}
    is_denied = bool(_of(current, sids))
    if earlier is not None and (is_denied or is_same(current, earlier.original)):
        return earlier
    original = without(current, sids) if is_denied else current
    made = with_statement(original, denial(sid, vault_arn))
    return Frozen(vault_arn=vault_arn, sid=sid, original=original, made=made)


def read_frozen(folder: RunFolder) -> Frozen | None:
    """What a freeze left to be taken back; None when the vault was never frozen by this lifecycle."""
    file = folder.path / FREEZE_FILE
    try:
        return read_document(file, Frozen)
    except DocumentUnreadable as error:
        raise PlanRefused(
            f"{file} cannot be read ({error}). Restore it; or move it aside, and the same command takes our statement "
            "out of the vault's access policy and leaves the rest. The policy was not touched."
        ) from error


def _known(control: GlacierControl, folder: RunFolder) -> Frozen | None:
    known = read_frozen(folder)
    if known is not None and known.vault_arn != control.vault.arn:
        raise PlanRefused(f"{folder.path / FREEZE_FILE} is about {known.vault_arn}, not {control.vault.arn}.")
    if known is not None and not known.sid.startswith(SID_PREFIX):
        raise PlanRefused(
            f"{folder.path / FREEZE_FILE} names {known.sid!r}, which is no statement of ours. Restore it."
        )
    return known


def _sid(folder: RunFolder) -> str:
    """The id of this lifecycle's statement. Raises ``PlanRefused`` where there are no terms to know it by."""
    try:
        return sid_for((folder.path / TERMS_FILE).read_bytes())
    except OSError as error:
        raise PlanRefused(
            f"{folder.path / TERMS_FILE} cannot be read ({error.strerror}), and the statement that denies uploads is "
            "known by it. Restore it; the vault's access policy was not touched."
        ) from error


def _of(policy: str | None, sids: Collection[str]) -> list[dict[str, Any]]:
    return [one for one in ours_in(policy) if one["Sid"] in sids]


def _write(folder: RunFolder, frozen: Frozen) -> None:
    folder.replace(FREEZE_FILE, encoded(frozen))
