"""The situations a pacer has to live with: ten that differ in the service, and three that differ in the company.

A scenario is a list of changes: after each, the limit stays as it is until the next. What is measured begins 30 s
after a change ("settled"); how long settling took is measured separately.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.pacing.server_model import Limiter, ServiceModel

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One situation; ``changes_at`` are the seconds at which the limit steps, 0 included."""

    name: str
    title: str
    model: ServiceModel
    seconds: int
    changes_at: tuple[int, ...] = (0,)
    workers: int = 256


def steps(*figures: tuple[float, float]) -> Callable[[float], float]:
    """Return the function of time that takes each (from second, value) in turn."""

    def value_at(now: float) -> float:
        return next(value for begins_at, value in reversed(figures) if begins_at <= now)

    return value_at


def _always(value: float) -> Callable[[float], float]:
    return lambda _now: value


STEADY = ServiceModel(rate_at=_always(100.0), burst=100.0)

SCENARIOS = (
    Scenario(name="A", title="steady 100/s", model=STEADY, seconds=300),
    Scenario(
        name="B",
        title="100, then 30, then 300/s",
        model=ServiceModel(rate_at=steps((0, 100.0), (200, 30.0), (400, 300.0)), burst=100.0),
        seconds=600,
        changes_at=(0, 200, 400),
    ),
    Scenario(
        name="C",
        title="2 % faults, 20 s of 40 %",
        model=ServiceModel(
            rate_at=_always(100.0), burst=100.0, fault_share_at=steps((0, 0.02), (150, 0.4), (170, 0.02))
        ),
        seconds=300,
    ),
    Scenario(
        name="D",
        title="bucket of 1,000",
        model=ServiceModel(rate_at=_always(100.0), burst=1000.0),
        seconds=300,
    ),
    Scenario(
        name="E",
        title="steady 5/s",
        model=ServiceModel(rate_at=_always(5.0), burst=5.0),
        seconds=600,
    ),
    Scenario(
        name="F",
        title="latency 600 ms",
        model=ServiceModel(rate_at=_always(100.0), burst=100.0, latency_median_seconds=0.6),
        seconds=300,
    ),
    Scenario(
        name="G",
        title="fixed window of 1 s",
        model=ServiceModel(rate_at=_always(100.0), burst=100.0, limiter=Limiter.FIXED_WINDOW),
        seconds=300,
    ),
    Scenario(
        name="H",
        title="rejects cost a token",
        model=ServiceModel(rate_at=_always(100.0), burst=100.0, limiter=Limiter.TOKEN_BUCKET_CHARGING_REJECTS),
        seconds=300,
    ),
    Scenario(
        name="I",
        title="100/s +-40 %, sine of 120 s",
        model=ServiceModel(
            rate_at=lambda now: 100.0 * (1.0 + 0.4 * math.sin(2.0 * math.pi * now / 120.0)), burst=100.0
        ),
        seconds=390,
    ),
    Scenario(
        name="J",
        title="steady 1,000/s, 1,000 workers",
        model=ServiceModel(rate_at=_always(1000.0), burst=1000.0),
        seconds=90,
        workers=1000,
    ),
)

OVERLOADED = (60, 240)
"""From which second until which the service is overloaded, where it is for a while."""
FAULTS = (
    *(
        Scenario(
            name=f"{share:.0%}",
            title=f"{share:.0%} faults at any rate",
            model=ServiceModel(rate_at=_always(100.0), burst=100.0, fault_share_at=_always(share)),
            seconds=300,
        )
        for share in (0.03, 0.10, 0.30, 0.60)
    ),
    *(
        Scenario(
            name=f"{name} {served}/s",
            title=f"serves {served}/s of the 100/s it admits, faults after {seconds:g} s",
            model=ServiceModel(
                rate_at=_always(100.0),
                burst=100.0,
                served_at=steps((0, math.inf), (OVERLOADED[0], served), (OVERLOADED[1], math.inf)),
                fault_latency_median_seconds=seconds,
            ),
            seconds=300,
        )
        for name, served, seconds in (("overload", 70, 0.12), ("overload", 40, 0.12), ("slow overload", 40, 3.0))
    ),
    Scenario(
        name="slow",
        title="30 % faults at any rate, after 3 s",
        model=ServiceModel(
            rate_at=_always(100.0), burst=100.0, fault_share_at=_always(0.3), fault_latency_median_seconds=3.0
        ),
        seconds=300,
    ),
    Scenario(
        name="gusts",
        title="60 % faults for 5 s of every 20 s",
        model=ServiceModel(
            rate_at=_always(100.0), burst=100.0, fault_share_at=lambda now: 0.6 if now % 20.0 < 5.0 else 0.003
        ),
        seconds=300,
    ),
    Scenario(
        name="both",
        title="30 % faults at any rate, serves 30/s for a while",
        model=ServiceModel(
            rate_at=_always(100.0),
            burst=100.0,
            fault_share_at=_always(0.3),
            served_at=steps((0, math.inf), (OVERLOADED[0], 30.0), (OVERLOADED[1], math.inf)),
        ),
        seconds=300,
    ),
)
"""A service that fails: at any rate, where it is overloaded, slowly, in gusts, and two of these at once."""

OUTAGE_SECONDS = 60
OUTAGE_ENDS_AT = 160
OUTAGE = Scenario(
    name="outage",
    title="everything fails for 60 s",
    model=ServiceModel(
        rate_at=_always(100.0),
        burst=100.0,
        fault_share_at=steps((0, 0.003), (OUTAGE_ENDS_AT - OUTAGE_SECONDS, 1.0), (OUTAGE_ENDS_AT, 0.003)),
    ),
    seconds=240,
)


def steady(rate_per_second: float, *, seconds: int = 300, workers: int = 256) -> Scenario:
    """Return a steady limit with a bucket of one second's worth."""
    return Scenario(
        name=f"steady {rate_per_second:g}",
        title=f"steady {rate_per_second:g}/s",
        model=ServiceModel(rate_at=_always(rate_per_second), burst=rate_per_second),
        seconds=seconds,
        workers=workers,
    )
