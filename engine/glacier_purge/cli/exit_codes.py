"""What the command ends with: one table, printed by ``--help``, quoted by the documentation, tested to be complete.

75 is EX_TEMPFAIL of sysexits.h, "later".  The high numbers are those of the AWS CLI (253 configuration or credentials,
254 refused by the service, 255 anything else), so that scripts around it need not be taught new ones.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ExitCode(IntEnum):
    """An exit status of ``glacier-purge``."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    STOPPED = 3
    AUDIT_DAMAGED = 4
    PENDING = 75
    INTERRUPTED = 130
    OUTPUT_CLOSED = 141
    CREDENTIALS = 253
    REFUSED = 254
    UNEXPECTED = 255


MEANINGS: dict[ExitCode, str] = {
    ExitCode.DONE: "every archive accounted for, none failed",
    ExitCode.FAILED: "finished, but archives failed, are listed still, or are gone though kept",
    ExitCode.USAGE: "wrong usage or bad input, or confirmation refused; nothing was sent",
    ExitCode.STOPPED: "no answer, or this host stands in the way; the same command goes on",
    ExitCode.AUDIT_DAMAGED: "the audit log or another file of a run is damaged or was changed",
    ExitCode.PENDING: "not yet, or another process is at it; the same command goes on later",
    ExitCode.INTERRUPTED: "interrupted with Ctrl-C; the same command resumes",
    ExitCode.OUTPUT_CLOSED: "whatever read the output went away",
    ExitCode.CREDENTIALS: "credentials, configuration or this host's clock: missing or wrong",
    ExitCode.REFUSED: "the service refused: denied, vault missing or wrong, no longer supported",
    ExitCode.UNEXPECTED: "unexpected error, a bug",
}


def table(meanings: Mapping[ExitCode, str] = MEANINGS) -> str:
    """Exit codes as lines of text, one each: all there are, or those of a verb in its words."""
    return "\n".join(f"{code.value:>3}  {meaning}" for code, meaning in meanings.items())
