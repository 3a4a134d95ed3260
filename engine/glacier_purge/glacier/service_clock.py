"""What time it is for the service, by the ``Date`` of its replies: ages of jobs and inventories are counted by it.

This host's clock tells the time between replies, put right by as much as it was off at the last one.  A reply is dated
to the second and takes its time, so a difference that can be just that is none.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from glacier_purge.text import duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier_purge.glacier.waiting import Waiter, Waiting

SKEW_NOTICED = timedelta(seconds=30)


class ServiceClock:
    """How far ``host``, this host's clock, is off for all that a process asks; not at all until something was heard."""

    def __init__(self, host: Callable[[], datetime]) -> None:
        self._host = host
        self._is_told = False
        self.skew = timedelta(0)
        """What has to be added to this host's time."""

    def heard(self, date: str | None) -> None:
        """Go by the ``Date`` of a reply that is believed; what is no date changes nothing."""
        if (skew := skew_of(date, self._host())) is not None:
            self.skew = skew if abs(skew) >= SKEW_NOTICED else timedelta(0)

    def tell(self, say: Callable[[str], None]) -> None:
        """Say once that this host's clock is off, where it is."""
        if self.skew and not self._is_told:
            self._is_told = True
            say(f"{skew_in_words(self.skew)}; ages of jobs and inventories are counted by the service's")


class OnServiceTime:
    """A waiter whose time is the service's. What it waits until is told, and slept, by the time of the one below, which
    is this host's, or a rehearsal's own.
    """

    def __init__(self, waiter: Waiter, clock: ServiceClock, say: Callable[[str], None]) -> None:
        self._waiter = waiter
        self._clock = clock
        self._say = say

    def now(self) -> datetime:
        """The time now, for the service."""
        self._clock.tell(self._say)
        return self._waiter.now() + self._clock.skew

    async def wait(self, waiting: Waiting) -> None:
        """Wait as the waiter does."""
        await self._waiter.wait(replace(waiting, until=waiting.until - self._clock.skew))


def time_of(date: str | None) -> datetime | None:
    """The time of a reply (UTC), by its ``Date``; None where that says nothing."""
    try:
        return None if date is None else parsedate_to_datetime(date).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def skew_of(date: str | None, now: datetime) -> timedelta | None:
    """What has to be added to ``now`` to be the time of a reply, by its ``Date``; None where that says nothing."""
    time = time_of(date)
    return None if time is None else time - now


def skew_in_words(skew: timedelta) -> str:
    """How far this host's clock is off, and which way."""
    side = "behind" if skew > timedelta(0) else "ahead of"
    return f"this host's clock is {duration(abs(skew.total_seconds()))} {side} the service's"
