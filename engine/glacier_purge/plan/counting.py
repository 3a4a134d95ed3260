"""What a plan says about the records it was made of: counts by decision, sums, the period, and samples. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from glacier_purge.archive import Archive
from glacier_purge.inventory.batch import Batch
from glacier_purge.inventory.dates import Period
from glacier_purge.plan.census import Census
from glacier_purge.plan.document import Counts, Reason, Sample
from glacier_purge.plan.reasons import ALWAYS, DELETE, DUPLICATE, INVALID, REASONS, UNCHOSEN
from glacier_purge.plan.selection import Filter

SAMPLES_MAX = 20


class Counting:
    """Takes in decided batches in order. ``census``, ``period`` and ``samples`` are of the selected archives."""

    def __init__(self, filters: Sequence[Filter]) -> None:
        self._parameters: dict[int, str | None] = dict.fromkeys(ALWAYS)
        for one in filters:
            self._parameters |= one.reasons
        self._counted = dict.fromkeys(self._parameters, 0)
        self._samples = _Spread(SAMPLES_MAX)
        self.period = Period()
        self.census = Census()

    def take(self, batch: Batch, decisions: bytearray) -> None:
        """Count one batch."""
        for decision in self._counted:
            self._counted[decision] += decisions.count(decision)
        selected = batch.archives
        if decisions.count(DELETE) != len(selected):
            first = batch.first_ordinal
            selected = [archive for archive in selected if decisions[archive.ordinal - first] == DELETE]
        if selected:
            created = [archive.created for archive in selected]
            self.period.add(created)
            self.census.add(created, [archive.size_bytes for archive in selected])
            self._samples.add(selected)

    @property
    def counts(self) -> Counts:
        """Records by what becomes of them."""
        counted = self._counted
        return Counts(
            inventory=sum(counted.values()),
            selected=counted[DELETE],
            skipped=sum(records for decision, records in counted.items() if decision not in ALWAYS),
            invalid=counted[INVALID],
            duplicates=counted[DUPLICATE],
        )

    @property
    def reasons(self) -> list[Reason]:
        """Every decision that could be made, with how often it was; of those that nobody chose, the ones made."""
        return [
            Reason(decision, REASONS[decision], self._parameters[decision], records)
            for decision, records in sorted(self._counted.items())
            if records or decision not in UNCHOSEN
        ]

    @property
    def samples(self) -> list[Sample]:
        """A few archives, spread evenly over the selected ones."""
        return [
            Sample(
                ordinal=archive.ordinal,
                archive_id=archive.archive_id,
                size_bytes=archive.size_bytes,
                created=archive.created,
                description=archive.description,
            )
            for archive in self._samples.kept()
        ]


class _Spread:
    """Keeps every n-th archive, n doubling as more come: evenly spread, the same for the same archives, no chance."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._stride = 1
        self._seen = 0
        self._kept: list[Archive] = []

    def add(self, archives: list[Archive]) -> None:
        at = -self._seen % self._stride
        while at < len(archives):
            self._kept.append(archives[at])
            if len(self._kept) == 2 * self._most:
                self._kept = self._kept[::2]
                self._stride *= 2
            at += self._stride - (self._seen + at) % self._stride
        self._seen += len(archives)

    def kept(self) -> list[Archive]:
        if len(self._kept) <= self._most:
            return self._kept
        return [self._kept[number * len(self._kept) // self._most] for number in range(self._most)]
