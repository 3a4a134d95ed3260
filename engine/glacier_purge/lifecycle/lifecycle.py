"""Carries a vault through its whole lifecycle: from its name to a proven purge and, if wanted, no vault.

The lifecycle says which phase it is; each phase is one method here that does its work, or finds it done already, and
says what happened.  Everything a phase reaches is on disk before its step is, so a lifecycle that was stopped goes on
in the same phase.  Waiting is ``Patience``'s; asking a person, opening connections and drawing progress are the
caller's.

Each round is a run folder of its own below the lifecycle's: the archives that a newer inventory still lists are
planned, approved and deleted like the first ones.  What grew old before anything was sent by it is another round, too.

Before each phase the folder's files are held against the steps.  Only what allows uploads again asks for no more than
``freeze.json``: a vault must not stay closed because of a plan that was carried out long ago.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from glacier_purge.approval.typed import Approval
from glacier_purge.errors import DiskFailed, PlanOutdated, PlanRefused, RunLocked, RunStopped, first_sentence, one_error
from glacier_purge.glacier.waiting import Waiting
from glacier_purge.guard.rules import check_fresh
from glacier_purge.inventory.fetching.job_choice import Wanted
from glacier_purge.inventory.fetching.retrieval import NeverInventoried, Retrieval, RetrievalSettings
from glacier_purge.lifecycle.endings import check_removed, may_be_frozen, refuse_abandoned
from glacier_purge.lifecycle.files import check_fits, check_freeze_file, identity_sha256, round_of, round_path
from glacier_purge.lifecycle.phases import ANOTHER_ROUND, ROUNDS_MAX, Event, Phase, denied_since
from glacier_purge.lifecycle.readiness import (
    NotWhole,
    check_age,
    check_begun,
    check_current,
    check_finished,
    check_nothing_forbids,
    check_removable,
    drop_inventory,
    drop_unusable,
    was_begun,
)
from glacier_purge.plan.choosing import Earlier
from glacier_purge.plan.document import read_plan
from glacier_purge.plan.files import kept_ids
from glacier_purge.plan.making import NothingToDelete
from glacier_purge.proof.reconcile import VERIFICATION_FOLDER
from glacier_purge.proof.verifying import Verifying
from glacier_purge.run.planned import clear_unfinished, keep_plan
from glacier_purge.storage.folder import RunFolder
from glacier_purge.vault.emptiness import Certified, Unlisted
from glacier_purge.vault.freeze import freeze, read_frozen, settled_sha256, thaw
from glacier_purge.vault.removal import VaultRemoval, WrittenTo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from glacier_purge.audit.ledger import Ledger
    from glacier_purge.glacier.control import GlacierControl
    from glacier_purge.glacier.waiting import Patience
    from glacier_purge.guard.rules import Rules
    from glacier_purge.inventory.snapshot import Snapshot
    from glacier_purge.lifecycle.phases import Lifecycle, Step
    from glacier_purge.lifecycle.terms import Terms
    from glacier_purge.plan.document import Plan
    from glacier_purge.plan.making import Decided, Target
    from glacier_purge.proof.verifying import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What to do besides deleting archives: ``remove_vault`` is the vault's name, typed by who wants it gone."""

    freeze: bool = False
    remove_vault: str | None = None
    even_the_last: bool = False
    set_aside_defects: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What limits it: ``terms`` are what it was begun with, ``rules`` what the settings forbid now."""

    terms: Terms
    rules: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Helpers:
    """What only the caller can do: check beforehand, decide, ask a person, carry out with progress, and tell.

    ``look_at`` gets each inventory that was fetched, and tells what a person should know of it.
    """

    preflight: Callable[[], Awaitable[dict[str, Any]]]
    look_at: Callable[[Snapshot], Awaitable[None]]
    decide: Callable[[Snapshot, Earlier | None], Awaitable[Decided]]
    approve: Callable[[RunFolder, Plan], Approval]
    carry_out: Callable[[RunFolder, Plan, Approval], Awaitable[Ledger]]
    tell: Callable[[Step], None]


Happened = tuple[Event, dict[str, Any]]

_EMPTY = frozenset({Event.PROVEN, Event.KEPT_REST, Event.EMPTY, Event.NEVER_INVENTORIED})
"""Steps that lead to the removal of the vault, each with a proof of its own."""

_LOCKED_LOOK_EVERY = timedelta(minutes=5)
_FROM_ANEW = frozenset({Event.INVENTORY_GIVEN_UP, Event.PLAN_GIVEN_UP, Event.WRITTEN_TO})
"""After these an inventory is wanted that is the service's last."""


class Calendar:
    """One vault's lifecycle in ``folder``. ``by`` is who runs it; ``target`` is what every round plans for."""

    def __init__(
        self,
        folder: RunFolder,
        lifecycle: Lifecycle,
        control: GlacierControl,
        target: Target,
        wishes: Wishes,
        helpers: Helpers,
        patience: Patience,
        *,
        bounds: Bounds,
        by: str,
    ) -> None:
        self._folder = folder
        self._lifecycle = lifecycle
        self._control = control
        self._target = target
        self._wishes = wishes
        self._helpers = helpers
        self._patience = patience
        self._terms = bounds.terms
        self._rules = bounds.rules
        self._by = by
        self._locks = ExitStack()
        self._locked: Path | None = None
        self._do: dict[Phase, Callable[[], Awaitable[Happened]]] = {
            Phase.PREFLIGHT: self._preflight,
            Phase.INVENTORY: self._inventory,
            Phase.PLAN: self._plan,
            Phase.APPROVAL: self._approval,
            Phase.FREEZE: self._freeze,
            Phase.PURGE: self._purge,
            Phase.VERIFY: self._verify,
            Phase.DELETE_VAULT: self._delete_vault,
            Phase.THAW: self._thaw,
        }

    async def go_on(self) -> None:
        """Go through the phases until the lifecycle is done. Raises what its phases raise; the same call goes on.

        Raises ``PlanRefused`` for a lifecycle that was abandoned, and for one that ended with the vault kept when the
        vault is to be removed: an order is carried out or refused.
        """
        refuse_abandoned(self._folder.path, self._lifecycle.steps)
        try:
            while self._lifecycle.phase is not Phase.DONE:
                self._check_fits()
                event, facts = await self._do[self._lifecycle.phase]()
                self._lifecycle.advance(event, **facts)
                if event in ANOTHER_ROUND:
                    self._let_go()
                self._helpers.tell(self._lifecycle.steps[-1])
        finally:
            self._let_go()
        check_fits(self._folder.path, self._lifecycle.steps, self._terms)
        if self._wishes.remove_vault is not None:
            check_removed(self._target.vault, self._folder.path, self._lifecycle.steps)

    @property
    def planned(self) -> RunFolder | None:
        """The folder of the last round that was planned."""
        place = round_of(self._folder.path, self._lifecycle.steps, Event.PLANNED)
        return None if place is None else RunFolder.open(place)

    # -- the phases ---------------------------------------------------------------------------------------------------

    async def _preflight(self) -> Happened:
        return Event.CLEAR, await self._helpers.preflight()

    async def _inventory(self) -> Happened:
        place = RunFolder.open_or_create(self._round_path)
        removing = self._wishes.remove_vault is not None
        if removing and self._lifecycle.round == 1 and (await self._control.describe_vault()).last_inventory is None:
            return Event.NEVER_INVENTORIED, {}
        await drop_unusable(place.path, self._target.vault)
        wanted = Wanted()
        if self._lifecycle.steps[-1].event in _FROM_ANEW:
            wanted = Wanted(created_from=(await self._control.describe_vault()).last_inventory)
        try:
            snapshot, job_id = await self._retrieval(place, wanted).fetch()
        except NeverInventoried as never:
            return (Event.NEVER_INVENTORIED if removing else Event.NEVER_WRITTEN), {"because": str(never)}
        await self._helpers.look_at(snapshot)
        return Event.FETCHED, {
            "job": job_id,
            "records": snapshot.records,
            "of": snapshot.inventory_date,
            "sha256": snapshot.sha256,
        }

    async def _plan(self) -> Happened:
        place = RunFolder.open(self._round_path)
        if not place.plan_file.exists():
            nothing = await self._make_plan(place)
            if nothing is not None:
                return nothing
        plan = read_plan(place.plan_file)
        return Event.PLANNED, {
            "digest": plan.digest,
            "vault": plan.vault.arn,
            "endpoint": plan.endpoint_url,
            "run_json": identity_sha256(place.path),
            "archives": plan.counts.selected,
            "bytes": plan.selected_bytes,
            "kept": plan.counts.skipped,
            "run_dir": str(place.path),
        }

    async def _make_plan(self, place: RunFolder) -> Happened | None:
        """Write the round's plan; or say why there is none to be made of this inventory."""
        if await drop_unusable(place.path, self._target.vault, self._lifecycle.fact(Event.FETCHED, "sha256")):
            return Event.INVENTORY_GIVEN_UP, {"because": "its file is not what came from the service"}
        snapshot, _ = await self._retrieval(place, Wanted()).fetch()  # fetched already: read again
        try:
            await check_age(snapshot.inventory_date, self._control, self._rules, self._patience.now())
        except PlanOutdated as old:
            drop_inventory(place.path)
            return Event.INVENTORY_GIVEN_UP, {"because": first_sentence(old)}
        if not snapshot.records:
            listed = Event.NOTHING_LISTED if self._wishes.remove_vault is None else Event.EMPTY
            return self._nothing(Event.NOTHING_LEFT, listed), {"inventory": snapshot.inventory_date}
        clear_unfinished(place)
        try:
            decided = await self._helpers.decide(snapshot, self._earlier())
        except NothingToDelete as nothing:
            if not nothing.kept:
                raise
            self._check_vault_may_go(nothing.kept, str(nothing))
            return self._nothing(Event.ONLY_KEPT, Event.NOTHING_CHOSEN), {"kept": nothing.kept}
        kept = [f"{one.records:,} {one.code}" for one in decided.plan.reasons if one.keeps and one.records]
        self._check_vault_may_go(decided.plan.counts.skipped, ", ".join(kept))
        keep_plan(place, decided.plan, retrievals_looked_at=decided.retrievals_looked_at)
        return None

    async def _approval(self) -> Happened:
        place, plan = self._planned()
        made = next(step.at for step in reversed(self._lifecycle.steps) if step.event is Event.PLANNED)
        try:
            check_fresh(made, self._patience.now())
            await check_current(place.path, plan, self._control, self._rules, self._patience.now())
            approval = self._helpers.approve(place, plan)
            check_fresh(made, self._patience.now())  # somebody may have thought about it for days
        except PlanOutdated as outdated:
            return self._given_up(outdated)
        return Event.APPROVED, {"digest": approval.digest, "how": approval.how, "by": approval.by}

    async def _freeze(self) -> Happened:
        place, plan = self._planned()
        await self._hold(place)
        try:
            await check_current(place.path, plan, self._control, self._rules, self._patience.now())
        except PlanOutdated as outdated:
            return self._given_up(outdated)
        await check_nothing_forbids(plan.vault, self._control)
        if self._wishes.remove_vault is not None:
            await check_removable(plan.vault, self._control)
        if not self._wishes.freeze and denied_since(self._lifecycle.steps) is None:
            if may_be_frozen(self._folder, self._lifecycle.steps):  # begun, and given up before it was a step
                await thaw(self._control, self._folder)
            return Event.NOT_FROZEN, {}
        sid = await freeze(self._control, self._folder)
        denied = read_frozen(self._folder)
        assert denied is not None, "it was written before the service was asked"
        return Event.FROZEN, {"statement": sid, "freeze_json": settled_sha256(denied)}

    async def _purge(self) -> Happened:
        place, plan = self._planned()
        await self._hold(place)
        fact = self._lifecycle.fact
        approval = Approval(
            digest=fact(Event.APPROVED, "digest"), how=fact(Event.APPROVED, "how"), by=fact(Event.APPROVED, "by")
        )
        try:
            ledger = await self._carry_out(place, plan, approval)
        except PlanOutdated as outdated:
            if was_begun(place.path):
                outdated.add_note(
                    "This round was begun, so it can't be planned again: undo what forbids it, or end the lifecycle "
                    f"with glacier-purge abandon {self._folder.path}."
                )
                raise
            return self._given_up(outdated)
        if ledger.finished is None:
            raise RunStopped(f"the purge stopped before its end: {ledger.stop_reason}. The same command goes on.")
        self._let_go()
        return Event.ACCOUNTED, dict(ledger.counts)

    async def _carry_out(self, place: RunFolder, plan: Plan, approval: Approval) -> Ledger:
        if was_begun(place.path):
            await anyio.to_thread.run_sync(check_begun, place.path, plan)
        else:
            await check_current(place.path, plan, self._control, self._rules, self._patience.now())
        with one_error():
            return await self._helpers.carry_out(place, plan, approval)

    async def _verify(self) -> Happened:
        place, plan = await self._purged()
        await drop_unusable(place.path / VERIFICATION_FOLDER, self._target.vault)
        verifying = Verifying(self._control, place, plan, self._patience, by=self._by)
        verdict = await verifying.verify()
        found = verdict.found
        facts: dict[str, Any] = {
            "run_dir": str(place.path),
            "gone": found.gone,
            "new_since": found.new_since,
            "kept_gone": found.kept_gone,
        }
        if (event := self._proven(verdict)) is not None and verdict.certificate is not None:
            proof = {"certificate": verdict.certificate.digest, "inventory": verdict.inventory_date}
            return event, proof | ({} if event is Event.PROVEN else {"kept": found.kept}) | facts
        if sum(step.event is Event.SOMETHING_LEFT for step in self._lifecycle.steps) >= ROUNDS_MAX - 1:
            raise RunStopped(
                f"{found.listed - found.kept:,} archives are still listed after {ROUNDS_MAX} rounds: somebody goes on "
                f"uploading, or the service does not delete them. See {place.path / 'verification'}; --freeze stops "
                "uploads."
            )
        return Event.SOMETHING_LEFT, {
            "listed": found.listed,
            "never_deleted": found.never_deleted,
            "still_listed": found.still_listed,
            **facts,
        }

    async def _delete_vault(self) -> Happened:
        if self._wishes.remove_vault is None:
            return Event.KEPT, {}
        proof = await self._proof_that_it_is_empty()
        place = proof.folder if isinstance(proof, Certified) else RunFolder.open(self._round_path)
        await self._hold(place)
        removal = VaultRemoval(
            self._control, place.path, proof, self._patience, by=self._by, even_the_last=self._wishes.even_the_last
        )
        try:
            answer = await removal.remove(self._wishes.remove_vault)
        except WrittenTo as written:
            if sum(step.event is Event.WRITTEN_TO for step in self._lifecycle.steps) >= ROUNDS_MAX:
                raise
            return Event.WRITTEN_TO, {"because": first_sentence(written)}
        return Event.DELETED, {"answer": answer.value}

    async def _thaw(self) -> Happened:
        if not may_be_frozen(self._folder, self._lifecycle.steps):
            return Event.THAWED, {}
        still_denied_by = await thaw(self._control, self._folder)
        return Event.THAWED, {"still_denied_by": still_denied_by} if still_denied_by else {}

    # -- what they share ----------------------------------------------------------------------------------------------

    def _check_fits(self) -> None:
        steps, phase = self._lifecycle.steps, self._lifecycle.phase
        if phase is Phase.THAW or (phase is Phase.DELETE_VAULT and self._wishes.remove_vault is None):
            check_freeze_file(self._folder.path, steps)
        else:
            check_fits(self._folder.path, steps, self._terms)

    async def _hold(self, place: RunFolder) -> None:
        """Take the locks of the round and of the vault, to keep until the round is sent; wait for who has them."""
        while self._locked != place.path:
            try:
                self._locks.enter_context(place.locked(self._target.vault, self._target.endpoint_url))
            except RunLocked as locked:
                until = self._patience.now() + _LOCKED_LOOK_EVERY
                what = f"the process that holds the vault to end ({first_sentence(locked)})"
                await self._patience.wait(Waiting(what=what, until=until))
            else:
                self._locked = place.path

    def _let_go(self) -> None:
        self._locks.close()
        self._locked = None

    def _given_up(self, outdated: PlanOutdated) -> Happened:
        """Another round, for nothing was sent in this one. Raises ``DiskFailed`` where it would come out the same."""
        whole = not isinstance(outdated, NotWhole)
        last = next((step for step in reversed(self._lifecycle.steps) if step.event is Event.PLAN_GIVEN_UP), None)
        if not whole and last is not None and last.round == self._lifecycle.round - 1 and not last.facts["whole"]:
            raise DiskFailed(
                f"a plan was written twice and is not on disk as it was written: {outdated} Look at the disk; the same "
                "command goes on."
            )
        return Event.PLAN_GIVEN_UP, {"because": first_sentence(outdated), "whole": whole}

    @property
    def _round_path(self) -> Path:
        return round_path(self._folder.path, self._lifecycle.round)

    def _retrieval(self, place: RunFolder, wanted: Wanted) -> Retrieval:
        how = RetrievalSettings(id_rule=self._target.id_rule)
        return Retrieval(self._control, place.path, wanted, self._patience, how)

    def _nothing(self, after_a_purge: Event, otherwise: Event) -> Event:
        """What it means that nothing is listed that is to be deleted."""
        if round_of(self._folder.path, self._lifecycle.steps, Event.ACCOUNTED) is not None:
            return after_a_purge
        if otherwise is Event.EMPTY:  # the vault goes, and what denies uploads with it
            return otherwise
        return otherwise if denied_since(self._lifecycle.steps) is None else Event.NOTHING_SENT

    def _earlier(self) -> Earlier | None:
        """What the rounds before this one came to; None where none was sent."""
        steps = self._lifecycle.steps
        place = round_of(self._folder.path, steps, Event.ACCOUNTED)
        if place is None:
            return None
        plan = read_plan(place / "plan.json")
        gone = {Path(step.facts["run_dir"]).name: step.facts["gone"] for step in steps if "gone" in step.facts}

        def kept() -> Iterator[str]:
            check_begun(place, plan)
            yield from kept_ids(place, plan)

        return Earlier(kept=kept, deleted=sum(gone.values()))  # a round may be verified twice

    def _proven(self, verdict: Verdict) -> Event | None:
        """What a later inventory proves; None where something is left to do."""
        if verdict.certificate is None:
            return None
        if verdict.found.vault_is_empty:
            return Event.PROVEN
        only_kept = self._lifecycle.steps[-1].event is Event.ONLY_KEPT  # a newer one was gone through
        return Event.KEPT_REST if only_kept or not verdict.found.new_since else None

    async def _proof_that_it_is_empty(self) -> Certified | Unlisted:
        """What the last step rests on by which the vault may go."""
        found = next(step for step in reversed(self._lifecycle.steps) if step.event in _EMPTY)
        if found.event in {Event.PROVEN, Event.KEPT_REST}:
            self._check_vault_may_go(found.facts.get("kept", 0), "by the plan")
            place, plan = await self._purged()
            return Certified(folder=place, plan=plan)
        date = found.facts.get("inventory")
        return Unlisted(vault=self._target.vault, as_of=None if date is None else datetime.fromisoformat(date))

    def _check_vault_may_go(self, kept: int, because: str) -> None:
        if self._wishes.remove_vault is not None and kept:
            raise PlanRefused(
                f"{self._target.vault.arn} is to be removed, and {kept:,} archives would be kept in it ({because}): "
                "only an empty vault can be removed. Nothing was planned or sent. Give the same command again once "
                "nobody retrieves them, if that is why they are kept; without --delete-vault to go on and keep the "
                "vault; or begin another calendar, which keeps nothing, with another --run-dir."
            )

    def _planned(self) -> tuple[RunFolder, Plan]:
        """This round's folder and plan, which were held against the steps before the phase."""
        place = RunFolder.open(self._round_path)
        return place, read_plan(place.plan_file)

    async def _purged(self) -> tuple[RunFolder, Plan]:
        """The folder and the plan of the last round that was sent. Raises ``AuditDamaged`` when they are not whole."""
        path = round_of(self._folder.path, self._lifecycle.steps, Event.ACCOUNTED)
        assert path is not None, "the table leads here after a purge only"
        place = RunFolder.open(path)
        plan = read_plan(place.plan_file)
        await anyio.to_thread.run_sync(check_finished, path, plan)
        return place, plan
