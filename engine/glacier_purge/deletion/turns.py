"""Whose turn it is: archives that wait after a refusal go first once their wait is over, then fresh ones.

A wait orders those that wait, and does not leave the pace unused: where nothing fresh is left (a stage that ends, the
end of a run), the next in order goes as soon as it may.  Where the service fails, it is the pacer that holds back.

A bounded stream brings fresh archives in batches and is the only buffer; refused ones wait here in a heap without
holding a worker.  The heap is bounded too: while it is full no fresh archive is handed out, so an outage of any
length holds ``parked_max`` archives in memory and no more.  Never sleeps, sends or decides: the pool does.  A turn that
is over becomes an outcome, for a ``Recorder``: the audit journal of a run, or the caller of ``delete_archives``.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Protocol

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream

from glacier_purge.archive import Archive
from glacier_purge.audit.record import Outcome
from glacier_purge.glacier.reply import Meaning

PARKED_MAX = 10_000


class Turn(msgspec.Struct, gc=False):
    """One archive's way through the pool: what was tried so far, and whether a try may have deleted it unseen."""

    archive: Archive
    attempts: int = 0
    sent_at: float = 0.0
    maybe_deleted: bool = False
    replies: dict[Meaning, int] | None = None
    first_sent_at: float = 0.0
    """Known from the first refusal on."""

    def count(self, meaning: Meaning) -> int:
        """Count a reply that was not a deletion, and say how many of its kind there were."""
        if self.replies is None:  # most archives never need one
            self.replies, self.first_sent_at = {}, self.sent_at
        times = self.replies.get(meaning, 0) + 1
        self.replies[meaning] = times
        return times


class Turns:
    """Fresh archives from a stream and parked ones from a heap, in the order they should be sent."""

    def __init__(self, fresh: MemoryObjectReceiveStream[list[Archive]], *, parked_max: int = PARKED_MAX) -> None:
        self._fresh = fresh
        self._batch: list[Archive] = []
        self._at = 0
        self._is_dry = False
        self._parked: list[tuple[float, int, Turn, float]] = []
        self._parked_max = parked_max
        self._parked_ever = 0
        self.ended = False

    def __len__(self) -> int:
        """How many archives wait after a refusal."""
        return len(self._parked)

    def park(self, turn: Turn, ready_at: float, soonest_at: float) -> None:
        """Let ``turn`` wait until ``ready_at`` (the pool's clock), or ``soonest_at`` if nothing else can be sent."""
        self._parked_ever += 1
        heapq.heappush(self._parked, (ready_at, self._parked_ever, turn, soonest_at))

    def ready(self, now: float) -> int:
        """Say how many archives ``take`` may be asked for now. Of those that wait it is one, however many are due."""
        if self._parked and self._due(now):
            return 1
        if self._fresh_here():
            return len(self._batch) - self._at
        return 1 if self._parked and self._parked[0][3] <= now else 0

    def take(self, now: float, most: int) -> list[Turn]:
        """Hand out the next archives, at most as many as ``ready`` said there are."""
        if self._parked and (self._due(now) or not self._fresh_here()):
            return [heapq.heappop(self._parked)[2]]
        begin, self._at = self._at, self._at + most
        return [Turn(archive) for archive in self._batch[begin : self._at]]

    def seconds_until_due(self, now: float) -> float | None:
        """Seconds until the first parked archive may go if nothing fresh comes; None when none is parked."""
        return max(0.0, self._parked[0][3] - now) if self._parked else None

    async def more(self) -> None:
        """Wait for the next batch of fresh archives; for ever when the heap is full or the stream has ended."""
        if self.ended or self._full():
            await anyio.sleep_forever()
        try:
            self._begin(await self._fresh.receive())
            self._is_dry = False
        except anyio.EndOfStream:
            self.ended = True

    def waiting(self) -> list[Turn]:
        """All parked archives, for the record of a run that stops."""
        return [turn for _, _, turn, _ in self._parked]

    def _due(self, now: float) -> bool:
        return self._parked[0][0] <= now

    def _full(self) -> bool:
        return len(self._parked) >= self._parked_max

    def _fresh_here(self) -> bool:
        if self._full():
            return False
        if self._at < len(self._batch):
            return True
        if self._is_dry:  # a stream found empty once is waited for in ``more``: each look would cost an exception
            return False
        try:
            self._begin(self._fresh.receive_nowait())
        except (anyio.WouldBlock, anyio.EndOfStream):
            self._is_dry = True
            return False
        return bool(self._batch)

    def _begin(self, batch: list[Archive]) -> None:
        self._batch = self._batch[self._at :] + batch
        self._at = 0


class Recorder(Protocol):
    """Takes outcomes at once and tells when it needs a pause; the pool stops sending until it has room again."""

    @property
    def pending(self) -> int:
        """Outcomes taken and not yet where they belong."""

    def record(self, outcomes: Sequence[Outcome], /) -> None:
        """Take outcomes; never waits."""

    async def room(self) -> None:
        """Wait until there is room for more."""
