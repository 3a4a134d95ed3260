"""The errors that end a command or a run, each answering whose fault it is and what to do now.

What a delete can be answered with (already gone, throttled, refused) is a value, never one of these.  The command
line turns an error into its ``exit_code`` and prints the message without a traceback.  Task groups raise bundles, even
of one error; whoever calls a function wants the one (``one_error``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

MESSAGE_CHARACTERS_MAX = 4_000
"""What is wrong with a file is often said in the file's own words, and one of them may be a megabyte long."""


class Needs(StrEnum):
    """What it takes for a lifecycle to go on. ``OPERATOR`` is a person who looks what is wrong."""

    APPROVAL = "approval"
    TIME = "time"
    CREDENTIALS = "credentials"
    OPERATOR = "operator"
    NOTHING = "nothing"


class GlacierPurgeError(Exception):
    """The root of this package's errors. ``exit_code`` is what the command line ends with; ``needs`` says whether the
    same command is worth giving again by a clock, or who has to do something first."""

    exit_code: ClassVar[int] = 255
    needs: Needs = Needs.OPERATOR

    def __str__(self) -> str:
        """What happened, and what to do now; of a stranger's text in it that has no end, beginning and end."""
        text = super().__str__()
        if len(text) <= MESSAGE_CHARACTERS_MAX:
            return text
        half = MESSAGE_CHARACTERS_MAX // 2
        return f"{text[:half]} [... {len(text) - 2 * half:,} characters ...] {text[-half:]}"


class UsageError(GlacierPurgeError):
    """The caller asked for something that can't be, or did not confirm it. Nothing was sent."""

    exit_code = 2


class InventoryDamaged(UsageError):
    """An inventory that must not be believed. ``file``, ``offset_bytes`` and ``reason`` say where and why."""

    def __init__(self, reason: str, *, offset_bytes: int, file: str = "inventory") -> None:
        super().__init__(f"{file}, byte {offset_bytes:,}: {reason}")
        self.reason = reason
        self.offset_bytes = offset_bytes
        self.file = file


class PlanRefused(UsageError):
    """The plan does not hold (any more): changed, stale, for another vault, or not confirmed. Nothing was sent."""


class PlanOutdated(PlanRefused):
    """The plan was good when it was made, and another one would be now: it or its inventory grew old, an archive of it
    was protected since, or its files are not whole any more."""


class NobodyToAsk(PlanRefused):
    """A plan needs somebody's yes, and there is no terminal to ask on. Nothing was sent."""


class NotOurs(UsageError):
    """A file or folder of a run in which somebody else has, or could have, a hand. It was not used."""


class RunStopped(GlacierPurgeError):
    """The run stopped before its end and can be resumed with the same command."""

    exit_code = 3
    needs = Needs.TIME


class Interrupted(RunStopped):
    """Ctrl-C stopped it; the same command resumes."""

    exit_code = 130
    needs = Needs.OPERATOR


class GivenUp(RunStopped):
    """What was tried again and again does not come about: trying once more is not what helps."""

    needs = Needs.OPERATOR


class Pending(GlacierPurgeError):
    """Everything that can be done now is done, and the caller did not want to wait. Nothing is wrong.

    ``what`` is waited for; ``until`` is when it is worth looking again, and the same command goes on. None is never by
    itself: somebody has to do something first.
    """

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: what cron and mail have always called "later"

    def __init__(self, what: str, *, until: datetime | None, needs: Needs = Needs.TIME) -> None:
        again = "" if until is None else f" Look again at {until:%Y-%m-%dT%H:%M:%SZ} with the same command."
        super().__init__(f"waiting for {what}.{again}")
        self.what = what
        self.until = until
        self.needs = needs


class ApprovalWanted(Pending):
    """A plan waits for somebody's yes, and nobody is there to give it now. ``digest`` is what the yes has to quote.

    ``needed`` people have to approve, and ``approved_by`` are those who did; 0 where one person's typed yes will do.
    """

    def __init__(self, what: str, *, digest: str, needed: int = 0, approved_by: tuple[str, ...] = ()) -> None:
        super().__init__(what, until=None, needs=Needs.APPROVAL)
        self.digest = digest
        self.needed = needed
        self.approved_by = approved_by


class RunLocked(Pending):
    """Another process works on this run or on this vault. Nothing was sent.

    It is a time to come again and no wrong usage: a clock that starts the same command while the last one still works
    has done nothing wrong.
    """

    def __init__(self, what: str) -> None:
        GlacierPurgeError.__init__(self, what)
        self.what = what
        self.until = None
        self.needs = Needs.TIME


class Superseded(Pending):
    """Another process, on this host or another, went on with what this one worked on. Nothing more is sent here."""

    def __init__(self, what: str) -> None:
        GlacierPurgeError.__init__(self, what)
        self.what = what
        self.until = None
        self.needs = Needs.OPERATOR


class HostFailed(RunStopped):
    """A disk, limit, network or locale of this host stands in the way. What is on disk is whole."""

    needs = Needs.OPERATOR


class DiskFailed(HostFailed):
    """The disk does not take what has to be on it: the audit log, or another file of ours.

    Nothing is sent that it was to be written for; of the log, replies not on disk are sent again."""


class FileUnreadable(HostFailed):
    """A file that decides what is sent is not given by the system any more, of which nothing is concluded."""


class AuditDamaged(GlacierPurgeError):
    """The audit log was changed or lost outside of what a crash can do. It is never repaired by itself.

    ``file``, ``offset_bytes`` and ``record`` (its number from 0, where known) name the place.
    """

    exit_code = 4

    def __init__(self, reason: str, *, file: str, offset_bytes: int, record: int | None = None) -> None:
        where = f"{file}, byte {offset_bytes:,}" + ("" if record is None else f", record {record:,}")
        super().__init__(f"{where}: {reason}")
        self.reason = reason
        self.file = file
        self.offset_bytes = offset_bytes
        self.record = record


class NotAsApproved(GlacierPurgeError):
    """What a run works by, or what came of it, is not what was approved. Nothing more is sent."""

    exit_code = 4


class FileChanged(NotAsApproved):
    """A file that decides what is sent was changed while the run worked by it.

    ``block`` is the first, from 0, that is not as it was approved; its bytes are ``first_byte`` to ``last_byte``.
    """

    def __init__(self, reason: str, *, file: str, block: int, first_byte: int, last_byte: int) -> None:
        super().__init__(
            f"{file}, block {block:,} (bytes {first_byte:,} to {last_byte:,}): {reason}. Only what was approved was "
            "sent, and nothing more is. Find out who changed it, put back the file that was approved, then run the "
            "same command again."
        )
        self.reason = reason
        self.file = file
        self.block = block
        self.first_byte = first_byte
        self.last_byte = last_byte


class InvariantBroken(NotAsApproved):
    """What always holds does not: a fault of this program, or of the host's memory. Nothing more is sent.

    ``invariant`` says what should hold (``glacier_purge.invariants``), ``found`` what was found instead.
    """

    def __init__(self, invariant: str, **found: object) -> None:
        told = ", ".join(f"{name} {value!r}" for name, value in found.items())
        super().__init__(
            f"an invariant is broken: {invariant} ({told}). This is a bug, or this host's memory fails. Nothing more "
            "is sent. Keep the folder as it is, run `audit verify` on it, and report this before the run goes on."
        )
        self.invariant = invariant
        self.found = found


class CredentialsFailed(GlacierPurgeError):
    """Credentials are missing, expired or for the wrong account. The run is resumable."""

    exit_code = 253
    needs = Needs.CREDENTIALS


class WrongAccount(CredentialsFailed):
    """Credentials that are good, but not for the plan's vault: waiting makes no others of them."""


class CredentialsUnreachable(CredentialsFailed):
    """Whoever gives the credentials (STS, a login service, the machine's own) gave no answer: nobody has to renew
    anything."""

    exit_code = 3
    needs = Needs.TIME


class ClockWrong(CredentialsFailed):
    """The service takes no request of this host, whose clock is wrong. It counts as configuration: it stays as it is
    until somebody sets it, so a later start of the same command is no help."""

    needs = Needs.OPERATOR


class ConfigurationFailed(GlacierPurgeError):
    """A settings file, a profile or an environment variable is wrong or missing. Nothing was sent."""

    exit_code = 253
    needs = Needs.CREDENTIALS


class ServiceRefused(GlacierPurgeError):
    """The service says no for the whole run: denied, vault missing, wrong vault, or no longer supported."""

    exit_code = 254


def told(error: BaseException) -> str:
    """What an error says, with the notes that were added to it on its way."""
    return " ".join([str(error), *getattr(error, "__notes__", ())])


def first_sentence(error: BaseException | str) -> str:
    """What happened, without what to do about it, for those who know better what that is."""
    return str(error).partition(". ")[0].rstrip(".")


@contextmanager
def one_error() -> Iterator[None]:
    """Raise the error inside a bundle of one, however deep it sits; a bundle of several is left as it is.

    One that several tasks were told of, as of a failed disk, is still one.
    """
    try:
        yield
    except BaseExceptionGroup as bundle:
        errors = list({id(error): error for error in each_error(bundle)}.values())
        if len(errors) > 1:
            raise
        raise errors[0] from errors[0].__cause__


def each_error(error: BaseException) -> Iterator[BaseException]:
    """The errors inside a task group's bundle, however deep; or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from each_error(inner)
    else:
        yield error
