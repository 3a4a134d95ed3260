"""What the phases of a lifecycle work with, and what they share: the round's folder and plan, the locks, the terms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio.to_thread

from glacier_purge.approval.typed import Approval
from glacier_purge.audit.ledger import Ledger
from glacier_purge.errors import DiskFailed, PlanOutdated, PlanRefused, RunLocked, UsageError, first_sentence
from glacier_purge.glacier.control import GlacierControl
from glacier_purge.glacier.waiting import Waiter, Waiting
from glacier_purge.guard.rules import Rules
from glacier_purge.inventory.fetching.job_choice import ANY_JOB, WantedJob
from glacier_purge.inventory.fetching.progress import read_progress
from glacier_purge.inventory.snapshot import Snapshot
from glacier_purge.lifecycle.files import round_of, round_path
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.lifecycle.phases import Event
from glacier_purge.lifecycle.readiness import NotWhole, check_finished
from glacier_purge.lifecycle.steps import Step
from glacier_purge.lifecycle.steps_file import LifecycleFile
from glacier_purge.lifecycle.terms import Terms
from glacier_purge.plan.choosing import Earlier
from glacier_purge.plan.document import Plan, read_plan
from glacier_purge.plan.first_reading import Target
from glacier_purge.plan.making import DecidedPlan
from glacier_purge.replica.lease import LeaseLost
from glacier_purge.storage.folder import RunFolder

PhaseResult = tuple[Event, dict[str, Any]]
"""What happened in a phase, and the facts of it that its step tells."""

_LOCKED_LOOK_EVERY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleCallbacks:
    """What only whoever opens a lifecycle can do: check beforehand, decide, ask a person, carry out, and tell.

    ``look_at`` gets each inventory that was fetched, and tells what a person should know of it.  ``approve`` returns
    when somebody has said yes to the plan; it raises ``Pending`` where nobody can be asked now.  ``keep`` has what lies
    in the folder kept elsewhere, where that is wanted.  ``keep_others_out`` returns when no other host changes anything
    at the vault; it gets the folder of the round.  ``say`` tells what nobody should miss, ``tell`` a step.
    """

    preflight: Callable[[], Awaitable[dict[str, Any]]]
    look_at: Callable[[Snapshot], Awaitable[None]]
    decide: Callable[[Snapshot, Earlier | None], Awaitable[DecidedPlan]]
    approve: Callable[[RunFolder, Plan], Awaitable[Approval]]
    keep_others_out: Callable[[Path], Awaitable[None]]
    carry_out: Callable[[RunFolder, Plan, Approval], Awaitable[Ledger]]
    keep: Callable[[], Awaitable[None]]
    say: Callable[[str], None]
    tell: Callable[[Step], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleContext:
    """One vault's lifecycle in ``folder``, whose steps ``file`` keeps. ``by`` is who runs it.

    ``target`` is what every round plans for, ``terms`` are what it was begun with, ``rules`` what the settings forbid
    now.
    """

    folder: RunFolder
    file: LifecycleFile
    control: GlacierControl
    target: Target
    options: LifecycleOptions
    callbacks: LifecycleCallbacks
    waiter: Waiter
    terms: Terms
    rules: Rules
    by: str
    locks: RoundLocks
    sign_key: Path | None = None
    """What signs the anchors of certificates; None signs none."""

    @property
    def is_removing(self) -> bool:
        """Whether the vault itself is to go."""
        return self.options.remove_vault is not None

    @property
    def round_path(self) -> Path:
        """Where the round lies that it is in."""
        return round_path(self.folder.path, self.file.round)

    @property
    def wanted(self) -> WantedJob:
        """The inventory job that was ordered, until one of the rounds was planned by it."""
        planned_by = {step.facts.get("job") for step in self.file.steps}
        return ANY_JOB if self.options.wanted.job_id in planned_by - {None} else self.options.wanted

    def why_another_inventory(self, place: Path) -> str | None:
        """Why the inventory that was fetched into ``place`` is not the one that was ordered; None when it will do.

        A new one is one that this lifecycle asked for itself, so that the same command can be given again and again.
        """
        if self.wanted.job_id is not None:
            return f"inventory job {self.wanted.job_id} was ordered instead"
        if self.wanted.is_new and not _was_asked_for(place):
            return "a new inventory was ordered"
        return None

    def planned(self) -> tuple[RunFolder, Plan]:
        """This round's folder and plan, which were held against the steps before the phase."""
        place = RunFolder.open(self.round_path)
        return place, read_plan(place.plan_file)

    async def purged(self) -> tuple[RunFolder, Plan]:
        """The folder and the plan of the last round that was sent. Raises ``AuditDamaged`` when they are not whole."""
        path = round_of(self.folder.path, self.file.steps, Event.ACCOUNTED)
        assert path is not None, "the table leads here after a purge only"
        place = RunFolder.open(path)
        plan = read_plan(place.plan_file)
        await anyio.to_thread.run_sync(check_finished, path, plan)
        return place, plan

    async def hold(self, place: RunFolder) -> None:
        """Take the locks of the round and of the vault, to keep until the round is sent; wait for who has them."""
        await self.locks.take(place, self.target, self.waiter)
        await self.keep_others_out()

    async def keep_others_out(self) -> None:
        """Have other hosts change nothing at the vault, where that is wanted; wait for one that does.

        Raises ``LeaseLost`` once another host did, of which this folder does not know.
        """
        while True:
            try:
                await self.callbacks.keep_others_out(self.round_path)
            except LeaseLost:
                raise
            except RunLocked as locked:
                await _wait_for(locked, self.waiter)
            else:
                return

    def check_vault_may_go(self, kept: int, because: str) -> None:
        """Raise ``PlanRefused`` where the vault is to be removed and ``kept`` archives would be in it."""
        if self.is_removing and kept:
            raise PlanRefused(
                f"{self.target.vault.arn} is to be removed, and {kept:,} archives would be kept in it ({because}): "
                "only an empty vault can be removed. Nothing was planned or sent. Give the same command again once "
                "nobody retrieves them, if that is why they are kept; without --delete-vault to go on and keep the "
                "vault; or begin another lifecycle, which keeps nothing, with another --run-dir."
            )

    def given_up(self, outdated: PlanOutdated) -> PhaseResult:
        """Another round, for nothing was sent in this one. Raises ``DiskFailed`` where it would come out the same."""
        whole = not isinstance(outdated, NotWhole)
        last = next((step for step in reversed(self.file.steps) if step.event is Event.PLAN_GIVEN_UP), None)
        if not whole and last is not None and last.round == self.file.round - 1 and not last.facts["whole"]:
            raise DiskFailed(
                f"a plan was written twice and is not on disk as it was written: {outdated} Look at the disk; the same "
                "command goes on."
            )
        return Event.PLAN_GIVEN_UP, {"because": first_sentence(outdated), "whole": whole}


def _was_asked_for(place: Path) -> bool:
    """Whether the inventory in ``place`` came by a job that was asked for there, as far as its note can be read."""
    try:
        progress = read_progress(place)
    except UsageError:
        return False
    return progress is not None and progress.job_id in progress.asked


async def _wait_for(locked: RunLocked, waiter: Waiter) -> None:
    until = waiter.now() + _LOCKED_LOOK_EVERY
    what = f"the process that holds the vault to end ({first_sentence(locked)})"
    await waiter.wait(Waiting(what=what, until=until))


class RoundLocks:
    """The locks of one round and of its vault, from the first phase that needs them to the one that lets them go."""

    def __init__(self) -> None:
        self._locks = ExitStack()
        self._held: Path | None = None

    async def take(self, place: RunFolder, target: Target, waiter: Waiter) -> None:
        """Take those of ``place``, unless they are held; wait for who has them."""
        while self._held != place.path:
            try:
                self._locks.enter_context(place.locked(target.vault, target.endpoint_url))
            except RunLocked as locked:
                await _wait_for(locked, waiter)
            else:
                self._held = place.path

    def let_go(self) -> None:
        """Let go of whatever is held."""
        self._locks.close()
        self._held = None
