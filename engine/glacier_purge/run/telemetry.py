"""How a run stands at one moment, as facts: for the audit log, for the screen, and for who asks from outside.

The counts are one process's own; ``why`` is one sentence for people, ``cause`` the word for it that stays the same
(``deletion.reason``), and ``until``, where it is known, when what it names ends.

How fast it goes is counted over the last seconds of this run, from samples a second apart.  The pacer's own figure is
another thing: it stands still while nothing is asked of it, and a fleet's vaults share it.
"""

from __future__ import annotations

import math
from collections import deque

from glacier_purge.deletion.budget import Pacing
from glacier_purge.deletion.pauses import Side
from glacier_purge.deletion.pool import Pool
from glacier_purge.deletion.reason import Cause
from glacier_purge.deletion.tally import Tally
from glacier_purge.run.windows import Hours, in_words

BEFORE: dict[str, object] = {
    "state": "checking",
    "cause": Cause.CHECKING.value,
    "why": "checking the plan, its files and the vault before anything is sent",
}
"""The moment before there is anything to tell of."""
SAMPLE_SECONDS = 1.0
_WINDOW_SAMPLES = 5
_SHORTEST_SECONDS = 0.5
"""A rate over less than this is chance."""
_RAMP_SHARE, _RAMP_DELETES = 1.5, 3
"""More than this much faster than in the window before is a pace that still grows; few deletes vary by themselves."""


class RecentRate:
    """Deletes a second over the last five. ``sample`` it every ``SAMPLE_SECONDS``, with seconds of any one clock."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=2 * _WINDOW_SAMPLES + 1)

    def sample(self, now: float, accepted: int) -> None:
        """Take in how many deletes were accepted by now."""
        self._samples.append((now, accepted))

    def begin_anew(self) -> None:
        """Forget what was: a pause, or another pace was ordered."""
        self._samples.clear()

    def per_second(self, now: float, accepted: int) -> float | None:
        """The rate now; None where that can't be told yet."""
        if not self._samples:
            return None
        begun, before = self._samples[max(0, len(self._samples) - _WINDOW_SAMPLES)]
        seconds = now - begun
        return None if seconds < _SHORTEST_SECONDS else (accepted - before) / seconds

    @property
    def is_steady(self) -> bool:
        """Whether it says how long the rest will take: not as long as the pace still grows, as at the start."""
        samples = self._samples
        if len(samples) <= 2 * _WINDOW_SAMPLES:
            return False
        first, middle, last = (samples[place][1] for place in (0, _WINDOW_SAMPLES, -1))
        return last - middle <= _RAMP_SHARE * (middle - first) + _RAMP_DELETES


def moment(
    *, tally: Tally, recent: RecentRate, pacer: Pacing, pool: Pool, hours: Hours, now: float, active_seconds: float
) -> dict[str, object]:
    """Say how the work goes ``now``, by the clock of ``recent``; latencies are those since they were last cleared.

    In a pause nothing moves, so there is no rate.
    """
    moves = not pool.paused_by
    percentiles = [tally.latencies.percentile_seconds(share) for share in (0.5, 0.99)]
    p50_ms, p99_ms = (None if seconds is None else round(seconds * 1000, 1) for seconds in percentiles)
    cause, why = pool.why()
    return {
        "state": _state(pool),
        "cause": cause.value,
        "why": why,
        "until": in_words(hours.opens if pool.paused_by == [Side.WINDOW] else None),
        "paused_by": [side.value for side in pool.paused_by],
        "hold": pool.why_paused(Side.HOLD),
        "window_closes": in_words(hours.closes),
        "max_per_second": _figure(pacer.rate_per_second_max),
        "asked_per_second": _figure(pacer.rate_per_second),
        "limit_per_second": _figure(pacer.limit_per_second),
        "accepted_per_second": _figure(recent.per_second(now, tally.accepted)) if moves else None,
        "steady": moves and recent.is_steady,
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
