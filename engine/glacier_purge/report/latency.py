"""Percentiles of latency, as measured and with coordinated omission put right.

A client that waits for a reply before it sends the next request does not send while the service stalls, so a stall of
a second shows as one slow request and not as the hundred that would have met it.  Two corrections, by how the load was
made:

- *closed loop* (as many in flight as allowed, no rate): each latency longer than the interval at which a worker would
  have sent stands for the requests it kept from being sent; they are added as HdrHistogram's
  ``recordValueWithExpectedInterval`` does: one interval shorter each, down to one interval.
- *open loop* (a fixed rate): a request's latency counts from the moment the rate had it leave, as in wrk2.

Pure: takes seconds, returns seconds or milliseconds, and never decides which correction fits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99_9": 99.9}


def percentiles_ms(latencies_seconds: Iterable[float]) -> dict[str, float] | None:
    """The latencies (ms) that 50, 90, 99 and 99.9 % did not exceed (nearest rank), and the longest; None for none."""
    ordered = sorted(latencies_seconds)
    if not ordered:
        return None
    found = {name: _nearest_rank(ordered, percent) for name, percent in PERCENTILES.items()} | {"max": ordered[-1]}
    return {name: round(seconds * 1000, 3) for name, seconds in found.items()}


def with_requests_not_sent(latencies_seconds: Iterable[float], interval_seconds: float) -> list[float]:
    """Add the latencies of the requests that a closed loop kept back, one every ``interval_seconds`` (above 0)."""
    if not interval_seconds > 0:
        raise ValueError(f"requests are not {interval_seconds} s apart")
    corrected: list[float] = []
    for latency in latencies_seconds:
        corrected.append(latency)
        missed = latency - interval_seconds
        while missed >= interval_seconds:
            corrected.append(missed)
            missed -= interval_seconds
    return corrected


def since_due(sent_at_seconds: Sequence[float], latencies_seconds: Sequence[float], per_second: float) -> list[float]:
    """Latencies counted from when each request was due: the first when it was sent, then ``per_second`` of them.

    The two sequences go together and may be in any order; a request that left before it was due counts as sent.
    """
    sent = sorted(zip(sent_at_seconds, latencies_seconds, strict=True))
    return [max(0.0, at - (sent[0][0] + number / per_second)) + latency for number, (at, latency) in enumerate(sent)]


def _nearest_rank(ordered: Sequence[float], percent: float) -> float:
    return ordered[max(1, math.ceil(round(len(ordered) * percent / 100, 9))) - 1]
