"""Epoch seconds to the two date formats of Amazon Glacier and back; always UTC.

The service writes milliseconds in what Describe and List return (``2012-02-20T17:01:45.198Z``) and whole seconds
inside inventories (``2017-08-18T08:16:34Z``).  Both are read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

_SECONDS_A_DAY = 86_400


def with_milliseconds(epoch_seconds: float) -> str:
    """Write a date as Describe and List operations do."""
    milliseconds = round(epoch_seconds * 1000)
    return f"{in_seconds(milliseconds // 1000)[:-1]}.{milliseconds % 1000:03d}Z"


def in_seconds(epoch_seconds: float) -> str:
    """Write a date as inventories do; a fraction of a second is dropped."""
    day, second = divmod(int(epoch_seconds), _SECONDS_A_DAY)
    minute, second = divmod(second, 60)
    return f"{_day(day)}T{minute // 60:02d}:{minute % 60:02d}:{second:02d}Z"


def basic(epoch_seconds: float) -> str:
    """Write a date in ISO 8601's basic form, as signatures and their refusals do: ``20120220T170145Z``."""
    return in_seconds(epoch_seconds).replace("-", "").replace(":", "")


def read(text: str) -> float | None:
    """Epoch seconds of an ISO 8601 date, extended or basic, UTC unless it says otherwise; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@lru_cache(maxsize=4096)
def _day(days_since_epoch: int) -> str:
    return datetime.fromtimestamp(days_since_epoch * _SECONDS_A_DAY, UTC).strftime("%Y-%m-%d")
