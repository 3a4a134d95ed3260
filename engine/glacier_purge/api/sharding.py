"""A fleet in parts, for whoever starts a process for each: the vaults of one account in one region belong together,
since the service limits what an account sends in a region.

Each part is a fleet of its own, with the same file and its part of the vaults listed; what it is, is settled in its
folder the first time, as any fleet's.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

from glacier_purge.api.fleet import listed, read_fleet_file, settle
from glacier_purge.api.values import approvers
from glacier_purge.api.watching import Looking
from glacier_purge.archive import Vault
from glacier_purge.errors import GlacierPurgeError
from glacier_purge.fleet.roster import Enlisted, Roster, read_roster
from glacier_purge.storage.folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.api.clients import Clients
    from glacier_purge.api.fleet import SettingsFor


class ShardFiles(NamedTuple):
    """One part: the text of the fleet's file, and the JSON of the vaults that were listed for it."""

    account_id: str
    region: str
    fleet_file: str
    roster: str


async def parted(file: Path, settings_for: SettingsFor, clients: Clients) -> tuple[list[ShardFiles], Roster]:
    """The parts of the fleet in ``file`` by account and region, and the whole as it was listed; nothing is written.

    Raises what listing a fleet raises.
    """
    content = read_fleet_file(file)
    whole = await listed(content, settings_for, clients, approvers(settings_for(None, None, None)))
    parts = groupby(sorted(whole.vaults, key=_pair), key=_pair)
    rosters = [(pair, replace(whole, vaults=tuple(vaults))) for pair, vaults in parts]
    return [
        ShardFiles(*pair, content.decode(), msgspec.json.encode(roster).decode()) for pair, roster in rosters
    ], whole


def _pair(one: Enlisted) -> tuple[str, str]:
    vault = Vault.from_arn(one.vault_arn)
    return vault.account_id, vault.region


def laid(files: ShardFiles, home: Path) -> tuple[Path, Path]:
    """Have the part's file and folder below ``home``; the folder as it was settled, the first time that is now.

    Raises what a folder raises that can't be had, and as ``read_roster`` does.
    """
    name, content = f"{files.account_id}-{files.region}", files.fleet_file.encode()
    file, folder = home / f"{name}.toml", RunFolder.open_or_create(home / name)
    if read_roster(folder, file, content) is None:
        RunFolder.open(home).replace(file.name, content)
        with folder.held():
            settle(folder, msgspec.json.decode(files.roster, type=Roster))
    return file, folder.path


class Standing:
    """How the vaults of a fleet stand while another process carries them; what was read is not read again."""

    def __init__(self, folder: Path) -> None:
        self._looking = Looking(RunFolder(folder))

    async def look(self) -> list[dict[str, object]]:
        """Of each vault that was begun: phase, counts, and the hash its log ends with; none where none can be read."""
        try:
            found = await self._looking.look()
        except GlacierPurgeError:
            return []  # the process that works there says so
        return [
            {
                "vault": f"{one.account_id}/{one.region}/{one.vault}",
                "phase": one.phase,
                "round": one.round,
                "counts": {} if one.sent is None else one.sent.counts,
                "head": None if one.sent is None else self._looking.log_head(one.sent.folder),
            }
            for one in found
        ]
