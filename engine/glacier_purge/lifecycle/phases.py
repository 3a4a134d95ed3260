"""The days-long way of a vault, as a table: phases, what can happen in each, and what follows.

    preflight → inventory → plan → approval → freeze → purge → verify → delete vault → done
                    ↑                  │         │        │       │          │
                    └── another round: the plan grew old, something is left, somebody uploaded

What a plan kept is not left over: a lifecycle is done when a newer inventory lists nothing but that.

Every step is a line in ``lifecycle.jsonl``, on disk before the next phase begins, so a lifecycle that was stopped at
any moment goes on in the phase it was in; phases therefore have to bear being begun twice.  What may follow what is the
table and nothing else: an event that a phase does not know raises and changes nothing.

Each line names the one before it by its hash, the first one ``terms.json``, and what its step settled by its hash.  So
lines that were changed, dropped, swapped or put in between are refused, and so is a file that is not the one of the
step.  A chain of hashes cannot show that whole lines are missing at the end (then the phase is begun again, as after a
crash), nor that somebody who writes the folder appended one; an approval can be forged so, but only of the very plan
that is there.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from glacier_purge.errors import AuditDamaged, DiskFailed, UsageError
from glacier_purge.storage.documents import DocumentUnreadable, decoded
from glacier_purge.storage.folder import LIFECYCLE_FILE, TERMS_FILE, sync_folder
from glacier_purge.storage.ownership import open_own, read_own

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

_MADE_BY_STEPS = ("round-*", "freeze.json", "waiting.json")
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
    NOTHING_SENT = "nothing is listed any more that is to be deleted, and nothing was sent"
    NOTHING_CHOSEN = "nothing the inventory lists is to be deleted"
    ONLY_KEPT = "nothing a newer inventory lists is to be deleted"
    NOTHING_LEFT = "a newer inventory lists nothing any more"
    INVENTORY_GIVEN_UP = "the inventory does not hold any more"
    PLAN_GIVEN_UP = "the plan does not hold any more, and nothing was sent by it"
    APPROVED = "approved"
    FROZEN = "uploads denied"
    NOT_FROZEN = "uploads not denied"
    ACCOUNTED = "every record accounted for"
    PROVEN = "proven empty"
    KEPT_REST = "proven, and what is left is kept"
    SOMETHING_LEFT = "something is left"
    WRITTEN_TO = "written to since it was found empty"
    DELETED = "vault deleted"
    KEPT = "vault kept"
    THAWED = "uploads as before"
    NEVER_WRITTEN = "no inventory ever came: nothing was written to it"
    NEVER_INVENTORIED = "never inventoried, and to be removed"
    EMPTY = "the inventory lists nothing, and the vault is to be removed"
    ABANDONED = "abandoned"


TRANSITIONS: dict[tuple[Phase, Event], Phase] = {
    (Phase.PREFLIGHT, Event.CLEAR): Phase.INVENTORY,
    (Phase.INVENTORY, Event.FETCHED): Phase.PLAN,
    (Phase.PLAN, Event.PLANNED): Phase.APPROVAL,
    (Phase.PLAN, Event.NOTHING_LISTED): Phase.DONE,
    (Phase.PLAN, Event.NOTHING_CHOSEN): Phase.DONE,
    (Phase.PLAN, Event.NOTHING_LEFT): Phase.VERIFY,
    (Phase.PLAN, Event.ONLY_KEPT): Phase.VERIFY,
    (Phase.PLAN, Event.NOTHING_SENT): Phase.THAW,
    (Phase.PLAN, Event.INVENTORY_GIVEN_UP): Phase.INVENTORY,
    (Phase.APPROVAL, Event.APPROVED): Phase.FREEZE,
    (Phase.APPROVAL, Event.PLAN_GIVEN_UP): Phase.INVENTORY,
    (Phase.FREEZE, Event.PLAN_GIVEN_UP): Phase.INVENTORY,
    (Phase.PURGE, Event.PLAN_GIVEN_UP): Phase.INVENTORY,
    (Phase.FREEZE, Event.FROZEN): Phase.PURGE,
    (Phase.FREEZE, Event.NOT_FROZEN): Phase.PURGE,
    (Phase.PURGE, Event.ACCOUNTED): Phase.VERIFY,
    (Phase.VERIFY, Event.PROVEN): Phase.DELETE_VAULT,
    (Phase.VERIFY, Event.KEPT_REST): Phase.DELETE_VAULT,
    (Phase.VERIFY, Event.SOMETHING_LEFT): Phase.INVENTORY,
    (Phase.DELETE_VAULT, Event.WRITTEN_TO): Phase.INVENTORY,
    (Phase.DELETE_VAULT, Event.DELETED): Phase.DONE,
    (Phase.DELETE_VAULT, Event.KEPT): Phase.THAW,
    (Phase.THAW, Event.THAWED): Phase.DONE,
    (Phase.INVENTORY, Event.NEVER_WRITTEN): Phase.DONE,
    (Phase.INVENTORY, Event.NEVER_INVENTORIED): Phase.DELETE_VAULT,
    (Phase.PLAN, Event.EMPTY): Phase.DELETE_VAULT,
    **{(phase, Event.ABANDONED): Phase.DONE for phase in Phase if phase is not Phase.DONE},
}
"""Everything that may follow anything."""

ANOTHER_ROUND = frozenset({Event.SOMETHING_LEFT, Event.PLAN_GIVEN_UP, Event.WRITTEN_TO})
"""What ends a round so that the next one begins, in a folder of its own."""

SETTLED: dict[Event, frozenset[str]] = {
    Event.FETCHED: frozenset({"sha256"}),
    Event.PLANNED: frozenset({"digest", "vault", "endpoint", "run_json"}),
    Event.APPROVED: frozenset({"digest", "how", "by"}),
    Event.FROZEN: frozenset({"freeze_json"}),
    Event.PROVEN: frozenset({"certificate"}),
    Event.KEPT_REST: frozenset({"certificate"}),
}
"""The facts by which a step is bound to what it settled: hashes (SHA-256, hex) and what tells a plan from others."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the file: in ``round``, ``phase`` met ``event`` at ``at`` (UTC), with ``facts`` for people.

    ``prev`` is the SHA-256 (hex) of the line before, its line feed included; of ``terms.json`` in the first one.
    """

    prev: str
    at: str
    round: int
    phase: Phase
    event: Event
    facts: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What the file says: ``last`` is the hash that the next line names, None before there are terms."""

    steps: list[Step]
    last: str | None
    whole_bytes: int
    torn: bool


class Lifecycle:
    """Where one vault's lifecycle is, and the file that says so. ``now`` is asked for the time of each step.

    Raises ``AuditDamaged`` for a file that does not hold together, and ``UsageError`` for one of an earlier version.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._file = folder / LIFECYCLE_FILE
        self.now = now
        self.phase = Phase.PREFLIGHT
        self.round = 1
        self.steps: list[Step] = []
        read = _read(folder)
        if read.torn:  # a crash in the middle of a line: that step was not made
            _cut(self._file, read.whole_bytes)
        self._last = read.last
        for step in read.steps:
            self._take(step)

    def advance(self, event: Event, **facts: Any) -> None:
        """Make the step that ``event`` leads to, durably.

        Raises ``UsageError`` for one the table does not have or that lacks what it settles, ``DiskFailed`` when it
        can't be written.
        """
        step = Step(
            prev=self._last or _terms_sha256(self._folder),
            at=self.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            round=self.round,
            phase=self.phase,
            event=event,
            facts=facts,
        )
        if (misfit := _misfit(step, self.steps)) is not None:
            raise UsageError(f"{misfit}. Nothing was changed.")
        line = msgspec.json.encode(step) + b"\n"
        try:
            _append(self._file, line)
            if not self.steps:
                sync_folder(self._folder)
        except OSError as error:
            raise DiskFailed(
                f"{self._file} can't be written: {error.strerror}. Mend the disk, and give the same command again."
            ) from error
        self._last = hashlib.sha256(line).hexdigest()
        self._take(step)

    def fact(self, event: Event, name: str) -> Any:
        """What the last ``event`` said of ``name``; None when it has not happened."""
        return next((step.facts.get(name) for step in reversed(self.steps) if step.event is event), None)

    def _take(self, step: Step) -> None:
        self.phase, self.round = _after(step, self.round)
        self.steps.append(step)


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

    Raises ``AuditDamaged`` for a line that is no step or does not follow the one before, and for terms that are not
    those of the first; ``UsageError`` for a file of an earlier version.
    """
    return _read(folder).steps


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


def denied_since(steps: Iterable[Step]) -> str | None:
    """Since when uploads are denied by this lifecycle (UTC, ISO 8601); None when they are not."""
    since: str | None = None
    for step in steps:
        if step.event is Event.FROZEN:
            since = since or step.at
        elif step.event in {Event.THAWED, Event.DELETED, Event.ABANDONED}:
            since = None
    return since


def _after(step: Step, number: int) -> tuple[Phase, int]:
    return following(step.phase, step.event), number + (step.event in ANOTHER_ROUND)


def _misfit(step: Step, before: list[Step]) -> str | None:
    """Why a step can't follow those before it; None when it can."""
    phase, number = position(before)
    if (step.phase, step.round) != (phase, number):
        return (
            f"it is of phase {step.phase.value!r} in round {step.round}, and the steps before lead to {phase.value!r} "
            f"in round {number}"
        )
    if (step.phase, step.event) not in TRANSITIONS:
        return f"{step.event.value!r} can't happen in phase {step.phase.value!r}"
    for name in sorted(SETTLED.get(step.event, ())):
        if not isinstance(step.facts.get(name), str):
            return f"{step.event.value!r} does not say its {name}"
    if step.event is Event.APPROVED:
        planned = next(one.facts["digest"] for one in reversed(before) if one.event is Event.PLANNED)
        if step.facts["digest"] != planned:
            return f"it approves digest {step.facts['digest'][:16]}..., and {planned[:16]}... is what was planned"
    return None


# -- the file -------------------------------------------------------------------------------------------------------


def _read(folder: Path) -> _Read:
    file = folder / LIFECYCLE_FILE
    try:
        content = read_own(file)
    except FileNotFoundError:
        content = b""
    except OSError as error:
        raise _damaged(file, f"it cannot be read: {error.strerror}") from error
    whole, _, torn = content.rpartition(b"\n")
    lines = [line + b"\n" for line in whole.split(b"\n")] if whole or content.startswith(b"\n") else []
    if not lines:
        _check_nothing_was_made(folder)
        return _Read(steps=[], last=None, whole_bytes=0, torn=bool(torn))
    steps, at_byte, prev = list[Step](), 0, _terms_sha256(folder)
    for number, line in enumerate(lines):
        step = _step(file, line, number, at_byte)
        if step.prev != prev and number == 0 and _is_followed(line, lines[1:]):
            raise _damaged(folder / TERMS_FILE, f"it is not what the steps in {LIFECYCLE_FILE} began with")
        why = "it does not follow the line before" if step.prev != prev else _misfit(step, steps)
        if why is not None:
            raise _damaged(file, why, at_byte, number)
        steps.append(step)
        prev, at_byte = hashlib.sha256(line).hexdigest(), at_byte + len(line)
    return _Read(steps=steps, last=prev, whole_bytes=at_byte, torn=bool(torn))


def _step(file: Path, line: bytes, number: int, at_byte: int) -> Step:
    try:
        return decoded(line, Step)
    except DocumentUnreadable as error:
        if number == 0 and _is_of_an_earlier_version(line):
            raise UsageError(
                f"{file} was written by an earlier version, whose steps were not bound to each other, so this one does "
                "not go by it. Finish with the version that began it; or take the denial of uploads away, if there is "
                "one (glacier-purge thaw VAULT), and begin anew with another --run-dir. Nothing was sent."
            ) from error
        raise _damaged(file, f"not a step ({error})", at_byte, number) from error


def _is_of_an_earlier_version(line: bytes) -> bool:
    try:
        return set(decoded(line, dict[str, Any])) == {"at", "round", "phase", "event", "facts"}
    except DocumentUnreadable:
        return False


def _is_followed(line: bytes, rest: list[bytes]) -> bool:
    """Whether the first line is whole as far as can be told: then what it names was changed, and not the line."""
    return not rest or hashlib.sha256(line).hexdigest().encode() in rest[0]


def _terms_sha256(folder: Path) -> str:
    file = folder / TERMS_FILE
    try:
        return hashlib.sha256(read_own(file)).hexdigest()
    except OSError as error:
        raise _damaged(
            file, f"it cannot be read ({error.strerror}), and what may be deleted is settled in it"
        ) from error


def _check_nothing_was_made(folder: Path) -> None:
    """Raise ``AuditDamaged`` where there are no steps and what only steps lead to: the file was lost."""
    made = sorted(name for pattern in _MADE_BY_STEPS for name in folder.glob(pattern))
    if made:
        raise _damaged(folder / LIFECYCLE_FILE, f"it holds no step, and {made[0].name} is there, so lines are missing")


def _damaged(file: Path, why: str, offset_bytes: int = 0, line: int | None = None) -> AuditDamaged:
    return AuditDamaged(
        f"{why}. Restore the file. This command sent nothing.",
        file=str(file),
        offset_bytes=offset_bytes,
        record=line,
    )


def _cut(file: Path, length_bytes: int) -> None:
    with os.fdopen(open_own(file, os.O_RDWR), "r+b") as content:
        content.truncate(length_bytes)
        os.fsync(content.fileno())


def _append(file: Path, line: bytes) -> None:
    with os.fdopen(open_own(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab") as content:
        content.write(line)
        content.flush()
        os.fsync(content.fileno())
