"""Hours in which deletes may be sent, such as ``22:00-06:00``, worked out for a given moment. Pure.

A window opens every day when the clock on the wall shows its beginning and closes when it shows its end, the next day
if that is earlier.  Where summer time moves the clock over one of the two, or shows it twice, the window is the
shorter of what it might mean: outside of what somebody asked for nothing is sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_WINDOW = re.compile(r"(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)(?: +(\S+))?", re.ASCII)
_DAY = timedelta(days=1)
_DAYS_AHEAD = 3
"""A window of less than an hour may be lost to summer time on one day, never on two in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From ``begins`` to ``ends``, both as on the wall of ``zone`` (None: of this host). Equal means all day."""

    begins: time
    ends: time
    zone: ZoneInfo | None = None

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read ``22:00-06:00`` or ``22:00-06:00 Europe/Berlin``; 24:00 is midnight. Raises ``ValueError``."""
        found = _WINDOW.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is not a window of hours; write 22:00-06:00 or 22:00-06:00 Europe/Berlin")
        hour, minute, last_hour, last_minute, zone = found.groups()
        begins, ends = _time(hour, minute, text), _time(last_hour, last_minute, text)
        if begins == ends and (int(hour), int(last_hour)) != (0, 24):
            raise ValueError(f"{text!r} ends when it begins; for all day give no window, or 00:00-24:00")
        return cls(begins=begins, ends=ends, zone=_zone(zone, text))

    def openings(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        """When it opens and closes, in UTC, from the day before ``now`` to some days after."""
        today = now.astimezone(self.zone).date()
        for offset in range(-1, _DAYS_AHEAD + 1):
            day = today + offset * _DAY
            last_day = day if self.begins < self.ends else day + _DAY
            opens, closes = max(self._moments(day, self.begins)), min(self._moments(last_day, self.ends))
            if opens < closes:
                yield opens, closes

    def _moments(self, day: date, clock: time) -> list[datetime]:
        """When the clock shows this: twice the same but for the hours in which it is put forward or back."""
        shown = [datetime.combine(day, clock.replace(fold=fold), self.zone) for fold in (0, 1)]
        return [moment.astimezone(UTC) for moment in shown]


def open_until(now: datetime, windows: Iterable[Window]) -> datetime | None:
    """Tell when the last of the windows open at ``now`` closes (UTC); None when none of them is open."""
    return next((closes for opens, closes in _merged(now, windows) if opens <= now < closes), None)


def opens_at(now: datetime, windows: Iterable[Window]) -> datetime:
    """Tell when the first of the windows opens (UTC); ``now`` itself when one is open. There must be one at least."""
    return max(now, next(opens for opens, closes in _merged(now, windows) if now < closes))


def _merged(now: datetime, windows: Iterable[Window]) -> list[tuple[datetime, datetime]]:
    """Openings of all windows in order; those that touch are one."""
    merged: list[tuple[datetime, datetime]] = []
    for opens, closes in sorted(opening for window in windows for opening in window.openings(now)):
        if merged and opens <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(closes, merged[-1][1]))
        else:
            merged.append((opens, closes))
    return merged


def _time(hour: str, minute: str, text: str) -> time:
    if (int(hour), int(minute)) == (24, 0):
        return time(0)
    try:
        return time(int(hour), int(minute))
    except ValueError:
        raise ValueError(f"{text!r}: there is no {hour}:{minute} in a day") from None


def _zone(name: str | None, text: str) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{text!r}: this host knows no time zone {name!r}; write it as Europe/Berlin") from None
