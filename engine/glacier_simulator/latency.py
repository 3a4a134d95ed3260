"""How long the pretended service takes to answer.

Lognormal around a median with sigma 0.45, the spread that the pacing model of this project was tuned against; a
refused request is answered in a third of the time, since a real limiter rejects before the work is done.  The
samples are drawn once, from the seed, and used in turn: an answer costs one list access, and the same seed gives
the same series.
"""

from __future__ import annotations

import random

SIGMA = 0.45
REFUSED_SHARE = 1 / 3
_SAMPLES = 4096


class Latency:
    """A cycle of waiting times around ``median_seconds``; 0 means that nothing ever waits."""

    def __init__(self, median_seconds: float, seed: int) -> None:
        self._seed = seed
        self._next = 0
        self._samples: list[float] = []
        self.median_seconds = 0.0
        self.change(median_seconds)

    def change(self, median_seconds: float) -> None:
        """Move the median; the spread stays the same."""
        if not 0 <= median_seconds <= 3600:
            raise ValueError(f"a latency of {median_seconds} s is not between 0 and 3600 s")
        draw = random.Random(self._seed)  # noqa: S311 - repeatable on purpose
        self.median_seconds = median_seconds
        self._samples = [median_seconds * draw.lognormvariate(0, SIGMA) for _ in range(_SAMPLES)]

    def seconds(self) -> float:
        """The next waiting time."""
        if not self.median_seconds:
            return 0.0
        self._next = (self._next + 1) % _SAMPLES
        return self._samples[self._next]
