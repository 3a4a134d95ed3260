"""What could go wrong with a purge because of the vault: its policies, tags, jobs, uploads and account. Pure.

Judged from plain values, as ``surroundings`` judges what is around the vault.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from glacier_purge.archive import Vault
from glacier_purge.glacier.control import Notifications
from glacier_purge.glacier.port import VaultDescription
from glacier_purge.guard.findings import Finding, Weight
from glacier_purge.guard.policy import (
    DELETE_VAULT,
    Denial,
    PolicyUnreadable,
    Rule,
    rules_against,
    rules_against_deleting,
)
from glacier_purge.guard.upload_denial import ours_in, sids_of

HOLD_TAGS = frozenset({"legalhold", "legal-hold", "legal_hold"})
DENY_TAG = "purge:deny"
REMOVAL = "removal"
PERHAPS_REMOVAL = "removal, perhaps"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCounts:
    """A vault's retrieval jobs of archives: under way, and done with output that can still be downloaded."""

    in_progress: int = 0
    downloadable: int = 0


def judge_vault(described: VaultDescription) -> Finding:
    """What the service counts, as of the vault's last inventory."""
    if described.last_inventory is None:
        return Finding(
            weight=Weight.WARNING,
            subject="vault",
            what="the service has made no inventory of it yet",
            why="there is nothing to plan with before; the first comes half a day to a day after the first upload",
            advice="come back tomorrow; an empty vault that was never written to can be removed at once",
        )
    return Finding(
        weight=Weight.FINE,
        subject="vault",
        what=f"{described.archives:,} archives, {described.size_bytes:,} bytes with overhead, as of "
        f"{described.last_inventory:%Y-%m-%dT%H:%M:%SZ}",
    )


def judge_policy(
    kind: str, policy: str | None, tags: Mapping[str, str] | None, described: VaultDescription
) -> Iterator[Finding]:
    """What a vault's lock or access policy (``kind``) says against deleting."""
    subject = f"vault {kind}"
    if policy is None:
        yield Finding(weight=Weight.FINE, subject=subject, what="there is none")
        return
    try:
        rules = rules_against_deleting(policy, tags)
    except PolicyUnreadable as unreadable:
        yield Finding(
            weight=Weight.BLOCKING,
            subject=subject,
            what=f"it cannot be read ({unreadable})",
            why="it may deny deletes",
            advice=f"look at the vault's {kind} yourself",
        )
        return
    yield from _of_ours(subject, policy, described)
    yield from _against_removal(policy, tags, kind)
    for rule in rules:
        yield _denial(subject, rule, described)
    if not rules:
        yield Finding(weight=Weight.FINE, subject=subject, what="nothing in it denies deleting archives")


def _of_ours(subject: str, policy: str, described: VaultDescription) -> Iterator[Finding]:
    """Statements by which a lifecycle denies uploads: one at work, or one that never came to its end."""
    found = sids_of(ours_in(policy))
    if found:
        yield Finding(
            weight=Weight.NOTE,
            subject=subject,
            what=f"a lifecycle with --freeze denies uploads: {', '.join(found)}",
            why="one that is lost or was never ended leaves them denied for good, and another would take that over",
            advice="if no lifecycle of this vault is at work any more, take it away with: glacier-purge thaw "
            f"{Vault.from_arn(described.arn).name}",
        )


def _against_removal(policy: str, tags: Mapping[str, str] | None, kind: str) -> Iterator[Finding]:
    """What keeps the vault itself from being removed. A note here: most purges keep their vault."""
    for rule in rules_against(DELETE_VAULT, policy, tags):
        is_clear = rule.denial is not Denial.UNCLEAR
        certainly = "" if is_clear else ", to somebody or under a condition that can't be judged from here"
        yield Finding(
            weight=Weight.NOTE,
            subject=REMOVAL if is_clear else PERHAPS_REMOVAL,
            what=f"{rule.sid} of the vault's {kind} denies deleting the vault{certainly}",
            why=f"DeleteVault {'would' if is_clear else 'may'} be refused, after days and everything else",
            advice="ask whoever set it, or keep the vault: go on without --delete-vault",
        )


def weighed_for_removal(findings: Iterable[Finding]) -> list[Finding]:
    """The findings as they weigh where the vault itself is to be removed in the end."""
    weights = {REMOVAL: Weight.BLOCKING, PERHAPS_REMOVAL: Weight.WARNING}
    return [replace(finding, weight=weights.get(finding.subject, finding.weight)) for finding in findings]


def _denial(subject: str, rule: Rule, described: VaultDescription) -> Finding:
    if rule.denial is Denial.YOUNG and rule.days is not None:
        return Finding(
            weight=Weight.WARNING,
            subject=subject,
            what=f"{rule.sid} denies deleting archives younger than {rule.days:,.0f} days",
            why=_by_when(rule, described),
            advice="delete the older ones now, with --older-than, and the others when they have the age",
        )
    words = {
        Denial.ALWAYS: "denies deleting any archive",
        Denial.OLD: f"denies deleting archives older than {rule.days or 0:,.0f} days",
        Denial.TAG: "denies deleting archives, by a tag the vault has now: somebody holds them",
        Denial.UNCLEAR: "denies deleting archives to somebody or under a condition that can't be judged from here",
    }
    is_clear = rule.denial is not Denial.UNCLEAR
    return Finding(
        weight=Weight.BLOCKING if is_clear else Weight.WARNING,
        subject=subject,
        what=f"{rule.sid} {words.get(rule.denial, rule.denial.value)}",
        why="each delete would be refused" if is_clear else "deletes may be refused; the first would show it",
        advice="ask whoever set it. A lock that is complete can't be taken away",
    )


def _by_when(rule: Rule, described: VaultDescription) -> str:
    """For a vault without uploads since its last inventory, when at the latest everything can go."""
    if described.last_inventory is None:
        return "the younger ones would be refused, one request each"
    latest = rule.deletable_from(described.last_inventory)
    by = "" if latest is None else f"; all that the last inventory counts can go from {latest:%Y-%m-%d} on"
    return f"the younger ones would be refused, one request each{by}"


def judge_tags(tags: Mapping[str, str]) -> Finding:
    """Tags that ask for the vault to be left alone."""
    held = [
        f"{name}={value}"
        for name, value in tags.items()
        if (name.lower() in HOLD_TAGS or name.lower() == DENY_TAG) and value.lower() not in {"false", "no", "0"}
    ]
    if held:
        return Finding(
            weight=Weight.BLOCKING,
            subject="tags",
            what=f"tagged {', '.join(sorted(held))}",
            why="somebody wants these archives kept",
            advice="ask them; take the tag away when they agree",
        )
    return Finding(weight=Weight.FINE, subject="tags", what="none that asks for the vault to be kept")


def judge_unread(refused: Mapping[str, str]) -> Finding:
    """What of the vault's protection the service did not show: operations, and the error code of each."""
    return Finding(
        weight=Weight.WARNING,
        subject="permissions",
        what="not readable: " + ", ".join(f"{operation} ({code})" for operation, code in refused.items()),
        why="a lock or policy that denies deletes would show at the first one, a tag that asks for the vault to be "
        "kept not at all",
        advice="grant them on this vault (config/iam/delete.json), or have somebody who may run glacier-purge doctor",
    )


def judge_jobs(jobs: JobCounts) -> Finding:
    """Retrievals of archives, which deleting may break."""
    if not jobs.in_progress and not jobs.downloadable:
        return Finding(weight=Weight.FINE, subject="retrievals", what="no archive is being retrieved")
    return Finding(
        weight=Weight.WARNING,
        subject="retrievals",
        what=f"{jobs.in_progress:,} under way, {jobs.downloadable:,} done and still downloadable",
        why="somebody may be copying the vault; a retrieval under way may fail when its archive is deleted",
        advice="let them finish, or hold those archives back",
    )


def judge_uploads(count: int) -> Finding:
    """Multipart uploads that may still become archives."""
    if not count:
        return Finding(weight=Weight.FINE, subject="uploads", what="no multipart upload is in progress")
    return Finding(
        weight=Weight.WARNING,
        subject="uploads",
        what=f"{count:,} multipart uploads in progress",
        why="each that completes is a new archive, not in the plan, and keeps the vault from being removed",
        advice="let them end or abort them, and deny new ones with --freeze",
    )


def judge_notifications(topic: Notifications | None) -> Finding:
    """Who hears of inventory jobs."""
    if topic is None:
        return Finding(weight=Weight.FINE, subject="notifications", what="the vault announces nothing")
    return Finding(
        weight=Weight.NOTE,
        subject="notifications",
        what=f"finished jobs are announced to {topic.topic}",
        why="whoever listens there will hear of our inventory jobs; the setting is theirs and is never changed",
        advice="tell them that these jobs are a purge's",
    )


def judge_account(*, is_the_last: bool) -> Finding:
    """Whether it is the account's last vault in the region."""
    if not is_the_last:
        return Finding(weight=Weight.FINE, subject="account", what="it has other vaults in the region")
    return Finding(
        weight=Weight.WARNING,
        subject="account",
        what="it is the account's only vault in the region",
        why="the service takes no new customers, and an account without vaults may count as one",
        advice="keep the empty vault, or add --even-the-last-vault when removing it",
    )
