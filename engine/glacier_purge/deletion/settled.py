"""Outcomes on their way from the pool to the recorder: together once a turn of the event loop, not one by one.

A turn brings dozens of replies at full speed, and recording costs less once a turn than once an archive.  Nothing is
delayed by it: the log commits every tenth of a second at the soonest.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier_purge.audit.record import Outcome
    from glacier_purge.deletion.recorder import Recorder

UNRECORDED_MAX = 4_096
"""Outcomes that may wait for the disk before nothing more is sent: bounds memory when the disk is slow."""


class Settled:
    """The outcomes of this turn of the loop. ``broken`` is told what the recorder raised where nobody listens."""

    def __init__(self, recorder: Recorder, broken: Callable[[Exception], None]) -> None:
        self._recorder = recorder
        self._broken = broken
        self._outcomes: list[Outcome] = []
        self.waits_for_disk = False
        """Whether nothing more should be settled before ``room`` has returned."""

    def add(self, outcome: Outcome) -> None:
        """Take one outcome; the recorder has it when this turn of the loop is over."""
        if not self._outcomes:
            asyncio.get_running_loop().call_soon(self._turn_is_over)
        self._outcomes.append(outcome)

    def hand_on(self) -> None:
        """Give the recorder what there is. Raises what it raises."""
        if self._outcomes:
            outcomes, self._outcomes = self._outcomes, []
            self._recorder.record(outcomes)
            self.waits_for_disk = self._recorder.pending > UNRECORDED_MAX

    async def room(self) -> None:
        """Wait until the disk has caught up."""
        await self._recorder.room()
        self.waits_for_disk = False

    def _turn_is_over(self) -> None:
        try:
            self.hand_on()
        except Exception as fault:
            self._broken(fault)
