"""How a lifecycle ends other than by its own last phase: abandoned, or done with a vault that was to go and is there.

Abandoned in good order, uploads are allowed again, and nothing more is ever sent.  That it was abandoned is a step like
any other, so whatever looks at the lifecycle sees it; whoever opens a run that is a round of one asks here first.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glacier_purge.archive import Vault
from glacier_purge.errors import PlanRefused
from glacier_purge.glacier.control import GlacierControl
from glacier_purge.lifecycle.phases import Event, Phase
from glacier_purge.lifecycle.steps import Step, position
from glacier_purge.lifecycle.steps_file import LifecycleFile, read_steps
from glacier_purge.storage.folder import LIFECYCLE_FILE, RunFolder
from glacier_purge.vault.freeze import read_frozen, thaw

_BEFORE_SENDING = {Phase.PREFLIGHT, Phase.INVENTORY, Phase.PLAN, Phase.APPROVAL, Phase.FREEZE}


async def abandon(control: GlacierControl, folder: RunFolder, lifecycle: LifecycleFile, *, by: str) -> list[str]:
    """Take back the freeze, if there is one, and make the last step; nothing is sent but that.

    Returns the ids of other lifecycles' statements that deny uploads all the same.  Raises what ``thaw`` raises, and
    then the lifecycle is not abandoned: the same command goes on.
    """
    still_denied_by = await thaw(control, folder) if may_be_frozen(folder, lifecycle.steps) else []
    told = {"still_denied_by": still_denied_by} if still_denied_by else {}
    lifecycle.advance(Event.ABANDONED, by=by, **told)
    return still_denied_by


def abandonment(steps: Sequence[Step]) -> Step | None:
    """The step by which a lifecycle was abandoned; None when it was not."""
    return steps[-1] if steps and steps[-1].event is Event.ABANDONED else None


def check_round(round_folder: Path) -> None:
    """Raise ``PlanRefused`` for a run that is a round of a lifecycle which was abandoned, or has not come to sending:
    its approval, its caps and its freeze would be passed over.  Raises ``AuditDamaged`` as ``read_steps`` does.
    """
    place = round_folder.resolve()  # also where it is named from inside, as ".."
    folder = place.parent
    if not (folder / LIFECYCLE_FILE).exists():
        return
    steps = read_steps(folder)
    refuse_abandoned(folder, steps)
    phase, number = position(steps)
    if phase in _BEFORE_SENDING and place.name == f"round-{number}":
        raise PlanRefused(
            f"{place} is a round of the lifecycle in {folder}, which stands before its {Phase.PURGE.value} "
            f"({phase.value}). What it settles before that would be passed over. Nothing was sent. To go on with it: "
            "glacier-purge run, or fleet, as it was begun."
        )


def refuse_abandoned(folder: Path, steps: Sequence[Step]) -> None:
    """Raise ``PlanRefused`` for a lifecycle that was abandoned."""
    step = abandonment(steps)
    if step is not None:
        raise PlanRefused(
            f"the lifecycle in {folder} was abandoned at {step.at} by {step.facts.get('by', 'somebody')}: nothing more "
            "is sent for it, ever. Begin another in another folder, with another --run-dir. Nothing was sent."
        )


def may_be_frozen(folder: RunFolder, steps: Sequence[Step]) -> bool:
    """Tell whether there may be something to take back: a freeze that was noted, or only the step that says so."""
    frozen = read_frozen(folder)
    return frozen is not None or any(step.event is Event.FROZEN for step in steps)


def check_removed(vault: Vault, folder: Path, steps: Sequence[Step]) -> None:
    """Raise ``PlanRefused`` for a lifecycle that ended with its vault kept, saying what removes the vault."""
    if any(step.event is Event.DELETED for step in steps):
        return
    last = next((step for step in reversed(steps) if step.event in {Event.PROVEN, Event.KEPT_REST}), None)
    if last is not None and last.event is Event.PROVEN:
        purged = next(step.round for step in reversed(steps) if step.event is Event.ACCOUNTED)
        place = folder / f"round-{purged}"
        advice = f"it was proven empty: glacier-purge delete-vault {place} --confirm-vault {vault.name} removes it"
    else:
        advice = f"begin another: glacier-purge run {vault.name} --delete-vault {vault.name}, with another --run-dir"
    raise PlanRefused(
        f"{vault.arn} was not removed: the lifecycle in {folder} ended at {steps[-1].at}, and the vault was kept; "
        f"{advice}. Nothing more was sent."
    )
