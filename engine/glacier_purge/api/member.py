"""One vault of a fleet, as this process carries it: its calendar, its part of the budget, and how it stands."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from glacier_purge.api import values
from glacier_purge.api.planning import decide_round
from glacier_purge.api.purging import opened_run
from glacier_purge.approval.typed import approve_by_words
from glacier_purge.cli import version
from glacier_purge.cli.confirmation import approval_for, ask, put_before, waited_for
from glacier_purge.cli.run import look_for_writers, preflight
from glacier_purge.clock import utc_now
from glacier_purge.errors import Pending, RunStopped
from glacier_purge.guard.rules import check_fresh
from glacier_purge.lifecycle.context import LifecycleCallbacks, LifecycleContext, RoundLocks
from glacier_purge.lifecycle.lifecycle import Lifecycle
from glacier_purge.lifecycle.state import Noting, noting_the_end, telling_while_denied
from glacier_purge.lifecycle.steps import alarms
from glacier_purge.lifecycle.steps_file import LifecycleFile
from glacier_purge.lifecycle.terms import check_allowed, settled_terms, what_holds
from glacier_purge.plan.choices import EVERY_ARCHIVE, UNCAPPED
from glacier_purge.plan.identity import planned_at
from glacier_purge.plan.making import Target
from glacier_purge.report.fleet import Row
from glacier_purge.report.summary import progress
from glacier_purge.report.terminal import safe
from glacier_purge.run.host import who
from glacier_purge.storage.folder import RunFolder
from glacier_purge.text import share

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from glacier_purge.api.clients import Clients
    from glacier_purge.approval.typed import Approval
    from glacier_purge.archive import Vault
    from glacier_purge.audit.ledger import Ledger
    from glacier_purge.deletion.budget import Budget
    from glacier_purge.glacier.waiting import Patience, Waiting
    from glacier_purge.lifecycle.options import LifecycleOptions
    from glacier_purge.lifecycle.steps import Step
    from glacier_purge.plan.choices import Caps, Choices
    from glacier_purge.plan.document import Plan
    from glacier_purge.report.displays import FleetDisplay
    from glacier_purge.run.host import Host
    from glacier_purge.run.purge import PurgeRun
    from glacier_purge.settings import Settings

    Ask = Callable[[RunFolder, Plan], Awaitable[Approval]]
    PatienceFor = Callable[[Callable[[Waiting], None]], Patience]


class ApprovalWanted(Pending):
    """A plan that nobody has approved yet; the others of the fleet go on meanwhile."""

    def __init__(self, place: RunFolder, plan: Plan) -> None:
        super().__init__(waited_for(place, plan), until=utc_now())
        self.place = place
        self.plan = plan


class Asking:
    """Asks on the terminal, about one vault at a time, without keeping the others from their work."""

    def __init__(self, screen: FleetDisplay) -> None:
        self._screen = screen
        self._turn = anyio.Lock()

    async def __call__(self, settings: Settings, place: RunFolder, plan: Plan) -> Approval:
        """Show the plan and ask.

        Raises ``PlanRefused`` for a plan too old to be approved and for any answer but vault name and archive count.
        """
        async with self._turn:
            check_fresh(planned_at(place, plan), utc_now())
            with self._screen.aside():
                put_before(place, plan, settings)
                ask(plan)
                await anyio.wait_readable(sys.stdin)
                return approve_by_words(plan, sys.stdin.readline(), who())


class Member:
    """One vault. ``digests`` are the plans approved beforehand; ``ask`` is None where there is nobody to ask."""

    def __init__(  # noqa: PLR0913 - what one place opens a lifecycle with
        self,
        vault: Vault,
        path: Path,
        settings: Settings,
        wishes: LifecycleOptions,
        clients: Clients,
        *,
        choices: Choices = EVERY_ARCHIVE,
        caps: Caps = UNCAPPED,
        lane_of: tuple[Budget, float | None],
        digests: frozenset[str],
        ask: Ask | None,
        patience_for: PatienceFor,
        host: Host,
    ) -> None:
        self.vault = vault
        self.path = path
        self._settings = settings
        self._wishes = wishes
        self._clients = clients
        self._choices = choices
        self._caps = caps
        self._budget, self._max_rate = lane_of
        self._digests = digests
        self._ask = ask
        self._patience_for = patience_for
        self._host = host
        self._approval: Approval | None = None
        self._waiting: Waiting | None = None
        self._asking = False
        self.digest_wanted: str | None = None
        """The plan that waits for an approval; None while there is none."""
        self._run: tuple[PurgeRun, Plan] | None = None
        self._drained = False
        self._lifecycle: LifecycleFile | None = None

    async def go_on(self) -> None:
        """Go on from the phase that the folder says until the vault is done."""
        endpoint_url = values.endpoint(self._settings, self.vault.region)
        target = Target(
            vault=self.vault,
            endpoint_url=endpoint_url,
            tool_version=version(),
            inventory_name="the vault's inventory",
            id_rule=self._settings.inventory.id_rule,
        )
        access = values.access(self._settings, endpoint_url, id_rule=target.id_rule)
        folder = RunFolder.open_or_create(self.path)
        with folder.held(), noting_the_end(folder), telling_while_denied(folder, self._say):
            waits = self._patience_for(self._note_wait)
            self._lifecycle = LifecycleFile(folder.path, waits.now)
            check_allowed(target, self._lifecycle, values.rules(self._settings), self._wishes)
            patience = Noting(waits, folder, self._lifecycle)
            terms = await settled_terms(folder, target, self._lifecycle, self._choices, self._caps)
            self._settings = settings = values.capped(self._settings, terms.caps)
            for line in what_holds(self._lifecycle, terms, self._wishes):
                self._say(line)
            control = await self._clients.control(self.vault, access)
            callbacks = LifecycleCallbacks(
                preflight=lambda: preflight(
                    control, self._clients, access, folder.path, settings, self._wishes, self._say
                ),
                decide=lambda snapshot, earlier: decide_round(
                    snapshot,
                    target,
                    terms,
                    settings,
                    self._clients,
                    patience,
                    earlier,
                    set_aside_defects=self._wishes.set_aside_defects,
                ),
                look_at=lambda snapshot: look_for_writers(control, snapshot, patience.now(), settings, self._say),
                approve=self._approve,
                carry_out=self._carry_out,
                tell=self._tell,
            )
            calendar = Lifecycle(
                LifecycleContext(
                    folder=folder,
                    file=self._lifecycle,
                    control=control,
                    target=target,
                    options=self._wishes,
                    callbacks=callbacks,
                    patience=patience,
                    terms=terms,
                    rules=values.rules(settings),
                    by=who(),
                    locks=RoundLocks(),
                )
            )
            await self._asking_on_the_way(calendar)

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
        if self._lifecycle is None:
            return "not begun"
        phase, number = self._lifecycle.phase.value, self._lifecycle.round
        return phase if number == 1 else f"{phase}, round {number}"

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
        )

    # -- what a calendar asks of its caller ---------------------------------------------------------------------------

    async def _asking_on_the_way(self, calendar: Lifecycle) -> None:
        while True:
            try:
                return await calendar.go_on()
            except ApprovalWanted as wanted:
                self.digest_wanted = wanted.plan.digest
                if self._ask is None:
                    raise
                self._asking = True
                self._approval = await self._ask(wanted.place, wanted.plan)
                self._asking, self.digest_wanted = False, None

    async def _approve(self, place: RunFolder, plan: Plan) -> Approval:
        if self._approval is not None and self._approval.digest == plan.digest:
            return self._approval
        if plan.digest not in self._digests:
            if self._ask is None:
                put_before(place, plan, self._settings)
            raise ApprovalWanted(place, plan)
        return approval_for(place, plan, self._settings, plan.digest)

    async def _carry_out(self, place: RunFolder, plan: Plan, approval: Approval) -> Ledger:
        with self._budget.lane(self._max_rate) as lane:
            async with opened_run(place, plan, self._settings, self._clients, self._host, pacer_for=lane.begin) as run:
                with self._sending(run, plan):
                    ledger = await run.carry_out(approval)
        if self._drained:
            raise RunStopped(f"stopped in {place.path}. The same command goes on.")
        return ledger

    @contextmanager
    def _sending(self, run: PurgeRun, plan: Plan) -> Iterator[None]:
        self._run = (run, plan)
        try:
            yield
        finally:
            self._run = None

    def _note_wait(self, waiting: Waiting) -> None:
        self._waiting = waiting

    def _tell(self, step: Step) -> None:
        self._waiting = None
        self._say(f"{step.phase.value}: {step.event.value}")
        for alarm in alarms(step):
            self._say(alarm)

    def _say(self, message: str) -> None:
        sys.stderr.write(f"glacier-purge: {safe(self.vault.name)}: {safe(message)}\n")
        sys.stderr.flush()

    def _standing(self) -> str:
        if self._asking:
            return "your approval is asked for"
        if self._run is not None:
            run, plan = self._run
            if run.ledger is None:
                return "checking the plan and its files"
            moment = progress(run.ledger, run.telemetry(), selected=plan.counts.selected)
            done = moment.deleted + moment.failed
            return f"{done:,} of {moment.selected:,} ({share(done, moment.selected)}) - {moment.why}"
        return "at work" if self._waiting is None else f"waiting for {self._waiting.what}"
