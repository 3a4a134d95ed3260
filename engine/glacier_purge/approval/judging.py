"""Which of the documents that somebody brought approve a plan, and of each other one why it does not. Pure.

A document counts when it is of this plan, this run and this vault, holds now, was signed for this purpose by one of
the people who may, with a key that nobody took back, and when neither that person nor that key has approved already.
What counted once, when a process began to send by it, is in the log; it is looked at again by every later process, but
for the time: that an approval ran out, or a key did, since it was used, takes nothing back.  A revocation does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from glacier_purge.approval.signers import Approvers
from glacier_purge.approval.statement import moment
from glacier_purge.audit.verification import NotToBeChecked, Statement, read_signers, read_statement
from glacier_purge.plan.document import Plan

_CLOCKS_DIFFER_SECONDS = 300
"""What a statement's date may be ahead: it was made on another machine."""

Check = Callable[[Statement, datetime], str]
"""The key by which who says so signed, as the allowed signers have it at a moment (``ED25519 key SHA256:...``). Raises
``NotCounted``."""


class NotCounted(ValueError):
    """Why a document approves nothing, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A document and what it is called. ``content`` is None where it could not be read, and ``why`` says why.

    ``used`` is when it counted for a process before this one; None where it did for none.
    """

    name: str
    content: bytes | None
    why: str = ""
    used: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """One person's approval that counts: who, with which key (``ED25519 key SHA256:...``), from when on."""

    who: str
    key: str
    statement: Statement
    counted: datetime
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A document that does not count, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What all documents come to."""

    needed: int
    approved: tuple[Approved, ...]
    refused: tuple[Refused, ...]

    @property
    def missing(self) -> int:
        """How many people still have to approve."""
        return max(0, self.needed - len(self.approved))

    @property
    def by(self) -> str:
        """Who approved, by name."""
        return ", ".join(one.who for one in self.approved)

    def sentence(self) -> str:
        """How it stands, and what is wrong with what does not count."""
        there = f"{len(self.approved)} of {self.needed} approvals are there"
        told = [f"{there} ({self.by})" if self.approved else there, *(f"{one.name}: {one.why}" for one in self.refused)]
        return "; ".join(told)


def judge(
    approvers: Approvers,
    plan: Plan,
    run_sha256: str,
    brought: Iterable[Brought],
    now: datetime,
    check: Check,
    *,
    planner: str | None = None,
) -> Judged:
    """Judge documents in their order; ``planner`` is the fingerprint of who made the plan, where nobody may approve
    their own.
    """
    signers = read_signers(approvers.allowed_signers)
    approved: list[Approved] = []
    refused: list[Refused] = []
    people: dict[str, str] = {}
    by_planner = frozenset() if planner is None else signers.person(planner, planner)
    for one in brought:
        try:
            if one.content is None:
                raise NotCounted(one.why)
            statement = _read(one.content)
            check_approval(statement, plan, run_sha256, None if one.used else now)
            key = check(statement, one.used or now)
            person = signers.person(statement.who, fingerprint(key))
            if by_planner & person:
                raise NotCounted(f"{statement.who} made the plan, and nobody approves their own here")
            for name in sorted(person & people.keys()):
                raise NotCounted(f"repeated: {people[name]} has approved already, and counts once")
        except NotCounted as why:
            refused.append(Refused(name=one.name, why=str(why)))
            continue
        people |= dict.fromkeys(person, statement.who)
        approved.append(
            Approved(
                who=statement.who,
                key=key,
                statement=statement,
                counted=one.used or now,
                is_new=one.used is None,
            )
        )
    return Judged(needed=approvers.needed, approved=tuple(approved), refused=tuple(refused))


def check_of(statement: Statement, plan: Plan, run_sha256: str) -> None:
    """Raise ``NotCounted`` unless a statement is of this plan, run and vault, and says the plan's own counts."""
    if statement.plan != plan.digest:
        raise NotCounted(f"it is of another plan, {statement.plan[:16]}..., and this one is {plan.digest[:16]}...")
    if statement.vault_arn != plan.vault.arn:
        raise NotCounted(f"it is of another vault, {statement.vault_arn}")
    if statement.run != run_sha256:
        raise NotCounted("it is of another run: the same plan, made at another time or in another folder")
    counts = (statement.archives, statement.size_bytes, statement.kept)
    if counts != (plan.counts.selected, plan.selected_bytes, plan.counts.inventory - plan.counts.selected):
        raise NotCounted(f"it speaks of {statement.archives:,} archives, and the plan has {plan.counts.selected:,}")
    if not statement.signature:
        raise NotCounted("nobody signed it")


def fingerprint(key: str) -> str:
    """What tells a key from others: ``SHA256:...``."""
    return key.rpartition(" ")[2]


def _read(content: bytes) -> Statement:
    try:
        return read_statement(content)
    except NotToBeChecked as refused:
        raise NotCounted(str(refused)) from refused


def check_approval(statement: Statement, plan: Plan, run_sha256: str, now: datetime | None) -> None:
    """Raise ``NotCounted`` unless a statement approves this plan, whoever signed it, and holds ``now``; None where it
    counted at its time.
    """
    if statement.purpose != "approval":
        raise NotCounted("it says who made the plan, and approves nothing")
    check_of(statement, plan, run_sha256)
    if statement.until is None:
        raise NotCounted("it does not say until when it holds")
    if now is not None:
        _check_when(statement.at, statement.until, now)


def _check_when(made_at: str, ends_at: str, now: datetime) -> None:
    try:
        at, until = moment(made_at), moment(ends_at)
    except ValueError as wrong:
        raise NotCounted(f"a moment in it is none: {wrong}") from wrong
    if until <= at:
        raise NotCounted(f"it ends at {ends_at}, before it begins")
    if at - now > timedelta(seconds=_CLOCKS_DIFFER_SECONDS):
        raise NotCounted(f"it is not valid yet: it says that it was made at {made_at}. Look at both clocks")
    if until <= now:
        raise NotCounted(f"it expired at {ends_at}")
