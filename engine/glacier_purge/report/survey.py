"""The vaults of accounts and regions, as they were found: data first, then a table, rows and an answer for programs.

What could not be read is named wherever it would be missed: in the vault's own lines, as a region of its own, as a row
of the CSV.  It is never shown as "none", and no sum has it in it without saying so.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from glacier_purge.guard.findings import Weight
from glacier_purge.guard.policy import Denial, PolicyUnreadable, named_by_allow, rules_against
from glacier_purge.guard.upload_denial import DENIED_ACTIONS
from glacier_purge.plan.cost import NO_PRICE
from glacier_purge.report.findings import as_result
from glacier_purge.report.grid import grid
from glacier_purge.report.results.surveying import Empty, NotRead, PlaceNotRead, VaultSeen, VaultsSeen
from glacier_purge.report.terminal import safe
from glacier_purge.text import duration, money, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from glacier_purge.archive import Vault
    from glacier_purge.errors import GlacierPurgeError
    from glacier_purge.glacier.port import VaultDescription
    from glacier_purge.guard.findings import Finding
    from glacier_purge.guard.protection import Protection
    from glacier_purge.plan.cost import PriceTable

NOT_READ = "not read"
_NOT_ENABLED = " Other regions took the same credentials, so the account may not have enabled this one."
_WRITERS_ARE_PARTLY_SEEN = (
    "Who writes is seen in part: whom a vault's access policy names, and uploads under way. What IAM lets the "
    "account's own users and roles do can't be seen here. An inventory is made after a change, so the date of the last "
    "one is about that of the last upload or delete."
)
SURVEYED = (
    "account_id", "region", "profile", "vault", "created", "archives", "bytes", "last_inventory", "inventory_age_days",
    "storage_per_month", "currency", "lock", "tags", "may_write", "uploads_denied_by", "uploads_in_progress",
    "findings", "not_read",
)  # fmt: skip
"""The columns of the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A region of an account (None: that of the credentials), or a vault of it, of which nothing is known. ``profile``
    is whose credentials were used; they ``work_elsewhere`` when another region took them.
    """

    profile: str | None
    region: str
    vault: str | None
    error: GlacierPurgeError
    account_id: str | None = None
    work_elsewhere: bool = False

    @property
    def why(self) -> str:
        """Why nothing is known."""
        return f"{self.error}{_NOT_ENABLED if self.work_elsewhere else ''}"

    def as_result(self) -> PlaceNotRead:
        """It for programs."""
        return PlaceNotRead(
            profile=self.profile,
            account_id=self.account_id,
            region=self.region,
            vault=self.vault,
            why=self.why,
            exit_code=self.error.exit_code,
        )

    def as_cells(self) -> dict[str, object]:
        """It as a row of a list, by column."""
        return {
            "account_id": self.account_id,
            "region": self.region,
            "profile": self.profile,
            "vault": self.vault,
            "not_read": self.why,
        }

    def as_line(self) -> str:
        """It for people."""
        where = _whose(self.region, self.profile, self.account_id)
        return safe(f"  {where if self.vault is None else f'{self.vault} in {where}'}: {self.why}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoVaults:
    """A region of an account that was listed whole, and has no vault."""

    profile: str | None
    account_id: str | None
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A vault as the service described it, to whom, and where it was asked."""

    vault: Vault
    profile: str | None
    endpoint_url: str
    described: VaultDescription


@dataclass(frozen=True, slots=True, kw_only=True)
class Protected:
    """A vault and what may forbid to purge it; ``unread`` has why something is not known, by operation."""

    found: Found
    protection: Protection
    unread: Mapping[str, GlacierPurgeError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed(Protected):
    """A vault and what is around it. ``uploads`` are multipart uploads in progress; None where that is ``unread``."""

    uploads: int | None

    @property
    def may_write(self) -> list[str] | None:
        """Whom the access policy names for uploads; None where it can't be read."""
        if "GetVaultAccessPolicy" in self.unread:
            return None
        try:
            return named_by_allow(DENIED_ACTIONS, self.protection.policy) if self.protection.policy else []
        except PolicyUnreadable:  # it is among the findings, with why
            return None

    @property
    def uploads_denied_by(self) -> list[str] | None:
        """Statements of policy or lock that deny every upload; None where one can't be read."""
        if self.unread.keys() & {"GetVaultAccessPolicy", "GetVaultLock"}:
            return None
        lock, policy, tags = self.protection.lock, self.protection.policy, self.protection.tags
        texts = [text for text in (None if lock is None else lock.policy, policy) if text is not None]
        try:
            rules = [rule for text in texts for rule in rules_against(DENIED_ACTIONS[0], text, tags)]
        except PolicyUnreadable:
            return None
        return [rule.sid for rule in rules if rule.denial in {Denial.ALWAYS, Denial.TAG}]

    @property
    def lock(self) -> Literal["none", "in-progress", "locked"] | None:
        """In a word; None where it can't be read."""
        if "GetVaultLock" in self.unread:
            return None
        lock = self.protection.lock
        return "none" if lock is None else "locked" if lock.state == "Locked" else "in-progress"

    @property
    def findings(self) -> list[Finding]:
        """What stands in the way of deleting, or may."""
        found = self.protection.findings(self.found.described)
        return [finding for finding in found if finding.weight is not Weight.FINE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Everything that was found ``now``. ``empty`` are regions that have no vault."""

    now: datetime
    prices: PriceTable
    vaults: Sequence[Surveyed]
    empty: Sequence[NoVaults]
    unread: Sequence[Unread]

    @property
    def exit_code(self) -> int:
        """0 where all was read, otherwise the worst of what was not."""
        faults = [one.error for one in self.unread] + [fault for one in self.vaults for fault in one.unread.values()]
        return max((fault.exit_code for fault in faults), default=0)

    @property
    def not_read(self) -> int:
        """How many questions, about regions or vaults, have no answer."""
        return len(self.unread) + sum(len(one.unread) for one in self.vaults)

    def as_result(self) -> VaultsSeen:
        """All of it for programs."""
        seen = [self._seen(one) for one in self.vaults]
        return VaultsSeen(
            prices_as_of=self.prices.as_of,
            currency=self.prices.currency,
            archives=sum(one.archives or 0 for one in seen),
            bytes=sum(one.bytes or 0 for one in seen),
            storage_per_month=sum(one.storage_per_month or 0.0 for one in seen),
            empty=[Empty(profile=one.profile, account_id=one.account_id, region=one.region) for one in self.empty],
            vaults=seen,
            not_read=[one.as_result() for one in self.unread],
        )

    def rows(self) -> Iterator[Sequence[object]]:
        """One row for each vault, and one for each region that could not be listed."""
        for one in map(self._seen, self.vaults):
            cells = {
                **{name: getattr(one, name) for name in SURVEYED if hasattr(one, name)},
                "storage_per_month": rounded(one.storage_per_month),
                "currency": self.prices.currency,
                "tags": None if one.tags is None else "; ".join(f"{name}={text}" for name, text in one.tags.items()),
                "may_write": None if one.may_write is None else "; ".join(one.may_write),
                "uploads_denied_by": None if one.uploads_denied_by is None else "; ".join(one.uploads_denied_by),
                "findings": "; ".join(f"{finding.subject}: {finding.what}" for finding in one.findings),
                "not_read": "; ".join(f"{fault.operation}: {fault.why}" for fault in one.not_read),
            }
            yield [cells[name] for name in SURVEYED]
        for unread in self.unread:
            told = unread.as_cells()
            yield [told.get(name) for name in SURVEYED]

    def as_text(self, columns: int | None) -> str:
        """All of it as a page of so many columns; None: as wide as it needs."""
        places = defaultdict[tuple[str, str, str | None], list[Surveyed]](list)
        for one in self.vaults:
            places[one.found.vault.account_id, one.found.vault.region, one.found.profile].append(one)
        sections = []
        for place, there in places.items():
            rows = [self._row(one) for one in there]
            below = [line for one in there for line in self._told(one)]
            sections.append(f"{place_line(*place)}\n{grid(_HEAD, rows, columns, numbers=_NUMBERS)}")
            sections += [grid(("", "", ""), below, columns, numbers=frozenset())] if below else []
        if self.vaults:
            sections += ["\n".join(self._sums()), _WRITERS_ARE_PARTLY_SEEN]
        if self.empty:
            where = ", ".join(_whose(one.region, one.profile, one.account_id) for one in self.empty)
            sections.append(safe(f"No vaults in {where}."))
        return "\n\n".join([*sections, *unread_section(self.unread)])

    def _sums(self) -> Iterator[str]:
        total, currency = self.as_result(), self.prices.currency
        yield (
            f"{len(self.vaults):,} vaults, {total.archives:,} archives, {size(total.bytes)}, "
            f"{money(total.storage_per_month, currency)} a month at prices as of {total.prices_as_of}"
        )
        if uncounted := sum(one.archives is None for one in total.vaults):
            yield f"  {uncounted:,} of them have had no inventory yet, so nobody has counted their archives"
        counted = [one for one in total.vaults if one.bytes is not None]
        for region in sorted({one.region for one in counted if one.storage_per_month is None}):
            yield f"  {region} is not in that sum: {NO_PRICE.format(region=region)}"

    def _seen(self, one: Surveyed) -> VaultSeen:
        vault, described = one.found.vault, one.found.described
        last = described.last_inventory
        stored = described.size_bytes
        return VaultSeen(
            vault=vault.name,
            account_id=vault.account_id,
            region=vault.region,
            profile=one.found.profile,
            created=told_moment(described.created),
            archives=described.archives,
            bytes=stored,
            last_inventory=told_moment(last),
            inventory_age_days=None if last is None else round((self.now - last).total_seconds() / 86_400, 2),
            storage_per_month=None if stored is None else self.prices.storage_per_month(vault.region, stored),
            lock=one.lock,
            tags=None if one.protection.tags is None else dict(one.protection.tags),
            may_write=one.may_write,
            uploads_denied_by=one.uploads_denied_by,
            uploads_in_progress=one.uploads,
            findings=[as_result(finding) for finding in one.findings],
            not_read=[NotRead(operation=name, why=str(fault)) for name, fault in one.unread.items()],
        )

    def _row(self, one: Surveyed) -> list[str]:
        seen = self._seen(one)
        last = one.found.described.last_inventory
        return [
            seen.vault,
            "not counted" if seen.archives is None else f"{seen.archives:,}",
            "-" if seen.bytes is None else size(seen.bytes),
            "none yet" if last is None else f"{last:%Y-%m-%d}, {_age(seen.inventory_age_days)}",
            "-" if seen.bytes is None else money(seen.storage_per_month, self.prices.currency),
            NOT_READ if seen.lock is None else seen.lock,
        ]

    def _told(self, one: Surveyed) -> Iterator[tuple[str, str, str]]:
        """What there is to say of a vault in words: its name once, and beside it label and text."""
        seen = self._seen(one)
        told = [
            ("tags", ", ".join(f"{name}={text}" for name, text in (seen.tags or {}).items())),
            ("writes", "; ".join(_writers(seen))),
            *((finding.weight.value, f"{finding.subject}: {finding.what}") for finding in one.findings),
            *((NOT_READ, fault.why) for fault in seen.not_read),
        ]
        lines = [(label, text) for label, text in told if text]
        yield from ((seen.vault if not number else "", *line) for number, line in enumerate(lines))


_HEAD = ("Vault", "Archives", "Size", "Last inventory", "A month", "Lock")
_NUMBERS = frozenset({1, 2, 3, 4})


def _writers(seen: VaultSeen) -> Iterator[str]:
    if seen.may_write:
        yield f"its access policy lets upload: {', '.join(seen.may_write)}"
    if seen.uploads_in_progress:
        yield f"{seen.uploads_in_progress:,} multipart uploads in progress"
    if seen.uploads_denied_by:
        yield f"uploads are denied to everybody by {', '.join(seen.uploads_denied_by)}"


def unread_section(unread: Sequence[Unread]) -> list[str]:
    """What could not be read, as a section of a page; none where there is nothing."""
    return (
        ["\n".join(["Not read, so what there is is not known:", *(one.as_line() for one in unread)])] if unread else []
    )


def place_line(account_id: str, region: str, profile: str | None) -> str:
    """What a table is of: account, region and whose credentials asked."""
    return safe(f"Account {account_id}, {region}" + ("" if profile is None else f", profile {profile}"))


def _whose(region: str, profile: str | None, account_id: str | None) -> str:
    named = (("account", account_id), ("profile", profile))
    whose = ", ".join(f"{what} {name}" for what, name in named if name is not None)
    return f"{region} ({whose})" if whose else region


def rounded(amount: float | None) -> float | None:
    """Money for a cell: to a hundredth of a cent."""
    return None if amount is None else round(amount, 4)


def told_moment(time: datetime | None) -> str | None:
    """A time for programs (UTC)."""
    return None if time is None else f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _age(days: float | None) -> str:
    """In whole days once it is more than two."""
    if days is None or days < 0:
        return "now"
    return f"{days:,.0f} d" if days >= 2 else duration(int(days * 24) * 3_600) if days >= 1 / 24 else "now"
