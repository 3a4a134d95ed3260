"""A fleet in parts, for whoever starts a process for each: the vaults of one account in one region belong together,
since the service limits what an account sends in a region.

Each part is a fleet of its own, with the same file and its part of the vaults listed; what it is, is settled in its
folder the first time, as any fleet's.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from itertools import groupby
from secrets import token_hex
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

from glacier_purge.api.fleet import listed, read_fleet_file, settle
from glacier_purge.api.values import approvers
from glacier_purge.api.watching import Looking
from glacier_purge.archive import Vault
from glacier_purge.errors import GlacierPurgeError, UsageError
from glacier_purge.fleet.roster import Enlisted, Roster, read_roster
from glacier_purge.storage.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from glacier_purge.api.clients import Clients
    from glacier_purge.api.fleet import SettingsFor
    from glacier_purge.report.results.stepping import Stepped


TOLD_MAX = 500
_DISK_FILE = "disk"
_ROW = frozenset(
    ["vault_arn", "state", "phase", "needs", "until", "confirm_digests", "selected", "deleted", "failed", "certificate"]
)
"""Of a step's document, what stands in a table of hundreds."""


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


def given_to_step(folder: Path, approved: Sequence[str], documents: Sequence[str], max_rate: float | None) -> list[str]:
    """What a step of the part in ``folder`` is told besides, as options; signed approvals lie in files beside it."""
    options = [] if max_rate is None else ["--max-rate", str(max_rate)]
    options += [word for digest in approved for word in ("--confirm-digest", digest)]
    for document in documents:
        content = document.encode()
        name = f"{folder.name}-{hashlib.sha256(content).hexdigest()[:16]}.approval"
        RunFolder.open(folder.parent).replace(name, content)
        options += ["--hand-in", str(folder.parent / name)]
    return options


def disk_of(home: Path) -> str:
    """A name for the disk that ``home`` lies on, made up once and lost with it."""
    place = RunFolder.open_or_create(home)
    with suppress(UsageError):  # it has one
        place.write_once(_DISK_FILE, token_hex(8).encode())
    return (home / _DISK_FILE).read_text("ascii")


def row_of(one: Stepped) -> dict[str, object]:
    """One vault as its last step left it, for a table: ``told`` is what it waits for, or what ended it."""
    told = (one.waiting_for or one.message or "")[:TOLD_MAX]
    return {name: value for name, value in msgspec.to_builtins(one).items() if name in _ROW} | {"told": told}


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
