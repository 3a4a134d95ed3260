"""Which request ids replies have carried: the service gives each reply one of its own, so one seen twice is a repeat.

What this catches: a box in between that answers a delete with a reply it keeps (of the same connection or of another
one, to a delete of another vault, to a question, to what an earlier process of the run sent last), replies that have
fallen behind by one, one reply given to two deletes.  What it cannot: replies that are each given once and to the wrong
delete, a reply kept for longer than the window reaches, and an id that is made up.  Nothing in a 204 says which archive
it is about; that an archive is gone is proven by a later inventory alone.
"""

from __future__ import annotations

IDS_KEPT_MIN = 4_096
"""So many of the last ids are known at least, twice as many at most: 40 s at 100 a second, and all that a thousand
connections said last, in 1 MB. Ids of minutes ago would push the rest of the engine out of the processor's cache."""


class SeenRequestIds:
    """The last request ids, in two generations: the older is forgotten as a whole when the newer is full.

    Whoever looks at each of millions, to whom a call is dear, looks into both itself, adds to ``newer`` what came, and
    calls ``turn_over`` now and then.
    """

    __slots__ = ("newer", "older")

    def __init__(self) -> None:
        self.newer: set[str] = set()
        self.older: set[str] = set()

    def is_new(self, request_id: str) -> bool:
        """Note an id; tell whether none of the last replies had it. One that keeps coming is never forgotten."""
        if request_id in self.newer:
            return False
        is_new = request_id not in self.older
        self.newer.add(request_id)
        self.turn_over()
        return is_new

    def turn_over(self) -> None:
        """Begin another generation when the newer one is full."""
        if len(self.newer) >= IDS_KEPT_MIN:
            self.newer, self.older = set(), self.newer
