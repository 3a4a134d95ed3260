"""Who belongs to a fleet, settled when it begins and kept in its folder.

A fleet lives for days and is started many times.  Meanwhile vaults are deleted, by itself among others, and made; what
it does must not change with what a glob happens to match today.  So the vaults are listed once, and a fleet file that
was changed afterwards is refused.  ``fleet.json`` has a digest of its own, and the folders below have to be those of
its vaults: lost, damaged or another fleet's, it is refused, and never begun anew beside vaults that are on their way.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import msgspec

from glacier_purge.approval.signers import Approvers, asks_the_same
from glacier_purge.archive import Vault
from glacier_purge.errors import AuditDamaged, PlanRefused
from glacier_purge.fleet.file import Assumed, Chosen
from glacier_purge.fleet.fleet import folder_name
from glacier_purge.lifecycle.state import is_lifecycle
from glacier_purge.lifecycle.terms import absolute
from glacier_purge.plan.choices import EVERY_ARCHIVE, UNCAPPED, Caps, Choices
from glacier_purge.storage.documents import DocumentUnreadable, decoded, encoded, read_document
from glacier_purge.storage.folder import RunFolder

ROSTER_FILE = "fleet.json"
FLEET_FILE = "fleet.toml"
"""A copy of the file that the fleet began with, for whoever goes on with it where that one is not."""
_MEMBER = re.compile(r"\d{12}-[a-z-]+-\d+-.+")


class Enlisted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One vault and what is wished for it. ``max_rate`` is in deletes a second; files are named by whole paths.

    ``assumed`` is the role it is worked on as, where that is not the command line's.
    """

    vault_arn: str
    endpoint_url: str
    profile: str | None
    freeze: bool
    remove_vault: bool
    even_the_last_vault: bool
    set_aside_defects: bool
    max_rate: float | None
    choices: Choices = EVERY_ARCHIVE
    caps: Caps = UNCAPPED
    assumed: Assumed | msgspec.UnsetType = msgspec.UNSET


class Roster(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fleet. ``findings`` is what was noticed when it was listed, ``approvers`` who has to sign each plan, where
    a typed yes will not do: also of a vault that begins days after the others.
    """

    fleet_file_sha256: str
    findings: tuple[str, ...]
    vaults: tuple[Enlisted, ...]
    approvers: Approvers | msgspec.UnsetType = msgspec.UNSET

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the canonical JSON of the whole fleet."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


class _Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    digest: str
    fleet: Roster


def enlisted(chosen: Chosen, endpoint_url: str) -> Enlisted:
    """The record of one vault that a fleet file chose."""
    entry = chosen.entry
    return Enlisted(
        vault_arn=chosen.vault.arn,
        endpoint_url=endpoint_url,
        profile=chosen.place.profile,
        freeze=entry.freeze,
        remove_vault=chosen.remove_vault,
        even_the_last_vault=entry.even_the_last_vault,
        set_aside_defects=entry.set_aside_defects,
        max_rate=entry.max_rate,
        choices=absolute(entry.choices),
        caps=entry.caps,
        assumed=msgspec.UNSET if chosen.place.assumed is None else chosen.place.assumed,
    )


def write_roster(folder: RunFolder, roster: Roster) -> None:
    """Settle the fleet, durably and once."""
    document = _Document(digest=roster.digest, fleet=roster)
    folder.write_once(ROSTER_FILE, encoded(document))


def read_roster(folder: RunFolder, file: Path, content: bytes) -> Roster | None:
    """The fleet in ``folder``; None when it has not begun.

    Raises as ``settled_roster`` does, and ``PlanRefused`` when ``content`` of the fleet's ``file`` is not what it began
    with.
    """
    roster = settled_roster(folder)
    if roster is not None and roster.fleet_file_sha256 != fingerprint(content):
        raise PlanRefused(
            f"{file} is not what the fleet in {folder.path} began with, and what a fleet does is settled when it "
            "begins. Put the file back, or begin another fleet with another --run-dir. Nothing was sent."
        )
    return roster


def settled_roster(folder: RunFolder) -> Roster | None:
    """The fleet in ``folder`` as it was settled; None when it has not begun.

    Raises ``AuditDamaged`` when it is not what was settled or not that of the vaults that were begun below, and
    ``PlanRefused`` when it is not, and none was begun.
    """
    place, begun = folder.path / ROSTER_FILE, _begun(folder.path)
    try:
        document = read_document(place, _Document)
    except DocumentUnreadable as error:
        if not begun:
            raise PlanRefused(f"{place} cannot be read ({error}). Begin the fleet again in another folder.") from error
        if _is_of_an_earlier_version(place):
            raise PlanRefused(
                f"{place} was written by an earlier version, whose steps were not bound to each other. Finish with the "
                "version that began it, or begin the fleet again in another folder."
            ) from error
        raise _damaged(place, f"it cannot be read ({error})") from error
    if document is None:
        if begun:
            raise _damaged(place, f"it is missing, and {begun[0]} was begun by it")
        return None
    if document.digest != document.fleet.digest:
        raise _damaged(place, "it was changed after it was written")
    strange = set(begun) - {folder_name(Vault.from_arn(one.vault_arn)) for one in document.fleet.vaults}
    if strange:
        raise _damaged(place, f"{min(strange)} was begun here, and it does not name that vault")
    return document.fleet


def settled_approvers(folder: RunFolder, roster: Roster, asked: Approvers | None) -> Approvers | None:
    """Who has to sign the fleet's plans; None where nobody has to.

    Raises ``PlanRefused`` where something else is ``asked`` for now than when it began.
    """
    settled = None if roster.approvers is msgspec.UNSET else roster.approvers
    if asked is not None and (settled is None or not asks_the_same(settled, asked)):
        began = "no --approvals" if settled is None else f"--approvals {settled.needed}"
        raise PlanRefused(
            f"the fleet in {folder.path} began with {began}, and --approvals {asked.needed} is asked for now, or "
            "others' approvals. Who approves is settled when a fleet begins: leave that out to go on, or begin another "
            "fleet with another --run-dir. Nothing was sent."
        )
    return settled


def fingerprint(content: bytes) -> str:
    """What a fleet file is known by."""
    return hashlib.sha256(content).hexdigest()


def _begun(path: Path) -> list[str]:
    """The names of the folders in which a vault's lifecycle was begun."""
    return sorted(place.name for place in path.iterdir() if _MEMBER.fullmatch(place.name) and is_lifecycle(place))


def _is_of_an_earlier_version(place: Path) -> bool:
    try:
        return set(decoded(place.read_bytes(), dict[str, Any])) == {"fleet_file_sha256", "findings", "vaults"}
    except DocumentUnreadable:
        return False


def _damaged(place: Path, why: str) -> AuditDamaged:
    return AuditDamaged(
        f"{why}. Restore it from a copy; glacier-purge abandon DIR ends one vault's lifecycle in good order. This "
        "command sent nothing.",
        file=str(place),
        offset_bytes=0,
    )
