"""Archives, batches, inventories and plans of any kind, for whatever is tested on a plan."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from glacier_purge.archive import Archive, ArchiveId, Vault
from glacier_purge.inventory.batch import Batch
from glacier_purge.inventory.snapshot import spool
from glacier_purge.inventory.source import Source
from glacier_purge.plan.first_reading import FirstReading, Target
from glacier_purge.plan.making import Selection, decide_all

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.inventory.snapshot import Snapshot
    from glacier_purge.plan.document import Plan

VAULT = Vault(account_id="123456789012", region="eu-west-1", name="photos")
TARGET = Target(
    vault=VAULT, endpoint_url="https://glacier.eu-west-1.amazonaws.com", tool_version="1", inventory_name="inventory"
)
ALL = Selection()
"""Nothing chosen: every archive goes."""


def archive_id(number: int) -> ArchiveId:
    return ArchiveId(f"{number:x}".rjust(138, "A"))


def archive(number: int = 0, **facts: Any) -> Archive:
    known: dict[str, Any] = {
        "ordinal": number,
        "archive_id": archive_id(number),
        "size_bytes": 1_000,
        "created": "2020-01-31T12:00:00Z",
        "description": f"photo {number}",
        "tree_hash": f"{number:064x}",
    }
    return Archive(**(known | facts))


def batch(archives: list[Archive]) -> Batch:
    return Batch(archives[0].ordinal if archives else 0, len(archives), archives, [])


def snapshot(folder: Path, archives: list[Archive]) -> Snapshot:
    """Spool an inventory of ``archives`` in ``folder``."""
    records = [
        {
            "ArchiveId": one.archive_id,
            "ArchiveDescription": one.description,
            "CreationDate": one.created,
            "Size": one.size_bytes,
            "SHA256TreeHash": one.tree_hash,
        }
        for one in archives
    ]
    document = {"VaultARN": VAULT.arn, "InventoryDate": "2026-11-01T00:00:00Z", "ArchiveList": records}
    file = folder.with_suffix(".json")
    file.write_text(json.dumps(document, separators=(",", ":")))
    folder.mkdir()
    with Source(str(file)) as source:
        return spool(source, folder)


def plan_of(
    snapshot: Snapshot, target: Target = TARGET, selection: Selection = ALL, *, set_aside_defects: bool = False
) -> Plan:
    """Read ``snapshot`` twice and decide every record, with no service asked and no ``plan.json`` written."""
    with FirstReading(snapshot.path.parent, set_aside_defects=set_aside_defects) as reading:
        reading.read(snapshot, target)
        return decide_all(reading, selection)
