"""What reached the service, for tests and for people: counts of every DELETE archive, and which archives it was for."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from glacier_simulator.archives import Shelf


class Tally(msgspec.Struct):
    """Deletes by what became of them. ``received`` counts those past the throttle, whatever they were answered.

    ``already_gone`` were answered 204 like the first time; so were ``unknown``, well-formed ids that no vault here
    ever held.  ``wrong_vault`` belonged to another vault, ``malformed`` could not be an id, ``denied`` met a
    policy, ``no_vault`` named a vault that is not there.
    """

    received: int = 0
    throttled: int = 0
    already_gone: int = 0
    unknown: int = 0
    wrong_vault: int = 0
    malformed: int = 0
    denied: int = 0
    no_vault: int = 0


class Ledger:
    """A live view: it counts nothing for itself. Shelves of deleted vaults are part of it."""

    __slots__ = ("_shelves", "tally")

    def __init__(self, tally: Tally, shelves: dict[int, Shelf]) -> None:
        self.tally = tally
        self._shelves = shelves

    @property
    def deletes_received(self) -> int:
        """Deletes that reached the operation; throttled ones are not among them."""
        return self.tally.received

    @property
    def throttled(self) -> int:
        """Deletes turned away for rate."""
        return self.tally.throttled

    @property
    def distinct_ids(self) -> int:
        """Archives for which at least one delete reached the operation."""
        return sum(shelf.distinct_received for shelf in self._shelves.values())

    @property
    def archives_left(self) -> int:
        """Archives still there, in all vaults."""
        return sum(shelf.live for shelf in self._shelves.values())

    def times_received(self, archive_id: str) -> int:
        """How often a delete for this archive reached the operation; 255 means that often or more."""
        return sum(shelf.received[index] for shelf, index in self._places(archive_id))

    def times_throttled(self, archive_id: str) -> int:
        """How often a delete for this archive was turned away for rate; 255 means that often or more."""
        return sum(shelf.throttled[index] for shelf, index in self._places(archive_id))

    def received_indices(self, shelf_number: int) -> Iterator[int]:
        """Indices on a shelf (the order of its inventory) that deletes came for, throttled or not."""
        shelf = self._shelves[shelf_number]
        return (index for index in range(len(shelf)) if shelf.received[index] or shelf.throttled[index])

    def received_ids(self, shelf_number: int) -> Iterator[str]:
        """The same as ids."""
        return map(self._shelves[shelf_number].archive_id, self.received_indices(shelf_number))

    def summary(self) -> dict[str, int]:
        """All counts under the names they are published by."""
        counts = msgspec.structs.asdict(self.tally)
        del counts["received"]
        return {
            "deletes_received": self.deletes_received,
            "distinct_ids": self.distinct_ids,
            "archives_left": self.archives_left,
            **counts,
        }

    def _places(self, archive_id: str) -> Iterator[tuple[Shelf, int]]:
        for shelf in self._shelves.values():
            index = shelf.find(archive_id)
            if index is not None:
                yield shelf, index
