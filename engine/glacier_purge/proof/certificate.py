"""The certificate: what a run deleted, shown by a later inventory, signed off with who, when, and what it proves.

Written only when every archive that was recorded as deleted is absent from an inventory newer than the plan's.  It
looks at what should still be there, too: archives that the plan let be and that are gone are counted and named.
It names what it rests on (plan digest, audit anchor, inventory job, date and hash), so that whoever doubts it can
check.  Where there is a key, the anchor is signed in it, as a note; the rest proves to those who trust the folder and
the service's inventory, and says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from glacier_purge.errors import PlanRefused
from glacier_purge.proof.reconcile import KEPT_GONE_FILE, VERIFICATION_FOLDER, Reconciliation
from glacier_purge.storage.documents import NO_JSON, DocumentUnreadable, encoded, read_document
from glacier_purge.storage.folder import RunFolder

CERTIFICATE_FILE = "certificate.json"
CERTIFICATE_TEXT_FILE = "certificate.txt"
FORMAT = 2
"""1 did not look at what the plan let be, so it can't be said of it that all is there that should be."""
_TOO_OLD = "it was written by an earlier version, which did not look whether what the plan let be is still there"

PROVES = (
    "The service answered 204 to the deletion of each archive that this run recorded as deleted.",
    "All of them were listed by the inventory of the plan, and none is by the later one that is named here.",
    "The audit log was whole when this was written: its chain of hashes reaches from the plan's digest to the anchor.",
)
DOES_NOT_PROVE = (
    "That no copy exists elsewhere, or that the service has erased the bytes from its media.",
    "That an archive was there before it was deleted: the service answers 204 for archives that are gone already.",
    "Anything about archives uploaded after the inventory named here.",
    "Who deleted archives that the plan let be and that are gone, where it counts any: this run did not.",
    "Who wrote the folder: keep the anchor and this digest elsewhere, and a later rewrite will show.",
)


class Certificate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was proven. Times are UTC, ISO 8601; hashes are SHA-256 in hex; ``audit_anchor`` is ``SEQ:HASH``.

    ``kept_because`` counts the archives that the plan let be, by its reasons.
    """

    format: int = FORMAT
    run: str
    vault_arn: str
    endpoint_url: str
    plan_digest: str
    tool_version: str
    audit_anchor: str
    planned: int
    kept_because: dict[str, int] = {}
    deleted: int
    bytes_deleted: int
    first_deletion: str | None
    last_deletion: str | None
    inventory_job: str
    inventory_date: str
    inventory_sha256: str
    found: Reconciliation
    by: str
    at: str
    approved_by: str | msgspec.UnsetType = msgspec.UNSET
    """Who approved the plan, and how, as the log has it; certificates of older versions do not say it."""
    anchor_note: str | msgspec.UnsetType = msgspec.UNSET
    """The anchor as a signed note, where it was signed, and the key that did."""
    anchor_signed_with: str | msgspec.UnsetType = msgspec.UNSET
    proves: tuple[str, ...] = PROVES
    does_not_prove: tuple[str, ...] = DOES_NOT_PROVE

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the canonical JSON of the whole certificate."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


class _Formatted(msgspec.Struct):
    """A certificate of any version, as far as it says which."""

    format: int


class _Any(msgspec.Struct):
    certificate: _Formatted


class _Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``text_sha256`` is that of ``certificate.txt``; certificates of older versions have none."""

    digest: str
    certificate: Certificate
    text_sha256: str | None = None


def write_certificate(folder: RunFolder, certificate: Certificate) -> None:
    """Put the certificate into the run folder, for machines and for people, in the place of an earlier one."""
    text = certificate_text(certificate).encode()
    document = _Document(
        digest=certificate.digest, certificate=certificate, text_sha256=hashlib.sha256(text).hexdigest()
    )
    folder.replace(CERTIFICATE_TEXT_FILE, text)
    folder.replace(CERTIFICATE_FILE, encoded(document))


def read_certificate(folder: RunFolder) -> Certificate | None:
    """Read the certificate; None when there is none. Raises ``PlanRefused`` when it was changed or is not readable."""
    file = folder.path / CERTIFICATE_FILE
    try:
        document = read_document(file, _Document)
    except DocumentUnreadable as error:
        because = _TOO_OLD if _format(file) == 1 else error
        raise PlanRefused(
            f"{file} cannot be read as a certificate ({because}). Take it away and verify again."
        ) from error
    if document is None:
        return None
    if document.digest != document.certificate.digest:
        raise PlanRefused(f"{file} was changed after it was written. Take it away and verify again.")
    return document.certificate


def _format(file: Path) -> int | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Any).certificate.format
    except (OSError, *NO_JSON):
        return None


def certificate_text(certificate: Certificate) -> str:
    """The certificate for people."""
    it, found = certificate, certificate.found
    lines = [
        "CERTIFICATE OF DELETION",
        "",
        f"Vault          {it.vault_arn}",
        f"Endpoint       {it.endpoint_url}",
        f"Run            {it.run}",
        f"Plan digest    {it.plan_digest}",
        *([] if it.approved_by is msgspec.UNSET else [f"  approved by  {it.approved_by}"]),
        f"Audit anchor   {it.audit_anchor}",
        *([] if it.anchor_signed_with is msgspec.UNSET else [f"  signed with  {it.anchor_signed_with}"]),
        f"Deleted        {it.deleted:,} of {it.planned:,} archives planned ({it.bytes_deleted:,} bytes)",
        f"Deletions      {it.first_deletion or '-'} to {it.last_deletion or '-'}",
        "",
        f"Inventory      {it.inventory_date}, job {it.inventory_job}",
        f"  SHA-256      {it.inventory_sha256}",
        f"  lists        {found.listed:,} archives",
        f"  gone         {found.gone:,} of those deleted; still listed: {found.still_listed:,}",
        f"  kept         {found.kept:,} that the plan let be",
        *(f"    {records:>9,}  {reason}" for reason, records in it.kept_because.items()),
        *_of_what_is_missing(found),
        f"  new since    {found.new_since:,} that the plan did not know",
        "",
        f"Signed off by  {it.by}",
        f"At             {it.at}",
        f"With           glacier-purge {it.tool_version}",
        f"This digest    {it.digest}",
        "",
        "What this proves",
        *(f"- {sentence}" for sentence in it.proves),
        "",
        "What it does not prove",
        *(f"- {sentence}" for sentence in it.does_not_prove),
        "",
    ]
    return "\n".join(lines)


def _of_what_is_missing(found: Reconciliation) -> Iterator[str]:
    """What the plan let be and the inventory does not list, where there is any: loud, because nobody expects it."""
    if not found.kept_gone:
        return
    yield f"  KEPT, GONE   {found.kept_gone:,} that the plan let be and the inventory does not list:"
    yield "               this run did not delete them, and somebody should know who did"
    yield from (f"    {archive_id}" for archive_id in found.kept_gone_first)
    yield f"    all of them: {VERIFICATION_FOLDER}/{KEPT_GONE_FILE}"
