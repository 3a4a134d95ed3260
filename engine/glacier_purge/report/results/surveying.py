"""The answers of what looks at many vaults and touches none: ``vaults`` and ``estimate``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from glacier_purge.report.results.planning import Forecast, VaultFinding
from glacier_purge.report.results.result import Result, about, moment


class NotRead(msgspec.Struct, frozen=True, kw_only=True):
    """A question about one vault that was not answered."""

    operation: Annotated[str, about("What was asked of the service.")]
    why: Annotated[str, about("Why there is no answer.")]


class PlaceNotRead(msgspec.Struct, frozen=True, kw_only=True):
    """A region, or a vault asked for by name, of which nothing is known."""

    profile: Annotated[str | None, about("The AWS profile it was asked with; null: none was named.")]
    account_id: Annotated[str | None, about("The account; null: none was named, and it is that of the credentials.")]
    region: Annotated[str, about("The region.")]
    vault: Annotated[str | None, about("The vault's name; null: the region's vaults could not be listed.")]
    why: Annotated[str, about("Why nothing is known.")]
    exit_code: Annotated[int, about("What the command would end with for this alone.")]


class Empty(msgspec.Struct, frozen=True, kw_only=True):
    """A region without a vault."""

    profile: Annotated[str | None, about("The AWS profile it was asked with; null: none was named.")]
    account_id: Annotated[str | None, about("The account; null: none was named, and it is that of the credentials.")]
    region: Annotated[str, about("The region.")]


class VaultSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A vault, as the service described it. What is in not_read is null and not none."""

    vault: Annotated[str, about("The vault's name.")]
    account_id: Annotated[str, about("The vault's account.")]
    region: Annotated[str, about("The vault's region.")]
    profile: Annotated[str | None, about("The AWS profile it was asked with; null: none was named.")]
    created: Annotated[str | None, moment("When the vault was made.")]
    archives: Annotated[int | None, about("Archives as of last_inventory; null before the first inventory.")]
    bytes: Annotated[int | None, about("Their size with 32 KiB overhead each, as AWS bills it; null as above.")]
    last_inventory: Annotated[str | None, moment("When the service last made an inventory; it does so after a change.")]
    inventory_age_days: Annotated[float | None, about("How long ago that was.")]
    storage_per_month: Annotated[float | None, about("What keeping it costs a month; null: no count, or no price.")]
    lock: Annotated[Literal["none", "in-progress", "locked"] | None, about("Its vault lock; null: not read.")]
    tags: Annotated[dict[str, str] | None, about("Its tags; null: not read.")]
    may_write: Annotated[
        list[str] | None,
        about("Whom its access policy lets upload; null: not read. IAM may let others, which can't be seen here."),
    ]
    uploads_denied_by: Annotated[list[str] | None, about("Statements that deny every upload; null: not read.")]
    uploads_in_progress: Annotated[int | None, about("Multipart uploads that were begun; null: not read.")]
    findings: Annotated[list[VaultFinding], about("What stands in the way of deleting, by lock, policy and tags.")]
    not_read: Annotated[list[NotRead], about("What could not be read of this vault.")]


class VaultsSeen(Result, frozen=True, kw_only=True, tag="vaults"):
    """The vaults of accounts and regions."""

    prices_as_of: Annotated[str, about("The date of the price table.")]
    currency: Annotated[str, about("The currency of all money here.")]
    archives: Annotated[int, about("Archives of all vaults whose archives are counted.")]
    bytes: Annotated[int, about("Their size with overhead.")]
    storage_per_month: Annotated[float, about("What keeping them costs a month, where there is a price.")]
    empty: Annotated[list[Empty], about("Regions that were listed whole and have no vault.")]
    vaults: Annotated[list[VaultSeen], about("The vaults, by account, region and name.")]
    not_read: Annotated[list[PlaceNotRead], about("What could not be listed; there may be vaults.")]


class VaultEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """What emptying a vault would save, cost and take. Null is what is not known."""

    vault: Annotated[str, about("The vault's name.")]
    account_id: Annotated[str | None, about("The vault's account; null where an inventory does not say.")]
    region: Annotated[str, about("The vault's region.")]
    profile: Annotated[str | None, about("The AWS profile it was asked with; null: none was named or nobody asked.")]
    known_by: Annotated[
        Literal["counts", "inventory", "plan"],
        about("counts: the service's, as of its last inventory, so the fee is a range; the others list each archive."),
    ]
    as_of: Annotated[str | None, moment("When that was so.")]
    archives: Annotated[int | None, about("Archives that would go.")]
    bytes: Annotated[int | None, about("Their size with 32 KiB overhead each, as AWS bills it.")]
    saved_per_month: Annotated[float | None, about("What keeping them costs a month.")]
    early_deletion_fee: Annotated[
        tuple[float, float] | None, about("For archives under 90 days: at least and at most, today.")
    ]
    invalid_records: Annotated[int, about("Records of the inventory from which no archive can be told: in no figure.")]
    trail_cost_per_trail: Annotated[float | None, about("CloudTrail, for each trail beyond the account's first.")]
    forecast: Annotated[Forecast | None, about("How long it takes, if it began now, and nothing else ran.")]
    held_by: Annotated[
        list[str],
        about(
            "Why nothing of it can be deleted now, by lock, access policy and tags: it is in no sum. By counts only."
        ),
    ]
    held_in_part_by: Annotated[list[str], about("Why some of it cannot, though all of it is in the sums.")]
    not_read: Annotated[list[NotRead], about("What of its lock, policy and tags could not be read: it may be held.")]


class Estimated(Result, frozen=True, kw_only=True, tag="estimate"):
    """What emptying vaults would save, cost and take."""

    prices_as_of: Annotated[str, about("The date of the price table.")]
    currency: Annotated[str, about("The currency of all money here.")]
    archives: Annotated[int, about("Archives of all vaults where they are counted, but those that are held.")]
    saved_per_month: Annotated[float, about("Sum over the vaults for which it is known, but those that are held.")]
    early_deletion_fee: Annotated[
        tuple[float, float], about("Sum over the vaults for which it is known, but those that are held.")
    ]
    held: Annotated[list[str], about("Vaults that are in no sum because something forbids deleting, by ARN.")]
    held_archives: Annotated[int, about("What these would add to archives.")]
    held_saved_per_month: Annotated[float, about("What these would add to saved_per_month.")]
    over: Annotated[
        tuple[str, str, str] | None,
        about(
            "When all would be over (UTC): soonest, likely, at the latest. Vaults of an account and region share its "
            "limit."
        ),
    ]
    vaults: Annotated[list[VaultEstimate], about("The vaults.")]
    not_known: Annotated[list[str], about("Vaults left out of a sum, by ARN: no inventory yet, or no price.")]
    not_read: Annotated[list[PlaceNotRead], about("What could not be asked; it is in no sum.")]
