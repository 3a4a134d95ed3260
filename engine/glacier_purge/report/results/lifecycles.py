"""The answers about lifecycles and fleets of them: how they stand, and how one is ended before its end."""

from __future__ import annotations

from typing import Annotated, Literal

from glacier_purge.report.results.result import UNSET, Result, UnsetType, about, moment

State = Literal["done", "abandoned", "running", "waiting", "pending", "stopped", "not begun"]
FleetState = Literal["done", "running", "damaged", "pending", "stopped"]


class _OfMember(Result, frozen=True, kw_only=True):
    """One lifecycle; of a fleet's, also which vault it is of."""

    vault_arn: Annotated[str | UnsetType, about("In a fleet: the vault.")] = UNSET


class LifecycleStatus(_OfMember, frozen=True, kw_only=True, tag="lifecycle-status"):
    """How far a lifecycle is; counts are of its last planned round."""

    state: Annotated[
        State,
        about(
            "running or waiting while a process works on it; pending when none does and it waits for a time or an "
            "approval; stopped when none does and it could go on now."
        ),
    ]
    vault: Annotated[str | None, about("The vault's name; null before its terms were settled.")]
    phase: Annotated[str, about("The phase it is in.")]
    round: Annotated[int, about("The round it is in, from 1.")]
    why: Annotated[str, about("What it does, or why it does nothing, in words.")]
    until: Annotated[str | None, moment("When what it waits for is looked at again (UTC).")]
    confirm_digest: Annotated[str | None, about("The digest of the plan that waits for an approval.")]
    approved_by: Annotated[
        str | None, about("Who approved the plan of the last planned round, and how; null before work on it began.")
    ]
    approvals_needed: Annotated[int | UnsetType, about("Where people have to sign: how many.")] = UNSET
    approvals_there: Annotated[list[str] | UnsetType, about("Where people have to sign: whose approvals count.")] = (
        UNSET
    )
    chosen: Annotated[str, about("Which archives go, in words.")]
    inventory: Annotated[int | UnsetType, about("Once there is a plan: records of the inventory.")] = UNSET
    selected: Annotated[int | UnsetType, about("Once there is a plan: archives that go.")] = UNSET
    kept: Annotated[int | UnsetType, about("Once there is a plan: archives that stay.")] = UNSET
    deleted: Annotated[int | UnsetType, about("Once there is a plan: archives deleted in this round.")] = UNSET
    failed: Annotated[int | UnsetType, about("Once there is a plan: archives that could not be deleted.")] = UNSET
    digest: Annotated[str | UnsetType, about("Once there is a plan: its digest.")] = UNSET
    round_dir: Annotated[str | UnsetType, about("Once there is a plan: its run folder.")] = UNSET
    uploads: Annotated[str, about("Whether this lifecycle denies uploads, and what allows them again.")]
    certificate: Annotated[str | None, about("The digest of the certificate, when it is proven.")]
    kept_gone: Annotated[int, about("Archives that the plan let be and that are gone.")]
    last_step: Annotated[str | None, moment("When it took its last step (UTC).")]
    run_dir: Annotated[str, about("The lifecycle's folder.")]


class LifecycleUnreadable(_OfMember, frozen=True, kw_only=True, tag="unreadable"):
    """A lifecycle of which nothing can be told but why."""

    state: Annotated[Literal["damaged", "refused"], about("damaged where a file is not as it was written.")]
    why: Annotated[str, about("What is wrong, with which file.")]
    uploads: Annotated[str, about("Whether this lifecycle denies uploads, as far as that can be told.")]
    exit_code: Annotated[int, about("What a command that works on it ends with.")]
    run_dir: Annotated[str, about("The lifecycle's folder.")]


class NotBegun(_OfMember, frozen=True, kw_only=True, tag="not-begun"):
    """A vault of a fleet that nobody began with."""

    state: Annotated[Literal["not begun"], about("That it was not begun.")]
    run_dir: Annotated[str, about("Where its folder will be.")]


class FleetStatus(Result, frozen=True, kw_only=True, tag="fleet-status"):
    """How far a fleet is: its vaults, counted by their states."""

    state: Annotated[FleetState, about("How the whole fleet stands.")]
    done: Annotated[int, about("Vaults whose lifecycle is done.")]
    abandoned: Annotated[int, about("Vaults whose lifecycle was ended before its end.")]
    running: Annotated[int, about("Vaults that a process works on.")]
    waiting: Annotated[int, about("Vaults that a process waits for.")]
    pending: Annotated[int, about("Vaults that wait for a time or an approval, with no process.")]
    stopped: Annotated[int, about("Vaults that could go on now, with no process.")]
    not_begun: Annotated[int, about("Vaults nobody began with.")]
    damaged: Annotated[int, about("Vaults of which a file is not as it was written.")]
    refused: Annotated[int, about("Vaults of which a file cannot be read.")]
    findings: Annotated[tuple[str, ...], about("What was noticed when the vaults were listed.")]
    vaults: Annotated[tuple[LifecycleStatus | LifecycleUnreadable | NotBegun, ...], about("Each vault.")]
    run_dir: Annotated[str, about("The fleet's folder.")]


class Thawed(Result, frozen=True, kw_only=True, tag="thaw"):
    """What was taken out of a vault's access policy so that uploads are allowed again."""

    state: Annotated[
        Literal["thawed", "nothing to take away: no statement of ours denies uploads"], about("What was done.")
    ]
    vault: Annotated[str, about("The vault's ARN.")]
    taken_away: Annotated[str, about("The ids of the statements taken out, separated by commas.")]


class Abandoned(Result, frozen=True, kw_only=True, tag="abandonment"):
    """A lifecycle that was ended before its end."""

    state: Annotated[Literal["abandoned"], about("That nothing more is sent for it.")]
    vault: Annotated[str, about("The vault's ARN.")]
    at: Annotated[str, moment("When it was ended (UTC).")]
    by: Annotated[str, about("Who ended it.")]
    phase: Annotated[str, about("The phase it was in.")]
    uploads: Annotated[str, about("Whether uploads are as before, or who denies them still.")]
    run_dir: Annotated[str, about("The lifecycle's folder.")]
