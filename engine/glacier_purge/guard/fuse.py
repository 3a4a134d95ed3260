"""The first few go alone, and too many failures end the run: what keeps a mistake small.

Stands between the pool and the journal as the pool's recorder, so it sees every outcome and delays none.  The feed asks
it how many archives may be released: ten, then a hundred more once those ten have their outcomes, then all.  Each stage
ends with a line in the audit log; one failed archive in it stops the run, resumable, for somebody to look.  Afterwards
the fuse watches: more failures than allowed, or too large a part, and nothing new is sent.

It counts for one process: to start the same command again is to say "go on all the same".  It never decides about a
single archive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import anyio

from glacier_purge.audit.journal import Journal
from glacier_purge.audit.record import Outcome

SHARE_COUNTS_FROM = 1_000
"""Outcomes before a share of them says anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FuseSettings:
    """How carefully a run begins and when it gives up. ``stages`` are archives sent alone.

    ``failed_share_max`` is 0 to 1. None never gives up for that reason.
    """

    stages: tuple[int, ...] = (10, 100)
    failed_max: int | None = 100
    failed_share_max: float | None = 0.01


class Canary:
    """The pool's recorder in front of ``journal``. ``stop`` is called at most once, with the reason in words."""

    def __init__(self, journal: Journal, caution: FuseSettings, stop: Callable[[str], None]) -> None:
        counts = journal.ledger.counts
        self._journal = journal
        self._caution = caution
        self._stop = stop
        self._before = counts["deleted"] + counts["failed"]
        self._released = self._before
        self._settled = 0
        self._failed = 0
        self._failed_before_stage = 0
        self._ends = [end for end in accumulate(caution.stages) if end > self._before]
        self._stopped = False
        self._stage_over = anyio.Event()

    # -- for the pool -------------------------------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """Outcomes taken that are not on disk yet."""
        return self._journal.pending

    def record(self, outcomes: Sequence[Outcome], /) -> None:
        """Take outcomes; never waits."""
        self._journal.record(outcomes)
        self._settled += len(outcomes)
        for outcome in outcomes:
            if outcome.outcome == "failed":
                self._failed += 1
                self._look_at_the_fuse()
        if self._ends and not self._stopped and self._before + self._settled >= self._ends[0]:
            self._end_stage()

    async def room(self) -> None:
        """Wait until the disk has caught up."""
        await self._journal.room()

    # -- for the feed -------------------------------------------------------------------------------------------------

    async def releasable(self, most: int) -> int:
        """Say how many archives may be released now, at most ``most``; wait while a stage is not settled."""
        while self._ends:
            if self._released < self._ends[0]:
                return min(most, self._ends[0] - self._released)
            await self._stage_over.wait()
        return most

    def released(self, archives: int) -> None:
        """Count archives that were released."""
        self._released += archives

    # -- inside -------------------------------------------------------------------------------------------------------

    def _end_stage(self) -> None:
        failed = self._failed - self._failed_before_stage
        self._failed_before_stage = self._failed
        self._journal.note("canary", archives=self._before + self._settled, failed=failed)
        if failed:
            self._give_up(f"{failed:,} of the first {self._ends[0]:,} archives failed")
            return
        self._ends.pop(0)
        self._stage_over.set()
        self._stage_over = anyio.Event()

    def _look_at_the_fuse(self) -> None:
        allowed = self._caution.failed_max
        if allowed is not None and self._failed > allowed:
            self._give_up(f"{self._failed:,} archives failed, more than the {allowed:,} of safety.fuse_failed_max")
        share = self._caution.failed_share_max
        if share is not None and self._settled >= SHARE_COUNTS_FROM and self._failed > share * self._settled:
            self._give_up(
                f"{self._failed:,} of {self._settled:,} archives failed, more than the {share:.1%} of "
                "safety.fuse_failed_share"
            )

    def _give_up(self, reason: str) -> None:
        if not self._stopped:
            self._stopped = True
            self._stop(reason)
