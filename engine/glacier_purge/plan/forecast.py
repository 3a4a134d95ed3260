"""A forecast of a purge, from inventory to deleted vault, each step from the shortest to the longest. Pure.

What is not ours to decide takes as long as it was seen to take; what is ours takes as long as the limit last found for
this account and region lets it.  A forecast: it is shown, and nothing is decided by it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

_HOUR = 3_600.0
_INVENTORY_JOB = (3.5 * _HOUR, 4.0 * _HOUR, 7.0 * _HOUR)
"""Seen from 3 h 47 min (AWS's own sample) to 7 h (field report); AWS's transfer solution gives up after 6 h."""
_NEXT_INVENTORY = (4.0 * _HOUR, 24.0 * _HOUR, 48.0 * _HOUR)
"""Inventories are made about daily; 4 to 8 h seen at best, AWS says 24 to 48 h."""
_DELETE_VAULT = (1.0, 60.0, 72.0 * _HOUR)
"""At once when the inventory has it; "recently written to" is tried again for up to three days."""
_USUAL_PER_SECOND = (100.0, 75.0, 23.0)
"""Deletes a second in field reports and AWS's own tool: 75 to 77 in parallel, 23 one after the other."""
_ROUGHLY = (1.1, 1.0, 0.5)
"""A limit found before: it may have risen a little, or others may be using half of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRate:
    """What earlier runs learnt for this account, region and endpoint. ``is_limit``: it was the service that held it."""

    per_second: float
    is_limit: bool
    seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """One step of the forecast and when it ends, at the soonest, likely, and at the latest that was ever seen."""

    name: str
    seconds: tuple[float, float, float]
    ends: tuple[datetime, datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A purge day by day. ``assumed`` tells what the rate of the deletes was taken from."""

    steps: tuple[Milestone, ...]
    assumed: str


def forecast(
    archives: int,
    now: datetime,
    *,
    known: KnownRate | None,
    per_second_max: float | None,
    has_inventory: bool,
    per_second: float | None = None,
) -> Forecast:
    """Lay out the days of deleting ``archives`` from ``now`` on; ``has_inventory`` leaves out the first wait.

    ``per_second`` is a rate that somebody asks about, instead of what is known or usual.
    """
    rates, assumed = _rates(known, per_second_max)
    if per_second is not None:
        rates, assumed = (per_second, per_second, per_second), f"{per_second:,.1f} deletes a second, as asked for"
    deletes = (archives / rates[0], archives / rates[1], archives / rates[2])
    spans = [
        *([] if has_inventory else [("inventory", _INVENTORY_JOB)]),
        ("deletes", deletes),
        ("next inventory", _NEXT_INVENTORY),
        ("delete vault", _DELETE_VAULT),
    ]
    steps = []
    passed = (0.0, 0.0, 0.0)
    for name, seconds in spans:
        passed = (passed[0] + seconds[0], passed[1] + seconds[1], passed[2] + seconds[2])
        ends = (_later(now, passed[0]), _later(now, passed[1]), _later(now, passed[2]))
        steps.append(Milestone(name=name, seconds=seconds, ends=ends))
    return Forecast(steps=tuple(steps), assumed=assumed)


def _rates(known: KnownRate | None, per_second_max: float | None) -> tuple[tuple[float, float, float], str]:
    if known is None:
        rates = _USUAL_PER_SECOND
        assumed = "no run has met this account's limit here yet: 23 to 100 deletes a second, as others report"
    else:
        quick, likely, slow = _ROUGHLY
        rates = (known.per_second * quick, known.per_second * likely, known.per_second * slow)
        what = "limit met" if known.is_limit else "rate reached"
        assumed = f"{known.per_second:,.1f} deletes a second, the {what} in the last run, {known.seen:%Y-%m-%d}"
    if per_second_max is not None and per_second_max < rates[0]:
        rates = (per_second_max, min(per_second_max, rates[1]), min(per_second_max, rates[2]))
        assumed += f"; at most {per_second_max:,.1f} by the settings"
    return rates, assumed


def _later(now: datetime, seconds: float) -> datetime:
    """``seconds`` after ``now``; the last day there is where that lies beyond."""
    try:
        return now + timedelta(seconds=math.ceil(seconds))
    except OverflowError:
        return datetime.max.replace(tzinfo=now.tzinfo)
