"""The one place that opens a fleet: who belongs to it, and each vault's lifecycle with its part of the budget."""

from __future__ import annotations

import shlex
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio
import msgspec

from glacier_purge.api.addresses import vaults_there
from glacier_purge.api.lifecycle import LifecycleOrder
from glacier_purge.api.member import Member
from glacier_purge.api.news import news_of
from glacier_purge.api.person import as_warning
from glacier_purge.api.replicating import FleetKeeping, of_fleet, opened_alone
from glacier_purge.api.values import approvers, assuming, endpoint, purge_settings
from glacier_purge.api.watching import shown
from glacier_purge.archive import Vault
from glacier_purge.clock import utc_now
from glacier_purge.errors import PlanRefused, UsageError
from glacier_purge.fleet.budgets import Budgets
from glacier_purge.fleet.file import expand, read_fleet
from glacier_purge.fleet.fleet import Fleet, State, folder_name
from glacier_purge.fleet.job_orders import ANY_JOBS, JobOrders
from glacier_purge.fleet.roster import (
    FLEET_FILE,
    Roster,
    enlisted,
    fingerprint,
    read_roster,
    settled_approvers,
    write_roster,
)
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.report.fleet import Pressing
from glacier_purge.run.windows import in_words
from glacier_purge.storage.file_system import described, takes_names_for_one
from glacier_purge.storage.given_file import GivenFileWrong, as_text, read_given

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence
    from pathlib import Path
    from typing import Self

    from glacier_purge.api.clients import Clients
    from glacier_purge.api.news import News
    from glacier_purge.api.person import Approve
    from glacier_purge.api.telling import Telling
    from glacier_purge.approval.signers import Approvers
    from glacier_purge.fleet.roster import Enlisted
    from glacier_purge.glacier.waiting import Waiter, Waiting
    from glacier_purge.replica.folder_replica import FolderReplica
    from glacier_purge.report.fleet import Row
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder

    SettingsFor = Callable[[str | None, str | None, str | None], Settings]
    """From a profile, a region and an account to the settings in force there; None is the caller's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPeople:
    """Whom the members of a fleet deal with. ``say`` is told of which vault something is said.

    ``waiter_for`` gives the waiter for one vault's settings, which tells what it waits for.
    """

    approve: Approve
    say: Callable[[Vault, str], None]
    waiter_for: Callable[[Settings, Callable[[Waiting], None]], Waiter]
    documents: Collection[bytes] = ()
    """People's approvals of any of their plans."""
    telling: Telling | None = None
    """What hooks are told by; None tells nobody."""
    takes_up: bool = False
    """Whether each vault is gone on with as a bucket has it where this host has nothing of it, or less."""


_PRESSING = {
    State.DONE: Pressing.DONE,
    State.PENDING: Pressing.WAITS,
    State.STOPPED: Pressing.FAILED,
    State.FAILED: Pressing.FAILED,
}


class OpenedFleet:
    """A fleet that is open in this process, until its context ends."""

    def __init__(self, roster: Roster, members: dict[str, Member]) -> None:
        self.roster = roster
        self.members = members
        self.fleet = Fleet(members)

    @property
    def rows(self) -> list[Row]:
        """How every vault stands: as it ended, or as it goes on."""
        rows = []
        for name, member in self.members.items():
            ending, row = self.fleet.endings.get(name), member.row
            if ending is not None:
                told = f"{ending.state}: {ending.message}" if ending.message else ending.state.value
                row = replace(row, standing=told, until=ending.until, pressing=_PRESSING[ending.state])
            rows.append(row)
        return rows

    async def show(self, draw: Callable[[Sequence[Row]], None], every_seconds: float) -> None:
        """Draw how every vault stands, again and again until cancelled."""
        while True:
            draw(self.rows)
            await anyio.sleep(every_seconds)


@asynccontextmanager
async def opened_fleet(
    file: Path,
    folder: RunFolder,
    settings_for: SettingsFor,
    clients: Clients,
    people: FleetPeople,
    orders: JobOrders = ANY_JOBS,
) -> AsyncIterator[OpenedFleet]:
    """Open the fleet of ``file`` in ``folder``, which is held meanwhile: settled now, or when it began.

    ``orders`` are the inventory jobs wanted now; a job lasts a day and a fleet weeks, so they are no part of it.

    Raises ``UsageError`` for a file that can't be read or says nothing useful, ``RunLocked``, ``AuditDamaged``,
    ``PlanRefused`` for another file, vault or endpoint than it began with, and what the service answers to being asked
    for the vaults there are.
    """
    content = read_fleet_file(file)
    async with shown(folder, settings_for(None, None, None), as_warning):
        with folder.held():
            asked = approvers(settings_for(None, None, None))
            roster = await _settled(folder, file, content, settings_for, clients, asked)
            signing = settled_approvers(folder, roster, asked)
            if not (folder.path / FLEET_FILE).exists():
                folder.replace(FLEET_FILE, content)
            keeping = FleetKeeping(await _replica(folder, roster, settings_for(None, None, None), clients), as_warning)
            await keeping.keep()
            orders.check([Vault.from_arn(one.vault_arn) for one in roster.vaults])
            budgets = Budgets()
            members = {}
            for one in roster.vaults:
                vault = Vault.from_arn(one.vault_arn)
                own = settings_for(one.profile, vault.region, vault.account_id)
                settings = _without_page(assuming(own, None if one.assumed is msgspec.UNSET else one.assumed))
                members[one.vault_arn] = _member(
                    folder, one, settings, clients, people, budgets, orders, signing, keeping
                )
            again = f"glacier-purge fleet {shlex.join([str(file), '--run-dir', str(folder.path.absolute())])}"
            name = folder.path.resolve().name
            async with news_of(folder, name, people.telling, now=utc_now, again=again) as news:
                opened = OpenedFleet(roster, members)
                yield opened
                _tell_end(opened.fleet, news)


def _tell_end(fleet: Fleet, news: News) -> None:
    """Tell that the whole fleet is done, or that what is left of it waits for nothing by itself."""
    endings, left = fleet.endings, Counter[str]()
    for ending in endings.values():
        left[ending.state.value] += ending.state is not State.DONE
    if not endings or left[State.PENDING.value]:
        return  # of which each vault has told why
    done = len(endings) - left.total()
    if done == len(endings):
        news.finished(f"The fleet in {news.vault} is done, all {done:,} vaults of it.", exit_code=fleet.exit_code)
        return
    others = ", ".join(f"{number:,} {state}" for state, number in sorted(left.items()) if number)
    news.stopped(f"{done:,} of its {len(endings):,} vaults are done, {others}.", fleet.exit_code)


def _without_page(settings: Settings) -> Settings:
    """A member's settings: the fleet's page and metrics show all of them."""
    return settings.model_copy(
        update={"report": settings.report.model_copy(update={"live_page": None, "metrics_textfile": None})}
    )


def _member(
    folder: RunFolder,
    one: Enlisted,
    settings: Settings,
    clients: Clients,
    people: FleetPeople,
    budgets: Budgets,
    orders: JobOrders,
    signing: Approvers | None,
    keeping: FleetKeeping,
) -> Member:
    vault = Vault.from_arn(one.vault_arn)
    endpoint_url = endpoint(settings, vault.region)
    if endpoint_url != one.endpoint_url:
        raise PlanRefused(
            f"the fleet in {folder.path} began with {one.endpoint_url} for {vault.arn}, not {endpoint_url}. Give the "
            "endpoint it began with. Nothing was sent."
        )
    options = LifecycleOptions(
        freeze=one.freeze,
        remove_vault=vault.name if one.remove_vault else None,
        even_the_last=one.even_the_last_vault,
        set_aside_defects=one.set_aside_defects,
        wanted=orders.of(vault),
    )
    return Member(
        vault,
        folder.path / folder_name(vault),
        LifecycleOrder(options=options, choices=one.choices, caps=one.caps, approvers=signing),
        settings,
        clients,
        lane=budgets.lane(vault, endpoint_url, purge_settings(settings).pace, one.max_rate),
        approve=people.approve,
        say=lambda message: people.say(vault, message),
        waiter_for=lambda tell: people.waiter_for(settings, tell),
        kept=keeping.keep,
        telling=people.telling,
        documents=people.documents,
        takes_up=people.takes_up,
    )


async def _replica(folder: RunFolder, roster: Roster, settings: Settings, clients: Clients) -> FolderReplica | None:
    """What keeps the fleet's own folder, reached as its caller's own settings say, whatever its vaults' profiles."""
    bucket = await opened_alone(settings, clients)
    return None if bucket is None else of_fleet(bucket, folder, roster)


def _check_names(folder: Path, vaults: Sequence[Vault]) -> None:
    """Raise ``UsageError`` where two vaults would share a folder: their names differ in case only, and are one here."""
    by_name: dict[str, Vault] = {}
    for vault in vaults:
        other = by_name.setdefault(folder_name(vault).lower(), vault)
        if other is not vault and takes_names_for_one(folder):
            raise UsageError(
                f"{other.arn} and {vault.arn} would have one folder: {described(folder)} takes names for one that "
                "differ in upper and lower case only. Begin the fleet on a disk that does not, or name one of them in "
                "a fleet file of its own. Nothing was sent."
            )


def read_fleet_file(file: Path) -> bytes:
    """The file's bytes, which are text. Raises ``UsageError``."""
    try:
        content = read_given(file)
        as_text(content)
    except GivenFileWrong as error:
        raise UsageError(f"the fleet file {file} cannot be read: {error}.") from error
    return content


async def _settled(
    folder: RunFolder, file: Path, content: bytes, settings_for: SettingsFor, clients: Clients, asked: Approvers | None
) -> Roster:
    """The fleet as it was settled; the first time, that is now."""
    known = read_roster(folder, file, content)
    if known is not None:
        return known
    roster = await listed(content, settings_for, clients, asked)
    settle(folder, roster)
    return roster


async def listed(content: bytes, settings_for: SettingsFor, clients: Clients, asked: Approvers | None) -> Roster:
    """The vaults that a fleet file of this ``content`` has now, as a fleet that begins; nothing is written.

    ``asked`` are those whose signed approvals it will take, where it takes any.

    Raises ``UsageError`` for a file that says nothing useful, and what the service answers to being asked.
    """
    plan = read_fleet(as_text(content))
    settings = {
        place: assuming(settings_for(place.profile, place.region, place.account), place.assumed)
        for place in plan.places
    }
    there = {place: await vaults_there(settings[place], clients) for place in plan.places}
    found = expand(plan, there)
    return Roster(
        fleet_file_sha256=fingerprint(content),
        findings=found.findings,
        approvers=msgspec.UNSET if asked is None else asked,
        vaults=tuple(enlisted(one, endpoint(settings[one.place], one.vault.region)) for one in found.chosen),
    )


def settle(folder: RunFolder, roster: Roster) -> None:
    """Begin the fleet in ``folder``, once. Raises ``UsageError`` where two vaults would share a folder."""
    _check_names(folder.path, [Vault.from_arn(one.vault_arn) for one in roster.vaults])
    write_roster(folder, roster)


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultReport:
    """How it ended for one vault of a fleet: ``state`` is done, pending, stopped or failed.

    ``confirm_digest`` is that of the plan that waits for somebody's approval; ``until`` (UTC, ISO 8601) is when it is
    worth coming again.
    """

    vault_arn: str
    state: str
    phase: str
    exit_code: int
    message: str
    until: str | None
    confirm_digest: str | None
    run_dir: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReport:
    """How it ended for every vault. ``findings`` is what was noticed when the vaults were listed.

    ``exit_code`` is 75 while anything is pending, otherwise the worst of all.
    """

    exit_code: int
    findings: tuple[str, ...]
    vaults: tuple[VaultReport, ...]

    @classmethod
    def of(cls, opened: OpenedFleet) -> Self:
        """The report of a fleet whose process has done what it could."""
        reports = []
        for name, member in opened.members.items():
            ending = opened.fleet.endings[name]
            reports.append(
                VaultReport(
                    vault_arn=name,
                    state=ending.state.value,
                    phase=member.phase,
                    exit_code=ending.exit_code,
                    message=ending.message,
                    until=in_words(ending.until),
                    confirm_digest=member.digest_wanted,
                    run_dir=str(member.path),
                )
            )
        return cls(exit_code=opened.fleet.exit_code, findings=opened.roster.findings, vaults=tuple(reports))
