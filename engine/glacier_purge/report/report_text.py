"""A report as lines for people, and as an answer for programs; the page is ``report.html``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glacier_purge.aws.endpoints import is_loopback
from glacier_purge.report.fleet_report import FleetReport
from glacier_purge.report.results.reporting import (
    CompanyCertified,
    FleetReported,
    Hold,
    PairReported,
    PhasesTaken,
    Round,
    VaultReported,
)
from glacier_purge.report.terminal import safe
from glacier_purge.report.vault_report import Verdict
from glacier_purge.text import duration, money, share, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier_purge.report.run_report import RunReport
    from glacier_purge.report.vault_report import Calendar, VaultReport

_NAME = 34


def as_lines(report: VaultReport) -> list[str]:
    """One vault's report as lines, each made safe."""
    return [safe(line) for line in _lines(report)]


def _lines(report: VaultReport) -> Iterator[str]:
    if is_loopback(report.endpoint_url):
        yield "REHEARSAL: every request went to a simulator, none to Amazon Glacier"
    yield f"Purge of vault {report.vault}, account {report.account_id}, {report.region}"
    yield f"  {verdict_in_words(report)}"
    for number, run in enumerate(report.rounds, 1):
        yield ""
        yield from _round(run, f"Round {number}" if len(report.rounds) > 1 else "Outcomes")
    if report.calendar is not None:
        yield ""
        yield from _calendar(report.calendar)


def verdict_in_words(report: VaultReport) -> str:
    """How it stands, in a sentence."""
    verdict = report.verdict
    if verdict is Verdict.FAILED:
        return f"{report.failed:,} {verdict.value}"
    if verdict is Verdict.STOPPED and report.last is not None and report.last.stop_reason:
        return f"{verdict.value}: {report.last.stop_reason}"
    return f"{verdict.value}; the vault itself was removed" if report.vault_removed else verdict.value


def _round(run: RunReport, title: str) -> Iterator[str]:
    plan, counts, savings = run.plan, run.counts, run.savings
    yield title
    if run.approved_by is not None:
        yield f"  approved by     {run.approved_by}"
    yield f"  deleted         {counts['deleted']:,} of {plan.counts.selected:,} planned, {size(run.bytes_deleted)}"
    yield f"  failed          {counts['failed']:,}"
    yield f"  kept            {plan.counts.skipped:,} of {plan.counts.inventory:,} listed"
    yield f"  accounted for   {share(run.accounted, plan.counts.inventory)} of the inventory's records"
    yield f"  no longer paid  {money(savings.per_month, savings.currency)} a month, at prices of {savings.prices_as_of}"
    yield f"  worked          {duration(run.active_seconds)}, {run.attempts:,} requests, {run.throttled:,} throttled"
    if run.shape is not None:
        yield "What set the pace"
        for row in run.shape.held:
            took = f"{duration(row.seconds):>14}  {row.share:>4.0%}"
            yield f"  {row.name:<{_NAME}}{took}  {row.deleted:>12,} deleted".rstrip()
    if run.certificate is not None:
        yield f"Certificate  {run.certificate.digest}"
    if run.anchor is not None:
        anchor = run.certificate.audit_anchor if run.certificate is not None else run.anchor
        yield f"Check it     glacier-purge audit verify {run.folder} --anchor {anchor}"


def _calendar(calendar: Calendar) -> Iterator[str]:
    yield f"Where the {duration(calendar.seconds)} went, {duration(calendar.waited_seconds)} of it waiting"
    for phase in calendar.phases:
        name = phase.phase if phase.round == 1 else f"{phase.phase}, round {phase.round}"
        waited = f", waited {phase.waited}" if phase.waited else ""
        yield f"  {phase.end:%Y-%m-%d %H:%M}  {name:<24}{duration(phase.seconds):>14}  {phase.event}{waited}"


def fleet_lines(report: FleetReport) -> list[str]:
    """A fleet's report as lines, each made safe: the vaults, each account and region, and what is proven."""
    return [safe(line) for line in _fleet_lines(report)]


def _fleet_lines(report: FleetReport) -> Iterator[str]:
    yield from report.table.splitlines()
    if len(report.totals) > 1:
        yield ""
        for one in report.totals:
            yield (
                f"{one.account_id} {one.region}: {one.done:,} of {one.vaults:,} vaults done, {one.proven:,} proven, "
                f"{one.deleted:,} of {one.selected:,} archives deleted, {one.failed:,} failed"
            )
    certificate = report.certificate
    yield ""
    yield f"Certificates of {len(certificate.vaults):,} vaults, together {certificate.digest}"
    for vault in certificate.vaults:
        yield f"  {vault.certificate or 'NOT PROVEN, ' + (vault.not_proven or '')}  {vault.vault_arn}"
    yield "It does not prove:"
    for line in certificate.does_not_prove:
        yield f"  {line}"


def as_answer(report: VaultReport | FleetReport) -> VaultReported | FleetReported:
    """A report for programs."""
    if isinstance(report, FleetReport):
        certificate = report.certificate
        return FleetReported(
            done=report.done,
            vaults=len(report.rows),
            pairs=tuple(msgspec.convert(one, PairReported, from_attributes=True) for one in report.totals),
            certificate=msgspec.convert(certificate, CompanyCertified, from_attributes=True),
            status=report.status,
            run_dir=report.folder,
        )
    return VaultReported(
        vault=report.vault,
        account_id=report.account_id,
        region=report.region,
        rehearsal=is_loopback(report.endpoint_url),
        verdict=verdict_in_words(report),
        deleted=report.deleted,
        failed=report.failed,
        vault_removed=report.vault_removed,
        rounds=[_round_answer(run) for run in report.rounds],
        phases=[] if report.calendar is None else list(_phases(report.calendar)),
        run_dir=report.folder,
    )


def _round_answer(run: RunReport) -> Round:
    return Round(
        run_dir=run.folder,
        digest=run.plan.digest,
        approved_by=run.approved_by,
        inventory=run.plan.counts.inventory,
        selected=run.plan.counts.selected,
        counts=run.counts,
        bytes_deleted=run.bytes_deleted,
        attempts=run.attempts,
        active_seconds=run.active_seconds,
        first_deletion=run.first_deletion,
        last_deletion=run.last_deletion,
        freed_per_month=run.savings.per_month,
        currency=run.savings.currency,
        prices_as_of=run.savings.prices_as_of,
        held=[
            Hold(name=row.name, seconds=row.seconds, deleted=row.deleted, throttled=row.throttled, faults=row.faults)
            for row in (run.shape.held if run.shape is not None else ())
        ],
        anchor=run.anchor,
        certificate=None if run.certificate is None else run.certificate.digest,
    )


def _phases(calendar: Calendar) -> Iterator[PhasesTaken]:
    for phase in calendar.phases:
        yield PhasesTaken(
            round=phase.round,
            phase=phase.phase,
            event=phase.event,
            begin=f"{phase.begin:%Y-%m-%dT%H:%M:%SZ}",
            seconds=phase.seconds,
            waited=phase.waited,
        )
