"""Whole run folders made without a service: planned, carried out as far as the log says, sealed, and certified."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import msgspec

from glacier_purge.archive import Vault
from glacier_purge.inventory.snapshot import spool
from glacier_purge.inventory.source import Source
from glacier_purge.plan.first_reading import Target
from glacier_purge.proof.certificate import Certificate, write_certificate
from glacier_purge.proof.reconcile import Reconciliation
from glacier_purge.run.planned import keep_plan
from glacier_purge.storage.disk import FileDisk
from glacier_purge.storage.folder import RunFolder
from glacier_purge.vault.removal import ANSWERED, ASKED, RemovalLine
from tests.audit.logs import archive_id, finished_run
from tests.plan.archives import plan_of

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.plan.document import Plan

ENDPOINT = "http://127.0.0.1:9"
"""Where nobody answers: whoever asks the service fails."""
RECORDS = 60


def vault(name: str) -> Vault:
    return Vault(account_id="123456789012", region="us-east-1", name=name)


def inventory(name: str, records: int, description: str = "a film") -> bytes:
    """An inventory as the service writes it."""
    listed = [
        {
            "ArchiveId": archive_id(ordinal),
            "ArchiveDescription": f"{description} {ordinal}",
            "CreationDate": "2019-05-01T10:00:00Z",
            "Size": 1000 + ordinal,
            "SHA256TreeHash": f"{ordinal:064x}",
        }
        for ordinal in range(records)
    ]
    document = {"VaultARN": vault(name).arn, "InventoryDate": "2026-11-20T00:00:00Z", "ArchiveList": listed}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def planned(place: Path, name: str = "photos", description: str = "a film") -> tuple[RunFolder, Plan]:
    """A run folder in ``place`` with a plan for every archive of a vault."""
    folder = RunFolder.create(place)
    source = place.with_name(f"{place.name}.json")
    source.write_bytes(inventory(name, RECORDS, description))
    with Source(str(source)) as opened:
        snapshot = spool(opened, folder.path)
    target = Target(vault=vault(name), endpoint_url=ENDPOINT, tool_version="0.1.0", inventory_name=str(source))
    plan = plan_of(snapshot, target)
    keep_plan(folder, plan, retrievals_looked_at=True)
    return folder, plan


async def certified(place: Path, name: str = "photos", word: str = "deleted") -> RunFolder:
    """A run folder with everything a run can claim: two sealed segments and an open one, checkpoints, a certificate.

    Of each archive the log says this ``word``.
    """
    folder, plan = planned(place, name)
    disk, deleted = FileDisk(folder.path), RECORDS if word == "deleted" else 0
    anchor = await finished_run(disk, records=RECORDS, run=place.name, plan_digest=plan.digest, word=word)
    shutil.copy(folder.path / "checkpoint", folder.path / "checkpoint.previous")
    later = folder.path / "verification"
    later.mkdir()
    listing = place.with_name(f"{place.name}-later.json")
    listing.write_bytes(inventory(name, 0))
    with Source(str(listing)) as opened:
        snapshot = spool(opened, later)
    certificate = Certificate(
        run=place.name,
        vault_arn=plan.vault.arn,
        endpoint_url=ENDPOINT,
        plan_digest=plan.digest,
        tool_version="0.1.0",
        audit_anchor=anchor,
        planned=RECORDS,
        deleted=deleted,
        bytes_deleted=sum(1000 + ordinal for ordinal in range(RECORDS)),
        first_deletion="2026-11-22T15:14:03.040Z",
        last_deletion="2026-11-22T15:14:05.000Z",
        inventory_job="J",
        inventory_date="2026-11-24T00:00:00Z",
        inventory_sha256=snapshot.sha256,
        found=Reconciliation(
            listed=0, gone=RECORDS, still_listed=0, never_deleted=0, kept=0, kept_gone=0, new_since=0, unreadable=0
        ),
        by="me@here",
        at="2026-11-25T00:00:00Z",
    )
    write_certificate(folder, certificate)
    (later / "retrieval.json").write_text('{"job_id": "J"}\n')
    asked = RemovalLine(at="2026-11-25T01:00:00Z", event=ASKED, by="me@here")
    answered = msgspec.structs.replace(asked, event=ANSWERED, answer="done")
    (folder.path / "removal.jsonl").write_bytes(
        b"".join(msgspec.json.encode(line) + b"\n" for line in (asked, answered))
    )
    (folder.path / "removal.jsonl").chmod(0o600)
    return folder
