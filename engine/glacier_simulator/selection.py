"""Which archives of a snapshot an inventory job lists: a range of upload times, and pages of ``Limit`` archives.

StartDate is inclusive, EndDate exclusive, both to the second; Marker continues where the page before ended
(Developer Guide, "Range inventory retrieval").  A marker is the id of the last archive listed, which
stays valid when archives around it are deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from glacier_simulator import dates
from glacier_simulator.archives import Shelf, indices_of
from glacier_simulator.inventory import Snapshot
from glacier_simulator.jobs import InventoryRequest


def select(shelf: Shelf, snapshot: Snapshot, request: InventoryRequest) -> tuple[Sequence[int] | None, str | None]:
    """The indices to list (None: all there are) and the marker to go on with (None: this is the end)."""
    if request.lists_all:
        return None, None
    matching = _matching(shelf, snapshot, request)
    page = list(matching if request.limit is None else islice(matching, request.limit))
    more = page and next(matching, None) is not None
    return page, shelf.archive_id(page[-1]) if more else None


def _matching(shelf: Shelf, snapshot: Snapshot, request: InventoryRequest) -> Iterator[int]:
    start = dates.read(request.start_date) if request.start_date else None
    end = dates.read(request.end_date) if request.end_date else None
    after = shelf.find(request.marker) if request.marker else None
    for index in indices_of(0, snapshot.gone):
        if after is not None and index <= after:
            continue
        second = int(shelf.created(index))
        if (start is None or second >= int(start)) and (end is None or second < int(end)):
            yield index
