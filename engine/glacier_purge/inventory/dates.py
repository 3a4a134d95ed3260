"""The dates of an inventory: with milliseconds in the Developer Guide's sample, without them in real files.

As text, dates of one kind sort by time, but the two kinds do not mix (``Z`` sorts behind ``.``).  So what compares
dates goes through ``Period``, which is cheap for a batch of one kind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z", re.ASCII)


def creation_time(text: str) -> datetime | None:
    """Read an inventory's date as an aware UTC ``datetime``; None when it isn't one."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:  # the 31st of February
        return None


class Period:
    """The earliest and the latest of many dates, each as the inventory writes it. Text that is no date is left out."""

    def __init__(self) -> None:
        self.oldest: str | None = None
        self.newest: str | None = None
        self._oldest_time: datetime | None = None
        self._newest_time: datetime | None = None

    def add(self, dates: Sequence[str]) -> None:
        """Take in some dates."""
        if not dates:
            return
        extremes = (min(dates), max(dates))
        is_one_kind = len(set(map(len, dates))) == 1 and None not in map(creation_time, extremes)
        for text in extremes if is_one_kind else dates:
            self._add_one(text)

    def _add_one(self, text: str) -> None:
        time = creation_time(text)
        if time is None:
            return
        if self._oldest_time is None or time < self._oldest_time:
            self.oldest, self._oldest_time = text, time
        if self._newest_time is None or time > self._newest_time:
            self.newest, self._newest_time = text, time
