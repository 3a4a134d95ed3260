"""A plan as people read it: what goes, what stays and why, what it looks like, what it may cost and how long it takes.

The page computes nothing but widths; every text in it that strangers wrote passes ``safe``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import msgspec

from glacier_purge.clock import utc_now
from glacier_purge.guard.findings import Weight
from glacier_purge.guard.noticed import read_noticed
from glacier_purge.inventory.description import readable
from glacier_purge.plan.choosing import RETRIEVALS_IGNORED
from glacier_purge.plan.cost import NO_PRICE, read_price_table
from glacier_purge.plan.cost import estimate as estimated
from glacier_purge.plan.forecast import forecast
from glacier_purge.plan.identity import read_identity
from glacier_purge.plan.reasons import IN_RETRIEVAL, TOO_LARGE, TOO_SMALL
from glacier_purge.report.bars import hashes
from glacier_purge.report.findings import as_lines, as_result
from glacier_purge.report.results.planning import Forecast as ForecastResult
from glacier_purge.report.results.planning import ForecastStep, Planned
from glacier_purge.report.terminal import safe
from glacier_purge.run.limits import known_rate
from glacier_purge.text import duration, money, size

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from glacier_purge.guard.findings import Finding as Noticed
    from glacier_purge.plan.census import SizeClass, Uploads
    from glacier_purge.plan.cost import Estimate
    from glacier_purge.plan.document import Plan, PlanFinding, Reason
    from glacier_purge.plan.forecast import Forecast
    from glacier_purge.report.bars import Bar
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder

_MONTHS_SHOWN_MAX = 24
_SAMPLES_SHOWN = 5
_DESCRIPTION_CHARACTERS = 43
"""What is left of 80 columns."""

_FINDINGS = {
    "ids_not_in_inventory": "lines of --ids name no archive of this inventory",
    "copies_not_looked_at": "nobody looked whether the migrated copies are still there: add --check-s3 "
    "BUCKET/PREFIX, or an S3 listing with a second --migrated",
    "retrieval_jobs_ignored": "archives that somebody is retrieving go, too, as --in-retrieval delete asked for",
    "excluded_ids_not_in_inventory": "lines of --exclude-ids name no archive of this inventory",
}


_NOT_LOOKED_AT = (
    "NOTE: nobody looked whether somebody is retrieving archives: the service was not reached or did not tell "
    "(--in-retrieval hold says why)"
)
_NOT_NOTICED = "NOTE: nobody wrote down whether somebody still writes to the vault (glacier-purge doctor looks)"
_ONE_SENDER = "one process at a time on this host; other hosts and containers are not kept out"
_ONE_OF_SEVERAL = "one at a time of all hosts that are given {}; others are not kept out"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """A plan with what was computed for the day it is looked at.

    ``retrievals_looked_at`` tells whether the service said which archives are being retrieved; it decided nothing that
    the plan does not say, so it is not in the plan.
    """

    run_dir: str
    plan: Plan
    retrievals_looked_at: bool
    estimate: Estimate
    forecast: Forecast
    sender: str = _ONE_SENDER
    noticed: tuple[Noticed, ...] | None = ()
    """What was noticed about the vault when it was planned for; no part of the plan, as it changes by the hour. None
    where nobody wrote it down."""

    @classmethod
    def of(cls, folder: RunFolder, plan: Plan, settings: Settings) -> PlanView:
        """Look at the plan in ``folder`` now. Raises ``ConfigurationFailed`` for prices and ``PlanRefused`` for files
        that cannot be read.
        """
        estimate, ahead = _prospects(plan, settings)
        return cls(
            run_dir=str(folder.path),
            plan=plan,
            retrievals_looked_at=read_identity(folder, plan).retrievals_looked_at is True,
            estimate=estimate,
            forecast=ahead,
            sender=_ONE_SENDER if settings.replica.url is None else _ONE_OF_SEVERAL.format(settings.replica.url),
            noticed=read_noticed(folder),
        )

    def as_result(self) -> Planned:
        """The plan for programs."""
        plan = self.plan
        return Planned(
            run_dir=self.run_dir,
            vault=plan.vault_name,
            account_id=plan.account_id,
            region=plan.region,
            endpoint_url=plan.endpoint_url,
            inventory_date=plan.snapshot.inventory_date,
            **msgspec.structs.asdict(plan.counts),
            count=plan.counts.selected,
            bytes=plan.selected_bytes,
            oldest=plan.oldest,
            newest=plan.newest,
            digest=plan.digest,
            retrievals_looked_at=self.retrievals_looked_at,
            sender=self.sender,
            **{name: getattr(plan, name) for name in ("reasons", "findings", "uploads", "sizes", "samples")},
            vault_findings=None if self.noticed is None else [as_result(noticed) for noticed in self.noticed],
            estimate=self.estimate,
            forecast=ForecastResult(
                steps=tuple(ForecastStep(**asdict(step)) for step in self.forecast.steps),
                assumed=self.forecast.assumed,
            ),
        )

    def as_text(self, *closing: str, bar: Bar = hashes) -> str:
        """The plan as a page, with the lines ``closing`` below its digest. ``bar`` draws how many there are of each."""
        sections = [
            self._head(),
            _histogram("Uploaded in", [(uploads.when, uploads) for uploads in _by_period(self.plan.uploads)], bar),
            _histogram("Sizes", list(zip(size_names(self.plan.sizes), self.plan.sizes, strict=True)), bar),
            self._samples(),
            self._estimate(),
            self._forecast(),
            self._notes(),
            self._noticed(),
            [f"digest  {self.plan.digest}", *closing],
        ]
        return "\n\n".join("\n".join(map(safe, section)) for section in sections if section)

    def _head(self) -> list[str]:
        plan, counts = self.plan, self.plan.counts
        stays = [
            f"    {reason.records:>15,}  {reason.name.replace('_', ' ')} {_parameter(reason)}".rstrip()
            for reason in plan.reasons
            if reason.name != "delete" and reason.records
        ]
        period = f"{plan.oldest or '-'} to {plan.newest or '-'}"
        return [
            f"Plan for vault {plan.vault_name} in {plan.region}, account {plan.account_id}",
            f"  endpoint    {plan.endpoint_url}",
            f"  inventory   {counts.inventory:,} records, as of {plan.snapshot.inventory_date or 'no date'}",
            f"  run folder  {self.run_dir}",
            f"  goes        {counts.selected:,} archives, {size(plan.selected_bytes)}, uploaded {period}",
            f"  stays       {counts.inventory - counts.selected:,} records",
            *stays,
            f"  retrievals  {self._retrievals()}",
            f"  sender      {self.sender}",
        ]

    def _retrievals(self) -> str:
        if not self.retrievals_looked_at:
            return "not looked at"
        held = next((reason.records for reason in self.plan.reasons if reason.decision == IN_RETRIEVAL), 0)
        return f"looked at; {held:,} archives are being retrieved" if held else "looked at; nobody retrieves an archive"

    def _notes(self) -> list[str]:
        notes = [f"NOTE: {_finding(finding)}" for finding in self.plan.findings]
        asked_not_to = any(finding.name == RETRIEVALS_IGNORED for finding in self.plan.findings)
        return notes if self.retrievals_looked_at or asked_not_to else [*notes, _NOT_LOOKED_AT]

    def _noticed(self) -> list[str]:
        if self.noticed is None:
            return [_NOT_NOTICED]
        return [line for noticed in self.noticed if noticed.weight is not Weight.FINE for line in as_lines(noticed)]

    def _samples(self) -> list[str]:
        lines = [
            f"  {sample.created}  {size(sample.size_bytes):>11}  {_short(sample.description) or '(no description)'}"
            for sample in self.plan.samples[:: max(1, len(self.plan.samples) // _SAMPLES_SHOWN)][:_SAMPLES_SHOWN]
        ]
        return ["For example", *lines]

    def _estimate(self) -> list[str]:
        it = self.estimate
        fee = "none: no archive is younger than 90 days"
        if it.young_archives:
            fee = (
                f"{money(it.early_deletion_fee, it.currency)} for {it.young_archives:,} archives younger than 90 days "
                f"({size(it.young_bytes)}); keeping them until then costs as much"
            )
        freed = f"{size(it.storage_freed_bytes)} with 32 KiB overhead for each archive"
        a_month, a_trail = (money(cost, it.currency) for cost in (it.storage_freed_per_month, it.trail_cost_per_trail))
        no_price = [f"  no price        {NO_PRICE.format(region=self.plan.region)}"]
        return [
            f"Estimates, at prices as of {it.prices_as_of} (put your own in: estimate.prices_file)",
            *([] if it.storage_freed_per_month is not None else no_price),
            f"  storage freed   {freed}, {a_month} a month",
            f"  early deletion  {fee}",
            f"  CloudTrail      {a_trail} for each trail beyond the account's first",
        ]

    def _forecast(self) -> list[str]:
        steps = self.forecast.steps
        rows = [
            f"  {step.name:<16}{_moment(step.ends[0]):<18}{_moment(step.ends[1]):<18}{_moment(step.ends[2]):<18}"
            f"({duration(step.seconds[1])})"
            for step in steps
        ]
        head = f"  {'ends (UTC)':<16}{'soonest':<18}{'likely':<18}{'at the latest':<18}"
        return [f"Forecast, if it began now; {self.forecast.assumed}", head.rstrip(), *rows]


def to_delete(folder: RunFolder) -> str:
    """How a run's plan is carried out that nobody has approved yet."""
    return f"Nothing was sent. To delete: glacier-purge apply {folder.path}"


def _short(description: str) -> str:
    """A description's beginning, or the name in it, cut after it was made safe: a hostile character may show as ten."""
    text = safe(readable(description))
    return text if len(text) <= _DESCRIPTION_CHARACTERS else text[: _DESCRIPTION_CHARACTERS - 3] + "..."


def _histogram(title: str, bars: list[tuple[str, Uploads | SizeClass]], draw: Bar) -> list[str]:
    largest = max((bar.archives for _, bar in bars), default=0)
    if not largest:
        return []
    width = max(len(name) for name, _ in bars)
    return [
        title,
        *(
            f"  {name:<{width}}  {bar.archives:>13,}  {size(bar.bytes):>11}  {draw(bar.archives, largest)}".rstrip()
            for name, bar in bars
        ),
    ]


def _by_period(months: list[Uploads]) -> Iterable[Uploads]:
    """Months where they fit on a screen, else years."""
    if len(months) <= _MONTHS_SHOWN_MAX:
        return months
    years: dict[str, Uploads] = {}
    for month in months:
        year = month.when if month.when == "unknown" else month.when[:4]
        before = years.get(year)
        archives, size_bytes = (before.archives, before.bytes) if before else (0, 0)
        years[year] = msgspec.structs.replace(
            month, when=year, archives=archives + month.archives, bytes=size_bytes + month.bytes
        )
    return years.values()


def size_names(sizes: list[SizeClass]) -> list[str]:
    """Each class of sizes in words: "under 1 KiB", "1 KiB to 32 KiB", "32 GiB and more"."""
    names = []
    begin = 0
    for one in sizes:
        if one.below_bytes is None:
            names.append(f"{_edge(begin)} and more")
        else:
            names.append(f"{_edge(begin)} to {_edge(one.below_bytes)}" if begin else f"under {_edge(one.below_bytes)}")
            begin = one.below_bytes
    return names


def _edge(size_bytes: int) -> str:
    return size(size_bytes).replace(".0 ", " ")


def _finding(finding: PlanFinding) -> str:
    samples = f", e.g. {', '.join(finding.samples)}" if finding.samples else ""
    text = _FINDINGS[finding.name]
    return f"{finding.number:,} {text}{samples}" if finding.number else f"{text}{samples}"


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"


def _parameter(reason: Reason) -> str:
    if reason.parameter is None:
        return ""
    return f"{int(reason.parameter):,} bytes" if reason.decision in {TOO_SMALL, TOO_LARGE} else reason.parameter


def _prospects(plan: Plan, settings: Settings) -> tuple[Estimate, Forecast]:
    """What carrying the plan out now would cost and how long it would take, as far as anybody can tell.

    Raises ``ConfigurationFailed`` for a price table that cannot be read.
    """
    now = utc_now()
    ahead = forecast(
        plan.counts.selected,
        now,
        known=known_rate(plan.vault, plan.endpoint_url),
        per_second_max=settings.pace.max_rate,
        has_inventory=True,
    )
    return estimated(plan, read_price_table(settings.estimate.prices_file), now.date()), ahead
