"""Who approved a plan, and how many are missing: by the log where work began, else by the documents that lie there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glacier_purge.approval.documents import Wanted, of_log
from glacier_purge.clock import utc_now
from glacier_purge.errors import UsageError
from glacier_purge.lifecycle.terms import approvers_of_round

if TYPE_CHECKING:
    from glacier_purge.audit.ledger import Ledger
    from glacier_purge.plan.document import Plan
    from glacier_purge.storage.folder import RunFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalsThere:
    """``needed`` people have to sign (0: nothing in the folder wants that), ``by`` are those whose approvals count.

    ``given`` is who approved and how, as the log has it; None before work began.  ``refused`` are documents that do not
    count, each with why.
    """

    needed: int = 0
    by: tuple[str, ...] = ()
    given: str | None = None
    refused: tuple[str, ...] = ()

    def sentence(self) -> str:
        """How it stands, in a sentence without its end."""
        names = f" ({', '.join(self.by)})" if self.by else ""
        return "; ".join([f"{len(self.by)} of {self.needed} approvals are there{names}", *self.refused])


NOT_LOOKED_AT = ApprovalsThere()
"""Where there is no plan yet."""


def approvals_there(folder: RunFolder, plan: Plan, ledger: Ledger) -> ApprovalsThere:
    """Look at the approvals of a run. What keeps them from being looked at is told among the refused."""
    approvers = of_log(ledger) or approvers_of_round(folder.path)
    if approvers is None:
        return ApprovalsThere(given=ledger.approved_by)
    if ledger.approved_by is not None:
        by = tuple(said["who"] for said in ledger.approvals)
        return ApprovalsThere(needed=approvers.needed, by=by, given=ledger.approved_by)
    try:
        judged = Wanted(approvers=approvers, folder=folder, plan=plan, ledger=ledger).judged(utc_now())
    except UsageError as error:
        return ApprovalsThere(needed=approvers.needed, refused=(str(error),))
    return ApprovalsThere(
        needed=judged.needed,
        by=tuple(one.who for one in judged.approved),
        refused=tuple(f"{one.name}: {one.why}" for one in judged.refused),
    )
