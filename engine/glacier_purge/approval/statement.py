"""What a person says of one plan, in a few lines that they sign: that it may be carried out, or that they made it.

The lines are ASCII and say all that is signed, so whoever signs can read it, and no reader has to put anything into
another form first.  A statement is of one plan (its digest, and its counts once more for the eyes), of one run (the
hash of its ``run.json``, so that the same plan made anew is not approved by the old yes) and of one vault.  It is
signed by ``ssh-keygen -Y`` for one purpose; the same words signed for another are nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime

from glacier_purge.audit.verification import Statement, read_statement
from glacier_purge.plan.document import Plan

NAMESPACES = {"approval": "glacier-purge-approval", "plan": "glacier-purge-plan"}
"""What signatures are for (SSHSIG's namespace), by a statement's purpose."""
_STAMP = "%Y-%m-%dT%H:%M:%SZ"


def approval_of(plan: Plan, run_sha256: str, who: str, *, at: datetime, until: datetime) -> bytes:
    """The words by which ``who`` approves a plan until a moment."""
    return _words("approval", plan, run_sha256, who, at) + f"until {_stamp(until)}\n".encode()


def making_of(plan: Plan, run_sha256: str, who: str, *, at: datetime) -> bytes:
    """The words by which ``who`` says to have made a plan."""
    return _words("plan", plan, run_sha256, who, at)


def signed(text: bytes, signature: bytes) -> Statement:
    """The statement with its signature. Raises ``NotToBeChecked`` for words that no reader would take."""
    return read_statement(text + b"\n" + signature)


def moment(stamp: str) -> datetime:
    """A moment of a statement. Raises ``ValueError`` for what is none."""
    return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)


def as_name(text: str) -> str:
    """A text as it may stand for a person in a statement: printable ASCII without spaces."""
    return "".join(each if "!" <= each <= "~" else "_" for each in text)[:200] or "_"


def _words(purpose: str, plan: Plan, run_sha256: str, who: str, at: datetime) -> bytes:
    lines = (
        f"{NAMESPACES[purpose]} 1",
        f"plan {plan.digest}",
        f"run {run_sha256}",
        f"vault {plan.vault.arn}",
        f"archives {plan.counts.selected}",
        f"bytes {plan.selected_bytes}",
        f"kept {plan.counts.inventory - plan.counts.selected}",
        f"who {who}",
        f"at {_stamp(at)}",
    )
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime(_STAMP)
