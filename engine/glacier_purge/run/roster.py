"""Who belongs to a fleet, settled when it begins and kept in its folder.

A fleet lives for days and is started many times.  Meanwhile vaults are deleted, by itself among others, and made; what
it does must not change with what a glob happens to match today.  So the vaults are listed once, and a fleet file that
was changed afterwards is refused.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from glacier_purge.errors import PlanRefused
from glacier_purge.json_document import DocumentUnreadable, read_document
from glacier_purge.plan.choices import EVERY_ARCHIVE, UNCAPPED, Caps, Choices
from glacier_purge.run.terms import absolute

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.run.fleet_plan import Chosen
    from glacier_purge.run.folder import RunFolder

ROSTER_FILE = "fleet.json"


class Enlisted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One vault and what is wished for it. ``max_rate`` is in deletes a second; files are named by whole paths.

    ``job_queue`` stands in fleets begun when finished jobs could be heard of in a queue; it is read and not heeded.
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
    job_queue: str | msgspec.UnsetType | None = msgspec.UNSET


class Roster(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fleet. ``findings`` is what was noticed when it was listed."""

    fleet_file_sha256: str
    findings: tuple[str, ...]
    vaults: tuple[Enlisted, ...]


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
    )


def write_roster(folder: RunFolder, roster: Roster) -> None:
    """Settle the fleet, durably and once."""
    folder.write_once(ROSTER_FILE, msgspec.json.format(msgspec.json.encode(roster), indent=2) + b"\n")


def read_roster(folder: RunFolder, file: Path, content: bytes) -> Roster | None:
    """The fleet in ``folder``; None when it has not begun.

    Raises ``PlanRefused`` when it cannot be read, and when ``content`` of the fleet's ``file`` is not what it began
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
    """The fleet in ``folder`` as it was settled; None when it has not begun. Raises ``PlanRefused``."""
    place = folder.path / ROSTER_FILE
    try:
        return read_document(place, Roster)
    except DocumentUnreadable as error:
        raise PlanRefused(f"{place} cannot be read ({error}). Begin the fleet again in another folder.") from error


def fingerprint(content: bytes) -> str:
    """What a fleet file is known by."""
    return hashlib.sha256(content).hexdigest()
