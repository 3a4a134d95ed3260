"""Looks at all vaults of accounts and regions, and at what is around each of them. Reads only.

Regions are listed side by side, and vaults looked at side by side, a few at a time, because the service limits what an
account asks as it limits its deletes.  What is not answered is kept with why, region by region and question by
question, and stops nothing else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio

from glacier_purge.api.addresses import region_of
from glacier_purge.api.values import access, account_id, assuming, endpoint
from glacier_purge.archive import Vault, check_vault_name, partition_of
from glacier_purge.aws.endpoints import REGIONS
from glacier_purge.errors import CredentialsFailed, GlacierPurgeError, RunStopped, UsageError
from glacier_purge.glacier.control import ControlRefused
from glacier_purge.guard.protection import protection
from glacier_purge.long_work import Unit, long_work, told_as_one
from glacier_purge.report.survey import Found, NoVaults, Protected, Surveyed, Unread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from glacier_purge.api.clients import Clients
    from glacier_purge.aws.access import Access
    from glacier_purge.glacier.control import GlacierControl
    from glacier_purge.glacier.port import VaultDescription
    from glacier_purge.settings import Settings

    SettingsFor = Callable[[str | None, str | None, str | None], Settings]
    """The settings for a profile, a region and an account; None leaves each to the settings themselves."""

_T = TypeVar("_T")

AT_ONCE_MAX = 8
"""Questions under way: enough to look at a thousand vaults in minutes, few beside the limit of an account."""
UNANSWERED_MAX = 3
"""Vaults of a region in a row without an answer to a question, after which it is not asked there any more."""
ALL_REGIONS = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A region and who asks there."""

    profile: str | None
    region: str
    account_id: str | None
    endpoint_url: str
    access: Access


def places(profiles: Sequence[str], regions: Sequence[str], settings_for: SettingsFor) -> list[Place]:
    """Every region for every profile; without any, those that the settings say. ``all`` are those of the partition.

    Raises ``UsageError`` for a region without the service and where none is known, and ``ConfigurationFailed``.
    """
    return [
        _place(settings_for(profile, region, None))
        for profile in dict.fromkeys(profiles) or (None,)
        for region in dict.fromkeys(_regions(regions, settings_for(profile, None, None))) or (None,)
    ]


def fleet_places(file: Path, regions: Sequence[str], settings_for: SettingsFor) -> list[Place]:
    """Every account that a fleet file names, as the role it names, in its regions, or in those that are given.

    Raises as ``places`` does, and ``UsageError`` for a file that says nothing useful.
    """
    from glacier_purge.api.fleet import read_fleet_file  # noqa: PLC0415 - seldom asked for, and brings a fleet in
    from glacier_purge.fleet.file import read_fleet  # noqa: PLC0415

    found: dict[Place, None] = {}
    for place in read_fleet(read_fleet_file(file).decode()).places:
        own = settings_for(place.profile, place.region, place.account)
        for region in _regions(regions, own) or (place.region,):
            found[_place(assuming(settings_for(place.profile, region, place.account), place.assumed))] = None
    return list(found)


def _place(settings: Settings) -> Place:
    region = region_of(settings)
    there = endpoint(settings, region)
    return Place(
        profile=settings.aws.profile,
        region=region,
        account_id=account_id(settings),
        endpoint_url=there,
        access=access(settings, there),
    )


def _regions(regions: Sequence[str], settings: Settings) -> Sequence[str]:
    if ALL_REGIONS not in regions:
        return regions
    try:
        own = region_of(settings)
    except UsageError:  # none is set, and none has to be where all are asked for
        own = "us-east-1"
    there = [region for region in REGIONS if partition_of(region) == partition_of(own)]
    return sorted(there, key=lambda region: (region != own, region))  # its own is surely enabled


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The vaults of places, each once, with the way to it; ``empty`` are places that have none."""

    vaults: Sequence[Found]
    ways: Mapping[str, Place]
    """By the vault's ARN."""
    empty: Sequence[NoVaults]
    unread: Sequence[Unread]


async def listed(asked: Sequence[Place], names: Sequence[str], clients: Clients) -> Listed:
    """List all vaults of the places; with ``names``, only ask for those, in each. What can't be had is kept.

    Raises ``UsageError`` for what is no vault's name.
    """
    for name in names:
        check_vault_name(name)
    first = {place.profile: number for number, place in reversed([*enumerate(asked)])}
    answers = await _side_by_side(
        "listing vaults",
        [partial(_vaults_of, place, names, clients) for place in asked],
        alone=[*first.values()],  # a code for MFA is asked for once, and the session is kept for the other regions
    )
    found: dict[str, Found] = {}
    missing: dict[str, Unread] = {}
    ways: dict[str, Place] = {}
    empty, unread = [], []
    for place, (vaults, faults) in zip(asked, answers, strict=True):
        found = {one.vault.arn: one for one in vaults} | found
        ways = dict.fromkeys((one.vault.arn for one in vaults), place) | ways
        for fault in faults:
            if fault.vault is not None and isinstance(fault.error, ControlRefused) and fault.error.is_vault_missing:
                missing[fault.vault] = fault
            else:
                unread.append(fault)
        if not names and not vaults and not faults:
            empty.append(NoVaults(profile=place.profile, account_id=place.account_id, region=place.region))
    taken = {(place.profile, place.account_id) for place, (_, faults) in zip(asked, answers, strict=True) if not faults}
    unread = [
        replace(
            one,
            work_elsewhere=isinstance(one.error, CredentialsFailed) and (one.profile, one.account_id) in taken,
        )
        for one in unread
    ]
    there = {one.vault.name for one in found.values()}
    unread += [fault for name, fault in missing.items() if name not in there]
    vaults = sorted(found.values(), key=lambda one: (one.vault.account_id, one.vault.region, one.vault.name))
    return Listed(vaults=vaults, ways=ways, empty=empty, unread=unread)


async def surveyed(found: Listed, clients: Clients) -> list[Surveyed]:
    """Look at what is around each vault: lock, access policy, tags, uploads under way."""
    return await _side_by_side("looking at vaults", _at_each(found, clients, _surveyed))


async def protected(found: Listed, clients: Clients) -> list[Protected]:
    """Look at what may forbid to purge each vault: lock, access policy, tags."""
    return await _side_by_side("looking at vaults", _at_each(found, clients, _protected))


def _at_each(
    found: Listed, clients: Clients, look: Callable[[Found, _Way, Clients], Awaitable[_T]]
) -> list[Callable[[], Awaitable[_T]]]:
    ways = {place: _Way(place) for place in found.ways.values()}
    return [partial(look, one, ways[found.ways[one.vault.arn]], clients) for one in found.vaults]


async def _vaults_of(place: Place, names: Sequence[str], clients: Clients) -> tuple[list[Found], list[Unread]]:
    found: list[Found] = []
    faults: list[Unread] = []
    for name in names or (None,):
        try:
            described = await _described(place, name, clients)
        except GlacierPurgeError as error:
            faults.append(
                Unread(profile=place.profile, account_id=place.account_id, region=place.region, vault=name, error=error)
            )
            continue
        found += [
            Found(
                vault=Vault.from_arn(one.arn),
                profile=place.profile,
                endpoint_url=place.endpoint_url,
                described=one,
            )
            for one in described
        ]
    return found, faults


async def _described(place: Place, name: str | None, clients: Clients) -> list[VaultDescription]:
    """Ask for one vault of a place; without a name, for all there are."""
    if name is None:
        return await clients.list_vaults(place.access, place.region, place.account_id)
    if place.account_id is None:
        return [await clients.find_vault(name, place.access, place.region)]
    vault = Vault(account_id=place.account_id, region=place.region, name=name)
    return [await (await clients.control_for_anybody(vault, place.access)).describe_vault()]


async def _surveyed(one: Found, way: _Way, clients: Clients) -> Surveyed:
    control = await clients.control_for_anybody(one.vault, way.place.access)
    asking = _Asking(way)
    found = await protection(control, asking)
    uploads = await asking("ListMultipartUploads", partial(_uploads, control))
    return Surveyed(found=one, protection=found, uploads=uploads, unread=asking.errors)


async def _protected(one: Found, way: _Way, clients: Clients) -> Protected:
    control = await clients.control_for_anybody(one.vault, way.place.access)
    asking = _Asking(way)
    return Protected(found=one, protection=await protection(control, asking), unread=asking.errors)


async def _uploads(control: GlacierControl) -> int:
    return sum([1 async for _ in control.multipart_uploads()])


class _Way:
    """The way to a region, and how often in a row each operation got no answer on it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._unanswered = Counter[str]()

    def check(self, operation: str) -> None:
        """Raise ``RunStopped`` where it is not worth waiting once more: a thousand vaults would take hours."""
        if self._unanswered[operation] >= UNANSWERED_MAX:
            raise RunStopped(
                f"{operation} was not asked: {UNANSWERED_MAX} vaults before it in {self.place.region} got no answer. "
                "Run the same command again when the service can be reached."
            )

    def ended(self, operation: str, *, answered: bool) -> None:
        """Remember how it went."""
        self._unanswered[operation] = 0 if answered else self._unanswered[operation] + 1


class _Asking:
    """Asks one thing after another, and keeps whatever is no answer."""

    def __init__(self, way: _Way) -> None:
        self._way = way
        self.errors: dict[str, GlacierPurgeError] = {}

    @property
    def refused(self) -> Collection[str]:
        """The operations without an answer."""
        return self.errors

    async def __call__(self, operation: str, ask: Callable[[], Awaitable[_T]]) -> _T | None:
        """Give the answer; None where there is no answer to be had."""
        try:
            self._way.check(operation)
            answer = await ask()
        except GlacierPurgeError as error:
            self._way.ended(operation, answered=not isinstance(error, RunStopped))
            self.errors[operation] = error
            return None
        self._way.ended(operation, answered=True)
        return answer


async def _side_by_side(
    what: str, questions: Sequence[Callable[[], Awaitable[_T]]], *, alone: Sequence[int] = ()
) -> list[_T]:
    """Ask all of them, a few at a time, and give the answers in order. ``what`` is told of them as one work.

    Those numbered ``alone`` are asked before the others, one after another.
    """
    answers: dict[int, _T] = {}
    room = anyio.CapacityLimiter(AT_ONCE_MAX)

    async def ask(number: int, question: Callable[[], Awaitable[_T]]) -> None:
        async with room:
            with told_as_one():
                answers[number] = await question()
            work.add(1)

    with long_work(what, total=len(questions), unit=Unit.PARTS) as work:
        for number in alone:
            await ask(number, questions[number])
        async with anyio.create_task_group() as tasks:
            for number in set(range(len(questions))).difference(alone):
                tasks.start_soon(ask, number, questions[number])
    return [answers[number] for number in range(len(questions))]
