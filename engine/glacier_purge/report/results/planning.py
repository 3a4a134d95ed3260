"""The answers of what looks and plans, and deletes nothing: inventories, plans, ``doctor``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from glacier_purge.inventory.batch import Defect, Duplicate
from glacier_purge.plan.census import SizeClass, Uploads
from glacier_purge.plan.cost import Estimate
from glacier_purge.plan.document import PlanFinding, Reason, Sample
from glacier_purge.report.results.result import Result, about


class VaultFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Something noticed about the vault."""

    weight: Annotated[Literal["fine", "note", "warning", "blocking"], about("blocking stands in the way of a purge.")]
    subject: Annotated[str, about("What it is about, in a word or two.")]
    what: Annotated[str, about("What was found.")]
    why: Annotated[str, about("Why it matters; empty where that is plain.")]
    advice: Annotated[str, about("What to do about it; empty where there is nothing to do.")]


class ForecastStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the forecast."""

    name: Annotated[str, about("What happens in it.")]
    seconds: Annotated[tuple[float, float, float], about("How long it takes: soonest, likely, at the latest.")]
    ends: Annotated[tuple[datetime, datetime, datetime], about("When it ends (UTC): soonest, likely, at the latest.")]


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """How long it takes, if it began now."""

    steps: Annotated[tuple[ForecastStep, ...], about("The steps, in order.")]
    assumed: Annotated[str, about("What the rate of the deletes was taken from.")]


class Planned(Result, frozen=True, kw_only=True, tag="plan"):
    """A plan: what goes, what stays and why, what it costs and how long it takes. No delete was sent."""

    run_dir: Annotated[str, about("The run folder.")]
    vault: Annotated[str, about("The vault's name.")]
    account_id: Annotated[str, about("The vault's account.")]
    region: Annotated[str, about("The vault's region.")]
    endpoint_url: Annotated[str, about("Where the deletes would be sent.")]
    inventory_date: Annotated[str | None, about("When the inventory was made, as it says; null in a CSV.")]
    inventory: Annotated[int, about("Records of the inventory.")]
    selected: Annotated[int, about("Archives that go.")]
    skipped: Annotated[int, about("Archives that stay because they were not chosen.")]
    invalid: Annotated[int, about("Records set aside because no archive can be told from them.")]
    duplicates: Annotated[int, about("Records set aside because they repeat an archive id.")]
    count: Annotated[int, about("The same as selected.")]
    bytes: Annotated[int, about("Size of the archives that go.")]
    oldest: Annotated[str | None, about("Upload time of the oldest archive that goes, as the inventory has it.")]
    newest: Annotated[str | None, about("Upload time of the newest archive that goes, as the inventory has it.")]
    digest: Annotated[str, about("The plan's digest (64 hex digits), which approves it.")]
    retrievals_looked_at: Annotated[bool, about("Whether the service said which archives are being retrieved.")]
    sender: Annotated[str, about("Who is kept from sending at the same time, in words.")]
    reasons: Annotated[list[Reason], about("Every decision the plan could make, and how many records met it.")]
    findings: Annotated[list[PlanFinding], about("What whoever approves should know, and that decided nothing.")]
    uploads: Annotated[list[Uploads], about("The archives that go by month of upload.")]
    sizes: Annotated[list[SizeClass], about("The archives that go by size.")]
    samples: Annotated[list[Sample], about("Some of the archives that go.")]
    vault_findings: Annotated[
        list[VaultFinding] | None, about("What was noticed about the vault when it was planned for; null: not looked.")
    ]
    estimate: Annotated[Estimate, about("What it costs and frees, at the prices of a table.")]
    forecast: Annotated[Forecast, about("How long it takes, if it began now.")]


class Shown(Planned, frozen=True, kw_only=True, tag="shown-plan"):
    """A plan again, as it was made, with what is computed for today."""

    approval: Annotated[Literal["given", "wanted"], about("Whether somebody has approved it.")]
    approved_by: Annotated[str | None, about("Who approved it, and how; null before work began.")]
    approvals_needed: Annotated[int, about("So many people have to sign; 0 where one person's yes will do.")]
    approvals_there: Annotated[list[str], about("Whose signed approvals count.")]


class AllShown(Result, frozen=True, kw_only=True, tag="shown-plans"):
    """The plans of a fleet that wait for an approval."""

    waiting: Annotated[int, about("How many there are.")]
    plans: Annotated[list[Shown], about("The plans.")]
    run_dir: Annotated[str, about("The fleet's folder.")]


class Inspected(Result, frozen=True, kw_only=True, tag="inventory"):
    """What an inventory file holds, and what is wrong with it."""

    file: Annotated[str, about("The file that was looked into; - is standard input.")]
    inventory_format: Annotated[str, about("json or csv.")]
    mode: Annotated[str, about("How it was read: as Glacier writes it, or by the reader for all other JSON.")]
    vault_arn: Annotated[str | None, about("The vault it says it is of; null in a CSV.")]
    inventory_date: Annotated[str | None, about("When it was made, as it says; null in a CSV.")]
    records: Annotated[int, about("Records in it.")]
    archives: Annotated[int, about("Sound records.")]
    archive_bytes: Annotated[int, about("Size of the archives of all sound records.")]
    oldest: Annotated[str | None, about("Earliest upload, as written.")]
    newest: Annotated[str | None, about("Latest upload, as written.")]
    invalid: Annotated[int, about("Records of which no delete could be made.")]
    defects: Annotated[list[Defect], about("The first of the invalid records.")]
    duplicates: Annotated[int, about("Records that repeat an archive id.")]
    first_duplicates: Annotated[list[Duplicate], about("The first of the repeated records.")]
    size_bytes: Annotated[int, about("Size of the inventory itself, unpacked.")]
    sha256: Annotated[str, about("SHA-256 (hex) of the inventory itself, unpacked.")]
    seconds: Annotated[float, about("What the look took.")]


class Fetched(Result, frozen=True, kw_only=True, tag="fetched-inventory"):
    """An inventory that was fetched from the service."""

    file: Annotated[str, about("Where it lies.")]
    vault: Annotated[str, about("The vault's name.")]
    account_id: Annotated[str, about("The vault's account.")]
    region: Annotated[str, about("The vault's region.")]
    job_id: Annotated[str, about("The inventory job it is the output of.")]
    inventory_date: Annotated[str | None, about("When it was made, as it says.")]
    records: Annotated[int, about("Records in it.")]
    bytes: Annotated[int, about("Its size.")]
    sha256: Annotated[str, about("SHA-256 (hex) of its bytes.")]


class Diagnosed(Result, frozen=True, kw_only=True, tag="diagnosis"):
    """What could go wrong with a purge of a vault."""

    vault: Annotated[str, about("The vault's name.")]
    fine: Annotated[int, about("Findings that are as they should be.")]
    note: Annotated[int, about("Findings that are worth a look.")]
    warning: Annotated[int, about("Findings that somebody should know of.")]
    blocking: Annotated[int, about("Findings that stand in the way; with any, the exit code is 2.")]
    findings: Annotated[list[VaultFinding], about("All findings.")]
