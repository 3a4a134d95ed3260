"""What emptying vaults would save, cost and take, as far as it is known: data, a table, rows, an answer for programs.

Where each archive's age is known the fee for early deletion is one figure, else a range.  What is not known stands in
no sum, and is named beside it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

from glacier_purge.guard.protection import Held
from glacier_purge.plan.cost import NO_PRICE
from glacier_purge.report.grid import grid
from glacier_purge.report.results.planning import Forecast as ForecastResult
from glacier_purge.report.results.planning import ForecastStep
from glacier_purge.report.results.surveying import Estimated, NotRead, VaultEstimate
from glacier_purge.report.survey import place_line, rounded, told_moment, unread_section
from glacier_purge.report.terminal import safe
from glacier_purge.text import duration, money

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from glacier_purge.archive import Vault
    from glacier_purge.errors import GlacierPurgeError
    from glacier_purge.plan.cost import PriceTable
    from glacier_purge.plan.forecast import Forecast
    from glacier_purge.report.survey import Unread

KnownBy = Literal["counts", "inventory", "plan"]
ESTIMATED = (
    "account_id", "region", "profile", "vault", "known_by", "as_of", "archives", "bytes", "saved_per_month",
    "early_deletion_fee_min", "early_deletion_fee_max", "trail_cost_per_trail", "currency", "deleting_hours",
    "over_soonest", "over", "over_latest", "assumed", "held_by", "not_read",
)  # fmt: skip
"""The columns of the list."""
_HEAD = ("Vault", "Archives", "{currency}/month", "Early deletion", "Deleting", "Over")
_NUMBERS = frozenset({1, 2, 3, 4})
_LIKELY = 1
NOT_HELD = Held((), ())
_A_RANGE = (
    "Archives under 90 days are charged for the rest of them. By the service's counts that is a range: they do not say "
    "how old archives are. An inventory does:\n  glacier-purge estimate VAULT --inventory FILE"
)
_OVER = (
    "Over is likely when the vault is gone: inventory job, deletes at the rate, next inventory, removal; each vault as "
    "if it went alone."
)
_NOT_ASKED = "Whether a lock, a policy or a tag forbids it, tells:\n  glacier-purge vaults"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """A vault, what is known of it, and what follows. Sizes are billed bytes; None is what is not known."""

    vault: Vault
    profile: str | None
    endpoint_url: str
    known_by: KnownBy
    as_of: datetime | None
    archives: int | None = None
    billed_bytes: int | None = None
    saved_per_month: float | None = None
    fee: tuple[float, float] | None = None
    trail_cost: float | None = None
    invalid_records: int = 0
    forecast: Forecast | None = None
    held: Held = NOT_HELD
    unread: Mapping[str, GlacierPurgeError] = field(default_factory=dict)

    def as_result(self) -> VaultEstimate:
        """It for programs."""
        return VaultEstimate(
            vault=self.vault.name,
            account_id=self.vault.account_id,
            region=self.vault.region,
            profile=self.profile,
            known_by=self.known_by,
            as_of=told_moment(self.as_of),
            archives=self.archives,
            bytes=self.billed_bytes,
            saved_per_month=self.saved_per_month,
            early_deletion_fee=self.fee,
            trail_cost_per_trail=self.trail_cost,
            invalid_records=self.invalid_records,
            forecast=None
            if self.forecast is None
            else ForecastResult(
                steps=tuple(ForecastStep(**asdict(step)) for step in self.forecast.steps),
                assumed=self.forecast.assumed,
            ),
            held_by=list(self.held.whole),
            held_in_part_by=list(self.held.part),
            not_read=[NotRead(operation=name, why=str(fault)) for name, fault in self.unread.items()],
        )

    @property
    def deleting_seconds(self) -> float | None:
        """How long the deletes alone are likely to take."""
        if self.forecast is None:
            return None
        return next(step.seconds[_LIKELY] for step in self.forecast.steps if step.name == "deletes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """All of them. ``over`` is when all would be over: soonest, likely, at the latest; None where nothing is known.

    What is held stands among them with what it would be, and is in no sum.
    """

    prices: PriceTable
    prospects: Sequence[Prospect]
    over: tuple[datetime, datetime, datetime] | None
    unread: Sequence[Unread]

    @property
    def exit_code(self) -> int:
        """0 where all was read, otherwise the worst of what was not."""
        faults = [one.error for one in self.unread] + [fault for one in self.prospects for fault in one.unread.values()]
        return max((fault.exit_code for fault in faults), default=0)

    @property
    def not_read(self) -> int:
        """How many questions have no answer."""
        return len(self.unread) + sum(len(one.unread) for one in self.prospects)

    def as_result(self) -> Estimated:
        """All of it for programs."""
        going = [one for one in self.prospects if not one.held.whole]
        held = [one for one in self.prospects if one.held.whole]
        fees = [one.fee for one in going if one.fee is not None]
        return Estimated(
            prices_as_of=self.prices.as_of,
            currency=self.prices.currency,
            archives=sum(one.archives or 0 for one in going),
            saved_per_month=sum((one.saved_per_month or 0.0 for one in going), 0.0),
            early_deletion_fee=(sum((least for least, _ in fees), 0.0), sum((most for _, most in fees), 0.0)),
            held=[one.vault.arn for one in held],
            held_archives=sum(one.archives or 0 for one in held),
            held_saved_per_month=sum((one.saved_per_month or 0.0 for one in held), 0.0),
            over=None if self.over is None else _three(self.over),
            vaults=[one.as_result() for one in self.prospects],
            not_known=[one.vault.arn for one in going if one.saved_per_month is None],
            not_read=[one.as_result() for one in self.unread],
        )

    def rows(self) -> Iterator[Sequence[object]]:
        """One row for each vault, and one for each that could not be asked."""
        for prospect in self.prospects:
            one, ahead = prospect.as_result(), prospect.forecast
            least, most = one.early_deletion_fee or (None, None)
            soonest, likely, latest = (None, None, None) if ahead is None else _three(ahead.steps[-1].ends)
            seconds = prospect.deleting_seconds
            cells = {
                **{name: getattr(one, name) for name in ESTIMATED if hasattr(one, name)},
                "saved_per_month": rounded(one.saved_per_month),
                "early_deletion_fee_min": rounded(least),
                "early_deletion_fee_max": rounded(most),
                "trail_cost_per_trail": rounded(one.trail_cost_per_trail),
                "currency": self.prices.currency,
                "deleting_hours": None if seconds is None else round(seconds / 3_600, 2),
                "over_soonest": soonest,
                "over": likely,
                "over_latest": latest,
                "assumed": None if ahead is None else ahead.assumed,
                "held_by": "; ".join(one.held_by),
                "not_read": "; ".join(f"{fault.operation}: {fault.why}" for fault in one.not_read),
            }
            yield [cells.get(name) for name in ESTIMATED]
        for unread in self.unread:
            told = unread.as_cells()
            yield [told.get(name) for name in ESTIMATED]

    def as_text(self, columns: int | None) -> str:
        """All of it as a page of so many columns; None: as wide as it needs."""
        places = defaultdict[tuple[str, str, str | None], list[Prospect]](list)
        for one in self.prospects:
            places[one.vault.account_id, one.vault.region, one.profile].append(one)
        sections = []
        for place, there in places.items():
            head = [name.format(currency=self.prices.currency) for name in _HEAD]
            table = grid(head, [_row(one) for one in there], columns, numbers=_NUMBERS)
            rate = next((one.forecast.assumed for one in there if one.forecast is not None), None)
            sections.append(
                "\n".join([place_line(*place), table, *([] if rate is None else [safe(f"  Rate: {rate}")])])
            )
        if self.prospects:
            sections += ["\n".join(self._sums()), *self._held(), _OVER]
        if any(one.known_by != "counts" for one in self.prospects):
            sections.append(_NOT_ASKED)
        if any(one.known_by == "counts" for one in self.prospects):
            sections.append(_A_RANGE)
        return "\n\n".join([*sections, *unread_section(self.unread)])

    def _sums(self) -> Iterator[str]:
        total, currency = self.as_result(), self.prices.currency
        vaults, saved = len(self.prospects) - len(total.held), money(total.saved_per_month, currency)
        fee = f"{_between(total.early_deletion_fee)} {currency} for early deletion"
        yield (
            f"{vaults:,} vaults, {total.archives:,} archives: {saved} a month saved, {fee} (prices as of "
            f"{total.prices_as_of}; put your own in: estimate.prices_file)"
        )
        if self.over is not None:
            soonest, likely, latest = (f"{time:%Y-%m-%d %H:%M}" for time in self.over)
            yield f"  all over by {likely} UTC, {soonest} at the soonest, {latest} at the latest"
        for one in self.prospects:
            if one.invalid_records:
                yield f"  {one.invalid_records:,} records of the inventory are no archives and in no figure"
            if one.archives is None and not one.held.whole:
                yield safe(f"  {one.vault.name} is in no sum: it has had no inventory yet, so nobody has counted it")
        for region in sorted(
            {
                one.vault.region
                for one in self.prospects
                if one.archives and one.saved_per_month is None and not one.held.whole
            }
        ):
            yield f"  {region} is in no sum of money: {NO_PRICE.format(region=region)}"

    def _held(self) -> Iterator[str]:
        """What is in no sum because something forbids it, what a part of is, and of what that is not known."""
        total, currency = self.as_result(), self.prices.currency
        held = [one for one in self.prospects if one.held.whole]
        if held:
            yield _listed(
                f"Held by what forbids deleting, and in no sum: {len(held):,} of {len(self.prospects):,} vaults, "
                f"{total.held_archives:,} archives, {money(total.held_saved_per_month, currency)} a month",
                {one.vault: one.held.whole for one in held},
            )
        part = {one.vault: one.held.part for one in self.prospects if one.held.part and not one.held.whole}
        if part:
            yield _listed("Of these only a part can go now; they are in the sums whole:", part)
        unread = {one.vault: [str(fault) for fault in one.unread.values()] for one in self.prospects if one.unread}
        if unread:
            yield _listed("Not read of these, which may be held, and are in the sums:", unread)


def _listed(what: str, why: Mapping[Vault, Sequence[str]]) -> str:
    told = (f"  {one.name} ({one.account_id}, {one.region}): {'; '.join(because)}" for one, because in why.items())
    return "\n".join([what, *map(safe, told)])


def _row(one: Prospect) -> list[str]:
    seconds = one.deleting_seconds
    return [
        one.vault.name,
        "not counted" if one.archives is None else f"{one.archives:,}",
        "unknown" if one.saved_per_month is None else f"{one.saved_per_month:,.2f}",
        "unknown" if one.fee is None else _between(one.fee),
        "unknown" if seconds is None else duration(max(1, seconds)),
        _over(one),
    ]


def _over(one: Prospect) -> str:
    if one.held.whole:
        return "held"
    return "unknown" if one.forecast is None else f"{one.forecast.steps[-1].ends[_LIKELY]:%Y-%m-%d}"


def _between(fee: tuple[float, float]) -> str:
    least, most = (f"{amount:,.2f}" for amount in fee)
    return least if least == most else f"{least} to {most}"


def _three(moments: tuple[datetime, datetime, datetime]) -> tuple[str, str, str]:
    soonest, likely, latest = (f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in moments)
    return soonest, likely, latest
