"""Ends a lifecycle in good order before its own end: uploads are allowed again, and nothing more is ever sent.

That it was abandoned is a step like any other, so whatever looks at the lifecycle sees it; a run that is a round of it
asks here before it sends anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_purge.errors import PlanRefused
from glacier_purge.lifecycle.phases import LIFECYCLE_FILE, Event, read_steps
from glacier_purge.vault.freeze import may_be_frozen, thaw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from glacier_purge.glacier.control import GlacierControl
    from glacier_purge.lifecycle.phases import Lifecycle, Step
    from glacier_purge.storage.folder import RunFolder


async def abandon(control: GlacierControl, folder: RunFolder, lifecycle: Lifecycle, *, by: str) -> list[str]:
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
    folder = round_folder.absolute().parent
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
