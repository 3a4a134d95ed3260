"""The pretended service's own time, in seconds since 1970: wall, scaled, or moved by hand.

It runs on the event loop's clock and only begins at the wall's, so that under a virtual-time loop the service's days
pass with the loop's.  It never runs backwards: a vault's history would no longer hold together.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_read = time.time


def wall_seconds() -> float:
    """This host's time in seconds since 1970: clients sign by it, and a service that is given no other begins at it."""
    return _read()


class SimulatorClock:
    """Time that runs ``scale`` times as fast as ``monotonic`` from ``start`` on; at scale 0 it stands still."""

    def __init__(self, monotonic: Callable[[], float], *, start: float, scale: float = 1.0) -> None:
        self._monotonic = monotonic
        self._base = start
        self._anchor = monotonic()
        self._scale = _checked(scale)

    @property
    def scale(self) -> float:
        """Simulated seconds a real second."""
        return self._scale

    def real_seconds(self) -> float:
        """The clock underneath, which neither scales nor steps; its zero means nothing."""
        return self._monotonic()

    def now(self) -> float:
        """Seconds since 1970 in simulated time."""
        return self._base + (self._monotonic() - self._anchor) * self._scale

    def rescale(self, scale: float) -> None:
        """Go on from now at another speed; 0 stops the clock until it is stepped."""
        self._base, self._anchor, self._scale = self.now(), self._monotonic(), _checked(scale)

    def step(self, seconds: float) -> None:
        """Let ``seconds`` pass at once. Raises ``ValueError`` when they would pass backwards."""
        if not 0 <= seconds <= 100 * 366 * 86_400:
            raise ValueError(f"the clock cannot be moved by {seconds} s: only forwards, and by 100 years at most")
        self._base += seconds


def _checked(scale: float) -> float:
    if not 0 <= scale <= 1_000_000:
        raise ValueError(f"a time scale of {scale} is not between 0 and 1,000,000")
    return scale
