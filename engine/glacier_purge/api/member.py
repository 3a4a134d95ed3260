"""One vault of a fleet, as this process carries it: its lifecycle, its part of the budget, and how it stands."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from anyio.lowlevel import checkpoint

from glacier_purge.api.lifecycle import opened_lifecycle
from glacier_purge.api.taking_up import taken_up
from glacier_purge.errors import GlacierPurgeError, RunStopped, Superseded, each_error
from glacier_purge.lifecycle.steps import alarms, position
from glacier_purge.lifecycle.steps_file import read_steps
from glacier_purge.long_work import watched_by
from glacier_purge.report.fleet import Pressing, Row
from glacier_purge.report.summary import progress
from glacier_purge.report.works import Works
from glacier_purge.storage.folder import LIFECYCLE_FILE, RunFolder
from glacier_purge.text import share

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection
    from pathlib import Path

    from glacier_purge.api.clients import Clients
    from glacier_purge.api.lifecycle import LifecycleOrder, OpenLane
    from glacier_purge.api.person import ApprovalRequest, Approve
    from glacier_purge.api.telling import Telling
    from glacier_purge.approval.typed import Approval
    from glacier_purge.archive import Vault
    from glacier_purge.glacier.waiting import Waiter, Waiting
    from glacier_purge.lifecycle.lifecycle import Lifecycle
    from glacier_purge.lifecycle.steps import Step
    from glacier_purge.plan.document import Plan
    from glacier_purge.run.purge import PurgeRun
    from glacier_purge.settings import Settings

    WaiterFor = Callable[[Callable[[Waiting], None]], Waiter]
    """Gives a waiter that tells what it waits for."""

_SEEN_AFTER_SECONDS = 1.0
"""A question to the service while a vault waits is nothing to tell; one that hangs is."""


class Member:
    """One vault, and the person its lifecycle deals with: it hands on what is asked, and shows the rest as a row.

    ``approve`` gets the yes to a plan, ``say`` is told what nobody should miss, ``lane`` is its part of the budget;
    ``kept`` is awaited once it is settled what it was begun with.  ``takes_up`` says to go on with what a bucket has of
    the vault where this host has nothing, or less.
    """

    def __init__(  # noqa: PLR0913 - what a fleet has for each
        self,
        vault: Vault,
        path: Path,
        order: LifecycleOrder,
        settings: Settings,
        clients: Clients,
        *,
        lane: OpenLane,
        approve: Approve,
        say: Callable[[str], None],
        waiter_for: WaiterFor,
        kept: Callable[[], Awaitable[None]] = checkpoint,
        telling: Telling | None = None,
        documents: Collection[bytes] = (),
        takes_up: bool = False,
    ) -> None:
        self.vault = vault
        self.path = path
        self.say = say
        self._order = order
        self._settings = settings
        self._clients = clients
        self._lane = lane
        self._approve = approve
        self._waiter_for = waiter_for
        self._works = Works(time.monotonic)
        self._kept = kept
        self._telling = telling
        self.documents = documents
        self._takes_up = takes_up
        self._waiting: Waiting | None = None
        self.taken: list[Step] = []
        """The steps it took in this process."""
        self._asking = False
        self.digest_wanted: str | None = None
        """The plan that waits for an approval; None while there is none."""
        self._run: tuple[PurgeRun, Plan] | None = None
        self._drained = False
        self._lifecycle: Lifecycle | None = None

    async def go_on(self) -> None:
        """Go on from the phase that the folder says until the vault is done.

        Where that is wanted, from where another host left it: once, since who is found to be ahead then is at work.
        """
        with watched_by(self._works):
            if not self._takes_up:
                return await self._carry()
            await self._take_up(is_behind=False)
            try:
                return await self._carry()
            except Exception as error:
                if not any(isinstance(cause, Superseded) for cause in each_error(error)):
                    raise
            await self._take_up(is_behind=True)
            return await self._carry()

    async def _take_up(self, *, is_behind: bool) -> None:
        await taken_up(self.path, self.vault, self._settings, self._clients, self.say, is_behind=is_behind)

    async def _carry(self) -> None:
        async with opened_lifecycle(
            RunFolder.open_or_create(self.path),
            self.vault,
            self._order,
            self._settings,
            self._clients,
            self,
            waiter=self._waiter_for(self._note_wait),
            lane=self._lane,
            telling=self._telling,
        ) as self._lifecycle:
            await self._kept()
            await self._lifecycle.go_on()

    def drain(self, reason: str) -> bool:
        """End the deletes under way in good order; False when there are none."""
        if self._run is None:
            return False
        self._drained = True
        self._run[0].drain(reason)
        return True

    @property
    def phase(self) -> str:
        """The phase it is in, and the round where that is not the first."""
        if self._lifecycle is not None:
            phase, number = self._lifecycle.file.phase, self._lifecycle.file.round
        elif (self.path / LIFECYCLE_FILE).exists():
            try:
                phase, number = position(read_steps(self.path))
            except GlacierPurgeError:  # going on will say so
                return "not known"
        else:
            return "not begun"
        return phase.value if number == 1 else f"{phase.value}, round {number}"

    @property
    def row(self) -> Row:
        """How it stands now."""
        waiting = self._waiting
        return Row(
            vault=self.vault.name,
            where=f"{self.vault.account_id} {self.vault.region}",
            phase=self.phase,
            standing=self._standing(),
            until=None if waiting is None or self._run is not None else waiting.until,
            pressing=self._pressing,
        )

    # -- what a lifecycle asks of a person ----------------------------------------------------------------------------

    async def approve(self, request: ApprovalRequest) -> Approval:
        """Have somebody say yes; what was asked about stays known where nobody did."""
        self._asking, self.digest_wanted = True, request.plan.digest
        try:
            approval = await self._approve(request)
        finally:
            self._asking = False
        self.digest_wanted = None
        return approval

    def reached(self, step: Step) -> None:
        """Whatever was waited for has come."""
        self._waiting = None
        self.taken.append(step)
        self.say(f"{step.phase.value}: {step.event.value}")
        for alarm in alarms(step):
            self.say(alarm)

    @asynccontextmanager
    async def watch(self, run: PurgeRun, plan: Plan) -> AsyncIterator[None]:
        """Know the run while it sends, to show and to drain it."""
        self._run = (run, plan)
        try:
            yield
        finally:
            self._run = None
        if self._drained:
            raise RunStopped(f"stopped in {self.path}. The same command goes on.")

    def _note_wait(self, waiting: Waiting) -> None:
        self._waiting = waiting

    @property
    def _pressing(self) -> Pressing:
        if self._asking:
            return Pressing.ASKS
        return Pressing.WAITS if self._waiting is not None and self._run is None else Pressing.WORKS

    def _standing(self) -> str:
        if self._asking:
            return "your approval is asked for"
        if (works := self._works.views()) and works[-1].elapsed_seconds >= _SEEN_AFTER_SECONDS:
            return works[-1].sentence
        if self._run is not None:
            run, plan = self._run
            if run.ledger is None:
                return "checking the plan and its files"
            moment = progress(run.ledger, run.telemetry(), plan)
            done = moment.deleted + moment.failed
            return f"{done:,} of {moment.selected:,} ({share(done, moment.selected)}) - {moment.why}"
        return "at work" if self._waiting is None else f"waiting for {self._waiting.what}"
