"""The answer of ``why``: one archive's whole story."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from glacier_purge.report.results.result import UNSET, Result, UnsetType, about, moment


class InventoryRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record of the inventory that was planned with, and what the plan decided of it."""

    ordinal: Annotated[int, about("Its place in the inventory, from 0.")]
    uploaded: Annotated[str, about("When it was uploaded, as the inventory writes it.")]
    description: Annotated[str, about("Its description.")]
    size_bytes: Annotated[int, about("Its size, without the service's overhead.")]
    tree_hash: Annotated[str, about("Its SHA-256 tree hash.")]
    decision: Annotated[
        str | None, about("delete, or the reason why it stays, as rule:parameter; null where there is no plan.")
    ]


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """An inventory that was looked into."""

    file: Annotated[str, about("The file.")]
    date: Annotated[str | None, about("When the service made it; null where it does not say, as CSV.")]
    sha256: Annotated[str, about("SHA-256 of the file.")]
    records: Annotated[int, about("Its records.")]
    times_listed: Annotated[int, about("How often it lists the archive.")]


class LogRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record of the audit log that says something of the archive."""

    at: Annotated[str, about("When it was committed (UTC, milliseconds).")]
    event: Annotated[str, about("opened, approved, released, outcome or stopped.")]
    facts: Annotated[dict[str, Any], about("What it says, as docs/audit-format.md has it.")]
    epoch: Annotated[int, about("Which process wrote it, from 1.")]
    record: Annotated[int, about("Its number in the log, from 0.")]
    file: Annotated[str, about("The segment it stands in.")]
    byte: Annotated[int, about("Where it begins in the plain form of that.")]


class TakenStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the lifecycle in this round."""

    at: Annotated[str, moment("When it was taken (UTC).")]
    phase: Annotated[str, about("In which phase.")]
    event: Annotated[str, about("What happened.")]


class Certified(msgspec.Struct, frozen=True, kw_only=True):
    """The certificate of the run."""

    digest: Annotated[str, about("Its digest.")]
    at: Annotated[str, moment("When it was written (UTC).")]
    by: Annotated[str, about("Who had it written.")]
    anchor: Annotated[str, about("SEQ:HASH of the log's last line.")]
    signed_with: Annotated[str | None, about("The key that signed the anchor; null where none did.")]


class RunStory(msgspec.Struct, frozen=True, kw_only=True):
    """What one run, or one round of a lifecycle, has of the archive."""

    run_dir: Annotated[str, about("The run folder.")]
    vault: Annotated[str | None, about("The vault's ARN.")]
    plan_digest: Annotated[str | None, about("The plan's digest; null where there is no plan.")]
    whole: Annotated[
        bool, about("Whether every file of the folder is as it was written: audit verify names what is not.")
    ]
    inventory: Annotated[Inventory | None, about("The inventory that was planned with; null where it is not there.")]
    records: Annotated[list[InventoryRecord], about("Each record in which that lists the archive.")]
    steps: Annotated[list[TakenStep], about("In a lifecycle: the steps of this round.")]
    log: Annotated[list[LogRecord], about("The records of the audit log that say something of it, in order.")]
    later_inventory: Annotated[
        Inventory | None, about("The inventory that the run was verified by; null where there is none.")
    ]
    certificate: Annotated[Certified | None, about("The certificate; null where there is none.")]


class Told(Result, frozen=True, kw_only=True, tag="why"):
    """One archive's whole story, as the files of a folder have it."""

    archive_id: Annotated[str, about("The archive.")]
    found: Annotated[bool, about("Whether anything in the folder names it.")]
    runs: Annotated[list[RunStory], about("Each run or round that names it.")]
    looked_in: Annotated[list[str], about("Where it was looked for: inventories and logs.")]
    run_dir: Annotated[str, about("The folder that was asked about.")]
    unreadable: Annotated[list[str] | UnsetType, about("What could not be read, and so may name it.")] = UNSET
