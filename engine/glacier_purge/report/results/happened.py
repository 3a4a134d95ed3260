"""What a hook is told: the data of an event, a type a kind of happening. The envelope around it is CloudEvents'."""

from __future__ import annotations

from typing import Annotated

from glacier_purge.errors import Needs
from glacier_purge.report.results.result import Result, about, moment


class Happened(Result, frozen=True, kw_only=True):
    """What every event says."""

    vault: Annotated[str, about("The vault's name; of a fleet as a whole, that of its folder.")]
    vault_arn: Annotated[
        str | None, about("The vault; null where it is not known yet which account's it is, and of a fleet.")
    ]
    endpoint_url: Annotated[
        str | None, about("Where deletes are sent, loopback in a rehearsal; null where it is not known yet.")
    ]
    run_dir: Annotated[str, about("The folder of the run, the lifecycle or the fleet, from the root.")]
    by: Annotated[str, about("Whose process tells this: user and host.")]
    message: Annotated[str, about("What happened, in words for people.")]
    next: Annotated[str | None, about("The command that goes on from here; null where there is nothing to do.")]
    phase: Annotated[str | None, about("Of a lifecycle: the phase it is in.")]
    round: Annotated[int | None, about("Of a lifecycle: the round it is in, from 1.")]
    digest: Annotated[str | None, about("The plan's digest; null before there is a plan.")]
    selected: Annotated[int | None, about("Archives that go by that plan.")]
    deleted: Annotated[int | None, about("Of those: deleted so far; null before this process sends.")]
    failed: Annotated[int | None, about("Of those: could not be deleted; null before this process sends.")]


class ApprovalWanted(Happened, frozen=True, kw_only=True, tag="approval_wanted"):
    """A plan waits for somebody's yes: next says it. Nothing is deleted before that."""

    bytes: Annotated[int, about("Bytes that go.")]
    kept: Annotated[int, about("Archives of the inventory that stay.")]
    approvals_needed: Annotated[int, about("So many people have to sign; 0 where one person's yes will do.")]
    approved_by: Annotated[list[str], about("Who has signed by now.")]


class Held(Happened, frozen=True, kw_only=True, tag="held"):
    """Something says no that was set while it sends: sending goes on by itself once nothing does."""

    since: Annotated[str, moment("When it was seen (UTC).")]
    found: Annotated[str, about("What holds it, and whom to ask.")]


class Stopped(Happened, frozen=True, kw_only=True, tag="stopped"):
    """The process ended before its end, in good order: the same command goes on."""

    exit_code: Annotated[int, about("What the command ends with.")]


class Failed(Happened, frozen=True, kw_only=True, tag="failed"):
    """The process ended, and somebody has to do something before it can go on."""

    exit_code: Annotated[int, about("What the command ends with.")]
    needs: Annotated[Needs, about("Who has to: operator, credentials, or time and nobody.")]


class WaitingLong(Happened, frozen=True, kw_only=True, tag="waiting_long"):
    """It waits for longer than such a wait should last."""

    waiting_for: Annotated[str, about("What it waits for.")]
    since: Annotated[str, moment("Since when (UTC).")]
    seconds: Annotated[int, about("For how long by now.")]
    until: Annotated[str | None, moment("When it looks again (UTC); null where that is not a matter of time.")]
    needs: Annotated[Needs, about("What makes it come: time, or somebody's approval, credentials or a look.")]


class Finished(Happened, frozen=True, kw_only=True, tag="finished"):
    """All that was to be done is done: every archive has its outcome; of a lifecycle, proven as well."""

    exit_code: Annotated[
        int, about("What the command ends with: 1 where archives failed or are not as they should be.")
    ]
    certificate: Annotated[str | None, about("The digest of the certificate; null where nothing is proven yet.")]
    kept: Annotated[int | None, about("Archives that the plan let be.")]
    kept_gone: Annotated[int | None, about("Archives that the plan let be and that are gone; null before a proof.")]
    vault_deleted: Annotated[bool, about("Whether the vault itself was removed.")]


class VaultDeleted(Happened, frozen=True, kw_only=True, tag="vault_deleted"):
    """The vault itself was removed, as was ordered by its name."""

    answer: Annotated[str, about("What the service answered.")]
