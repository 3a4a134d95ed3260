"""The document that a step of a lifecycle or of a fleet ends with: what a scheduler goes by.

Whoever calls again does it at ``until``, and at all other times only when what ``needs`` names was done.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from glacier_purge.errors import Needs
from glacier_purge.report.results.result import UNSET, Result, UnsetType, about, moment

Ended = Literal["done", "pending", "stopped", "failed"]


class StepTaken(msgspec.Struct, frozen=True, kw_only=True):
    """One step that is on disk."""

    at: Annotated[str, moment("When it was taken (UTC).")]
    round: Annotated[int, about("In which round, from 1.")]
    phase: Annotated[str, about("In which phase.")]
    event: Annotated[str, about("What happened.")]
    facts: Annotated[dict[str, Any], about("What is to be known of it, for people.")]


class _Answered(Result, frozen=True, kw_only=True):
    needs: Annotated[
        Needs,
        about(
            "What it takes to go on: approval (somebody's yes to the plans named by confirm_digests), time (just "
            "until), credentials (AWS credentials or a configuration), operator (a person who looks what is wrong: "
            "message says what), nothing (it is done)."
        ),
    ]
    confirm_digests: Annotated[
        tuple[str, ...], about("The digests of the plans that wait for an approval, to be given with --confirm-digest.")
    ]
    until: Annotated[
        str | None,
        moment("When to give the same command again (UTC); null where only a person helps."),
    ]
    exit_code: Annotated[int, about("What the command ends with.")]


class Stepped(_Answered, frozen=True, kw_only=True, tag="step"):
    """How far a lifecycle went in one call, and what it needs to go on."""

    vault: Annotated[str, about("The vault's name.")]
    vault_arn: Annotated[str | UnsetType, about("In a fleet: the vault.")] = UNSET
    state: Annotated[Ended, about("done, pending (come again), stopped (the same command goes on) or failed.")]
    phase: Annotated[str | None, about("The phase it is in; null where its files do not say.")]
    round: Annotated[int | None, about("The round it is in, from 1; null where its files do not say.")]
    waiting_for: Annotated[str | None, about("What it waits for, in words; null unless it is pending.")]
    message: Annotated[str | None, about("What ended it before its end, and what to do; null where nothing did.")]
    steps: Annotated[tuple[StepTaken, ...], about("What was done in this call: the steps it took, in order.")]
    selected: Annotated[int | None, about("Archives that go in the last planned round; null before there is a plan.")]
    deleted: Annotated[int | None, about("Archives of that round that are deleted, in this call or before.")]
    failed: Annotated[int | None, about("Archives of that round that could not be deleted.")]
    uploads_denied: Annotated[str | None, about("That this lifecycle denies uploads, and what allows them again.")]
    kept: Annotated[int, about("At the end: archives that the plan let be.")]
    kept_gone: Annotated[int, about("At the end: archives that the plan let be and that are gone.")]
    certificate: Annotated[str | None, about("At the end: the digest of the certificate.")]
    vault_deleted: Annotated[bool, about("Whether the vault itself was removed.")]
    ended_with: Annotated[str | None, about("Once it is done: the event it ended with.")]
    last_round: Annotated[str | None, about("The run folder of the last planned round.")]
    run_dir: Annotated[str, about("The lifecycle's folder.")]


class FleetStepped(_Answered, frozen=True, kw_only=True, tag="fleet-step"):
    """How far a fleet went in one call: needs is the most pressing of its vaults', until the earliest."""

    done: Annotated[int, about("Vaults that are done.")]
    pending: Annotated[int, about("Vaults that wait for a time or for somebody.")]
    stopped: Annotated[int, about("Vaults that were stopped, and go on with the same command.")]
    failed: Annotated[int, about("Vaults that cannot go on before somebody looks.")]
    message: Annotated[str | None, about("What ended the fleet as a whole, and what to do; null where nothing did.")]
    findings: Annotated[tuple[str, ...], about("What was noticed when the vaults were listed.")]
    vaults: Annotated[tuple[Stepped, ...], about("Each vault.")]
    run_dir: Annotated[str, about("The fleet's folder.")]
