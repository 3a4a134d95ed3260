"""What a soak has to come to, judged by what was seen of the command from outside and what the service said."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from itertools import combinations, groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

DELETES_PER_SECOND_MIN = 2_000
SLOPE_MB_PER_HOUR_MAX = 1.0
IN_FLIGHT_MAX = 256
WARM_UP_SHARE = 1 / 3
"""Of the time: until then memory may grow."""
PART_SECONDS = 60.0
"""How long each part of the cycle takes."""
SOCKETS_BESIDE = 32
"""What may be open beside a connection for each delete under way: the loop's own, and connections that are closing."""
SOCKETS_FLOOR_RISE_MAX = 8
"""How many more sockets a later cycle may have, where it has fewest, than the first: chance of a moment, no leak."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The command at one moment, `seconds` after its start, in a part of the cycle."""

    seconds: float
    part: str
    rss_bytes: int
    sockets: int
    files: int
    threads: int
    tasks: int


@dataclass(kw_only=True)
class Soaked:
    """A soak: what was sampled, what the command answered, and what the service and `audit verify` said at the end."""

    archives: int
    samples: list[Sample] = field(default_factory=list)
    seconds: float = 0.0
    exit_code: int | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    audit_exit_code: int | None = None
    service: dict[str, Any] = field(default_factory=dict)
    segments: int = 0
    struck: dict[str, int] = field(default_factory=dict)

    @property
    def warm(self) -> list[Sample]:
        """The samples after the warm-up."""
        return [each for each in self.samples if each.seconds > self.seconds * WARM_UP_SHARE]

    @property
    def per_second(self) -> float:
        """Archives that the service deleted a second, pauses and outages included."""
        return float(self.service["distinct_ids"] / self.seconds)


def slope_mb_per_hour(samples: Sequence[Sample]) -> float | None:
    """How fast memory grows: the median slope between any two samples of one part in different cycles.

    Memory comes and goes with the weather, which comes again with each cycle; a line through all samples takes part of
    that for growth.  Theil and Sen's estimator by seasons: Hirsch, Slack and Smith, Water Resources Research 18 (1982).
    None of less than two cycles.
    """
    slopes = [
        (later.rss_bytes - earlier.rss_bytes) / (later.seconds - earlier.seconds)
        for earlier, later in combinations(samples, 2)
        if earlier.part == later.part and later.seconds - earlier.seconds > PART_SECONDS
    ]
    return statistics.median(slopes) * 3600 / 1e6 if slopes else None


def fewest_sockets(samples: Sequence[Sample]) -> list[int]:
    """The fewest sockets of each visit of the part that needs fewest: what is never closed is in all later ones."""
    visits = [(part, min(each.sockets for each in visit)) for part, visit in groupby(samples, lambda each: each.part)]
    calmest = min(visits, key=lambda visit: visit[1])[0]
    return [fewest for part, fewest in visits if part == calmest]


def figures(soaked: Soaked) -> dict[str, str]:
    """What was measured, in words."""
    warm = soaked.warm
    slope = slope_mb_per_hour(warm)
    return {
        "archives deleted": f"{soaked.service['distinct_ids']:,} of {soaked.archives:,}",
        "deletes a second, pauses and outages included": f"{soaked.per_second:,.0f}",
        "deletes that reached the service": f"{soaked.service['deletes_received']:,}",
        "faults that struck": f"{sum(soaked.struck.values()):,} of {len(soaked.struck)} kinds",
        "segments of the log": f"{soaked.segments}",
        "memory after warm-up": f"{warm[0].rss_bytes / 1e6:.1f} MB, at the end {warm[-1].rss_bytes / 1e6:.1f} MB",
        "slope of memory, like parts of the cycles compared": "unknown" if slope is None else f"{slope:+.2f} MB/h",
        "open files": _range([each.files for each in warm]),
        "open sockets, of which 256 may be deletes' own": _range([each.sockets for each in warm]),
        "fewest of them in each cycle": ", ".join(map(str, fewest_sockets(warm))),
        "threads": _range([each.threads for each in warm]),
        "tasks of the event loop": _range([each.tasks for each in warm]),
    }


def violations(soaked: Soaked) -> list[str]:
    """What is not as it has to be."""
    warm, service, archives = soaked.warm, soaked.service, soaked.archives
    slope, fewest = slope_mb_per_hour(warm), fewest_sockets(warm)
    checks = [
        (soaked.exit_code == 0, f"the command ended with {soaked.exit_code}"),
        (soaked.answer.get("deleted") == archives, f"the command reports {soaked.answer.get('deleted')} as deleted"),
        (soaked.audit_exit_code == 0, f"audit verify ended with {soaked.audit_exit_code}"),
        (service["archives_left"] == 0, f"the service has {service['archives_left']} archives left"),
        (service["distinct_ids"] == archives, f"the service was asked for {service['distinct_ids']} archives"),
        *(
            (service[kind] == 0, f"{service[kind]} deletes were {kind}")
            for kind in ("unknown", "wrong_vault", "malformed")
        ),
        (soaked.per_second >= DELETES_PER_SECOND_MIN, f"only {soaked.per_second:,.0f} deletes a second"),
        (slope is not None, "it was too short to tell whether memory grows"),
        (slope is None or slope < SLOPE_MB_PER_HOUR_MAX, f"memory grew by {slope or 0.0:.2f} MB an hour"),
        (_grown([each.files for each in warm]) <= 0, "files were left open"),
        (max(each.sockets for each in warm) <= IN_FLIGHT_MAX + SOCKETS_BESIDE, "more sockets than deletes may have"),
        (fewest[-1] - fewest[0] <= SOCKETS_FLOOR_RISE_MAX, "sockets were left open"),
        (_grown([each.threads for each in warm]) <= 0, "threads were left behind"),
        (_grown([each.tasks for each in warm]) <= 0, "tasks were left behind"),
    ]
    return [said for held, said in checks if not held]


def _grown(found: Sequence[int]) -> float:
    """How much more there is in the last third than in the first: by medians, so that a moment's does not count."""
    third = max(1, len(found) // 3)
    return statistics.median(found[-third:]) - statistics.median(found[:third])


def _range(found: Sequence[int]) -> str:
    return f"{min(found)} to {max(found)}, at the end {found[-1]}"
