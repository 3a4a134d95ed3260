"""How a lifecycle stands, from its folder alone: also while a process works on it, and without disturbing that.

The phase and the round are the lifecycle's.  What a process waits for is nobody's step, so it is put into
``waiting.json`` while it is waited for, and stays there when the process ends instead of waiting.  What ended a process
before the lifecycle's end stands in ``ended.json`` until the next one begins.  Both are notes: nothing goes by them.

What ends a process while uploads are denied says that they are, since when, and how to allow them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from glacier_purge.archive import Vault
from glacier_purge.errors import (
    AuditDamaged,
    DiskFailed,
    GlacierPurgeError,
    Pending,
    PlanRefused,
    UsageError,
    one_error,
    told,
)
from glacier_purge.glacier.waiting import Waiter, Waiting
from glacier_purge.lifecycle.files import check_fits
from glacier_purge.lifecycle.phases import Event, Phase
from glacier_purge.lifecycle.steps import Step, denied_since, position
from glacier_purge.lifecycle.steps_file import LifecycleFile, read_steps
from glacier_purge.lifecycle.terms import Terms, read_terms
from glacier_purge.plan.document import Plan, read_plan
from glacier_purge.storage.documents import DocumentUnreadable, discard, leave_note, read_document
from glacier_purge.storage.folder import LIFECYCLE_FILE, PLAN_FILE, TERMS_FILE, RunFolder
from glacier_purge.storage.ownership import read_own
from glacier_purge.vault.freeze import read_frozen

WAITING_FILE = "waiting.json"
ENDED_FILE = "ended.json"


_Note = TypeVar("_Note")


class _Noted(msgspec.Struct, frozen=True, kw_only=True):
    phase: Phase
    round: int
    what: str
    until: datetime


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What ended the last process before the lifecycle's end, and the exit code it stands for."""

    message: str
    exit_code: int


@contextmanager
def noting_the_end(folder: RunFolder) -> Iterator[None]:
    """Write down what ends the work in ``folder``; being told to come again later is no end.

    Errors are raised with a note that uploads are denied, where they are.
    """
    discard(folder.files, ENDED_FILE)
    try:
        with one_error():
            yield
    except GlacierPurgeError as error:
        if (denied := denial(folder.path)) is not None:
            error.add_note(denied)
        if not isinstance(error, Pending):
            ended = Ended(message=told(error), exit_code=error.exit_code)
            with suppress(DiskFailed):  # a disk that is full is bad enough without a second error in place of the first
                folder.replace(ENDED_FILE, msgspec.json.encode(ended) + b"\n")
        raise


def denial(folder: Path) -> str | None:
    """That uploads are denied, since when, and what allows them again; None where the steps say that they are not."""
    named = _vault_name(folder)
    name, thaw = named or "the vault", f"glacier-purge thaw {named or 'VAULT'}"
    ways_out = (
        f"They are allowed again at its end; {thaw} allows them now, and glacier-purge abandon {folder} also ends the "
        "lifecycle."
    )
    try:
        steps = read_steps(folder)
    except (AuditDamaged, UsageError):  # then it can't be abandoned either
        steps, ways_out = [], f"{thaw} allows them now."
    if (since := denied_since(steps)) is not None:
        return f"Uploads to {name} are denied by this lifecycle since {since}. {ways_out}"
    is_known = any(step.event in {Event.FROZEN, Event.THAWED, Event.DELETED, Event.ABANDONED} for step in steps)
    if is_known or not _was_noted(folder):
        return None
    return f"Uploads to {name} may be denied by this lifecycle, which set out to deny them. {ways_out}"


def _vault_name(folder: Path) -> str | None:
    try:
        terms = read_terms(folder)
    except UsageError:
        terms = None
    return None if terms is None else Vault.from_arn(terms.vault_arn).name


def _was_noted(folder: Path) -> bool:
    """Whether a freeze was begun and not taken back, for all ``freeze.json`` says."""
    try:
        frozen = read_frozen(RunFolder(folder))
    except UsageError:
        return True
    return frozen is not None and not frozen.thawed


@contextmanager
def telling_while_denied(folder: RunFolder, tell: Callable[[str], None]) -> Iterator[None]:
    """Tell that uploads are denied, where they are, when the work in ``folder`` ends before its end.

    That is for being told to come again, Ctrl-C, a stop of the whole fleet, and bugs; errors that end a command say so
    themselves (``noting_the_end``).
    """
    try:
        yield
    except BaseException as end:
        says_so = isinstance(end, GlacierPurgeError) and not isinstance(end, Pending)
        if not says_so and (denied := denial(folder.path)) is not None:
            tell(denied)
        raise


class Noting:
    """A waiter that writes down what it waits for in the lifecycle's folder."""

    def __init__(self, waiter: Waiter, folder: RunFolder, lifecycle: LifecycleFile) -> None:
        self._waiter = waiter
        self._folder = folder
        self._lifecycle = lifecycle

    def now(self) -> datetime:
        """The time now."""
        return self._waiter.now()

    async def wait(self, waiting: Waiting) -> None:
        """Wait as the waiter does. What ends without having waited leaves the note."""
        at = self._lifecycle
        noted = _Noted(phase=at.phase, round=at.round, what=waiting.what, until=waiting.until)
        leave_note(self._folder.files, WAITING_FILE, msgspec.json.encode(noted) + b"\n")
        await self._waiter.wait(waiting)
        discard(self._folder.files, WAITING_FILE)


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleState:
    """How one lifecycle stands. ``waiting`` is what it waits for, None where it does not; ``planned`` is the folder of
    the last round that has a plan, with the plan; ``ended`` is what ended the last process, where that is known."""

    phase: Phase
    round: int
    steps: tuple[Step, ...]
    terms: Terms | None
    at_work: bool
    waiting: Waiting | None
    planned: tuple[RunFolder, Plan] | None
    ended: Ended | None
    denied: str | None
    """That uploads are denied, since when and what allows them."""


def is_lifecycle(path: Path) -> bool:
    """Tell whether a folder is a lifecycle's, also where some of its files were lost."""
    return any((path / name).exists() for name in (LIFECYCLE_FILE, TERMS_FILE, "round-1"))


def read_state(folder: RunFolder) -> LifecycleState:
    """Read how the lifecycle in ``folder`` stands. Raises ``AuditDamaged`` and ``PlanRefused``."""
    at_work = folder.is_locked()
    steps = read_steps(folder.path)
    phase, number = position(steps)
    terms = read_terms(folder.path)
    if terms is not None and not at_work:  # a process at work makes files before their steps
        check_fits(folder.path, steps, terms)
    return LifecycleState(
        phase=phase,
        round=number,
        steps=tuple(steps),
        terms=terms,
        at_work=at_work,
        waiting=_waiting(folder.path, phase, number),
        planned=_planned(folder.path, number),
        ended=_read_note(folder.path / ENDED_FILE, Ended),
        denied=denial(folder.path),
    )


def _planned(path: Path, last: int) -> tuple[RunFolder, Plan] | None:
    for number in range(last, 0, -1):
        place = path / f"round-{number}"
        if (place / PLAN_FILE).exists():
            return RunFolder.look(place), read_plan(place / PLAN_FILE)
    return None


def _waiting(path: Path, phase: Phase, number: int) -> Waiting | None:
    """What was noted in this very phase; an older note is of a process that was killed."""
    if _was_lost(path / WAITING_FILE):
        return None
    noted = _read_note(path / WAITING_FILE, _Noted)
    if noted is None or (noted.phase, noted.round) != (phase, number):
        return None
    return Waiting(what=noted.what, until=noted.until)


def _was_lost(file: Path) -> bool:
    """Whether a power cut left a note without its end, or zeros in it: nobody waited for the disk."""
    with suppress(OSError):  # which reading the note will say
        content = read_own(file)
        return not content.endswith(b"\n") or b"\0" in content
    return False


def _read_note(file: Path, kind: type[_Note]) -> _Note | None:
    try:
        return read_document(file, kind)
    except DocumentUnreadable as error:
        raise PlanRefused(f"{file} cannot be read ({error}). Take it away; it is only a note.") from error
