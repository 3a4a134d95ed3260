"""How a calendar stands, from its folder alone: also while a process works on it, and without disturbing that.

The phase and the round are the lifecycle's.  What a process waits for is nobody's step, so it is put into
``waiting.json`` while it is waited for, and stays there when the process ends instead of waiting.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - msgspec resolves the annotations at run time
from typing import TYPE_CHECKING

import msgspec

from glacier_purge.errors import PlanRefused
from glacier_purge.plan.document import read_plan
from glacier_purge.run.folder import PLAN_FILE, RunFolder
from glacier_purge.run.lifecycle import LIFECYCLE_FILE, Phase, position, read_steps
from glacier_purge.run.terms import TERMS_FILE, read_terms
from glacier_purge.waiting import Waiting

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.plan.document import Plan
    from glacier_purge.run.lifecycle import Lifecycle, Step
    from glacier_purge.run.terms import Terms
    from glacier_purge.waiting import Patience

WAITING_FILE = "waiting.json"


class _Noted(msgspec.Struct, frozen=True, kw_only=True):
    phase: Phase
    round: int
    what: str
    until: datetime


class Noting:
    """A patience that writes down what it waits for in the calendar's folder."""

    def __init__(self, patience: Patience, folder: RunFolder, lifecycle: Lifecycle) -> None:
        self._patience = patience
        self._folder = folder
        self._lifecycle = lifecycle

    def now(self) -> datetime:
        """The time now."""
        return self._patience.now()

    async def wait(self, waiting: Waiting) -> None:
        """Wait as the patience does. What ends without having waited leaves the note."""
        at = self._lifecycle
        noted = _Noted(phase=at.phase, round=at.round, what=waiting.what, until=waiting.until)
        self._folder.replace(WAITING_FILE, msgspec.json.encode(noted) + b"\n")
        await self._patience.wait(waiting)
        (self._folder.path / WAITING_FILE).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one calendar stands. ``waiting`` is what it waits for, None where it does not; ``planned`` is the folder of
    the last round that has a plan, with the plan."""

    phase: Phase
    round: int
    steps: tuple[Step, ...]
    terms: Terms | None
    at_work: bool
    waiting: Waiting | None
    planned: tuple[RunFolder, Plan] | None


def is_calendar(path: Path) -> bool:
    """Tell whether a folder is a calendar's."""
    return (path / LIFECYCLE_FILE).exists() or (path / TERMS_FILE).exists()


def read_standing(folder: RunFolder) -> Standing:
    """Read how the calendar in ``folder`` stands. Raises ``AuditDamaged`` and ``PlanRefused``."""
    at_work = folder.is_locked()
    steps = read_steps(folder.path)
    phase, number = position(steps)
    return Standing(
        phase=phase,
        round=number,
        steps=tuple(steps),
        terms=read_terms(folder.path),
        at_work=at_work,
        waiting=_waiting(folder.path, phase, number),
        planned=_planned(folder.path, number),
    )


def _planned(path: Path, last: int) -> tuple[RunFolder, Plan] | None:
    for number in range(last, 0, -1):
        place = path / f"round-{number}"
        if (place / PLAN_FILE).exists():
            return RunFolder.open(place), read_plan(place / PLAN_FILE)
    return None


def _waiting(path: Path, phase: Phase, number: int) -> Waiting | None:
    """What was noted in this very phase; an older note is of a process that was killed."""
    file = path / WAITING_FILE
    try:
        noted = msgspec.json.decode(file.read_bytes(), type=_Noted)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise PlanRefused(f"{file} cannot be read ({error}). Take it away; it is only a note.") from error
    if (noted.phase, noted.round) != (phase, number):
        return None
    return Waiting(what=noted.what, until=noted.until)
