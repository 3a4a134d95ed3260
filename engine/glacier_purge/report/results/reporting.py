"""The answer of ``report``: what became of a vault, or of a fleet's."""

from __future__ import annotations

from typing import Annotated

import msgspec

from glacier_purge.report.results.lifecycles import FleetStatus
from glacier_purge.report.results.result import Result, about, moment


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """What set the pace for some time."""

    name: Annotated[str, about("What it was, in words.")]
    seconds: Annotated[float, about("How long, by the log's clock.")]
    deleted: Annotated[int, about("Archives deleted in that time.")]
    throttled: Annotated[int, about("Requests refused for rate in that time.")]
    faults: Annotated[int, about("Requests without a good answer in that time: 5xx, or none.")]


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One plan and what became of it."""

    run_dir: Annotated[str, about("Its folder.")]
    digest: Annotated[str, about("The plan's digest.")]
    approved_by: Annotated[str | None, about("Who approved it, and how; null before work began.")]
    inventory: Annotated[int, about("Records of the inventory it was made from.")]
    selected: Annotated[int, about("Archives that the plan lets go.")]
    counts: Annotated[dict[str, int], about("Records by what became of them.")]
    bytes_deleted: Annotated[int, about("Sizes of the deleted archives, without the service's overhead.")]
    attempts: Annotated[int, about("Requests sent.")]
    active_seconds: Annotated[float, about("How long processes worked on it.")]
    first_deletion: Annotated[str | None, moment("When the first deletion was on record (UTC).")]
    last_deletion: Annotated[str | None, moment("When the last deletion was on record (UTC).")]
    freed_per_month: Annotated[
        float | None, about("What keeping the deleted archives would cost a month; an estimate.")
    ]
    currency: Annotated[str, about("Of what money.")]
    prices_as_of: Annotated[str, about("The date of the prices.")]
    held: Annotated[list[Hold], about("What set the pace, the longest first.")]
    anchor: Annotated[str | None, about("SEQ:HASH of the log's last record.")]
    certificate: Annotated[str | None, about("The certificate's digest; null where there is none.")]


class PhasesTaken(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a lifecycle."""

    round: Annotated[int, about("In which round.")]
    phase: Annotated[str, about("In which phase.")]
    event: Annotated[str, about("How it ended.")]
    begin: Annotated[str, moment("When it began (UTC).")]
    seconds: Annotated[float, about("How long it took.")]
    waited: Annotated[str, about("What it waited for; empty where it worked.")]


class VaultReported(Result, frozen=True, kw_only=True, tag="vault"):
    """What became of one vault."""

    vault: Annotated[str, about("The vault.")]
    account_id: Annotated[str, about("Its account.")]
    region: Annotated[str, about("Its region.")]
    rehearsal: Annotated[bool, about("Whether it was a simulator, and nothing real was deleted.")]
    verdict: Annotated[str, about("How it stands, the worst that holds, in words.")]
    deleted: Annotated[int, about("Archives deleted, in all rounds.")]
    failed: Annotated[int, about("Archives that failed for good in the last round.")]
    vault_removed: Annotated[bool, about("Whether the vault itself was removed by this lifecycle.")]
    rounds: Annotated[list[Round], about("The rounds that were planned, in order; a run by itself is one.")]
    phases: Annotated[list[PhasesTaken], about("A lifecycle's steps, in order; empty for a run by itself.")]
    run_dir: Annotated[str, about("The folder.")]


class PairReported(msgspec.Struct, frozen=True, kw_only=True):
    """An account and region of a fleet; counts are of its vaults' last planned rounds."""

    account_id: Annotated[str, about("The account.")]
    region: Annotated[str, about("The region.")]
    vaults: Annotated[int, about("Its vaults.")]
    done: Annotated[int, about("Those at their end.")]
    proven: Annotated[int, about("Those with a certificate.")]
    selected: Annotated[int, about("Archives that go.")]
    deleted: Annotated[int, about("Archives deleted.")]
    failed: Annotated[int, about("Archives that could not be deleted.")]


class VaultCertified(msgspec.Struct, frozen=True, kw_only=True):
    """One vault in the certificate of all."""

    vault_arn: Annotated[str, about("The vault.")]
    certificate: Annotated[str | None, about("The digest of its own certificate; null where it has none.")]
    not_proven: Annotated[str | None, about("Why it has none; null where it has one.")]
    kept_gone: Annotated[int, about("Archives that the plan let be and that are gone.")]


class CompanyCertified(msgspec.Struct, frozen=True, kw_only=True):
    """What is proven of all vaults together."""

    digest: Annotated[str, about("SHA-256 over all of it, as canonical JSON with its format.")]
    proves: Annotated[tuple[str, ...], about("What it proves.")]
    does_not_prove: Annotated[tuple[str, ...], about("What it does not prove.")]
    vaults: Annotated[tuple[VaultCertified, ...], about("Each vault.")]


class FleetReported(Result, frozen=True, kw_only=True, tag="fleet"):
    """How a fleet stands."""

    done: Annotated[int, about("Vaults at their end.")]
    vaults: Annotated[int, about("Vaults in all.")]
    pairs: Annotated[tuple[PairReported, ...], about("Each account and region.")]
    certificate: Annotated[CompanyCertified, about("What is proven of all of them, vault by vault.")]
    status: Annotated[FleetStatus, about("Each of them, as `status` tells it.")]
    run_dir: Annotated[str, about("The folder.")]
