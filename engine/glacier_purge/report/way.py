"""A lifecycle's way as people see it: each phase with what came of it, what is done now, and what comes next and when.

Data first, from the steps that are on disk; whoever draws it, on a terminal or a page, draws the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from glacier_purge.lifecycle.phases import SETTLED, Event, Phase

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from glacier_purge.lifecycle.steps import Step

COLUMNS = ("", "phase", "what came of it, or is done", "when (UTC)")
_NOT_TOLD = frozenset({"because", "job", "run_dir", "statement", "answer"}).union(*SETTLED.values()) - {"by", "how"}
"""Facts of steps that are hashes and names for whoever looks into the folder."""
_TAKES = {
    Phase.INVENTORY: "3 to 5 hours",
    Phase.APPROVAL: "on somebody's yes",
    Phase.PURGE: "hours to days",
    Phase.VERIFY: "a day or two later",
}
"""How long a phase that is still to come takes, or when it comes, as far as that is known of all vaults."""


class Standing(StrEnum):
    """Where a phase lies."""

    DONE = "done"
    NOW = "now"
    NEXT = "next"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseLine:
    """One phase. ``told`` is what came of it or is done; ``when`` is when that was, is looked at again, or will be."""

    standing: Standing
    phase: str
    told: str = ""
    when: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """What stands below each of ``COLUMNS``."""
        return self.standing.value, self.phase, self.told, self.when


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """All phases of the round that a lifecycle is in; ``title`` says whose they are."""

    title: str
    phases: tuple[PhaseLine, ...]


def way(
    title: str, steps: Sequence[Step], phase: Phase, number: int, *, now_told: str = "", until: datetime | None = None
) -> Way:
    """The way in round ``number``, in ``phase`` now. ``now_told`` is what is done there, ``until`` when what is waited
    for is looked at again (UTC)."""
    last = {step.phase: step for step in steps if step.event is not Event.ALLOWED and _counts(step, number)}
    lines = []
    is_past = True
    for each in (one for one in Phase if one is not Phase.DONE):
        if each is phase:
            is_past = False
            when = "" if until is None else f"next look {until:%Y-%m-%d %H:%M:%S}"
            lines.append(PhaseLine(standing=Standing.NOW, phase=each.value, told=now_told, when=when))
        elif each in last and is_past:
            step = last[each]
            lines.append(PhaseLine(standing=Standing.DONE, phase=each.value, told=_told(step), when=_when(step)))
        elif not is_past:
            lines.append(PhaseLine(standing=Standing.NEXT, phase=each.value, when=_TAKES.get(each, "")))
    round_told = "" if number == 1 else f", round {number}"
    return Way(title=title + round_told, phases=tuple(lines))


def _counts(step: Step, number: int) -> bool:
    """Whether it is of this round, or made before all of them."""
    return step.round == number or step.phase is Phase.PREFLIGHT


def _told(step: Step) -> str:
    facts = [
        f"{name.replace('_', ' ')} {value:,}" if type(value) is int else f"{name.replace('_', ' ')} {value}"
        for name, value in step.facts.items()
        if name not in _NOT_TOLD and value is not None
    ]
    return f"{step.event.value} ({', '.join(facts)})" if facts else step.event.value


def _when(step: Step) -> str:
    return step.at.replace("T", " ").removesuffix("Z")
