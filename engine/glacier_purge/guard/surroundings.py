"""What could go wrong with a purge because of its surroundings, judged before it begins. Pure.

Each judgement says what was found, why it matters and what to do, and whether a purge may begin at all.  It asks
nobody (``examination`` does) and changes nothing; a fact that could not be had, because a permission is missing, is a
finding of its own and never read as "all is well".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from glacier_purge.archive import Vault
from glacier_purge.aws.credentials import Caller, Lifetime
from glacier_purge.glacier.service_clock import SKEW_NOTICED
from glacier_purge.guard.findings import Finding, Weight
from glacier_purge.plan.cost import NO_PRICE, PriceTable
from glacier_purge.text import money

SKEW_REFUSED = timedelta(minutes=5)
"""Signatures older or newer than this are refused (SigV4, "Request expiry")."""
INVENTORY_BYTES_PER_ARCHIVE = 410
"""Field report: 2,853,061,866 bytes for about 7 million archives (glacier-vault-remove #10)."""
AUDIT_BYTES_PER_ARCHIVE = 480

READING_ROLE = ("DescribeVault", "ListJobs", "DescribeJob", "GetJobOutput", "InitiateJob")
"""What getting an inventory takes (config/iam/plan-and-verify.json)."""


def judge_caller(caller: Caller | None, vault: Vault) -> Finding:
    """Whose credentials these are; None is a pretended service, which has no identities."""
    if caller is None:
        return Finding(
            weight=Weight.NOTE, subject="caller", what="a service on this machine, which knows no identities"
        )
    if caller.is_root:
        return Finding(
            weight=Weight.BLOCKING,
            subject="caller",
            what=f"{caller.arn} is the account's root user",
            why="nothing limits what the root user can delete by mistake",
            advice="take a role that may delete from this vault and nothing else: config/iam/delete.json",
        )
    if caller.account_id != vault.account_id:
        return Finding(
            weight=Weight.BLOCKING,
            subject="caller",
            what=f"{caller.arn} is of account {caller.account_id}, the vault of {vault.account_id}",
            why="a vault of the same name in the wrong account would be purged just as well",
            advice="use credentials of the vault's account, or give its number with --account-id",
        )
    return Finding(weight=Weight.FINE, subject="caller", what=f"{caller.arn}, of the vault's own account")


def judge_endpoint(vault: Vault, endpoint_url: str, *, pretended: bool) -> Finding:
    """Where requests would go."""
    if pretended:
        return Finding(weight=Weight.NOTE, subject="endpoint", what=f"{endpoint_url}: not AWS, nothing real is deleted")
    return Finding(weight=Weight.FINE, subject="endpoint", what=f"{endpoint_url}, for {vault.region}")


def judge_way(way: str) -> Finding:
    """How deletes would travel, after a connection was made that way."""
    return Finding(weight=Weight.FINE, subject="way", what=f"deletes go {way}")


def judge_clock(ours: datetime, theirs: datetime | None) -> Finding:
    """Whether this machine's clock agrees with the service's."""
    if theirs is None:
        return Finding(
            weight=Weight.WARNING,
            subject="clock",
            what="the service does not say what time it has",
            why="the service refuses signatures that are five minutes off",
            advice="check this machine's clock yourself",
        )
    skew = abs(ours - theirs)
    what = f"{skew.total_seconds():,.0f} s {'ahead of' if ours > theirs else 'behind'} the service's"
    if skew >= SKEW_NOTICED:
        return Finding(
            weight=Weight.BLOCKING if skew >= SKEW_REFUSED else Weight.WARNING,
            subject="clock",
            what=what,
            why="the service refuses signatures that are five minutes off; times in the audit log would be wrong too",
            advice="set the clock (chronyc makestep, or timedatectl set-ntp true)",
        )
    return Finding(weight=Weight.FINE, subject="clock", what=what)


def judge_permissions(denied: Collection[str]) -> Iterator[Finding]:
    """What these credentials may not read. Deletes can't be tried beforehand."""
    needed = [operation for operation in READING_ROLE if operation in denied]
    if needed:
        yield Finding(
            weight=Weight.BLOCKING,
            subject="permissions",
            what=f"denied: {', '.join(needed)}",
            why="without these there is no inventory to plan and verify with",
            advice="grant them on this vault: config/iam/plan-and-verify.json",
        )
    useful = sorted(set(denied) - set(READING_ROLE))
    if useful:
        yield Finding(
            weight=Weight.WARNING,
            subject="permissions",
            what=f"denied: {', '.join(useful)}",
            why="what these would tell (locks, holds, uploads, retrievals) may stop the purge or harm somebody's work",
            advice="grant them on this vault, or look yourself",
        )
    if not denied:
        yield Finding(
            weight=Weight.NOTE,
            subject="permissions",
            what="all that can be read is readable; DeleteArchive, InitiateJob and DeleteVault show only when done",
        )


def judge_disk(free_bytes: int, archives: int | None) -> Finding:
    """Room for inventory (the download and its checked copy), audit log and a later inventory."""
    if archives is None:
        return Finding(
            weight=Weight.NOTE, subject="disk", what=f"{free_bytes:,} bytes free; how many it takes is not known"
        )
    needed_bytes = archives * (2 * INVENTORY_BYTES_PER_ARCHIVE + AUDIT_BYTES_PER_ARCHIVE)
    what = f"{free_bytes:,} bytes free, about {needed_bytes:,} needed"
    if free_bytes < 2 * needed_bytes:
        return Finding(
            weight=Weight.BLOCKING if free_bytes < needed_bytes else Weight.WARNING,
            subject="disk",
            what=what,
            why="a full disk stops the purge at once: what can't be written down is not deleted",
            advice="make room, or take a run folder on another disk",
        )
    return Finding(weight=Weight.FINE, subject="disk", what=what)


def judge_credentials(lifetime: Lifetime) -> Finding:
    """Whether the credentials last for as long as a purge."""
    if lifetime is Lifetime.TEMPORARY:
        return Finding(
            weight=Weight.WARNING,
            subject="credentials",
            what=lifetime.value,
            why="a purge takes hours to days; it pauses when they expire and goes on when there are new ones",
            advice="use a profile that assumes a role, SSO, or the role of the machine",
        )
    return Finding(weight=Weight.FINE, subject="credentials", what=lifetime.value)


def judge_storage(region: str, size_bytes: int | None, prices: PriceTable) -> Finding:
    """What keeping the vault costs, as an estimate; ``size_bytes`` is the service's, with each archive's overhead."""
    monthly = None if size_bytes is None else prices.storage_per_month(region, size_bytes)
    if monthly is not None:
        what = f"an estimated {money(monthly, prices.currency)} a month for this vault (prices as of {prices.as_of})"
    elif size_bytes is None:
        what = "how much is stored is not known before the vault's first inventory"
    else:
        what = f"no price: {NO_PRICE.format(region=region)}"
    return Finding(weight=Weight.NOTE, subject="storage", what=what)


def judge_trails(archives: int | None, prices: PriceTable) -> Finding:
    """What CloudTrail would charge, as an estimate; the deletes themselves are free."""
    per = f"{money(prices.trail_per_100000_events, prices.currency)} per 100,000 deletes"
    told = "" if archives is None else f", {money(prices.trail(archives), prices.currency)} for this vault"
    return Finding(
        weight=Weight.NOTE,
        subject="CloudTrail",
        what=f"an estimated {per}{told}, for each trail beyond the first (prices as of {prices.as_of})",
        why="every delete is a management event; the first copy in a region is free",
    )
