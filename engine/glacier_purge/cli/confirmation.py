"""Getting a yes: typed on a terminal, quoted as a digest elsewhere, never assumed, and never to what was not shown.

The whole plan stands on stderr before every yes, so it is there also in the log of a job that brings its digest along;
stdout is the result's alone.  A run that was approved before goes on without asking: its approval is in the audit log,
for this very digest.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from glacier_purge.approval.typed import Approval, approve_by_digest, approve_by_words
from glacier_purge.audit.recovery import replay
from glacier_purge.cli.output import fitted_to
from glacier_purge.clock import utc_now
from glacier_purge.errors import PlanRefused
from glacier_purge.guard.rules import check_fresh
from glacier_purge.plan.identity import planned_at
from glacier_purge.report.plan_view import PlanView
from glacier_purge.report.terminal import safe
from glacier_purge.run.host import who
from glacier_purge.text import size

if TYPE_CHECKING:
    from glacier_purge.plan.document import Plan
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder


def approval_for(folder: RunFolder, plan: Plan, settings: Settings, confirm_digest: str | None) -> Approval:
    """Return the approval of ``plan``, which is shown before. Raises ``PlanRefused`` when there is none."""
    if replay(folder.path).approved_digest != plan.digest:
        check_fresh(planned_at(folder, plan), utc_now())
    elif confirm_digest is None:
        return Approval(digest=plan.digest, how="resumed", by=who())
    put_before(folder, plan, settings)
    if confirm_digest is not None:
        return approve_by_digest(plan, confirm_digest, who())
    if not sys.stdin.isatty():
        raise PlanRefused(
            f"deleting {plan.counts.selected:,} archives needs a yes, and there is no terminal to ask on. Nothing was "
            f"sent. If the plan above is what you want, run: glacier-purge apply {folder.path} "
            f"--confirm-digest {plan.digest}"
        )
    ask(plan)
    return approve_by_words(plan, sys.stdin.readline(), who())


def put_before(folder: RunFolder, plan: Plan, settings: Settings) -> None:
    """Show the whole plan to whoever is to say yes to it. Raises ``ConfigurationFailed`` as its estimates do."""
    page = PlanView.of(folder, plan, settings).as_text()
    sys.stderr.write(f"{fitted_to(sys.stderr, page)}\n\n")
    sys.stderr.flush()


def waited_for(folder: RunFolder, plan: Plan) -> str:
    """What is waited for where nobody is there to say yes now, and how to say it later."""
    return (
        f"somebody's approval of the plan in {folder.path}: {plan.counts.selected:,} archives; `glacier-purge show "
        f"{folder.path}` prints it again. Give the command again with --confirm-digest {plan.digest}"
    )


def ask(plan: Plan) -> None:
    """Ask for the yes to a plan that was shown."""
    sys.stderr.write(f"{fitted_to(sys.stderr, safe(_what(plan)))}\n{safe(_asked(plan))}")
    sys.stderr.flush()


def _what(plan: Plan) -> str:
    return (
        f"About to delete {plan.counts.selected:,} archives ({size(plan.selected_bytes)}) for ever from vault "
        f"{plan.vault_name} in {plan.region}, account {plan.account_id}."
    )


def _asked(plan: Plan) -> str:
    return f"Type {plan.vault_name} {plan.counts.selected} to go on, anything else to stop: "
