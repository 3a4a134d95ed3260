"""Who is asked, told and shown while a vault is carried: a terminal, a fleet's, a script's functions.

Nobody says yes to a plan that was not put before them: what is asked about is handed over as the view of the plan, with
all that a person has to see of it, and an approval of another digest is refused.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from glacier_purge.errors import ApprovalWanted
from glacier_purge.report.plan_view import PlanView

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from typing import Self

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
    """A plan that waits for somebody's yes, in its run folder, and what has to be seen of it before."""

    folder: RunFolder
    plan: Plan
    view: PlanView

    @classmethod
    def of(cls, folder: RunFolder, plan: Plan, settings: Settings) -> Self:
        """Look at the plan now. Raises as ``PlanView.of`` does."""
        return cls(folder=folder, plan=plan, view=PlanView.of(folder, plan, settings))

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
