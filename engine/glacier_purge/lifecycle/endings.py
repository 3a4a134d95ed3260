"""How a lifecycle ends other than by its own last phase: abandoned, or done with a vault that was to go and is there.

Abandoned in good order, uploads are allowed again, and nothing more is ever sent.  That it was abandoned is a step like
any other, so whatever looks at the lifecycle sees it; whoever opens a run that is a round of it asks here first.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glacier_purge.archive import Vault
from glacier_purge.errors import PlanRefused
from glacier_purge.glacier.control import GlacierControl
from glacier_purge.lifecycle.phases import Event
from glacier_purge.lifecycle.steps import Step
from glacier_purge.lifecycle.steps_file import LifecycleFile, read_steps
from glacier_purge.storage.folder import LIFECYCLE_FILE, RunFolder
from glacier_purge.vault.freeze import read_frozen, thaw


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


def check_not_abandoned(round_folder: Path) -> None:
    """Raise ``PlanRefused`` for a run that is a round of an abandoned lifecycle, ``AuditDamaged`` as ``read_steps``."""
    folder = round_folder.resolve().parent  # also where it is named from inside, as ".."
    if (folder / LIFECYCLE_FILE).exists():
        refuse_abandoned(folder, read_steps(folder))


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
