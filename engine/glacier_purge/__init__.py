"""Empties Amazon Glacier vaults: streamed inventory, adaptive pace, resumable, every deletion on record.

A whole run, with its plan and its proof on disk::

    plan = await glacier_purge.make_plan("photos", inventory="inventory.json", run_dir="photos-run")
    report = await glacier_purge.purge("photos-run", confirm_digest=plan.digest)

Only the deletes, for a migration script that knows which archives are safe elsewhere::

    vault = glacier_purge.Vault(account_id="123456789012", region="eu-west-1", name="photos")
    async for outcome in glacier_purge.delete_archives(vault, ids):
        ...

Importing this is cheap; what a name needs is imported when the name is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glacier_purge.api.library import make_plan, purge
    from glacier_purge.api.streaming import delete_archives
    from glacier_purge.archive import Vault
    from glacier_purge.audit.record import Outcome
    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.errors import (
        AuditDamaged,
        CredentialsFailed,
        DiskFailed,
        GlacierPurgeError,
        InventoryDamaged,
        NotAsApproved,
        Pending,
        PlanRefused,
        RunLocked,
        RunStopped,
        ServiceRefused,
        UsageError,
    )
    from glacier_purge.plan.choices import Choices
    from glacier_purge.plan.document import Plan
    from glacier_purge.report.summary import Report
    from glacier_purge.settings import Settings

_HOMES = {
    "AuditDamaged": "errors",
    "Choices": "plan.choices",
    "CredentialsFailed": "errors",
    "DiskFailed": "errors",
    "GlacierPurgeError": "errors",
    "InventoryDamaged": "errors",
    "NotAsApproved": "errors",
    "Outcome": "audit.record",
    "Plan": "plan.document",
    "Pending": "errors",
    "PlanRefused": "errors",
    "Report": "report.summary",
    "RunLocked": "errors",
    "RunStopped": "errors",
    "ServiceRefused": "errors",
    "Settings": "settings",
    "StaticCredentials": "aws.access",
    "UsageError": "errors",
    "Vault": "archive",
    "delete_archives": "api.streaming",
    "make_plan": "api.library",
    "purge": "api.library",
}

__all__ = [
    "AuditDamaged",
    "Choices",
    "CredentialsFailed",
    "DiskFailed",
    "GlacierPurgeError",
    "InventoryDamaged",
    "NotAsApproved",
    "Outcome",
    "Pending",
    "Plan",
    "PlanRefused",
    "Report",
    "RunLocked",
    "RunStopped",
    "ServiceRefused",
    "Settings",
    "StaticCredentials",
    "UsageError",
    "Vault",
    "delete_archives",
    "make_plan",
    "purge",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
