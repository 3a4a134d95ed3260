"""The plan: what was decided, about which snapshot, for which vault; and the digest that an approval quotes.

The digest covers every field, and through the hashes among them every byte of the snapshot and every decision.  The
same inventory and the same choices give the same plan to the byte, whoever makes it and when; so two people can plan
on two machines and compare one line.  ``plan.json`` is written last and whole: a folder without it has no plan.  Beside
the plan it has the hash of the ``run.json`` of its folder, which says who made it and when.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from glacier_purge.archive import IdRule, Vault, id_rule_for
from glacier_purge.errors import PlanRefused
from glacier_purge.inventory.format import Format
from glacier_purge.inventory.snapshot import SnapshotFile
from glacier_purge.plan.census import SizeClass, Uploads
from glacier_purge.plan.reasons import ALWAYS
from glacier_purge.storage.documents import DocumentUnreadable, encoded, read_document

FORMAT = 1


class SnapshotFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The spooled inventory: its file in the run folder, ``json`` or ``csv``, and the hash of its bytes."""

    file: str
    format: Format
    sha256: str
    size_bytes: int
    inventory_date: str | None
    any_id_length: bool

    @property
    def id_rule(self) -> IdRule:
        """Which texts pass as archive ids."""
        return id_rule_for(any_length=self.any_id_length)

    def snapshot_in(self, folder: Path) -> SnapshotFile:
        """The snapshot that was planned with, in its run folder."""
        from glacier_purge.inventory.snapshot import SnapshotFile  # noqa: PLC0415 - brings the readers in

        return SnapshotFile(path=folder / self.file, format=self.format, sha256=self.sha256, id_rule=self.id_rule)


class Counts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Records of the inventory by decision; ``inventory`` is the sum of the others."""

    inventory: int
    selected: int
    skipped: int
    invalid: int
    duplicates: int


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A decision this plan could make: its byte, its name, what it goes by (a moment, a size ..), and how often."""

    decision: int
    name: str
    parameter: str | None
    records: int

    @property
    def code(self) -> str:
        """The reason in one word, as outcomes have it."""
        return self.name if self.parameter is None else f"{self.name}:{self.parameter}"

    @property
    def keeps(self) -> bool:
        """Whether archives stay for it; what is no archive, or stands there twice, is not kept."""
        return self.decision not in ALWAYS


class PlanFinding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something whoever approves should know, that decided nothing: what it is, how many, and a few of them."""

    name: str
    number: int
    samples: list[str]


class Sample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One archive of the plan, for the eyes of whoever approves it."""

    ordinal: int
    archive_id: str
    size_bytes: int
    created: str
    description: str


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes and why the others stay. ``selected_bytes`` is without the service's overhead per archive.

    ``uploads`` (by month), ``last_days`` and ``sizes`` are of the selected archives; see ``census``.
    """

    format: int
    tool_version: str
    account_id: str
    region: str
    vault_name: str
    endpoint_url: str
    snapshot: SnapshotFacts
    decisions_sha256: str
    reasons: list[Reason]
    findings: list[PlanFinding]
    counts: Counts
    selected_bytes: int
    oldest: str | None
    newest: str | None
    uploads: list[Uploads]
    last_days: list[Uploads]
    sizes: list[SizeClass]
    samples: list[Sample]

    @property
    def vault(self) -> Vault:
        """The vault the plan is for, checked again."""
        return Vault(account_id=self.account_id, region=self.region, name=self.vault_name)

    @property
    def codes(self) -> dict[int, str]:
        """What each decision byte of this plan means, in one word."""
        return {reason.decision: reason.code for reason in self.reasons}

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the canonical JSON of the whole plan."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


class _Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    digest: str
    run_sha256: str | msgspec.UnsetType = msgspec.UNSET
    """Of the ``run.json`` that was written with it; missing in older plans."""
    plan: Plan


def plan_bytes(plan: Plan, run_sha256: str) -> bytes:
    """The plan as it stands in ``plan.json``: indented for people, its digest first.

    ``run_sha256`` is the hash of the file that says which run it is.  It stands beside the plan and not in it: the same
    plan made twice has one digest.
    """
    document = _Document(digest=plan.digest, run_sha256=run_sha256, plan=plan)
    return encoded(document)


def read_plan(path: Path) -> Plan:
    """Read ``plan.json``. Raises ``PlanRefused`` when it is missing, damaged, edited or of another format."""
    return _read(path).plan


def read_run_sha256(path: Path, plan: Plan) -> str | None:
    """The hash of the ``run.json`` that was written with ``plan``; None in a ``plan.json`` of an older version.

    Raises ``PlanRefused`` as ``read_plan`` does, and when another plan lies there by now.
    """
    document = _read(path)
    if document.digest != plan.digest:
        raise PlanRefused(f"{path} was changed while it was worked with. Look at it, then run the same command again.")
    return None if document.run_sha256 is msgspec.UNSET else document.run_sha256


def _read(path: Path) -> _Document:
    try:
        document = read_document(path, _Document)
    except DocumentUnreadable as error:
        raise PlanRefused(f"{path} cannot be read as a plan ({error}). Plan again; nothing was sent.") from error
    if document is None:
        raise PlanRefused(
            f"{path.parent} holds no plan: planning did not end, or this is not a run folder. "
            "Make one with: glacier-purge plan VAULT --inventory FILE --run-dir DIR"
        )
    plan = document.plan
    if plan.format != FORMAT:
        raise PlanRefused(f"{path} has format {plan.format}, this version reads {FORMAT}. Plan again.")
    if document.digest != plan.digest:
        raise PlanRefused(
            f"{path} was changed after it was made: it says digest {document.digest[:16]}..., its content has "
            f"{plan.digest[:16]}... Plan again; nothing was sent."
        )
    return document
