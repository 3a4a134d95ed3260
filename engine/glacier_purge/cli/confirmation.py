"""Getting a yes: typed on a terminal, quoted as a digest elsewhere, never assumed.

A run that was approved before goes on without asking: its approval is in the audit log, for this very digest.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from glacier_purge.audit.recovery import replay
from glacier_purge.errors import PlanRefused
from glacier_purge.report.terminal import safe
from glacier_purge.report.words import size
from glacier_purge.run.approval import Approval, approve_by_digest, approve_by_words
from glacier_purge.run.host import who
from glacier_purge.run.permits import check_fresh

if TYPE_CHECKING:
    from glacier_purge.plan.document import Plan, Sample
    from glacier_purge.run.folder import RunFolder

_SAMPLES_SHOWN = 3
_DESCRIPTION_CHARACTERS = 46
"""What is left of 80 columns."""


def approval_for(folder: RunFolder, plan: Plan, confirm_digest: str | None) -> Approval:
    """Return the approval of ``plan``. Raises ``PlanRefused`` when there is none."""
    is_approved = replay(folder.path).approved_digest == plan.digest
    if not is_approved:
        check_fresh(folder.identity().created, datetime.now(UTC))
    if confirm_digest is not None:
        return approve_by_digest(plan, confirm_digest, who())
    if is_approved:
        return Approval(digest=plan.digest, how="resumed", by=who())
    if not sys.stdin.isatty():
        raise PlanRefused(
            f"deleting {plan.counts.selected:,} archives needs a yes, and there is no terminal to ask on. Nothing was "
            f"sent. Look at the plan, then run: glacier-purge apply {folder.path} --confirm-digest {plan.digest}"
        )
    return _ask(plan)


def _ask(plan: Plan) -> Approval:
    sys.stderr.write(question(plan))
    sys.stderr.flush()
    return approve_by_words(plan, sys.stdin.readline(), who())


def question(plan: Plan) -> str:
    """What is about to happen, and what to type to let it happen."""
    lines = [
        "",
        f"About to delete {plan.counts.selected:,} archives ({size(plan.selected_bytes)}) for ever:",
        f"  vault     {plan.vault_name} in {plan.region}, account {plan.account_id}",
        f"  endpoint  {plan.endpoint_url}",
        f"  uploaded  {plan.oldest or '-'} to {plan.newest or '-'}",
        f"  digest    {plan.digest}",
    ]
    lines += [
        f"  e.g.      {safe(sample.created)[:24]}  {_short(sample.description) or '(no description)'}"
        for sample in _shown(plan)
    ]
    asked = f"Type {plan.vault_name} {plan.counts.selected} to go on, anything else to stop: "
    return "\n".join([*map(safe, lines), "", safe(asked)])


def _shown(plan: Plan) -> list[Sample]:
    return plan.samples[:_SAMPLES_SHOWN]


def _short(description: str) -> str:
    """A description's beginning, cut after it was made safe: one hostile character may show as ten."""
    text = safe(description)
    return text if len(text) <= _DESCRIPTION_CHARACTERS else text[: _DESCRIPTION_CHARACTERS - 3] + "..."
