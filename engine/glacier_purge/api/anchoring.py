"""Anchors of logs that are whole: what somebody keeps elsewhere, or signs, of everything in a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_purge.audit.anchor import NAMESPACE, Anchor
from glacier_purge.audit.checking import check_watched
from glacier_purge.audit.verification import NotToBeChecked, read_anchor, verify_folder
from glacier_purge.errors import AuditDamaged, UsageError
from glacier_purge.storage.ssh_signature import SignatureWrong, signer_of

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from glacier_purge.audit.verification import AnchorNote, FolderVerdict


def sound_folder(folder: Path) -> list[FolderVerdict]:
    """Check everything in a folder of ours, and give what was found.

    Raises ``AuditDamaged`` for the first fault there is, and ``UsageError`` where there is nothing to check.
    """
    try:
        with check_watched(folder):
            verdicts = verify_folder(folder)
    except NotToBeChecked as refused:
        raise UsageError(f"{refused}. Nothing was written.") from refused
    for name, _, found in verdicts:
        for fault in found.faults:
            raise AuditDamaged(
                f"{fault.kind}: {fault.message}. Nothing was written. All of it: glacier-purge audit verify {folder}",
                file=str(folder / name / fault.file),
                offset_bytes=fault.offset_bytes,
                record=fault.record,
            )
    return verdicts


def heads(verdicts: list[FolderVerdict], at: datetime) -> list[Anchor]:
    """The head of each log that was checked."""
    return [
        Anchor.of(found.anchor, run=found.run, plan_digest=found.plan, at=at)
        for _, _, found in verdicts
        if found.anchor is not None and found.run is not None and found.plan is not None
    ]


def kept_anchors(given: str, allowed_signers: Path | None) -> tuple[str | None, list[AnchorNote], list[str]]:
    """What was kept of a log (``SEQ:HASH``, or a file of notes), and who signed it, where that is asked.

    Raises ``UsageError`` for what is no anchor, ``AuditDamaged`` for a note that none of ``allowed_signers`` signed.
    """
    try:
        anchor, notes = read_anchor(given)
    except NotToBeChecked as refused:
        raise UsageError(f"{refused}. Nothing was checked.") from refused
    if allowed_signers is None:
        return anchor, notes, []
    if not notes:
        raise UsageError("SEQ:HASH has no signature. Give the file of anchors, or leave --allowed-signers away.")
    return anchor, notes, [_signer(given, note, allowed_signers) for note in notes]


def _signer(file: str, note: AnchorNote, allowed_signers: Path) -> str:
    try:
        if not note.signature:
            raise SignatureWrong("nobody signed it")
        return signer_of(note.text, note.signature, NAMESPACE, allowed_signers)
    except SignatureWrong as wrong:
        raise AuditDamaged(
            f"the anchor of {note.seq + 1:,} records under plan {note.plan} is not to be believed: {wrong}. Nothing "
            "was checked by it.",
            file=file,
            offset_bytes=0,
        ) from wrong
