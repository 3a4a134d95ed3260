"""The days-long way of a vault, as a table: phases, what can happen in each, and what follows.

    preflight → inventory → plan → approval → freeze → purge → verify → delete vault → done
                    ↑                                             │
                    └──────── what is left: another round ────────┘

What a plan kept is not left over: a calendar is done when a newer inventory lists nothing but that.

Every step is a line in ``lifecycle.jsonl``, on disk before the next phase begins, so a calendar that was stopped at any
moment goes on in the phase it was in; phases therefore have to bear being begun twice.  What may follow what is the
table and nothing else: an event that a phase does not know raises and changes nothing.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from glacier_purge.errors import AuditDamaged, UsageError
from glacier_purge.json_document import DocumentUnreadable, decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

LIFECYCLE_FILE = "lifecycle.jsonl"
ROUNDS_MAX = 5
"""Rounds in which something is left each time: then somebody is still uploading, and a person has to look."""


class Phase(StrEnum):
    """Where a vault is on its way."""

    PREFLIGHT = "preflight"
    INVENTORY = "inventory"
    PLAN = "plan"
    APPROVAL = "approval"
    FREEZE = "freeze"
    PURGE = "purge"
    VERIFY = "verify"
    DELETE_VAULT = "delete vault"
    THAW = "thaw"
    DONE = "done"


class Event(StrEnum):
    """What can happen in a phase."""

    CLEAR = "nothing stands against it"
    FETCHED = "inventory fetched"
    PLANNED = "planned"
    NOTHING_LISTED = "the inventory lists nothing to delete"
    NOTHING_CHOSEN = "nothing the inventory lists is to be deleted"
    ONLY_KEPT = "nothing a newer inventory lists is to be deleted"
    NOTHING_LEFT = "a newer inventory lists nothing any more"
    APPROVED = "approved"
    FROZEN = "uploads denied"
    NOT_FROZEN = "uploads not denied"
    ACCOUNTED = "every record accounted for"
    PROVEN = "proven empty"
    KEPT_REST = "proven, and what is left is kept"
    SOMETHING_LEFT = "something is left"
    DELETED = "vault deleted"
    KEPT = "vault kept"
    THAWED = "uploads as before"
    NEVER_WRITTEN = "no inventory ever came: nothing was written to it"
    NEVER_INVENTORIED = "never inventoried, and to be removed"
    EMPTY = "the inventory lists nothing, and the vault is to be removed"
    WRITTEN_TO = "written to since it was found empty"
    ABANDONED = "abandoned"


TRANSITIONS: dict[tuple[Phase, Event], Phase] = {
    (Phase.PREFLIGHT, Event.CLEAR): Phase.INVENTORY,
    (Phase.INVENTORY, Event.FETCHED): Phase.PLAN,
    (Phase.PLAN, Event.PLANNED): Phase.APPROVAL,
    (Phase.PLAN, Event.NOTHING_LISTED): Phase.DONE,
    (Phase.PLAN, Event.NOTHING_CHOSEN): Phase.DONE,
    (Phase.PLAN, Event.NOTHING_LEFT): Phase.VERIFY,
    (Phase.PLAN, Event.ONLY_KEPT): Phase.VERIFY,
    (Phase.APPROVAL, Event.APPROVED): Phase.FREEZE,
    (Phase.FREEZE, Event.FROZEN): Phase.PURGE,
    (Phase.FREEZE, Event.NOT_FROZEN): Phase.PURGE,
    (Phase.PURGE, Event.ACCOUNTED): Phase.VERIFY,
    (Phase.VERIFY, Event.PROVEN): Phase.DELETE_VAULT,
    (Phase.VERIFY, Event.KEPT_REST): Phase.DELETE_VAULT,
    (Phase.VERIFY, Event.SOMETHING_LEFT): Phase.INVENTORY,
    (Phase.DELETE_VAULT, Event.DELETED): Phase.DONE,
    (Phase.DELETE_VAULT, Event.KEPT): Phase.THAW,
    (Phase.THAW, Event.THAWED): Phase.DONE,
    (Phase.INVENTORY, Event.NEVER_WRITTEN): Phase.DONE,
    (Phase.INVENTORY, Event.NEVER_INVENTORIED): Phase.DELETE_VAULT,
    (Phase.PLAN, Event.EMPTY): Phase.DELETE_VAULT,
    (Phase.DELETE_VAULT, Event.WRITTEN_TO): Phase.INVENTORY,
    **{(phase, Event.ABANDONED): Phase.DONE for phase in Phase if phase is not Phase.DONE},
}
"""Everything that may follow anything."""
_ANOTHER_ROUND = frozenset({Event.SOMETHING_LEFT, Event.WRITTEN_TO})


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the file: in ``round``, ``phase`` met ``event`` at ``at`` (UTC), with ``facts`` for people."""

    at: str
    round: int
    phase: Phase
    event: Event
    facts: dict[str, Any] = {}


class Lifecycle:
    """Where one vault's calendar is, and the file that says so. ``now`` is asked for the time of each step."""

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._file = folder / LIFECYCLE_FILE
        self.now = now
        self.phase = Phase.PREFLIGHT
        self.round = 1
        self.steps: list[Step] = []
        for step in self._read():
            self._take(step)

    def advance(self, event: Event, **facts: Any) -> None:
        """Make the step that ``event`` leads to, durably. Raises ``UsageError`` for one the table does not have."""
        step = Step(
            at=self.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            round=self.round,
            phase=self.phase,
            event=event,
            facts=facts,
        )
        following(step.phase, step.event)
        handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "ab") as file:
            file.write(msgspec.json.encode(step) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._take(step)

    def fact(self, event: Event, name: str) -> Any:
        """What the last ``event`` said of ``name``; None when it has not happened."""
        return next((step.facts.get(name) for step in reversed(self.steps) if step.event is event), None)

    def _take(self, step: Step) -> None:
        self.phase, self.round = _after(step, self.round)
        self.steps.append(step)

    def _read(self) -> list[Step]:
        steps = read_steps(self._file.parent)
        if self._file.exists():
            content = self._file.read_bytes()
            _, _, torn = content.rpartition(b"\n")
            if torn:  # a crash in the middle of a line: that step was not made
                with self._file.open("r+b") as file:
                    file.truncate(len(content) - len(torn))
                    os.fsync(file.fileno())
        return steps


def alarms(step: Step) -> Iterator[str]:
    """What nobody should miss of a step, in sentences."""
    if gone := step.facts.get("kept_gone"):
        yield (
            f"{gone:,} archives that the plan let be are gone, and this lifecycle did not delete them; the certificate "
            "and verification/kept-gone.ids in the round's folder name them. Look who did (CloudTrail has each delete)"
        )
    if sids := step.facts.get("still_denied_by"):
        yield (
            f"uploads are still denied, by {', '.join(sids)} in the vault's access policy, which another lifecycle "
            "left there. If that one is not going on, glacier-purge thaw VAULT takes it away"
        )


def read_steps(folder: Path) -> list[Step]:
    """The steps in a folder's file, also while another process writes it: a torn line is passed over.

    Raises ``AuditDamaged`` for a line that is no step.
    """
    file = folder / LIFECYCLE_FILE
    try:
        whole, _, _ = file.read_bytes().rpartition(b"\n")
        return [decoded(line, Step) for line in whole.split(b"\n") if line]
    except FileNotFoundError:
        return []
    except DocumentUnreadable as error:
        raise AuditDamaged(f"not a step ({error}). Restore the file.", file=str(file), offset_bytes=0) from error


def position(steps: Iterable[Step]) -> tuple[Phase, int]:
    """The phase and the round that ``steps`` lead to. Raises ``UsageError`` for a step the table does not have."""
    phase, number = Phase.PREFLIGHT, 1
    for step in steps:
        phase, number = _after(step, number)
    return phase, number


def following(phase: Phase, event: Event) -> Phase:
    """What follows when ``event`` happens in ``phase``. Raises ``UsageError`` where the table says nothing."""
    try:
        return TRANSITIONS[phase, event]
    except KeyError:
        raise UsageError(f"{event.value!r} can't happen in phase {phase.value!r}. Nothing was changed.") from None


def _after(step: Step, number: int) -> tuple[Phase, int]:
    return following(step.phase, step.event), number + (step.event in _ANOTHER_ROUND)
