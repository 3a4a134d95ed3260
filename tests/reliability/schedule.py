"""Which seed is tried next: of the column that every change is held to, or of a night that goes on beyond it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.reliability.campaign import Campaign
    from tests.reliability.workers import Tried

NIGHTS_BEGIN = 1_000_000
"""The first seed of the first night: far beyond those of any column, whose first seed is 0."""
ENOUGH_VIOLATIONS = 10
"""A campaign that found so many is not gone on with: what is broken is known, and the others want their time."""


@dataclass(slots=True)
class Reached:
    """What a run did of one campaign.

    Attributes:
        kinds: How many units it tried, by kind.
        seeds: How many seeds, kept ones included.
        first: The first seed but for kept ones, or None.
        last: The last that was begun of those.
        violations: The seeds that did not hold, with why.
        seconds: For how long, summed over its seeds.
        processor_seconds: How much of a processor they took, with the processes that they started.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    seeds: int = 0
    first: int | None = None
    last: int | None = None
    violations: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0
    processor_seconds: float = 0.0

    def add(self, tried: Tried) -> None:
        """Count a seed that has ended."""
        self.kinds += tried.answer[0]
        self.seeds += 1
        self.seconds += tried.seconds
        self.processor_seconds += tried.processor_seconds
        if tried.answer[1]:
            self.violations[tried.seed] = tried.answer[1]


class Seeds:
    """The seeds of one campaign: those that failed before, then from one on without end."""

    def __init__(self, campaign: Campaign, kept: Sequence[int], first: int) -> None:
        self.campaign = campaign
        self.reached = Reached()
        self.under_way: dict[int, float] = {}
        self._kept = list(kept)
        self._next = first

    @property
    def kept_ones_left(self) -> bool:
        """Whether some that failed before were not tried yet."""
        return bool(self._kept)

    @property
    def found_enough(self) -> bool:
        """Whether so much of it does not hold that more would say nothing."""
        return len(self.reached.violations) >= ENOUGH_VIOLATIONS

    def begin(self, now: float) -> int:
        """The next seed, begun now."""
        if self._kept:
            seed = self._kept.pop(0)
        else:
            seed, self._next = self._next, self._next + 1
            self.reached.first = seed if self.reached.first is None else self.reached.first
            self.reached.last = seed
        self.under_way[seed] = now
        return seed

    def end(self, tried: Tried) -> None:
        """A seed has ended."""
        del self.under_way[tried.seed]
        self.reached.add(tried)

    def seconds(self, now: float) -> float:
        """For how long it was tried, with what is under way."""
        return self.reached.seconds + sum(now - began for began in self.under_way.values())


class Column:
    """All campaigns side by side, each until as many units were tried as it wants.

    Whose units are the least part done is next: so what waits runs beside what computes, and all end together.
    """

    def __init__(self, campaigns: Sequence[Campaign], kept: Mapping[str, Sequence[int]]) -> None:
        self.all = [Seeds(campaign, kept.get(campaign.name, ()), 0) for campaign in campaigns]

    def choose(self, _now: float) -> Seeds | None:
        """Whose seed is next, or None when enough are done or under way."""
        left = [seeds for seeds in self.all if not seeds.found_enough]
        left = [seeds for seeds in left if seeds.kept_ones_left or self._share(seeds) < 1.0]
        return min(left, key=self._share, default=None)

    @staticmethod
    def _share(seeds: Seeds) -> float:
        """How much of what is wanted is done, with what is under way by what those before came to."""
        done = seeds.reached
        each = max(1.0, done.kinds.total() / done.seeds) if done.seeds else 1.0
        return (done.kinds.total() + each * len(seeds.under_way)) / seeds.campaign.wanted


class Night:
    """All campaigns in turn, each with its share of the time, until that is up."""

    def __init__(
        self,
        campaigns: Sequence[Campaign],
        kept: Mapping[str, Sequence[int]],
        furthest: Mapping[str, int],
        until: float,
    ) -> None:
        self.all = [
            Seeds(campaign, kept.get(campaign.name, ()), max(NIGHTS_BEGIN, furthest.get(campaign.name, 0) + 1))
            for campaign in campaigns
        ]
        self._until = until

    def choose(self, now: float) -> Seeds | None:
        """Whose seed is next: who had least of its share. None when the time is up."""
        left = [seeds for seeds in self.all if not seeds.found_enough]
        if now >= self._until or not left:
            return None
        return min(left, key=lambda seeds: seeds.seconds(now) / seeds.campaign.night_share)


class One:
    """One seed of one campaign, again."""

    def __init__(self, campaign: Campaign, seed: int) -> None:
        self.all = [Seeds(campaign, (), seed)]

    def choose(self, _now: float) -> Seeds | None:
        """Its seed, the first time."""
        return self.all[0] if self.all[0].reached.last is None else None


class UntilFound:
    """Seeds of one campaign from 0 on, ``most`` of them, until one does not hold."""

    def __init__(self, campaign: Campaign, most: int) -> None:
        self.all = [Seeds(campaign, (), 0)]
        self._most = most

    def choose(self, _now: float) -> Seeds | None:
        """The campaign's next seed, as long as all held."""
        [seeds] = self.all
        last = -1 if seeds.reached.last is None else seeds.reached.last
        return None if seeds.reached.violations or last + 1 >= self._most else seeds


Schedule = Column | Night | One | UntilFound
