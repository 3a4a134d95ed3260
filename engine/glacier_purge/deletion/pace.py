"""What the pacer is told and what it leaves behind: knobs, signals, and the state a later process resumes from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from glacier_purge.aws.access import IN_FLIGHT_MAX
from glacier_purge.errors import UsageError

RESUMABLE_SECONDS = 15 * 60.0
RATE_PER_SECOND_FIRST = 10.0


class Signal(Enum):
    """What a reply means for the pace."""

    ACCEPTED = "accepted"
    """The service did the work."""
    THROTTLED = "throttled"
    """Refused for rate."""
    FAULT = "fault"
    """A 5xx, a timeout, a broken or refused connection."""
    OTHER = "other"
    """Any other answer: it shows that the service is there, and says nothing about the rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PacerSettings:
    """The knobs. Raises ``UsageError`` for figures that make no sense."""

    rate_per_second_first: float = RATE_PER_SECOND_FIRST
    """What to begin with; it doubles every second until the first throttle."""
    rate_per_second_max: float | None = None
    """Never faster than this; None leaves it to the service."""
    in_flight_max: int = IN_FLIGHT_MAX
    """Never more requests under way than this."""
    leave_share: float = 0.0
    """Part of the limit found that is left to other users of the account (0 to 0.9)."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate_per_second_first) and self.rate_per_second_first > 0):
            raise UsageError(f"the first rate must be a number above 0 per second, not {self.rate_per_second_first}")
        check_rate_max(self.rate_per_second_max)
        if self.in_flight_max < 1:
            raise UsageError(f"at least 1 request has to be in flight, not {self.in_flight_max}")
        if not 0.0 <= self.leave_share <= 0.9:
            raise UsageError(f"the share left to others must be between 0 and 0.9, not {self.leave_share}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PacerState:
    """What a later process needs to begin near the limit. ``recorded_at`` is in Unix seconds."""

    rate_per_second: float
    limit_per_second: float | None
    recorded_at: float

    def if_fresh(self, now_unix_seconds: float) -> PacerState | None:
        """Return itself when less than 15 minutes old, else None: limits belong to their hour."""
        return self if 0.0 <= now_unix_seconds - self.recorded_at < RESUMABLE_SECONDS else None


def check_rate_max(rate_per_second: float | None) -> None:
    """Raise ``UsageError`` unless the rate is above 0, or None for no cap."""
    if rate_per_second is not None and not (math.isfinite(rate_per_second) and rate_per_second > 0):
        raise UsageError(f"the highest rate must be a number above 0 per second, not {rate_per_second}")
