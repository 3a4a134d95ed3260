"""The phases in which a plan becomes deletes: somebody's yes, uploads denied where that is wanted, and the purge.

What grew old before anything was sent by it is another round.
"""

from __future__ import annotations

import anyio.to_thread

from glacier_purge.approval.typed import Approval
from glacier_purge.audit.ledger import Ledger
from glacier_purge.errors import PlanOutdated, RunStopped, one_error
from glacier_purge.guard.rules import check_fresh
from glacier_purge.lifecycle.context import LifecycleContext, PhaseResult
from glacier_purge.lifecycle.endings import may_be_frozen
from glacier_purge.lifecycle.phases import Event
from glacier_purge.lifecycle.readiness import (
    check_begun,
    check_current,
    check_nothing_forbids,
    check_removable,
    was_begun,
)
from glacier_purge.lifecycle.steps import denied_since
from glacier_purge.plan.document import Plan
from glacier_purge.storage.folder import RunFolder
from glacier_purge.vault.freeze import freeze, read_frozen, settled_sha256, thaw


async def approval(here: LifecycleContext) -> PhaseResult:
    """Have somebody say yes to the plan, which must hold before and must not have grown old meanwhile."""
    place, plan = here.planned()
    made = next(step.at for step in reversed(here.file.steps) if step.event is Event.PLANNED)
    try:
        if (because := here.why_another_inventory(place.path)) is not None:
            raise PlanOutdated(f"{because}. Nothing was sent.")
        check_fresh(made, here.file.now())  # both by this host's clock
        await check_current(place.path, plan, here.control, here.rules, here.waiter.now())
        approved = await here.callbacks.approve(place, plan)
        check_fresh(made, here.file.now())  # somebody may have thought about it for days
    except PlanOutdated as outdated:
        return here.given_up(outdated)
    return Event.APPROVED, {"digest": approved.digest, "how": approved.how, "by": approved.by}


async def deny_uploads(here: LifecycleContext) -> PhaseResult:
    """Deny uploads where that is wanted, after all that can be looked at without changing anything."""
    place, plan = here.planned()
    await here.hold(place)
    try:
        await check_current(place.path, plan, here.control, here.rules, here.waiter.now())
    except PlanOutdated as outdated:
        return here.given_up(outdated)
    await check_nothing_forbids(plan.vault, here.control)
    if here.is_removing:
        await check_removable(plan.vault, here.control)
    if not here.options.freeze and denied_since(here.file.steps) is None:
        if may_be_frozen(here.folder, here.file.steps):  # begun, and given up before it was a step
            await thaw(here.control, here.folder)
        return Event.NOT_FROZEN, {}
    sid = await freeze(here.control, here.folder)
    denied = read_frozen(here.folder)
    assert denied is not None, "it was written before the service was asked"
    return Event.FROZEN, {"statement": sid, "freeze_json": settled_sha256(denied)}


async def purge(here: LifecycleContext) -> PhaseResult:
    """Carry the plan out, or go on with it, until every record is accounted for."""
    place, plan = here.planned()
    await here.hold(place)
    fact = here.file.fact
    approved = Approval(
        digest=fact(Event.APPROVED, "digest"), how=fact(Event.APPROVED, "how"), by=fact(Event.APPROVED, "by")
    )
    try:
        ledger = await _carry_out(here, place, plan, approved)
    except PlanOutdated as outdated:
        if was_begun(place.path):
            outdated.add_note(
                "This round was begun, so it can't be planned again: undo what forbids it, or end the lifecycle "
                f"with glacier-purge abandon {here.folder.path}."
            )
            raise
        return here.given_up(outdated)
    if ledger.finished is None:
        why = ledger.stop_reason or "its log does not say why"
        raise RunStopped(f"the purge stopped before its end: {why}. The same command goes on.")
    here.locks.let_go()
    return Event.ACCOUNTED, dict(ledger.counts)


async def _carry_out(here: LifecycleContext, place: RunFolder, plan: Plan, approved: Approval) -> Ledger:
    if was_begun(place.path):
        await anyio.to_thread.run_sync(check_begun, place.path, plan)
    else:
        await check_current(place.path, plan, here.control, here.rules, here.waiter.now())
    with one_error():
        return await here.callbacks.carry_out(place, plan, approved)
