"""Which request ids replies have carried: the service gives each reply one of its own, so one seen twice is a repeat.

What this catches: a box in between that answers a delete with a reply it keeps (of the same connection or of another
one), replies that have fallen behind by one, one reply given to two deletes.  What it cannot: replies that are each
given once and to the wrong delete, a reply kept for longer than the window reaches or from before this process began,
and an id that is made up.  Nothing in a 204 says which archive it is about; that an archive is gone is proven by a
later inventory alone.
"""

from __future__ import annotations

IDS_KEPT_MIN = 16_384
"""So many of the last ids are known at least, twice as many at most: minutes at 100 a second, in 5 MB."""


class SeenRequestIds:
    """The last request ids, in two generations: the older is forgotten as a whole when the newer is full."""

    __slots__ = ("_newer", "_older")

    def __init__(self) -> None:
        self._newer: set[str] = set()
        self._older: set[str] = set()

    def is_new(self, request_id: str) -> bool:
        """Note an id; tell whether none of the last replies had it. One that keeps coming is never forgotten."""
        newer = self._newer
        if request_id in newer:
            return False
        is_new = request_id not in self._older
        newer.add(request_id)
        if len(newer) >= IDS_KEPT_MIN:
            self._newer, self._older = set(), newer
        return is_new
