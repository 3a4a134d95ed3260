"""What time it is for everything that is dated or counts days: the one place that reads this host's wall clock.

Whoever decides by time takes it as a value, from ``Waiter`` or ``Host``, which have it from here unless they were
given another.  Signatures alone are dated past this, where requests are made (``glacier.http.rest``, the SDK): they
have to agree with AWS's clock to five minutes, whatever a rehearsal or a test takes for today.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

_read = time.time


def wall_seconds() -> float:
    """Seconds since 1970."""
    return _read()


def awake_or_asleep_seconds() -> float:
    """Monotonic seconds that also count while this host sleeps, which ``time.monotonic`` does on no system."""
    return time.clock_gettime(_COUNTS_SLEEP)


_COUNTS_SLEEP = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC
"""macOS counts it in the clock of this name, and has another for ``time.monotonic``."""


def utc_now() -> datetime:
    """The wall clock's time."""
    return datetime.fromtimestamp(_read(), UTC)
