"""No more comes of a run than was approved, and than the deny lists let go.

It is looked at in production, because nothing else would tell of a delete too many: what goes is counted before it is
handed on, what came of it when it is durable.  Somebody may put an archive on a deny list on the third day: a list that
was changed ends the process, and the next one holds what is left against it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

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


class DenyLists:
    """Deny lists as they were when this was made, before the archives of a run were held against them."""

    def __init__(self, files: Iterable[str]) -> None:
        self._seen = {file: _facts(Path(file)) for file in files}

    def changed(self) -> str | None:
        """The first that is not as it was; None where all are."""
        return next((file for file, facts in self._seen.items() if _facts(Path(file)) != facts), None)


def _facts(file: Path) -> tuple[int, ...] | None:
    try:
        facts = file.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns
