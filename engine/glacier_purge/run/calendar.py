"""Carries a vault through its whole calendar: from its name to a proven purge and, if wanted, no vault.

The lifecycle says which phase it is; each phase is one method here that does its work, or finds it done already, and
says what happened.  Everything a phase reaches is on disk before its step is, so a calendar that was stopped goes on in
the same phase.  Waiting is ``Patience``'s; asking a person, opening connections and drawing progress are the caller's.

Each round is a run folder of its own below the calendar's: the archives that a newer inventory still lists are
planned, approved and deleted like the first ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from glacier_purge.errors import PlanRefused, RunStopped
from glacier_purge.inventory.job_choice import Wanted
from glacier_purge.inventory.retrieval import NeverInventoried, Retrieval, RetrievalSettings
from glacier_purge.plan.choosing import Earlier
from glacier_purge.plan.document import read_plan
from glacier_purge.plan.making import NothingToDelete
from glacier_purge.run.abandoned import refuse_abandoned
from glacier_purge.run.approval import Approval
from glacier_purge.run.emptiness import Certified, Unlisted
from glacier_purge.run.folder import RunFolder
from glacier_purge.run.freeze import freeze, may_be_frozen, thaw
from glacier_purge.run.lifecycle import ROUNDS_MAX, Event, Phase
from glacier_purge.run.planning import clear_unfinished, keep_plan
from glacier_purge.run.reading import kept_ids
from glacier_purge.run.removal import VaultRemoval, WrittenTo, check_removed
from glacier_purge.run.verifying import Verifying

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from glacier_purge.audit.ledger import Ledger
    from glacier_purge.inventory.snapshot import Snapshot
    from glacier_purge.plan.document import Plan
    from glacier_purge.plan.making import Decided, Target
    from glacier_purge.run.lifecycle import Lifecycle, Step
    from glacier_purge.service.control import GlacierControl
    from glacier_purge.waiting import Patience


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What to do besides deleting archives: ``remove_vault`` is the vault's name, typed by who wants it gone."""

    freeze: bool = False
    remove_vault: str | None = None
    even_the_last: bool = False
    set_aside_defects: bool = False


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


class Calendar:
    """One vault's calendar in ``folder``. ``by`` is who runs it; ``target`` is what every round plans for."""

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
        by: str,
    ) -> None:
        self._folder = folder
        self._lifecycle = lifecycle
        self._control = control
        self._target = target
        self._wishes = wishes
        self._helpers = helpers
        self._patience = patience
        self._by = by
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
        """Go through the phases until the calendar is done. Raises what its phases raise; the same call goes on.

        Raises ``PlanRefused`` for a lifecycle that was abandoned, and for one that ended with the vault kept when the
        vault is to be removed: an order is carried out or refused.
        """
        refuse_abandoned(self._folder.path, self._lifecycle.steps)
        while self._lifecycle.phase is not Phase.DONE:
            event, facts = await self._do[self._lifecycle.phase]()
            self._lifecycle.advance(event, **facts)
            self._helpers.tell(self._lifecycle.steps[-1])
        if self._wishes.remove_vault is not None:
            check_removed(self._target.vault, self._folder.path, self._lifecycle.steps)

    @property
    def planned(self) -> RunFolder | None:
        """The folder of the last round that has a plan."""
        for number in range(self._lifecycle.round, 0, -1):
            place = self._round_path(number)
            if (place / "plan.json").exists():
                return RunFolder.open(place)
        return None

    # -- the phases ---------------------------------------------------------------------------------------------------

    async def _preflight(self) -> Happened:
        return Event.CLEAR, await self._helpers.preflight()

    async def _inventory(self) -> Happened:
        place = RunFolder.open_or_create(self._round_path(self._lifecycle.round))
        removing = self._wishes.remove_vault is not None
        if removing and self._lifecycle.round == 1 and (await self._control.describe_vault()).last_inventory is None:
            return Event.NEVER_INVENTORIED, {}
        try:
            snapshot, job_id = await self._retrieval(place).fetch()
        except NeverInventoried as never:
            return (Event.NEVER_INVENTORIED if removing else Event.NEVER_WRITTEN), {"because": str(never)}
        await self._helpers.look_at(snapshot)
        return Event.FETCHED, {"job": job_id, "records": snapshot.records, "of": snapshot.inventory_date}

    async def _plan(self) -> Happened:
        place = RunFolder.open(self._round_path(self._lifecycle.round))
        if not place.plan_file.exists():
            snapshot, _ = await self._retrieval(place).fetch()  # fetched already: read again
            if not snapshot.records:
                if self.planned:
                    return Event.NOTHING_LEFT, {}
                listing = Event.NOTHING_LISTED if self._wishes.remove_vault is None else Event.EMPTY
                return listing, {"inventory": snapshot.inventory_date}
            clear_unfinished(place)
            try:
                decided = await self._helpers.decide(snapshot, self._earlier())
            except NothingToDelete as nothing:
                if not nothing.kept:
                    raise
                self._check_vault_may_go(nothing.kept, str(nothing))
                return (Event.ONLY_KEPT if self.planned else Event.NOTHING_CHOSEN), {"kept": nothing.kept}
            kept = [f"{one.records:,} {one.code}" for one in decided.plan.reasons if one.keeps and one.records]
            self._check_vault_may_go(decided.plan.counts.skipped, ", ".join(kept))
            keep_plan(place, decided.plan, retrievals_looked_at=decided.retrievals_looked_at)
        plan = read_plan(place.plan_file)
        return Event.PLANNED, {
            "digest": plan.digest,
            "archives": plan.counts.selected,
            "bytes": plan.selected_bytes,
            "kept": plan.counts.skipped,
            "run_dir": str(place.path),
        }

    async def _approval(self) -> Happened:
        place, plan = self._planned()
        approval = self._helpers.approve(place, plan)
        return Event.APPROVED, {"digest": approval.digest, "how": approval.how, "by": approval.by}

    async def _freeze(self) -> Happened:
        frozen_before = any(step.event is Event.FROZEN for step in self._lifecycle.steps)
        if not self._wishes.freeze and not frozen_before:
            if may_be_frozen(self._folder, self._lifecycle.steps):  # begun, and given up before it was a step
                await thaw(self._control, self._folder)
            return Event.NOT_FROZEN, {}
        return Event.FROZEN, {"statement": await freeze(self._control, self._folder)}

    async def _purge(self) -> Happened:
        place, plan = self._planned()
        approval = Approval(
            digest=self._lifecycle.fact(Event.APPROVED, "digest"),
            how=self._lifecycle.fact(Event.APPROVED, "how"),
            by=self._lifecycle.fact(Event.APPROVED, "by"),
        )
        if approval.digest != plan.digest:
            raise PlanRefused(f"the plan in {place.path} is not the one that was approved. Nothing was sent.")
        ledger = await self._helpers.carry_out(place, plan, approval)
        if ledger.finished is None:
            raise RunStopped(f"the purge stopped before its end: {ledger.stop_reason}. The same command goes on.")
        return Event.ACCOUNTED, dict(ledger.counts)

    async def _verify(self) -> Happened:
        place, plan = self._planned()
        verifying = Verifying(self._control, place, plan, self._patience, by=self._by)
        verdict = await verifying.verify()
        found = verdict.found
        if found.vault_is_empty and verdict.certificate is not None:
            return Event.PROVEN, {
                "certificate": verdict.certificate.digest,
                "inventory": verdict.inventory_date,
                "kept_gone": found.kept_gone,
            }
        if verdict.certificate is not None and (not found.new_since or self._only_kept_is_left()):
            return Event.KEPT_REST, {
                "certificate": verdict.certificate.digest,
                "inventory": verdict.inventory_date,
                "kept": found.kept,
                "kept_gone": found.kept_gone,
                "new_since": found.new_since,
            }
        if self._lifecycle.round >= ROUNDS_MAX:
            raise RunStopped(
                f"{found.listed - found.kept:,} archives are still listed after {ROUNDS_MAX} rounds: somebody goes on "
                f"uploading, or the service does not delete them. See {place.path / 'verification'}; --freeze stops "
                "uploads."
            )
        return Event.SOMETHING_LEFT, {
            "listed": found.listed,
            "new_since": found.new_since,
            "never_deleted": found.never_deleted,
            "still_listed": found.still_listed,
            "kept_gone": found.kept_gone,
            "gone": found.gone,
            "run_dir": str(place.path),
        }

    async def _delete_vault(self) -> Happened:
        if self._wishes.remove_vault is None:
            return Event.KEPT, {}
        self._check_vault_may_go(self._lifecycle.steps[-1].facts.get("kept", 0), "by the plan")
        proof = self._proof_that_it_is_empty()
        place = proof.folder.path if isinstance(proof, Certified) else self._round_path(self._lifecycle.round)
        removal = VaultRemoval(
            self._control, place, proof, self._patience, by=self._by, even_the_last=self._wishes.even_the_last
        )
        try:
            answer = await removal.remove(self._wishes.remove_vault)
        except WrittenTo as written:
            if self._lifecycle.round >= ROUNDS_MAX:
                raise
            return Event.WRITTEN_TO, {"because": str(written)}
        return Event.DELETED, {"answer": answer.value}

    async def _thaw(self) -> Happened:
        if not may_be_frozen(self._folder, self._lifecycle.steps):
            return Event.THAWED, {}
        still_denied_by = await thaw(self._control, self._folder)
        return Event.THAWED, {"still_denied_by": still_denied_by} if still_denied_by else {}

    # -- what they share ----------------------------------------------------------------------------------------------

    def _round_path(self, number: int) -> Path:
        return self._folder.path / f"round-{number}"

    def _proof_that_it_is_empty(self) -> Certified | Unlisted:
        """What the last step rests on by which the vault may go."""
        found = next(step for step in reversed(self._lifecycle.steps) if step.event in _EMPTY)
        if found.event in {Event.PROVEN, Event.KEPT_REST}:
            place, plan = self._planned()
            return Certified(folder=place, plan=plan)
        date = found.facts.get("inventory")
        return Unlisted(vault=self._target.vault, as_of=None if date is None else datetime.fromisoformat(date))

    def _retrieval(self, place: RunFolder) -> Retrieval:
        """The way to this round's inventory, which has to be newer than the last write that is known."""
        how = RetrievalSettings(any_id_length=self._target.any_id_length)
        written_to = [step.at for step in self._lifecycle.steps if step.event is Event.WRITTEN_TO]
        wanted = Wanted(created_from=datetime.fromisoformat(written_to[-1]) if written_to else None)
        return Retrieval(self._control, place.path, wanted, self._patience, how)

    def _earlier(self) -> Earlier | None:
        """What the rounds before this one came to; None in the first."""
        place = self.planned
        if place is None:
            return None
        plan = read_plan(place.plan_file)
        left = [step.facts for step in self._lifecycle.steps if step.event is Event.SOMETHING_LEFT]
        gone = {facts["run_dir"]: facts["gone"] for facts in left if "gone" in facts}  # a round may be verified twice
        return Earlier(kept=lambda: kept_ids(place.path, plan), deleted=sum(gone.values()))

    def _only_kept_is_left(self) -> bool:
        """Whether a newer inventory was gone through, and nothing in it was to be deleted."""
        return self._lifecycle.steps[-1].event is Event.ONLY_KEPT

    def _check_vault_may_go(self, kept: int, because: str) -> None:
        if self._wishes.remove_vault is not None and kept:
            raise PlanRefused(
                f"{self._target.vault.arn} is to be removed, and {kept:,} archives would be kept in it ({because}): "
                "only an empty vault can be removed. Nothing was planned or sent. Give the same command again once "
                "nobody retrieves them, if that is why they are kept; without --delete-vault to go on and keep the "
                "vault; or begin another calendar, which keeps nothing, with another --run-dir."
            )

    def _planned(self) -> tuple[RunFolder, Plan]:
        place = self.planned
        if place is None:
            raise PlanRefused(f"{self._folder.path} holds no plan any more. Begin again in another folder.")
        return place, read_plan(place.plan_file)
