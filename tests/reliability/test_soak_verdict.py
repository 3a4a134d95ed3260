"""Whether a soak's memory grows is told from what each cycle's weather does to it, and so are sockets."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.reliability.soak_verdict import (
    PART_SECONDS,
    Sample,
    Soaked,
    fewest_sockets,
    figures,
    slope_mb_per_hour,
    violations,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PARTS = ("quiet", "resets", "an outage", "the limit falls")
WEATHER_MB = {"quiet": 0.0, "resets": 12.0, "an outage": 5.0, "the limit falls": -2.0}
SOCKETS = {"quiet": 60, "resets": 90, "an outage": 30, "the limit falls": 12}


def samples(cycles: float, mb: Callable[[float], float], leaked: Callable[[float], int] = lambda _: 0) -> list[Sample]:
    """A soak's samples each ten seconds, memory with weather, chance and what `mb` gives beside them."""
    random, found = Random(1), []
    for number in range(int(cycles * len(PARTS) * PART_SECONDS / 10)):
        seconds = number * 10.0
        part = PARTS[int(seconds // PART_SECONDS) % len(PARTS)]
        rss = 100 + WEATHER_MB[part] + random.random() + mb(seconds)
        sockets = SOCKETS[part] + random.randrange(3) + leaked(seconds)
        found.append(
            Sample(
                seconds=seconds, part=part, rss_bytes=int(rss * 1e6), sockets=sockets, files=20, threads=10, tasks=15
            )
        )
    return found


@pytest.mark.parametrize("cycles", [2.0, 2.4, 3.7, 8.0])
def test_weather_is_no_growth(cycles: float) -> None:
    slope = slope_mb_per_hour(samples(cycles, lambda _: 0.0))
    assert slope == pytest.approx(0.0, abs=0.9)


@pytest.mark.parametrize("per_hour", [-3.0, 1.5, 10.0])
def test_growth_is_seen_through_the_weather(per_hour: float) -> None:
    slope = slope_mb_per_hour(samples(8, lambda seconds: per_hour * seconds / 3600))
    assert slope == pytest.approx(per_hour, abs=0.3)


def test_a_moments_memory_is_no_growth() -> None:
    slope = slope_mb_per_hour(samples(8, lambda seconds: 80.0 if seconds in {1700.0, 1710.0, 1720.0} else 0.0))
    assert slope == pytest.approx(0.0, abs=0.3)


def test_less_than_two_cycles_tell_nothing_of_growth() -> None:
    assert slope_mb_per_hour(samples(0.9, lambda _: 0.0)) is None


def test_sockets_that_are_never_closed_are_in_every_later_cycle() -> None:
    assert fewest_sockets(samples(3, lambda _: 0.0)) == [12, 12, 12]
    assert fewest_sockets(samples(3, lambda _: 0.0, leaked=lambda seconds: int(seconds // 60))) == [15, 19, 23]


def soaked(found: list[Sample]) -> Soaked:
    archives = 2_100 * int(found[-1].seconds)
    service = {"archives_left": 0, "distinct_ids": archives, "deletes_received": archives}
    service |= dict.fromkeys(("unknown", "wrong_vault", "malformed"), 0)
    return Soaked(
        archives=archives,
        samples=found,
        seconds=found[-1].seconds,
        exit_code=0,
        answer={"deleted": archives},
        audit_exit_code=0,
        service=service,
    )


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (samples(8, lambda _: 0.0), []),
        (samples(8, lambda seconds: seconds / 1800), ["memory grew by"]),
        (samples(1.2, lambda _: 0.0), ["it was too short to tell whether memory grows"]),
        (samples(8, lambda _: 0.0, leaked=lambda seconds: int(seconds // 60)), ["sockets were left open"]),
        (samples(8, lambda _: 0.0, leaked=lambda _: 250), ["more sockets than deletes may have"]),
    ],
)
def test_what_does_not_hold_is_told(found: list[Sample], wrong: list[str]) -> None:
    did = soaked(found)
    told = violations(did)
    assert len(told) == len(wrong), told
    assert all(said.startswith(expected) for said, expected in zip(told, wrong, strict=True))
    assert figures(did)["open files"] == "20 to 20, at the end 20"
