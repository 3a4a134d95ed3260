"""What went out and what came back lately, counted in slices of about a tenth of a second.

The pacer asks three questions of the recent past: how fast was sent, how fast was accepted, which share failed.
Counts per slice answer them at a cost that does not grow with the rate: a deque of time stamps at 30,000/s would
hold 30,000 floats for every second looked back on.  A slice is as long as it took (a stalled process makes one long
slice), so the rates stay right through pauses.  Nothing here decides anything.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

SLICE_SECONDS = 0.1
_ROUNDING_SECONDS = 1e-9
_SLICES_KEPT = 256
"""25 s at full length: at the slowest rate, 0.5/s, ten sends take 20 s."""


class Slice(NamedTuple):
    """Counts over ``seconds``; ``answered`` counts replies of every kind, the ``faulted`` ones included."""

    seconds: float
    sent: int
    accepted: int
    faulted: int
    answered: int

    @property
    def sent_per_second(self) -> float:
        """Attempts that left, per second; 0 where no time passed."""
        return self.sent / self.seconds if self.seconds > 0 else 0.0

    @property
    def accepted_per_second(self) -> float:
        """Deletes the service took, per second; 0 where no time passed."""
        return self.accepted / self.seconds if self.seconds > 0 else 0.0

    @property
    def fault_share(self) -> float:
        """Part of the replies that were faults; 0 where there were none."""
        return self.faulted / self.answered if self.answered else 0.0


class Traffic:
    """The closed slices of the last 25 seconds or so, newest last."""

    __slots__ = ("_slices",)

    def __init__(self) -> None:
        self._slices: deque[Slice] = deque(maxlen=_SLICES_KEPT)

    def close(self, slice_: Slice) -> None:
        """Add the newest slice."""
        self._slices.append(slice_)

    def over(self, seconds: float, *, replies_max: int | None = None) -> Slice:
        """Sum the newest slices that cover at least ``seconds``, or fewer once ``replies_max`` replies are in.

        Less than ``seconds`` come back only where there are no more.
        """
        covered, sent, accepted, faulted, answered = 0.0, 0, 0, 0, 0
        for slice_ in reversed(self._slices):
            covered += slice_.seconds
            sent += slice_.sent
            accepted += slice_.accepted
            faulted += slice_.faulted
            answered += slice_.answered
            if covered >= seconds - _ROUNDING_SECONDS or (replies_max is not None and answered >= replies_max):
                break
        return Slice(covered, sent, accepted, faulted, answered)

    def fastest_sent_per_second(self, seconds: float) -> float:
        """Return the rate of the fastest slice among those that cover the last ``seconds``; ``inf`` without any.

        The fastest, because a feed that comes in gusts sends at full pace and then not at all.
        """
        covered, fastest = 0.0, 0.0
        for slice_ in reversed(self._slices):
            covered += slice_.seconds
            fastest = max(fastest, slice_.sent_per_second)
            if covered >= seconds - _ROUNDING_SECONDS:
                break
        return fastest or math.inf
