"""What a run is told about how to work. Each figure stands once, here or in the room that it is for; the settings that
people write (``glacier_purge.settings``) take their defaults from these.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from glacier_purge.audit.journal import COMMIT_RECORDS, COMMIT_SECONDS, SEGMENT_RECORDS
from glacier_purge.deletion.pace import PacerSettings
from glacier_purge.deletion.retry import RetryPolicySettings
from glacier_purge.guard.fuse import FuseSettings
from glacier_purge.guard.rules import Rules
from glacier_purge.run.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeSettings:
    """How a plan is carried out; nothing here changes what is deleted."""

    pace: PacerSettings = field(default_factory=PacerSettings)
    retry: RetryPolicySettings = field(default_factory=RetryPolicySettings)
    credentials_patience_seconds: float = 900.0
    commit_seconds: float = COMMIT_SECONDS
    commit_records: int = COMMIT_RECORDS
    segment_records: int = SEGMENT_RECORDS
    checkpoint_seconds: float = 60.0
    telemetry_seconds: float = 10.0
    windows: tuple[Window, ...] = ()
    """Outside of these nothing is sent; none is always."""
    rules: Rules = field(default_factory=Rules)
    caution: FuseSettings = field(default_factory=FuseSettings)
    duration_seconds_max: float | None = None
    """How long this process may send; None is as long as it takes."""
    protection_interval_seconds: float = 900.0
    """How often the vault's lock, access policy and tags are read again."""
    rate_per_second_wall: float | None = None
    """What no order raises the rate above; None leaves that to who gives it."""
