"""The documents of a run: what lies in its folder and in its log, read and judged, and what is written there.

``approvals/`` has a file for each approval, however it came there: made on this host, mailed, copied by whoever carries
it.  Nothing is believed because it lies there.  What counted when a run was begun is in the log from then on, and holds
if the files are gone; ``allowed_signers`` beside them is for people and for ``ssh-keygen``, and nothing goes by it.
``plan.signed`` says who made the plan.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from glacier_purge.approval.judging import (
    Brought,
    Check,
    Judged,
    NotCounted,
    check_of,
    fingerprint,
    judge,
)
from glacier_purge.approval.signers import Approvers
from glacier_purge.approval.statement import NAMESPACES, as_name, making_of, signed
from glacier_purge.approval.typed import Approval
from glacier_purge.audit.ledger import Ledger
from glacier_purge.audit.verification import NotToBeChecked, Statement, read_signers, read_statement
from glacier_purge.errors import ApprovalWanted, NotOurs, PlanRefused, UsageError
from glacier_purge.plan.document import Plan
from glacier_purge.plan.identity import hashed_identity
from glacier_purge.storage.disk import FolderFiles
from glacier_purge.storage.documents import replace
from glacier_purge.storage.folder import APPROVALS_FOLDER, RunFolder
from glacier_purge.storage.ownership import open_own
from glacier_purge.storage.ssh_signature import SignatureWrong, key_of, revoked_keys, sign, verified

SIGNED_PLAN_FILE = "plan.signed"
SIGNERS_FILE = "allowed_signers"
SUFFIX = ".approval"
_BYTES_MAX = 1 << 16
_FILES_MAX = 1_000
"""Nobody has so many people; a folder filled by a mistake is not read for hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a plan's approval takes. ``plan`` is in ``folder``; ``ledger`` is what its log says, ``given`` are documents
    that somebody handed in besides, by what they are called."""

    approvers: Approvers
    folder: RunFolder
    plan: Plan
    ledger: Ledger
    given: tuple[Brought, ...] = ()

    def judged(self, now: datetime, more: Iterable[Brought] = ()) -> Judged:
        """Judge all there is, the log's first and ``more`` last.

        Raises ``UsageError`` where keys can't be checked, ``PlanRefused`` where nobody may approve their own plan and
        nothing shows whose it is.
        """
        _, run_sha256 = hashed_identity(self.folder, self.plan)
        planner = _planner(self.folder, self.plan, self.approvers) if self.approvers.not_the_planner else None
        brought = [*self._brought(), *more]
        return judge(self.approvers, self.plan, run_sha256, brought, now, _check_by(self.approvers), planner=planner)

    def approval(self, judged: Judged) -> Approval:
        """The approval that the documents come to. Raises ``ApprovalWanted`` where people are missing."""
        if judged.missing:
            raise wanting(self.folder, self.plan, judged)
        return Approval(digest=self.plan.digest, how="signed", by=judged.by, notes=tuple(self._notes(judged)))

    def _brought(self) -> Iterator[Brought]:
        seen = set()
        for one in (*_in_log(self.ledger), *_in_folder(self.folder), *self.given):
            if one.content is None or one.content not in seen:
                yield one
            if one.used is not None and one.content is not None:
                seen.add(one.content)  # the file of what is in the log; a copy beside it is a repeated one

    def _notes(self, judged: Judged) -> Iterator[tuple[str, dict[str, Any]]]:
        """What the log has to say before it says that the plan was approved."""
        settled = settled_note(self.approvers, read_signed_plan(self.folder))
        if self.ledger.approvers != settled:
            yield "approvers", settled
        for one in judged.approved:
            if one.is_new:
                yield (
                    "approval",
                    {
                        "who": one.who,
                        "key": one.key,
                        "counted": f"{one.counted:%Y-%m-%dT%H:%M:%SZ}",
                        "document": one.statement.content.decode("ascii"),
                    },
                )


def settled_note(approvers: Approvers, signed_plan: Statement | None) -> dict[str, Any]:
    """What a log says of who may approve its plan, and of who made it."""
    return {
        "needed": approvers.needed,
        "allowed_signers": approvers.allowed_signers,
        "not_the_planner": approvers.not_the_planner,
        "revoked": list(approvers.revoked),
        "planner": None if signed_plan is None else signed_plan.content.decode("ascii"),
    }


def of_log(ledger: Ledger) -> Approvers | None:
    """Who may approve, as a run's log has it; None where it was begun by a typed approval, or not at all.

    Raises ``PlanRefused`` for what was never written like that.
    """
    said = ledger.approvers
    if said is None:
        return None
    names = ("needed", "allowed_signers", "not_the_planner", "revoked")
    try:
        read_signers(said["allowed_signers"])
        return msgspec.convert({name: said[name] for name in names}, Approvers)
    except (NotToBeChecked, msgspec.ValidationError) as wrong:
        raise PlanRefused(
            f"the log's record of who may approve is not as one is written: {wrong}. See glacier-purge audit verify. "
            "Nothing was sent."
        ) from wrong


def wanting(folder: RunFolder, plan: Plan, judged: Judged) -> ApprovalWanted:
    """What to raise where people are missing: who approved, how many are missing, and how they say yes."""
    people = "one person" if judged.missing == 1 else f"{judged.missing} people"
    return ApprovalWanted(
        f"{people} to approve the plan in {folder.path}: {plan.counts.selected:,} archives; {judged.sentence()}. Who "
        f"is to approve gives glacier-purge approve {folder.path} --key FILE --who NAME, here or on a copy of the "
        "folder; then the same command goes on",
        digest=plan.digest,
        needed=judged.needed,
        approved_by=tuple(one.who for one in judged.approved),
    )


def put_approval(folder: RunFolder, statement: Statement) -> Path:
    """Put an approval among those of a run, durably, and give its file; the same once more is no second one."""
    name = f"{re.sub(r'[^A-Za-z0-9._-]', '_', statement.who)[:80]}-{_short(statement.content)}{SUFFIX}"
    folder.make_folder(APPROVALS_FOLDER)
    replace(FolderFiles(folder.path / APPROVALS_FOLDER), name, statement.content)
    return folder.path / APPROVALS_FOLDER / name


def put_signers(folder: RunFolder, approvers: Approvers) -> None:
    """Leave the allowed signers beside the approvals, for people."""
    folder.make_folder(APPROVALS_FOLDER)
    content = approvers.allowed_signers.encode()
    place = folder.path / APPROVALS_FOLDER
    there = _file(place / SIGNERS_FILE)
    if there is None or there.content != content:
        replace(FolderFiles(place), SIGNERS_FILE, content)


def sign_plan(folder: RunFolder, plan: Plan, key: Path, by: str, now: datetime) -> None:
    """Say in the plan's folder who made it, signed; once. Raises ``UsageError`` where the key can't sign."""
    if read_signed_plan(folder) is not None:
        return
    _, run_sha256 = hashed_identity(folder, plan)
    text = making_of(plan, run_sha256, as_name(by), at=now)
    folder.replace(SIGNED_PLAN_FILE, signed(text, sign(text, key, NAMESPACES["plan"])).content)


def read_signed_plan(folder: RunFolder) -> Statement | None:
    """Who says to have made the plan; None where nobody signed. Raises ``PlanRefused`` for what says something else."""
    one = _file(folder.path / SIGNED_PLAN_FILE)
    if one is None:
        return None
    try:
        if one.content is None:
            raise NotToBeChecked(one.why)
        statement = read_statement(one.content)
        if statement.purpose != "plan":
            raise NotToBeChecked("it says something else than who made the plan")
    except NotToBeChecked as refused:
        raise PlanRefused(
            f"{folder.path / SIGNED_PLAN_FILE}, which says who made the plan, can't be believed: {refused}. Put back "
            "the file that was written, or plan again. Nothing was sent."
        ) from refused
    return statement


def made_by(folder: RunFolder, plan: Plan) -> tuple[str, str] | None:
    """Who says to have made the plan, and the key that signed that; None where nobody signed.

    Raises ``PlanRefused`` where what is there is not of this plan, or not signed by any key.
    """
    statement = read_signed_plan(folder)
    if statement is None:
        return None
    try:
        check_of(statement, plan, hashed_identity(folder, plan)[1])
        return statement.who, key_of(statement.text, statement.signature, NAMESPACES["plan"])
    except (NotCounted, SignatureWrong) as wrong:
        raise PlanRefused(
            f"{folder.path / SIGNED_PLAN_FILE} does not show who made the plan: {wrong}. Plan again, with --sign-key. "
            "Nothing was sent."
        ) from wrong


def _planner(folder: RunFolder, plan: Plan, approvers: Approvers) -> str:
    made = made_by(folder, plan)
    if made is None:
        raise PlanRefused(
            f"nobody may approve the plan they made, and nobody signed the one in {folder.path}, so it could be "
            "anybody's. Plan again with --sign-key, or begin without --not-the-planner. Nothing was sent."
        )
    _, key = made
    if not any(fingerprint(key) in keys for _, keys in read_signers(approvers.allowed_signers).people):
        raise PlanRefused(
            f"nobody may approve the plan they made, and the one in {folder.path} was signed with {key}, which is "
            "nobody's of the allowed signers: nobody can tell whether that person approves. Name the planners there, "
            "too, and begin again. Nothing was sent."
        )
    return fingerprint(key)


def _check_by(approvers: Approvers) -> Check:
    """Checks signatures by the allowed signers and the keys that are revoked by now. Raises ``UsageError``."""
    revoked = {Path(name): revoked_keys(Path(name)) for name in approvers.revoked}

    def check(statement: Statement, at: datetime) -> str:
        try:
            return verified(
                statement.text,
                statement.signature,
                NAMESPACES[statement.purpose],
                statement.who,
                allowed_signers=approvers.allowed_signers,
                at=at,
                revoked=revoked,
            )
        except SignatureWrong as wrong:
            raise NotCounted(str(wrong)) from wrong

    return check


def _in_log(ledger: Ledger) -> Iterator[Brought]:
    for number, said in enumerate(ledger.approvals, 1):
        yield Brought(
            name=f"the log's approval {number}",
            content=said["document"].encode("ascii"),
            used=datetime.fromisoformat(said["counted"]),
        )


def _in_folder(folder: RunFolder) -> Iterator[Brought]:
    place = folder.path / APPROVALS_FOLDER
    if not place.is_dir():
        return
    try:
        names = sorted(one.name for one in place.iterdir() if one.name.endswith(SUFFIX) and one.name[0] != ".")
    except OSError as error:
        raise UsageError(f"{place} can't be read: {error.strerror}. Nothing was sent.") from error
    if len(names) > _FILES_MAX:
        raise UsageError(f"{place} has more than {_FILES_MAX:,} approvals. Take away what is none. Nothing was sent.")
    for name in names:
        if (one := _file(place / name)) is not None:
            yield one


def _file(path: Path) -> Brought | None:
    """A file of a run folder as a document; None where there is none."""
    try:
        with open(open_own(path), "rb") as file:  # noqa: PTH123 - a descriptor
            content = file.read(_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    except NotOurs as strange:
        return Brought(name=path.name, content=None, why=str(strange).removeprefix(f"{path} "))
    except OSError as error:
        return Brought(name=path.name, content=None, why=f"it can't be read: {error.strerror}")
    if len(content) > _BYTES_MAX:
        return Brought(name=path.name, content=None, why=f"it has more than {_BYTES_MAX:,} bytes, and is none")
    return Brought(name=path.name, content=content)


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def handed_in(documents: Iterable[bytes]) -> tuple[Brought, ...]:
    """Documents that somebody gives with a call."""
    return tuple(
        Brought(
            name=f"document {number}", content=content if len(content) <= _BYTES_MAX else None, why="it is too long"
        )
        for number, content in enumerate(documents, 1)
    )
