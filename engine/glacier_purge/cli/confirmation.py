"""Getting a yes: typed on a terminal, quoted as a digest elsewhere, never assumed, and never to what was not shown.

The whole plan stands on stderr before every yes, so it is there also in the log of a job that brings its digest along;
stdout is the result's alone.  A run that was approved before goes on without asking: its approval is in the audit log,
for this very digest.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

import anyio

from glacier_purge.api.approving import approved_by_documents, documents_wanted
from glacier_purge.api.purging import was_approved
from glacier_purge.approval.typed import Approval, approve_by_digest, approve_by_words
from glacier_purge.cli.output import fitted_to
from glacier_purge.cli.streams import held_back, typed_line
from glacier_purge.cli.voice import put
from glacier_purge.clock import utc_now
from glacier_purge.errors import NobodyToAsk
from glacier_purge.guard.rules import check_fresh
from glacier_purge.plan.identity import planned_at
from glacier_purge.report.bars import bar_on
from glacier_purge.report.plan_view import PlanView
from glacier_purge.report.terminal import safe
from glacier_purge.run.host import who
from glacier_purge.text import size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from glacier_purge.api.news import News
    from glacier_purge.api.person import ApprovalRequest
    from glacier_purge.plan.document import Plan
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder


async def approval_for(
    folder: RunFolder, plan: Plan, settings: Settings, confirm_digest: str | None, news: News
) -> Approval:
    """Return the approval of a plan that is carried out by itself, and shown before.

    ``news`` is told where nobody gives it.  Raises ``PlanRefused`` when there is none, ``ConfigurationFailed`` as the
    plan's estimates do.
    """
    is_resumed = was_approved(folder, plan)
    wanted = documents_wanted(folder, plan, settings)
    if is_resumed and wanted is None and confirm_digest is None:
        return Approval(digest=plan.digest, how="resumed", by=who())
    if wanted is None or not is_resumed:
        put_before(PlanView.of(folder, plan, settings))
    if confirm_digest is not None:
        quoted = approve_by_digest(plan, confirm_digest, who())
        if wanted is None:
            return quoted
    if wanted is not None:
        async with news.asking(plan, folder.path):
            return await approved_by_documents(wanted)
    if not sys.stdin.isatty():
        news.approval_wanted(plan, folder.path)
        raise NobodyToAsk(
            f"deleting {plan.counts.selected:,} archives needs a yes, and there is no terminal to ask on. Nothing was "
            f"sent. If the plan above is what you want, run: glacier-purge apply {folder.path} "
            f"--confirm-digest {plan.digest}"
        )
    ask(plan)
    async with news.asking(plan, folder.path):
        typed = await typed_line()
    approval = approve_by_words(plan, typed, who())
    was_approved(folder, plan)  # once more: somebody may have thought about it for days
    return approval


class TerminalApproval:
    """Gets the yes to the plans of lifecycles: by one of the digests that were given, else asked on the terminal.

    It asks about one plan at a time, without keeping other vaults from their work; ``aside`` is a context in which
    nothing else is drawn.
    """

    def __init__(
        self, digests: Iterable[str], aside: Callable[[], AbstractContextManager[object]] = nullcontext
    ) -> None:
        self._digests = frozenset(digest.strip().lower() for digest in digests)
        self._aside = aside
        self._turn = anyio.Lock()

    async def __call__(self, request: ApprovalRequest) -> Approval:
        """Show the plan and get the yes.

        Raises ``Pending`` where there is no terminal to ask on, ``PlanOutdated`` for a plan that grew old while another
        was asked about, and ``PlanRefused`` for any answer but vault name and archive count.
        """
        plan = request.plan
        if request.wanted is not None:
            with self._aside():
                put_before(request.view)
        if (signed := await request.by_documents()) is not None:
            return signed
        is_approved = plan.digest in self._digests
        if is_approved or not sys.stdin.isatty():
            with self._aside():
                put_before(request.view)
            if is_approved:
                return approve_by_digest(plan, plan.digest, who())
            raise request.pending()
        async with self._turn:
            check_fresh(planned_at(request.folder, plan), utc_now())
            with self._aside():
                put_before(request.view)
                ask(plan)
                with held_back():
                    return approve_by_words(plan, await typed_line(), who())


def put_before(view: PlanView) -> None:
    """Show the whole plan to whoever is to say yes to it."""
    put(f"{fitted_to(sys.stderr, view.as_text(bar=bar_on(sys.stderr)))}\n\n")


def ask(plan: Plan, what: str = "delete") -> None:
    """Ask for the yes to a plan that was shown: to delete by it now, or to sign that it may be."""
    put(f"{fitted_to(sys.stderr, safe(_what(plan, what)))}\n{safe(_asked(plan))}")


def _what(plan: Plan, what: str) -> str:
    about = "delete" if what == "delete" else f"{what} that others delete"
    return (
        f"About to {about} {plan.counts.selected:,} archives ({size(plan.selected_bytes)}) for ever from vault "
        f"{plan.vault_name} in {plan.region}, account {plan.account_id}."
    )


def _asked(plan: Plan) -> str:
    return f"Type {plan.vault_name} {plan.counts.selected} to go on, anything else to stop: "
