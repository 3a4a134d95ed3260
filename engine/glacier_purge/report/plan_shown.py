"""A plan that was made before, looked at again: a run's, that of a lifecycle's round, or all of a fleet that wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from glacier_purge.archive import Vault
from glacier_purge.audit.recovery import replay
from glacier_purge.errors import PlanRefused, UsageError
from glacier_purge.fleet.fleet import folder_name
from glacier_purge.fleet.roster import settled_roster
from glacier_purge.lifecycle.phases import Phase
from glacier_purge.lifecycle.state import is_lifecycle, read_state
from glacier_purge.plan.document import read_plan
from glacier_purge.plan.files import check_plan_files
from glacier_purge.report.approvals import ApprovalsThere, approvals_there
from glacier_purge.report.bars import hashes
from glacier_purge.report.plan_view import PlanView, to_delete
from glacier_purge.report.results.planning import AllShown, Shown
from glacier_purge.storage.folder import RunFolder

_APPROVABLE = {Phase.APPROVAL, Phase.FREEZE, Phase.PURGE}

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier_purge.fleet.roster import Roster
    from glacier_purge.plan.document import Plan
    from glacier_purge.report.bars import Bar
    from glacier_purge.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanShown:
    """One plan as it is today. ``go_on`` is how to say yes to it; None when somebody has."""

    view: PlanView
    go_on: str | None
    there: ApprovalsThere

    def as_text(self, bar: Bar = hashes) -> str:
        """The plan for people; ``bar`` draws how many archives there are of each age and size."""
        by = "" if self.there.given is None else f" by {self.there.given}"
        how_far = f"Approved{by}. How far it is: glacier-purge status {self.view.run_dir}"
        signed = [f"approved by {', '.join(self.there.by) or 'nobody'}, of {self.there.needed} who have to"]
        return self.view.as_text(*(signed if self.there.needed else []), self.go_on or how_far, bar=bar)

    def as_result(self) -> Shown:
        """The plan for programs."""
        planned = msgspec.structs.asdict(self.view.as_result())
        return Shown(
            **planned,
            approval="given" if self.go_on is None else "wanted",
            approved_by=self.there.given,
            approvals_needed=self.there.needed,
            approvals_there=list(self.there.by),
        )


def plan_shown(folder: RunFolder, settings: Settings) -> PlanShown:
    """Look at the plan of a run, or at that of a lifecycle's round which waits for an approval or was the last.

    Raises ``PlanRefused`` unless its files are what was planned, ``UsageError`` where there is none yet.
    """
    place, plan, go_on = planned(folder)
    check_plan_files(place.path, plan)
    there = approvals_there(place, plan, replay(place.path))
    if go_on is not None and there.needed:
        go_on = f"Nothing was sent. To approve: glacier-purge approve {place.path} --key FILE --who NAME"
    return PlanShown(view=PlanView.of(place, plan, settings), go_on=go_on, there=there)


def plans_waiting(folder: RunFolder, roster: Roster, settings: Settings) -> list[PlanShown]:
    """Look at the plans of a fleet that wait for an approval. Raises as ``plan_shown`` does."""
    return [plan_shown(member, settings) for member in _waiting(folder, roster)]


def all_shown(folder: RunFolder, waiting: list[PlanShown]) -> AllShown:
    """The plans of a fleet for programs."""
    plans = [shown.as_result() for shown in waiting]
    return AllShown(waiting=len(plans), plans=plans, run_dir=str(folder.path))


def planned(folder: RunFolder) -> tuple[RunFolder, Plan, str | None]:
    """The folder and the plan of a run, or of a lifecycle's round, and how to say yes to it; None when somebody has.

    Raises ``PlanRefused`` for a plan that can't be read, ``UsageError`` where there is none yet.
    """
    if not is_lifecycle(folder.path):
        plan = read_plan(folder.plan_file)
        approved = replay(folder.path).approved_digest == plan.digest
        return folder, plan, None if approved else to_delete(folder)
    standing = read_state(folder)
    if standing.planned is None:
        raise UsageError(
            f"{folder.path} has no plan yet: it is in phase {standing.phase.value!r}. "
            f"How it stands: glacier-purge status {folder.path}"
        )
    place, plan = standing.planned
    if standing.phase is not Phase.APPROVAL:
        return place, plan, None
    again = "Nobody has approved it. To delete: give the command it was begun with again, and --confirm-digest"
    return place, plan, f"{again} {plan.digest}"


def to_be_approved(folder: RunFolder) -> tuple[RunFolder, Plan]:
    """The folder and the plan that people approve: a run's, or that of a lifecycle's round which was not begun.

    Raises as ``planned`` does, ``UsageError`` for a fleet, and ``PlanRefused`` where nothing is left to approve.
    """
    roster = settled_roster(folder)
    if roster is not None:
        members = ", ".join(str(member.path) for member in _waiting(folder, roster)) or "none of them waits for one"
        raise UsageError(f"{folder.path} is a fleet's, and each plan is approved by itself: {members}.")
    place, plan, _ = planned(folder)
    if is_lifecycle(folder.path) and read_state(folder).phase not in _APPROVABLE:
        raise PlanRefused(f"no plan in {folder.path} waits for an approval: see glacier-purge status {folder.path}")
    return place, plan


def _waiting(folder: RunFolder, roster: Roster) -> Iterator[RunFolder]:
    """The folders of a fleet's vaults whose plans wait for an approval."""

    for one in roster.vaults:
        path = folder.path / folder_name(Vault.from_arn(one.vault_arn))
        if path.exists():
            member = RunFolder.look(path)
            if read_state(member).phase is Phase.APPROVAL:
                yield member
