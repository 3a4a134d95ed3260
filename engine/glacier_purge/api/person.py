"""Who is asked, told and shown while a vault is carried: a terminal, a fleet's, a script's functions.

Nobody says yes to a plan that was not put before them: what is asked about is handed over as the view of the plan, with
all that a person has to see of it, and an approval of another digest is refused.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from glacier_purge.api.approving import approved_by_documents, documents_wanted
from glacier_purge.errors import ApprovalWanted
from glacier_purge.report.plan_view import PlanView

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from contextlib import AbstractAsyncContextManager
    from typing import Self

    from glacier_purge.approval.documents import Wanted
    from glacier_purge.approval.typed import Approval
    from glacier_purge.lifecycle.steps import Step
    from glacier_purge.plan.document import Plan
    from glacier_purge.run.purge import PurgeRun
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder

    Approve = Callable[["ApprovalRequest"], Awaitable[Approval]]
    """Gets somebody's yes, or raises: ``Pending`` where nobody can be asked now, ``PlanRefused`` for a no."""

as_warning: Callable[[str], None] = logging.getLogger("glacier_purge").warning
"""Says what nobody should miss where a script gave no function for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """A plan that waits for somebody's yes, in its run folder, and what has to be seen of it before.

    ``wanted`` is what its approval takes where people sign it; None where one yes will do.  Nobody is asked then: the
    plan is shown to whoever is there, and ``by_documents`` is the answer.
    """

    folder: RunFolder
    plan: Plan
    view: PlanView
    wanted: Wanted | None = None

    @classmethod
    def of(cls, folder: RunFolder, plan: Plan, settings: Settings, documents: Collection[bytes] = ()) -> Self:
        """Look at the plan now. Raises as ``PlanView.of`` and ``documents_wanted`` do."""
        view = PlanView.of(folder, plan, settings)
        wanted = documents_wanted(folder, plan, settings, documents=documents)
        return cls(folder=folder, plan=plan, view=view, wanted=wanted)

    async def by_documents(self) -> Approval | None:
        """What the documents of people come to, where those are wanted; None where one yes will do.

        Raises ``ApprovalWanted`` where people are missing.
        """
        return None if self.wanted is None else await approved_by_documents(self.wanted)

    def pending(self) -> ApprovalWanted:
        """What to raise where nobody is there to say yes now: it says how to say it later."""
        return ApprovalWanted(
            f"somebody's approval of the plan in {self.folder.path}: {self.plan.counts.selected:,} archives; "
            f"`glacier-purge show {self.folder.path}` prints it again. Give the command again with --confirm-digest "
            f"{self.plan.digest}",
            digest=self.plan.digest,
        )


class Person(Protocol):
    """Whoever has a vault carried."""

    @property
    def documents(self) -> Collection[bytes]:
        """Approvals that people signed, which this one brings along and could not have made."""

    async def approve(self, request: ApprovalRequest) -> Approval:
        """Say yes to the plan that is put before them. Raises as ``Approve`` says."""

    def say(self, message: str) -> None:
        """Be told something nobody should miss."""

    def reached(self, step: Step) -> None:
        """Be told of a step that is on disk."""

    def watch(self, run: PurgeRun, plan: Plan) -> AbstractAsyncContextManager[None]:
        """Watch a run while it is carried out in the context, and stop it where that is wanted.

        A run that was stopped in good order ends the context with ``RunStopped``, or ``Interrupted``.
        """
