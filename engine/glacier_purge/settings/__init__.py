"""What can be set, and where the values come from."""

from glacier_purge.settings.layers import load_settings
from glacier_purge.settings.model import (
    AuditSettings,
    AwsSettings,
    EstimateSettings,
    HookSettings,
    InventorySettings,
    PaceSettings,
    ReplicaSettings,
    ReportSettings,
    RetrySettings,
    SafetySettings,
    Settings,
)

__all__ = [
    "AuditSettings",
    "AwsSettings",
    "EstimateSettings",
    "HookSettings",
    "InventorySettings",
    "PaceSettings",
    "ReplicaSettings",
    "ReportSettings",
    "RetrySettings",
    "SafetySettings",
    "Settings",
    "load_settings",
]
