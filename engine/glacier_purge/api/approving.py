"""What a plan's approval takes, found where it was settled; and the documents by which people give it.

Who may approve, and how many have to, stands in a lifecycle's terms, in the log of a run that was begun, and else in
what is asked for now.  Whoever carries a plan out asks here, in each process, before its first delete.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio.to_thread
import msgspec

from glacier_purge.api.values import approvers, revoked
from glacier_purge.approval.documents import Wanted, handed_in, of_log, put_approval, put_signers
from glacier_purge.approval.judging import Brought, Judged, NotCounted, check_approval, fingerprint
from glacier_purge.approval.signers import asks_the_same
from glacier_purge.approval.statement import NAMESPACES, approval_of, as_name, signed
from glacier_purge.audit.recovery import replay
from glacier_purge.audit.verification import NotToBeChecked, read_signers, read_statement
from glacier_purge.clock import utc_now
from glacier_purge.errors import PlanRefused, UsageError
from glacier_purge.guard.rules import check_fresh
from glacier_purge.lifecycle.terms import approvers_of_round
from glacier_purge.plan.identity import hashed_identity, planned_at
from glacier_purge.storage.ssh_signature import key_of, sign

APPROVAL_HOLDS = timedelta(days=7)
"""How long an approval holds where nobody says until when; a plan can be approved for as long."""
_FOR_IT = NAMESPACES["approval"]

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from pathlib import Path

    from glacier_purge.approval.typed import Approval
    from glacier_purge.audit.verification import Statement
    from glacier_purge.plan.document import Plan
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder


def documents_wanted(
    folder: RunFolder, plan: Plan, settings: Settings, *, documents: Collection[bytes] = ()
) -> Wanted | None:
    """What the plan's approval takes; None where a typed yes will do, and where nothing more is sent by it.

    ``documents`` are handed in besides.

    Raises ``PlanRefused`` where something else is asked for now than was settled, ``UsageError``, ``AuditDamaged``.
    """
    ledger, asked = replay(folder.path), approvers(settings)
    settled = approvers_of_round(folder.path) or of_log(ledger)
    if settled is not None and asked is not None and not asks_the_same(settled, asked):
        raise PlanRefused(
            f"what was begun in {folder.path} takes {settled.needed} approvals, and {asked.needed} are asked for now, "
            "or others' (--approvals, --not-the-planner, a settings file). Who approves is settled when work begins: "
            "leave that out to go on, or plan anew. Nothing was sent."
        )
    wanted = settled or asked
    if wanted is None or ledger.finished is not None:
        return None
    files = dict.fromkeys((*wanted.revoked, *revoked(settings)))
    wanted = msgspec.structs.replace(wanted, revoked=tuple(files))
    return Wanted(approvers=wanted, folder=folder, plan=plan, ledger=ledger, given=handed_in(documents))


async def approved_by_documents(wanted: Wanted) -> Approval:
    """The approval that documents come to now. Raises ``ApprovalWanted`` where people are missing.

    What was handed in and counts lies with the others from then on, for whoever goes on later.
    """
    return await anyio.to_thread.run_sync(_approved, wanted)


def _approved(wanted: Wanted) -> Approval:
    put_signers(wanted.folder, wanted.approvers)
    judged = wanted.judged(utc_now())
    for one in judged.approved:
        if any(one.statement.text in (given.content or b"") for given in wanted.given):
            put_approval(wanted.folder, one.statement)
    return wanted.approval(judged)


def plan_approved_by(document: bytes) -> str:
    """The digest of the plan that a document says to approve; whether it counts is for who has the plan to say.

    Raises ``PlanRefused`` for what is no such document.
    """
    try:
        return read_statement(document).plan
    except NotToBeChecked as wrong:
        raise PlanRefused(f"the approval handed in is none: {wrong}. Nothing was approved.") from wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanToApprove:
    """A plan as it lies in ``folder``, and what its approval takes; None where nothing there says who may approve."""

    folder: RunFolder
    plan: Plan
    wanted: Wanted | None

    def made(self, key: Path, who: str | None, until: datetime | None) -> Statement:
        """Somebody's approval, signed with their key; it is put nowhere.

        ``who`` is the name that the allowed signers have for the key; where they are known here, and it has one name,
        nobody has to say it.  Raises ``UsageError`` for a key that can't sign and for a name or an end that are none,
        ``PlanRefused`` for an approval that would not count.
        """
        now = utc_now()
        ends = now + APPROVAL_HOLDS if until is None else until
        if ends <= now:
            raise UsageError("an approval that has expired already approves nothing. Give a later --until.")
        _, run_sha256 = hashed_identity(self.folder, self.plan)
        name = who if who is not None else self._name_of(key_of(b"", sign(b"", key, _FOR_IT), _FOR_IT))
        if name != as_name(name):
            raise UsageError(f"--who {name!r}: write the name as the file of allowed signers has it, without spaces.")
        text = approval_of(self.plan, run_sha256, name, at=now, until=ends)
        return self.checked(signed(text, sign(text, key, _FOR_IT)).content)

    def checked(self, document: bytes) -> Statement:
        """The approval in a document that somebody made, here or elsewhere.

        Raises ``PlanRefused`` where it would not count: with the reason, as far as can be known here.
        """
        named = "the approval"
        try:
            statement = read_statement(document)
            if self.wanted is None:
                check_approval(statement, self.plan, hashed_identity(self.folder, self.plan)[1], utc_now())
                return statement
        except (NotToBeChecked, NotCounted) as wrong:
            raise PlanRefused(f"{named} does not count: {wrong}. Nothing was written.") from wrong
        is_there = any(one.statement.content == document for one in self.judged().approved)
        judged = self.wanted.judged(utc_now(), [] if is_there else [Brought(name=named, content=document)])
        for one in judged.refused:
            if one.name == named:
                raise PlanRefused(f"{named} of {statement.who} does not count: {one.why}. Nothing was written.")
        return statement

    def judged(self) -> Judged:
        """What all documents that lie there come to. Raises ``UsageError`` where they can't be checked."""
        if self.wanted is None:
            return Judged(needed=0, approved=(), refused=())
        return self.wanted.judged(utc_now())

    def _name_of(self, key: str) -> str:
        names: set[str] = set()
        if self.wanted is not None:
            signers = read_signers(self.wanted.approvers.allowed_signers)
            names.update(*(each for each, keys in signers.people if fingerprint(key) in keys))
        if len(names) != 1:
            why = f"{key} has {len(names)} names" if names else f"nothing here says whose {key} is"
            raise UsageError(f"{why}: give --who NAME, as the file of allowed signers has it. Nothing was written.")
        return names.pop()


def to_approve(folder: RunFolder, plan: Plan, settings: Settings) -> PlanToApprove:
    """A plan for somebody who is to approve it.

    Raises as ``documents_wanted`` does, and ``PlanRefused`` for a plan that was carried out or grew too old.
    """
    ledger = replay(folder.path)
    if ledger.finished is not None:
        raise PlanRefused(f"the plan in {folder.path} was carried out already. There is nothing to approve.")
    if ledger.approved_digest is None:
        check_fresh(planned_at(folder, plan), utc_now())
    return PlanToApprove(folder=folder, plan=plan, wanted=documents_wanted(folder, plan, settings))
