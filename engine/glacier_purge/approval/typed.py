"""Somebody said yes to one plan and no other: what was confirmed, by whom and how, kept in the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glacier_purge.errors import PlanRefused
from glacier_purge.plan.document import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A yes to the plan with this digest. ``how`` is "typed", "digest", "resumed" or "signed"; ``by`` names user and
    host, or who signed.

    ``notes`` are what the log says before it says so: who may approve, and the documents of those who did.
    """

    digest: str
    how: str
    by: str
    notes: tuple[tuple[str, dict[str, Any]], ...] = ()


def approve_by_digest(plan: Plan, digest: str, by: str) -> Approval:
    """Accept a quoted digest (the whole 64 characters). Raises ``PlanRefused`` when it is another plan's."""
    if digest.strip().lower() != plan.digest:
        raise PlanRefused(
            f"the digest given ({digest[:16]}...) is not this plan's ({plan.digest[:16]}...): what you approved is not "
            "what would be done. Look at the plan again; nothing was sent."
        )
    return Approval(digest=plan.digest, how="digest", by=by)


def approve_by_words(plan: Plan, typed: str, by: str) -> Approval:
    """Accept the vault's name and the number of archives, typed with a space between. Raises ``PlanRefused``."""
    words = typed.replace(",", "").split()
    if words != [plan.vault_name, str(plan.counts.selected)]:
        raise PlanRefused(
            f"{typed.strip()!r} is not {plan.vault_name + ' ' + str(plan.counts.selected)!r}. Nothing was sent."
        )
    return Approval(digest=plan.digest, how="typed", by=by)
