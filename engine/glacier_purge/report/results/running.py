"""The answers of what carries out a plan, steers that, proves it, and removes the vault in the end."""

from __future__ import annotations

from typing import Annotated, Literal

from glacier_purge.report.results.result import UNSET, Result, UnsetType, about, moment

Proof = Literal["proven", "not proven", "proven, but archives that were kept are gone"]


class _Numbers(Result, frozen=True, kw_only=True):
    """How a run stands, in numbers that are on disk."""

    inventory: Annotated[int, about("Records of the inventory.")]
    selected: Annotated[int, about("Archives that the plan lets go.")]
    deleted: Annotated[int, about("Archives that the service said are deleted.")]
    failed: Annotated[int, about("Archives that could not be deleted.")]
    skipped: Annotated[int, about("Archives that stay because they were not chosen.")]
    invalid: Annotated[int, about("Records set aside because no archive can be told from them.")]
    duplicates: Annotated[int, about("Records set aside because they repeat an archive id.")]
    throttled: Annotated[int, about("Requests that the service refused for now.")]
    attempts: Annotated[int, about("Requests that were sent.")]
    redeleted: Annotated[int, about("Archives sent again, as a crash or a lost reply left open what became of them.")]
    seconds: Annotated[float, about("Seconds that processes worked on it.")]
    deletes_per_second: Annotated[float, about("Deleted archives for each of these seconds.")]
    run_dir: Annotated[str, about("The run folder.")]


class Purged(_Numbers, frozen=True, kw_only=True, tag="purge"):
    """How the carrying out of a plan ended, or was stopped: the same command resumes it."""


class RunStatus(_Numbers, frozen=True, kw_only=True, tag="run-status"):
    """How far a run is."""

    state: Annotated[
        str,
        about("planned, not begun; checking, running, paused or stopping; stopped, resumable with apply; or finished."),
    ]
    vault: Annotated[str, about("The vault's name.")]
    digest: Annotated[str, about("The plan's digest.")]
    last_deletion: Annotated[str | None, moment("When the last archive was deleted (UTC).")]
    approved_by: Annotated[str | None, about("Who approved the plan, and how; null before work began.")]
    approvals_needed: Annotated[int | UnsetType, about("Where people have to sign: how many.")] = UNSET
    approvals_there: Annotated[list[str] | UnsetType, about("Where people have to sign: whose approvals count.")] = (
        UNSET
    )
    rate_per_second: Annotated[
        float | UnsetType | None, about("While a process works on it: deletes a second now.")
    ] = UNSET
    limit_per_second: Annotated[
        float | UnsetType | None, about("While a process works on it: the service's limit, as far as it was found.")
    ] = UNSET
    max_rate: Annotated[
        float | UnsetType | None, about("While a process works on it: the highest rate it may take; null: any.")
    ] = UNSET
    in_flight: Annotated[int | UnsetType, about("While a process works on it: requests without a reply yet.")] = UNSET
    left: Annotated[str | UnsetType, about("While a process works on it: how long the rest takes, in words.")] = UNSET
    stopped_because: Annotated[str | UnsetType, about("While nobody works on it: what ended the last process.")] = UNSET
    why: Annotated[str | UnsetType, about("What it does, or why it does nothing, in words.")] = UNSET
    until: Annotated[str | UnsetType | None, moment("When what it waits for ends (UTC).")] = UNSET
    window_closes: Annotated[str | UnsetType | None, moment("When the hours in which it may send end (UTC).")] = UNSET
    as_of: Annotated[str | UnsetType, about("Whether the process told this now, or wrote it last.")] = UNSET
    pause: Annotated[str | UnsetType, about("That the pause of a process that has ended is not kept.")] = UNSET
    hold: Annotated[str | UnsetType, about("What held the vault when the last process ended.")] = UNSET


class Ordered(Result, frozen=True, kw_only=True, tag="order"):
    """How a run stands after it took an order."""

    order: Annotated[str, about("The order: pause, resume, rate or stop.")]
    state: Annotated[str, about("checking, running, paused or stopping.")]
    why: Annotated[str, about("What it does, or why it does nothing, in words.")]
    until: Annotated[str | None, moment("When what it waits for ends (UTC).")]
    max_rate: Annotated[float | None, about("The highest rate it may take; null: any.")]
    accepted_per_second: Annotated[float | None, about("Deletes a second that the service accepts now.")]
    in_flight: Annotated[int, about("Requests without a reply yet.")]
    run_dir: Annotated[str, about("The run folder.")]


class Verified(Result, frozen=True, kw_only=True, tag="verification"):
    """What a later inventory proved of a run."""

    state: Annotated[Proof, about("The verdict.")]
    vault_is_empty: Annotated[bool, about("Whether the later inventory lists nothing at all.")]
    inventory_date: Annotated[str, about("When the later inventory was made.")]
    listed: Annotated[int, about("Records of the later inventory.")]
    gone: Annotated[int, about("Archives that the run deleted and that are not listed.")]
    still_listed: Annotated[int, about("Archives that the run deleted and that are listed.")]
    never_deleted: Annotated[int, about("Archives that failed in the run and are listed.")]
    kept: Annotated[int, about("Archives that are listed because the plan let them be.")]
    kept_gone: Annotated[int, about("Archives that the plan let be and that are not listed: somebody deleted them.")]
    kept_gone_first: Annotated[str, about("The first of these, by id, separated by commas.")]
    new_since: Annotated[int, about("Archives that are listed and not of the plan's inventory.")]
    unreadable: Annotated[int, about("Records of the later inventory that name nothing.")]
    still_listed_ids: Annotated[str | UnsetType, about("The file with the ids of those still listed.")] = UNSET
    never_deleted_ids: Annotated[str | UnsetType, about("The file with the ids of those never deleted.")] = UNSET
    new_since_ids: Annotated[str | UnsetType, about("The file with the ids of those uploaded since.")] = UNSET
    kept_gone_ids: Annotated[str | UnsetType, about("The file with the ids of those kept that are gone.")] = UNSET
    certificate: Annotated[str | None, about("The certificate's file; null where nothing is proven.")]
    certificate_digest: Annotated[str | None, about("The certificate's digest.")]
    run_dir: Annotated[str, about("The run folder.")]


class Removed(Result, frozen=True, kw_only=True, tag="removal"):
    """The vault itself was removed."""

    state: Annotated[Literal["removed"], about("That it is gone.")]
    answer: Annotated[str, about("What the service answered.")]
    vault: Annotated[str, about("The vault's ARN.")]
    run_dir: Annotated[str, about("The run folder.")]


class Waits(Result, frozen=True, kw_only=True, tag="pending"):
    """Nothing more can be done now, and nothing is wrong: the same command goes on later. The exit code is 75."""

    state: Annotated[Literal["pending"], about("That it waits.")]
    waiting_for: Annotated[str, about("What it waits for, in words.")]
    until: Annotated[
        str | None, moment("When the same command is worth giving again (UTC); null: once somebody did it.")
    ]
