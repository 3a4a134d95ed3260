"""Has all of a folder in its replica, once nobody works on it any more, so that another host can take it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from glacier_purge.api.replicating import log_of, of_fleet, of_lifecycle, of_run, opened_alone, opened_bucket
from glacier_purge.api.values import access
from glacier_purge.archive import Vault
from glacier_purge.audit.journal import Journal
from glacier_purge.audit.recovery import replay
from glacier_purge.clock import wall_seconds
from glacier_purge.errors import RunLocked, UsageError
from glacier_purge.fleet.fleet import folder_name
from glacier_purge.fleet.roster import settled_roster
from glacier_purge.lifecycle.files import round_path
from glacier_purge.lifecycle.state import is_lifecycle
from glacier_purge.lifecycle.steps import position
from glacier_purge.lifecycle.steps_file import read_steps
from glacier_purge.lifecycle.terms import read_terms
from glacier_purge.plan.document import read_plan
from glacier_purge.plan.identity import read_identity
from glacier_purge.run.host import who
from glacier_purge.run.socket import send_order
from glacier_purge.run.steering import Stop
from glacier_purge.storage.disk import FileDisk
from glacier_purge.storage.folder import RunFolder

if TYPE_CHECKING:
    from glacier_purge.api.clients import Clients
    from glacier_purge.plan.document import Plan
    from glacier_purge.replica.folder_replica import FolderReplica
    from glacier_purge.settings import Settings

_ENDS_SECONDS_MAX = 30.0
"""A process that was told to stop ends within ten (I17)."""
_LOOK_SECONDS = 0.1
_NO_BUCKET = (
    "there is no bucket to hand it over in: give --replica s3://bucket/prefix, or replica.url in the settings. Nothing "
    "was changed."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """What another host can take: ``origin`` is where it lies, ``lines`` are those of the last log, ``vault`` its name.

    ``was_at_work`` tells whether a process was stopped for it.
    """

    origin: str
    vault: str
    lines: int
    was_at_work: bool


async def handed_over(folder: RunFolder, settings: Settings, clients: Clients) -> HandedOver:
    """Stop who works on the run or lifecycle in ``folder``, in good order, and have all of it in the bucket.

    Raises ``UsageError`` where no bucket is named, ``RunLocked`` for a process that does not end, ``BucketAway``, and
    ``Superseded`` where another host has gone on already.
    """
    runs = _runs(folder)
    was_at_work = await _stopped(folder, runs)
    with folder.held():
        files = await _replica(folder, runs, settings, clients)
        await files.keep()
        lines = 0
        for run in runs:
            lines = await _flushed(run, read_plan(run.plan_file), files, settings)
    vault = _vault(folder)
    return HandedOver(origin=files.place, vault=vault.name, lines=lines, was_at_work=was_at_work)


async def fleet_handed_over(folder: RunFolder, settings: Settings, clients: Clients) -> HandedOver:
    """Have a fleet, on which nobody works, in the bucket with all of its vaults that were begun.

    Raises ``RunLocked`` while a process works on it, and as ``handed_over`` does.
    """
    with folder.held():
        roster = settled_roster(folder)
        if roster is None:
            raise UsageError(f"the fleet in {folder.path} has not begun: there is nothing to hand over.")
        places = [folder.path / folder_name(Vault.from_arn(one.vault_arn)) for one in roster.vaults]
        begun = [await handed_over(RunFolder.open(place), settings, clients) for place in places if is_lifecycle(place)]
        bucket = await opened_alone(settings, clients)
        if bucket is None:
            raise UsageError(_NO_BUCKET)
        files = of_fleet(bucket, folder, roster)
        await files.keep()
    lines = sum(one.lines for one in begun)
    return HandedOver(origin=files.place, vault=f"{len(begun):,} vaults", lines=lines, was_at_work=False)


def _vault(folder: RunFolder) -> Vault:
    terms = read_terms(folder.path) if is_lifecycle(folder.path) else None
    return read_plan(folder.plan_file).vault if terms is None else Vault.from_arn(terms.vault_arn)


def _runs(folder: RunFolder) -> list[RunFolder]:
    """The folders below that have a plan and a log, in order: rounds, or the folder itself."""
    if not is_lifecycle(folder.path):
        return [folder]
    _, last = position(read_steps(folder.path))
    rounds = [RunFolder(round_path(folder.path, number)) for number in range(1, last + 1)]
    return [one for one in rounds if one.plan_file.exists() and one.audit.is_dir()]


async def _stopped(folder: RunFolder, runs: list[RunFolder]) -> bool:
    """Have whoever works on it end in good order; say whether anybody did."""
    if not folder.is_locked():
        return False
    told = [send_order(run.path, Stop(by=who())) for run in runs[-1:]]
    if not any(told):
        raise RunLocked(
            f"a process works on {folder.path} and sends nothing now, so it takes no orders. Stop it with Ctrl-C or "
            "SIGTERM, and give the same command again. Nothing was handed over."
        )
    until = time.monotonic() + _ENDS_SECONDS_MAX
    while folder.is_locked():
        if time.monotonic() > until:
            raise RunLocked(
                f"the process that works on {folder.path} was told to stop and has not ended in "
                f"{_ENDS_SECONDS_MAX:g} s. Give the same command again. Nothing was handed over."
            )
        await anyio.sleep(_LOOK_SECONDS)
    return True


async def _replica(folder: RunFolder, runs: list[RunFolder], settings: Settings, clients: Clients) -> FolderReplica:
    terms = read_terms(folder.path) if is_lifecycle(folder.path) else None
    if terms is None:
        plan = read_plan(runs[0].plan_file)
        vault, endpoint_url = plan.vault, plan.endpoint_url
    else:
        plan, vault, endpoint_url = None, Vault.from_arn(terms.vault_arn), terms.endpoint_url
    bucket = await opened_bucket(settings, clients, access(settings, endpoint_url, vault=vault), vault.region)
    if bucket is None:
        raise UsageError(_NO_BUCKET)
    epoch = max((replay(run.path).lease_epoch for run in runs), default=0)
    if plan is None:
        return of_lifecycle(bucket, folder, vault, lambda: epoch)
    return of_run(bucket, folder, plan, lambda: epoch)


async def _flushed(run: RunFolder, plan: Plan, files: FolderReplica, settings: Settings) -> int:
    """Have a log in the bucket to its last line; say how many lines it has."""
    is_settled = replay(run.path).is_settled
    disk = FileDisk(run.path)
    journal = await Journal.open(
        disk,
        run=read_identity(run, plan).run,
        plan_digest=plan.digest,
        records=plan.counts.inventory,
        wall_clock=wall_seconds,
    )
    try:
        replica = await log_of(files, run, settings).attached(journal, disk, time.monotonic)
        await replica.flush(drained=is_settled)
        return journal.position.seq
    finally:
        await journal.aclose()
