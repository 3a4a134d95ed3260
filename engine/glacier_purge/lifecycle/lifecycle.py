"""Carries a vault through its whole lifecycle: from its name to a proven purge and, if wanted, no vault.

The file of steps says which phase it is; each phase is a function (``planning``, ``sending``, ``proving``) that does
its work, or finds it done already, and says what happened.  Everything a phase reaches is on disk before its step is,
so a lifecycle that was stopped goes on in the same phase.  Waiting is ``Waiter``'s; asking a person, opening
connections and drawing progress are the caller's.

Each round is a run folder of its own below the lifecycle's: the archives that a newer inventory still lists are
planned, approved and deleted like the first ones.  What grew old before anything was sent by it is another round, too.

Before each phase the folder's files are held against the steps, and a denial of uploads against the vault's policy.
Only what allows uploads again asks for no more than ``freeze.json``: a vault must not stay closed because of a plan
that was carried out long ago.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import anyio.to_thread

from glacier_purge.archive import Vault
from glacier_purge.aws.bucket import BucketAway
from glacier_purge.errors import Pending, first_sentence
from glacier_purge.glacier.control import NoAnswer
from glacier_purge.glacier.waiting import Waiting, answer_again, outlasting
from glacier_purge.lifecycle import planning, proving, sending
from glacier_purge.lifecycle.context import LifecycleContext, PhaseResult
from glacier_purge.lifecycle.endings import check_removed, refuse_abandoned
from glacier_purge.lifecycle.files import check_fits, check_freeze_file, round_of, round_path
from glacier_purge.lifecycle.phases import ANOTHER_ROUND, TRANSITIONS, Event, Phase
from glacier_purge.lifecycle.readiness import check_sound
from glacier_purge.lifecycle.steps import denied_since
from glacier_purge.lifecycle.steps_file import LifecycleFile
from glacier_purge.plan.document import read_plan
from glacier_purge.storage.folder import PLAN_FILE, RunFolder
from glacier_purge.vault.freeze import is_denied

_DO: dict[Phase, Callable[[LifecycleContext], Awaitable[PhaseResult]]] = {
    Phase.PREFLIGHT: planning.preflight,
    Phase.INVENTORY: planning.inventory,
    Phase.PLAN: planning.plan,
    Phase.APPROVAL: sending.approval,
    Phase.FREEZE: sending.deny_uploads,
    Phase.PURGE: sending.purge,
    Phase.VERIFY: proving.verify,
    Phase.DELETE_VAULT: proving.delete_vault,
    Phase.THAW: proving.allow_uploads,
}


_BUCKET_LOOKED_AT_AFTER = timedelta(minutes=1)


class Lifecycle:
    """One vault's lifecycle, as this process carries it."""

    def __init__(self, context: LifecycleContext) -> None:
        self._context = context
        self._was_answered = False

    async def go_on(self) -> None:
        """Go through the phases until the lifecycle is done. Raises what its phases raise; the same call goes on.

        Raises ``PlanRefused`` for a lifecycle that was abandoned, and for one that ended with the vault kept when the
        vault is to be removed: an order is carried out or refused.
        """
        here, file = self._context, self.file
        refuse_abandoned(here.folder.path, file.steps)
        try:
            await self._check_earlier_rounds()
            while file.phase is not Phase.DONE:
                self._check_fits()
                await self._keep()
                event, facts = await self._allowed() or await self._outlasting_outages(_DO[file.phase])
                file.advance(event, **facts)
                self._was_answered = True
                if event in ANOTHER_ROUND:
                    here.locks.let_go()
                here.callbacks.tell(file.steps[-1])
            await self._keep()
        finally:
            here.locks.let_go()
        check_fits(here.folder.path, file.steps, here.terms)
        if here.is_removing:
            check_removed(here.target.vault, here.folder.path, file.steps)

    @property
    def file(self) -> LifecycleFile:
        """Where it is, and the steps that led there."""
        return self._context.file

    @property
    def vault(self) -> Vault:
        """Whose it is."""
        return self._context.target.vault

    @property
    def planned(self) -> RunFolder | None:
        """The folder of the last round that was planned."""
        place = round_of(self._context.folder.path, self.file.steps, Event.PLANNED)
        return None if place is None else RunFolder.open(place)

    async def _outlasting_outages(self, do: Callable[[LifecycleContext], Awaitable[PhaseResult]]) -> PhaseResult:
        """Do a phase, which begins where it was when it is called again; once this process was answered, until it is.

        Nobody should have to come back because of a night without network, least of all while uploads are denied. A
        first question that fails is told at once, and so is any where nobody waits.
        """
        waiter = self._context.waiter
        while True:
            try:
                return await do(self._context)
            except NoAnswer as fault:
                if not (self._was_answered and fault.is_weather):
                    raise
                try:
                    await waiter.wait(answer_again(fault, waiter.now()))
                except Pending:
                    raise fault from None

    async def _keep(self) -> None:
        """Have the step that was made kept elsewhere before the next phase, so that another host goes on behind it.

        A bucket that is away is waited for, unless all that is left is to let the owner's uploads again.
        """
        here, waiter = self._context, self._context.waiter
        while True:
            try:
                return await here.callbacks.keep()
            except BucketAway as away:
                if self.file.phase in {Phase.THAW, Phase.DONE}:
                    return here.callbacks.say(f"the replica of this folder is behind: {away}")
                if away.is_denied or not self._was_answered:
                    raise
                what = f"the bucket that keeps this folder ({first_sentence(away)})"
                await waiter.wait(Waiting(what=what, until=waiter.now() + _BUCKET_LOOKED_AT_AFTER))

    async def _check_earlier_rounds(self) -> None:
        """Raise ``AuditDamaged`` unless the rounds that were purged before this one are there as they were left.

        Once a process: nothing is sent by them any more, and it reads their files through.  To let the owner's uploads
        again nobody needs them.
        """
        here, file = self._context, self.file
        if file.phase in {Phase.THAW, Phase.DONE}:
            return
        self._check_fits()
        for step in file.steps:
            if step.event is Event.ACCOUNTED and step.round < file.round:
                place = round_path(here.folder.path, step.round)
                await anyio.to_thread.run_sync(check_sound, place, read_plan(place / PLAN_FILE))

    async def _allowed(self) -> PhaseResult | None:
        """That uploads are not denied any more though they should be, so that nobody is told that they are; else None.

        Looked at before each phase: a process may have waited for days, and others have a hand in the vault's policy.
        """
        here, file = self._context, self.file
        if (file.phase, Event.ALLOWED) not in TRANSITIONS or denied_since(file.steps) is None:
            return None
        denied = await outlasting(here.waiter, lambda: is_denied(here.control, here.folder))
        return None if denied else (Event.ALLOWED, {})

    def _check_fits(self) -> None:
        here, steps, phase = self._context, self.file.steps, self.file.phase
        if phase is Phase.THAW or (phase is Phase.DELETE_VAULT and not here.is_removing):
            check_freeze_file(here.folder.path, steps)
        else:
            check_fits(here.folder.path, steps, here.terms)
