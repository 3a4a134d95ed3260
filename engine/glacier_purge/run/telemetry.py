"""How a run stands at one moment, as facts: for the audit log, for the screen, and for who asks from outside.

The counts are one process's own; ``why`` is one sentence for people and ``until``, where it is known, when what it
names ends.
"""

from __future__ import annotations

import math

from glacier_purge.deletion.budget import Pacing
from glacier_purge.deletion.pauses import Side
from glacier_purge.deletion.pool import Pool
from glacier_purge.deletion.tally import Tally
from glacier_purge.run.windows import Hours, in_words

BEFORE: dict[str, object] = {
    "state": "checking",
    "why": "checking the plan, its files and the vault before anything is sent",
}
"""The moment before there is anything to tell of."""


def moment(*, tally: Tally, pacer: Pacing, pool: Pool, hours: Hours, active_seconds: float) -> dict[str, object]:
    """Say how the work goes now; latencies are those since they were last cleared."""
    percentiles = [tally.latencies.percentile_seconds(share) for share in (0.5, 0.99)]
    p50_ms, p99_ms = (None if seconds is None else round(seconds * 1000, 1) for seconds in percentiles)
    return {
        "state": _state(pool),
        "why": pool.why(),
        "until": in_words(hours.opens if pool.paused_by == [Side.WINDOW] else None),
        "paused_by": [side.value for side in pool.paused_by],
        "hold": pool.why_paused(Side.HOLD),
        "window_closes": in_words(hours.closes),
        "max_per_second": _figure(pacer.rate_per_second_max),
        "asked_per_second": _figure(pacer.rate_per_second),
        "limit_per_second": _figure(pacer.limit_per_second),
        "accepted_per_second": _figure(pacer.accepted_per_second),
        "attempts": tally.sent,
        "accepted": tally.accepted,
        "throttled": tally.throttled,
        "server_faults": tally.faults,
        "in_flight": pool.in_flight,
        "waiting": pool.waiting,
        "p50_ms": p50_ms,
        "p99_ms": p99_ms,
        "active_seconds": round(active_seconds, 3),
    }


def _state(pool: Pool) -> str:
    if pool.stop_reason is not None:
        return "stopping"
    return "paused" if pool.paused_by else "running"


def _figure(per_second: float | None) -> float | None:
    return None if per_second is None or math.isinf(per_second) else round(per_second, 2)
