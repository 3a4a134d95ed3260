"""Empties Amazon Glacier vaults: streamed inventory, adaptive pace, resumable, every deletion on record.

A whole run, with its plan and its proof on disk::

    await glacier_purge.fetch_inventory("photos", to="inventory.json")
    plan = await glacier_purge.make_plan("photos", inventory="inventory.json", run_dir="photos-run")
    report = await glacier_purge.purge("photos-run", confirm_digest=plan.digest)
    verified = await glacier_purge.verify("photos-run")

A vault from its name to proven empty, over days, each plan put before somebody::

    async def approve(view):
        return view.plan.digest if input(view.as_text()) == "yes" else None

    await glacier_purge.run_lifecycle("photos", run_dir="photos-run", approve=approve)

Only the deletes, for a migration script that knows which archives are safe elsewhere::

    vault = glacier_purge.Vault(account_id="123456789012", region="eu-west-1", name="photos")
    async for outcome in glacier_purge.delete_archives(vault, ids):
        ...

Importing this is cheap; what a name needs is imported when the name is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glacier_purge.api.fleet import FleetReport, VaultReport
    from glacier_purge.api.library import fetch_inventory, make_plan, purge, show_plan, status, verify
    from glacier_purge.api.lifecycle import LifecycleOrder, LifecycleReport
    from glacier_purge.api.scripts import FleetListener, LifecycleListener, run_fleet, run_lifecycle
    from glacier_purge.api.step import step
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
        Needs,
        NotAsApproved,
        Pending,
        PlanRefused,
        RunLocked,
        RunStopped,
        ServiceRefused,
        UsageError,
    )
    from glacier_purge.fleet.job_orders import JobOrders
    from glacier_purge.glacier.waiting import NoWait, SleepingWaiter, Waiting
    from glacier_purge.inventory.fetching.job_choice import WantedJob
    from glacier_purge.lifecycle.options import LifecycleOptions
    from glacier_purge.plan.choices import Caps, Choices
    from glacier_purge.plan.document import Plan
    from glacier_purge.report.plan_view import PlanView
    from glacier_purge.report.results.lifecycles import FleetStatus, LifecycleStatus
    from glacier_purge.report.results.planning import AllShown, Fetched, Shown
    from glacier_purge.report.results.running import RunStatus, Verified
    from glacier_purge.report.results.stepping import Stepped
    from glacier_purge.report.summary import Progress, Report
    from glacier_purge.settings import Settings

ELSEWHERE = "it works on Linux and macOS. On Windows, run it in WSL."
"""Said on a system whose files, locks and signals are not those that it is built on."""
_HOMES = {
    "AllShown": "report.results.planning",
    "AuditDamaged": "errors",
    "Caps": "plan.choices",
    "Choices": "plan.choices",
    "CredentialsFailed": "errors",
    "DiskFailed": "errors",
    "Fetched": "report.results.planning",
    "FleetListener": "api.scripts",
    "FleetReport": "api.fleet",
    "FleetStatus": "report.results.lifecycles",
    "GlacierPurgeError": "errors",
    "InventoryDamaged": "errors",
    "JobOrders": "fleet.job_orders",
    "LifecycleListener": "api.scripts",
    "LifecycleOptions": "lifecycle.options",
    "LifecycleOrder": "api.lifecycle",
    "LifecycleReport": "api.lifecycle",
    "LifecycleStatus": "report.results.lifecycles",
    "NoWait": "glacier.waiting",
    "Needs": "errors",
    "NotAsApproved": "errors",
    "Outcome": "audit.record",
    "Pending": "errors",
    "Plan": "plan.document",
    "PlanRefused": "errors",
    "PlanView": "report.plan_view",
    "Progress": "report.summary",
    "Report": "report.summary",
    "RunLocked": "errors",
    "RunStatus": "report.results.running",
    "RunStopped": "errors",
    "ServiceRefused": "errors",
    "Settings": "settings",
    "Shown": "report.results.planning",
    "SleepingWaiter": "glacier.waiting",
    "Stepped": "report.results.stepping",
    "StaticCredentials": "aws.access",
    "UsageError": "errors",
    "Vault": "archive",
    "VaultReport": "api.fleet",
    "Verified": "report.results.running",
    "Waiting": "glacier.waiting",
    "WantedJob": "inventory.fetching.job_choice",
    "delete_archives": "api.streaming",
    "fetch_inventory": "api.library",
    "make_plan": "api.library",
    "purge": "api.library",
    "run_fleet": "api.scripts",
    "run_lifecycle": "api.scripts",
    "show_plan": "api.library",
    "status": "api.library",
    "verify": "api.library",
    "step": "api.step",
}

__all__ = [
    "AllShown",
    "AuditDamaged",
    "Caps",
    "Choices",
    "CredentialsFailed",
    "DiskFailed",
    "Fetched",
    "FleetListener",
    "FleetReport",
    "FleetStatus",
    "GlacierPurgeError",
    "InventoryDamaged",
    "JobOrders",
    "LifecycleListener",
    "LifecycleOptions",
    "LifecycleOrder",
    "LifecycleReport",
    "LifecycleStatus",
    "Needs",
    "NoWait",
    "NotAsApproved",
    "Outcome",
    "Pending",
    "Plan",
    "PlanRefused",
    "PlanView",
    "Progress",
    "Report",
    "RunLocked",
    "RunStatus",
    "RunStopped",
    "ServiceRefused",
    "Settings",
    "Shown",
    "SleepingWaiter",
    "StaticCredentials",
    "Stepped",
    "UsageError",
    "Vault",
    "VaultReport",
    "Verified",
    "Waiting",
    "WantedJob",
    "delete_archives",
    "fetch_inventory",
    "make_plan",
    "purge",
    "run_fleet",
    "run_lifecycle",
    "show_plan",
    "status",
    "step",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if sys.platform == "win32":
        raise ImportError(f"glacier_purge: {ELSEWHERE}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
