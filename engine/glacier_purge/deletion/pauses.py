"""Who holds dispatch now, and why: each side by itself, so that the end of one pause does not lift another's.

An operator, a hold on the vault, a lease that may have run out, a replica that is behind, expired credentials and a
closed window may all want a run to pause at the same time.
Sending goes on when the last of them lets go.  Never waits and never tells anyone: the pool asks.
"""

from __future__ import annotations

from enum import Enum

from glacier_purge.deletion.reason import Cause, Reason


class Side(Enum):
    """Who can hold dispatch; the order is the one in which reasons are told."""

    OPERATOR = "operator"
    HOLD = "hold"
    LEASE = "lease"
    REPLICA = "replica"
    WINDOW = "window"
    CREDENTIALS = "credentials"


class Pauses:
    """The pauses in force, at most one a side. True while there is any."""

    def __init__(self) -> None:
        self._why: dict[Side, str] = {}

    def __bool__(self) -> bool:
        return bool(self._why)

    def begin(self, side: Side, why: str) -> None:
        """Let ``side`` hold dispatch. ``why`` is for people; a later one of the same side replaces it."""
        self._why[side] = why

    def end(self, side: Side) -> None:
        """Let go for ``side``; nothing happens when it held nothing."""
        self._why.pop(side, None)

    def sides(self) -> list[Side]:
        """Who holds dispatch."""
        return [side for side in Side if side in self._why]

    def why_of(self, side: Side) -> str | None:
        """The reason of one side; None when it holds nothing."""
        return self._why.get(side)

    def why(self) -> Reason | None:
        """The first side's cause with every reason in one sentence; None when nobody holds dispatch."""
        sides = self.sides()
        return Reason(Cause(sides[0].value), "; and ".join(self._why[side] for side in sides)) if sides else None
