"""``lifecycle.jsonl``: the file that says where a lifecycle is, a line a step.

A line is on disk before the next phase begins, so a lifecycle that was stopped at any moment goes on in the phase it
was in; phases therefore have to bear being begun twice.

Each line names the one before it by its hash, the first one ``terms.json``, and what its step settled by its hash.  So
lines that were changed, dropped, swapped or put in between are refused, and so is a file that is not the one of the
step.  A chain of hashes cannot show that whole lines are missing at the end (then the phase is begun again, as after a
crash), nor that somebody who writes the folder appended one; an approval can be forged so, but only of the very plan
that is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from glacier_purge.errors import AuditDamaged, UsageError
from glacier_purge.lifecycle.phases import Event, Phase
from glacier_purge.lifecycle.steps import Step, after, misfit
from glacier_purge.storage.disk import FolderFiles
from glacier_purge.storage.documents import DocumentUnreadable, decoded
from glacier_purge.storage.folder import LIFECYCLE_FILE, TERMS_FILE
from glacier_purge.storage.lines import append_line, make_durable, read_lines
from glacier_purge.storage.ownership import read_own

_MADE_BY_STEPS = ("round-*", "freeze.json", "waiting.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What the file says: ``last`` is the hash that the next line names, None before there are terms."""

    steps: list[Step]
    last: str | None


class LifecycleFile:
    """Where one vault's lifecycle is, and the file that says so. ``now`` is asked for the time of each step.

    Raises ``AuditDamaged`` for a file that does not hold together, ``UsageError`` for one of an earlier version, and
    ``DiskFailed``.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._file = folder / LIFECYCLE_FILE
        self.now = now
        self.phase = Phase.PREFLIGHT
        self.round = 1
        self.steps: list[Step] = []
        make_durable(FolderFiles(folder), LIFECYCLE_FILE)
        read = _read(folder)
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
        if (why := misfit(step, self.steps)) is not None:
            raise UsageError(f"{why}. Nothing was changed.")
        line = msgspec.json.encode(step)
        append_line(FolderFiles(self._folder), LIFECYCLE_FILE, line)
        self._last = hashlib.sha256(line + b"\n").hexdigest()
        self._take(step)

    def fact(self, event: Event, name: str) -> Any:
        """What the last ``event`` said of ``name``; None when it has not happened."""
        return next((step.facts.get(name) for step in reversed(self.steps) if step.event is event), None)

    def _take(self, step: Step) -> None:
        self.phase, self.round = after(step, self.round)
        self.steps.append(step)


def read_steps(folder: Path) -> list[Step]:
    """The steps in a folder's file, also while another process writes it: a torn line is passed over.

    Raises ``AuditDamaged`` for a line that is no step or does not follow the one before, and for terms that are not
    those of the first; ``UsageError`` for a file of an earlier version.
    """
    return _read(folder).steps


def _read(folder: Path) -> _Read:
    file = folder / LIFECYCLE_FILE
    try:
        lines = read_lines(FolderFiles(folder), LIFECYCLE_FILE)
    except OSError as error:
        raise _damaged(file, f"it cannot be read: {error.strerror}") from error
    if not lines:
        _check_nothing_was_made(folder)
        return _Read(steps=[], last=None)
    steps, at_byte, prev = list[Step](), 0, _terms_sha256(folder)
    for number, line in enumerate(lines):
        step = _step(file, line, number, at_byte)
        if step.prev != prev and number == 0 and _is_followed(line, lines[1:]):
            raise _damaged(folder / TERMS_FILE, f"it is not what the steps in {LIFECYCLE_FILE} began with")
        why = "it does not follow the line before" if step.prev != prev else misfit(step, steps)
        if why is not None:
            raise _damaged(file, why, at_byte, number)
        steps.append(step)
        prev, at_byte = hashlib.sha256(line).hexdigest(), at_byte + len(line)
    return _Read(steps=steps, last=prev)


def _step(file: Path, line: bytes, number: int, at_byte: int) -> Step:
    try:
        return decoded(line, Step)
    except DocumentUnreadable as error:
        if number == 0 and _is_of_an_earlier_version(line):
            raise of_an_earlier_version(file) from error
        raise _damaged(file, f"not a step ({error})", at_byte, number) from error


def of_an_earlier_version(file: Path) -> UsageError:
    """Say that a lifecycle is 0.1's, by one of its files."""
    return UsageError(
        f"{file} was written by an earlier version, whose steps were not bound to each other, so this one does not go "
        "by it. Finish with the version that began it; or take the denial of uploads away, if there is one "
        "(glacier-purge thaw VAULT), and begin anew with another --run-dir. Nothing was sent."
    )


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
