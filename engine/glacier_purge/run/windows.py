"""Hours in which deletes may be sent, such as ``22:00-06:00``: worked out for a given moment (pure), and kept by a run,
whose pool is held while no window is open.

A window opens every day when the clock on the wall shows its beginning and closes when it shows its end, the next day
if that is earlier.  Where summer time moves the clock over one of the two, or shows it twice, the window is the
shorter of what it might mean: outside of what somebody asked for nothing is sent.

The hours on the wall are the only clock here that decides anything, because that is what was asked for; it is looked
at every half minute at least, so that a clock that was set is noticed.  Requests under way when a window closes are
settled as usual.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import anyio
import structlog

from glacier_purge.deletion.pauses import Side
from glacier_purge.deletion.pool import Pool

_WINDOW = re.compile(r"(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)(?: +(\S+))?", re.ASCII)
_OFFSETS = re.compile(r"(?:<[^>]+>|[A-Za-z]{3,})[+-]?\d")
"""How TZ begins where it says the offsets itself, as CET-1CEST (POSIX)."""
_HOST_ZONE = Path("/etc/localtime")
_NO_DATA = "install tzdata, or give the hours by UTC: '22:00-06:00 UTC'"
_DAY = timedelta(days=1)
_DAYS_AHEAD = 3
"""A window of less than an hour may be lost to summer time on one day, never on two in a row."""
_log: Any = structlog.wrap_logger(logging.getLogger(__name__))
_LOOK_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From ``begins`` to ``ends``, both as on the wall of ``zone`` (None: of this host). Equal means all day."""

    begins: time
    ends: time
    zone: tzinfo | None = None

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


class Hours:
    """The windows of one run. Without any it may always send. ``before_opening`` is called when one opens."""

    def __init__(
        self,
        windows: tuple[Window, ...],
        pool: Pool,
        wall_clock: Callable[[], float],
        *,
        before_opening: Callable[[], None],
    ) -> None:
        self._windows = windows
        self._pool = pool
        self._wall_clock = wall_clock
        self._before_opening = before_opening
        self.opens: datetime | None = None
        """When the next window opens (UTC); None while the run may send."""
        self.closes: datetime | None = None
        """When the open window closes (UTC); None while none is open, or where there are none."""

    async def keep(self) -> None:
        """Hold and release the pool as the hours come, for as long as the run lasts."""
        while self._windows:  # noqa: ASYNC110 - time passes; there is no event to wait for
            await anyio.sleep(self.look())

    def look(self) -> float:
        """Hold or release the pool as it should be now; return the seconds until the next look."""
        if not self._windows:
            return _LOOK_SECONDS_MAX
        now = datetime.fromtimestamp(self._wall_clock(), UTC)
        self.closes = open_until(now, self._windows)
        opens = opens_at(now, self._windows) if self.closes is None else None
        if opens != self.opens:
            self._change(opens)
        next_edge = self.opens or self.closes
        assert next_edge is not None
        return min(_LOOK_SECONDS_MAX, max(0.0, (next_edge - now).total_seconds()))

    def _change(self, opens: datetime | None) -> None:
        self.opens = opens
        if opens is None:
            _log.info("window.opened", closes=in_words(self.closes))
            self._before_opening()
            self._pool.resume(Side.WINDOW)
        else:
            _log.info("window.closed", opens=in_words(opens))
            self._pool.pause(Side.WINDOW, f"outside of the hours asked for: nothing is sent until {in_words(opens)}")


def in_words(moment: datetime | None) -> str | None:
    """A moment in UTC to the second, ISO 8601; None stays None."""
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


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


def _zone(name: str | None, text: str) -> tzinfo | None:
    if name is None:
        return _host_zone(text)
    try:
        return _known_zone(name)
    except LookupError:
        advice = "write it as Europe/Berlin" if available_timezones() else _NO_DATA
        raise ValueError(f"{text!r}: this host knows no time zone {name!r}; {advice}") from None


def _known_zone(name: str) -> tzinfo:
    """Raises ``LookupError``."""
    if name == "UTC":  # which needs no data
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise LookupError(name) from error


def _host_zone(text: str) -> tzinfo | None:
    """The zone of the clock on this host's wall; None is the one that C's library goes by.

    Raises ``ValueError`` where that is one that the host has no data for, as a container without tzdata: the library
    goes by UTC then without a word, and deletes would be sent in other hours than were asked for.
    """
    named = os.environ.get("TZ", "").removeprefix(":")
    if not named:
        if "TZ" not in os.environ and _HOST_ZONE.is_symlink() and not _HOST_ZONE.exists():
            raise ValueError(f"{text!r}: {_HOST_ZONE} leads to {_HOST_ZONE.readlink()}, which is not there; {_NO_DATA}")
        return None
    if _OFFSETS.match(named) or (Path(named).is_absolute() and Path(named).is_file()):
        return None
    try:
        return _known_zone(named)
    except LookupError:
        raise ValueError(f"{text!r}: TZ names {named!r}, which this host has no data for; {_NO_DATA}") from None
