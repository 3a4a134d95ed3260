"""How many requests an account may send in a region: a token bucket, or a window that is counted afresh.

Amazon publishes no figure; field reports speak of 75 to 100 deletes a second for an account and region.  Both
kinds can be changed while running without forgetting what was already used, so that a rate can step under a
client's feet.
"""

from __future__ import annotations

from typing import Literal

import msgspec

LimitKind = Literal["bucket", "window"]


class Limit(msgspec.Struct, frozen=True):
    """What is allowed.

    A ``bucket`` refills at ``rate_per_second`` and holds ``burst`` tokens.  A ``window`` admits ``burst`` requests in
    every ``burst / rate_per_second`` seconds.  ``charges_refused`` makes refused requests cost a token as well, which
    punishes clients that hammer.
    """

    rate_per_second: float
    burst: float
    kind: LimitKind = "bucket"
    charges_refused: bool = False

    def __post_init__(self) -> None:
        if not (self.rate_per_second > 0 and self.burst >= 1):
            raise ValueError(f"a limit needs a rate above 0 and a burst of at least 1, not {self!r}")


class Throttle:
    """Admits or refuses requests one by one; ``limit`` None admits all."""

    __slots__ = ("_last", "_limit", "_tokens")

    def __init__(self, limit: Limit | None) -> None:
        self._limit = limit
        self._tokens = limit.burst if limit else 0.0
        self._last: float | None = None

    @property
    def limit(self) -> Limit | None:
        """What is allowed at present."""
        return self._limit

    def change(self, limit: Limit | None, now: float) -> None:
        """Allow something else from now on. Tokens already there are kept, up to the new burst."""
        if self._limit is None:
            self._tokens = limit.burst if limit else 0.0
        elif limit is not None:
            self._refill(self._limit, now)
            self._tokens = min(self._tokens, limit.burst)
        self._limit = limit
        self._last = now

    def admits(self, now: float) -> bool:
        """Take a token for one request, or refuse it."""
        limit = self._limit
        if limit is None:
            return True
        self._refill(limit, now)
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return True
        if limit.charges_refused:
            # A debt of one burst at most: hammering keeps the door shut, it does not shut it for ever.
            self._tokens = max(self._tokens - 1.0, -limit.burst)
        return False

    def _refill(self, limit: Limit, now: float) -> None:
        last = self._last
        if last is None:
            self._last = now
        elif limit.kind == "bucket":
            if now > last:
                self._tokens = min(limit.burst, self._tokens + (now - last) * limit.rate_per_second)
                self._last = now
        elif now - last >= (window_seconds := limit.burst / limit.rate_per_second):
            self._tokens = limit.burst
            self._last = last + (now - last) // window_seconds * window_seconds
