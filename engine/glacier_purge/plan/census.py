"""The selected archives by upload day and by size: what histograms and estimates are computed from later.

Whatever depends on the day somebody looks (ages, fees) is no part of a plan, or two people could not make the same one.
Days are: so the plan keeps sums by month for all, and by day for the last 90 days before the newest upload, which are
the only ones that an early-deletion fee can be asked for.  Pure; memory is bounded by the months there are.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import date, timedelta

import msgspec

FEE_DAYS = 90
"""Archives younger than this are charged for the rest of it (Developer Guide, "Deleting an archive")."""
_YEARS = range(2012, 2100)
"""The service began in 2012. Other years are no dates, and cannot fill the memory either."""
SIZE_EDGES_BYTES = (1 << 10, 1 << 15, 1 << 20, 1 << 25, 1 << 30, 1 << 35)
"""1 KiB, 32 KiB, 1 MiB, 32 MiB, 1 GiB, 32 GiB."""


class Uploads(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Archives uploaded on a day (``2024-01-31``) or in a month (``2024-01``); ``unknown`` where the date is none."""

    when: str
    archives: int
    bytes: int


class SizeClass(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Archives smaller than ``below_bytes`` and not smaller than the class before; None is the last, without an end."""

    below_bytes: int | None
    archives: int
    bytes: int


class Census:
    """Counts archives. ``add`` is called for every one selected, so it does as little as can be."""

    def __init__(self) -> None:
        self._days: dict[str, list[int]] = {}
        self._unknown = [0, 0]
        self._sizes = [[0, 0] for _ in range(len(SIZE_EDGES_BYTES) + 1)]

    def add(self, created: list[str], sizes: list[int]) -> None:
        """Count archives with these upload times and sizes in bytes."""
        days = self._days
        for time, size in zip(created, sizes, strict=True):
            entry = days.get(time[:10]) or self._new_day(time[:10])
            entry[0] += 1
            entry[1] += size
        by_size = sorted(sizes)  # then a class is a slice: half the price of asking every archive
        begin = 0
        for entry, edge in zip(self._sizes, (*SIZE_EDGES_BYTES, None), strict=True):
            end = len(by_size) if edge is None else bisect_left(by_size, edge, begin)
            entry[0] += end - begin
            entry[1] += sum(by_size[begin:end])
            begin = end

    @property
    def bytes(self) -> int:
        """All sizes together."""
        return sum(entry[1] for entry in self._sizes)

    def months(self) -> list[Uploads]:
        """All archives by month of upload, oldest first."""
        months: dict[str, list[int]] = {}
        for day, (archives, size_bytes) in self._days.items():
            entry = months.setdefault(day[:7], [0, 0])
            entry[0] += archives
            entry[1] += size_bytes
        return [*_uploads(months), *_uploads({"unknown": self._unknown} if self._unknown[0] else {})]

    def last_days(self) -> list[Uploads]:
        """Archives by day of upload, as far back from the newest as a fee can reach."""
        if not self._days:
            return []
        first = date.fromisoformat(max(self._days)) - timedelta(days=FEE_DAYS)
        return _uploads({day: entry for day, entry in self._days.items() if day >= first.isoformat()})

    def sizes(self) -> list[SizeClass]:
        """All archives by size, smallest first; every class is there."""
        return [SizeClass(edge, *entry) for edge, entry in zip((*SIZE_EDGES_BYTES, None), self._sizes, strict=True)]

    def _new_day(self, day: str) -> list[int]:
        try:
            date_of_it = date.fromisoformat(day)
            known = date_of_it.year in _YEARS and date_of_it.isoformat() == day  # no 2024-W05-3
        except ValueError:
            known = False
        return self._days.setdefault(day, [0, 0]) if known else self._unknown


def _uploads(entries: dict[str, list[int]]) -> list[Uploads]:
    return [Uploads(when, *entry) for when, entry in sorted(entries.items())]
