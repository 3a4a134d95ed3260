"""Reports of what a folder holds, and the page that is written into it whenever a process ends its work there."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import structlog

from glacier_purge.clock import utc_now
from glacier_purge.fleet.roster import ROSTER_FILE, settled_roster
from glacier_purge.long_work import long_work
from glacier_purge.plan.cost import read_price_table
from glacier_purge.report.fleet_report import FleetReport
from glacier_purge.report.vault_report import VaultReport
from glacier_purge.storage.folder import AUDIT_FOLDER, LIFECYCLE_FILE, RunFolder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from glacier_purge.fleet.roster import Roster
    from glacier_purge.settings import Settings

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))

REPORT_FILE = "report.html"
_FOLDERS_DEEP = 2
"""Where fleets lie: in the folder of a worker, or of several workers gathered into one."""


def report_of(folder: RunFolder, settings: Settings) -> VaultReport | FleetReport:
    """Read what became of the run, the lifecycle or the fleet in ``folder``; its figures are those of its files.

    Fleets that lie in folders below it, as workers of a company have them, are told as one.

    Raises ``UsageError`` for any other folder, and what its files raise where they can't be read or are damaged.
    """
    roster = settled_roster(folder)
    if roster is not None:
        return FleetReport.of(folder, [(folder, roster)])
    if fleets := [*_fleets_below(folder, _FOLDERS_DEEP)]:
        return FleetReport.of(folder, fleets)
    return VaultReport.of(folder, read_price_table(settings.estimate.prices_file), utc_now())


def _fleets_below(folder: RunFolder, deep: int) -> Iterator[tuple[RunFolder, Roster]]:
    for place in sorted(one for one in folder.path.iterdir() if one.is_dir() and not one.is_symlink()):
        below = RunFolder.look(place)
        roster = settled_roster(below) if (place / ROSTER_FILE).exists() else None
        if roster is not None:
            yield below, roster
        elif deep > 1:
            yield from _fleets_below(below, deep - 1)


@asynccontextmanager
async def reported(folder: RunFolder, settings: Settings) -> AsyncIterator[None]:
    """Write the page when the work in the context is over, however it ended: unless nothing was begun.

    A page that can't be written is told and nothing else: a purge does not fail for it.
    """
    try:
        yield
    finally:
        if settings.report.page:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(_write, folder, settings)


def _write(folder: RunFolder, settings: Settings) -> None:
    from glacier_purge.report.html.page import as_html  # noqa: PLC0415 - templates take 40 ms, and only the end needs them

    try:
        if _is_begun(folder):
            with long_work(f"writing {REPORT_FILE}"):
                folder.replace(REPORT_FILE, as_html(report_of(folder, settings), utc_now()).encode())
    except Exception as fault:  # whatever it is: what was deleted is deleted, and the verb says how that went
        _log.warning("report.not_written", file=str(folder.path / REPORT_FILE), why=str(fault))


def _is_begun(folder: RunFolder) -> bool:
    names = (AUDIT_FOLDER, LIFECYCLE_FILE, ROSTER_FILE)
    return any((folder.path / name).exists() for name in names)
