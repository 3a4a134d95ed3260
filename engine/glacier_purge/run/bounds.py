"""No more comes of a run than was approved.

It is looked at in production, because nothing else would tell of a delete too many: what goes is counted before it is
handed on, what came of it when it is durable.
"""

from __future__ import annotations

from glacier_purge.audit.ledger import Ledger
from glacier_purge.errors import NotAsApproved
from glacier_purge.plan.document import Plan


def check_outcomes(plan: Plan, ledger: Ledger) -> None:
    """Raise ``NotAsApproved`` when more was deleted, or failed to be, than the plan lets go."""
    counts = ledger.counts
    settled = counts["deleted"] + counts["failed"]
    if settled > plan.counts.selected or ledger.bytes_deleted > plan.selected_bytes:
        raise NotAsApproved(
            f"the audit log has {settled:,} outcomes of deletes with {ledger.bytes_deleted:,} bytes, and the plan lets "
            f"{plan.counts.selected:,} archives with {plan.selected_bytes:,} bytes go. Nothing more is sent. Keep the "
            "folder as it is and run `audit verify` on it: it names the archives."
        )


class Allowance:
    """How many of the ``selected`` archives may still be handed on in this process, counted down as they are."""

    def __init__(self, selected: int, ledger: Ledger) -> None:
        counts = ledger.counts
        self._left = selected - counts["deleted"] - counts["failed"]

    def take(self, archives: int) -> None:
        """Count archives that are about to go. Raises ``NotAsApproved`` when they are more than are left."""
        self._left -= archives
        if self._left < 0:
            raise NotAsApproved(
                "the decisions let more archives go than the plan says. Nothing of the last ones was sent, and nothing "
                "more is. Keep the folder as it is and run `audit verify` on it."
            )
