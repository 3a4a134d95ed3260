"""The last phases: what a later inventory proves, the vault itself removed where that is wanted, uploads as before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from glacier_purge.errors import GivenUp, first_sentence
from glacier_purge.lifecycle.context import LifecycleContext, PhaseResult
from glacier_purge.lifecycle.endings import may_be_frozen
from glacier_purge.lifecycle.files import round_path
from glacier_purge.lifecycle.phases import ROUNDS_MAX, Event
from glacier_purge.lifecycle.readiness import drop_unusable
from glacier_purge.lifecycle.steps import led_by
from glacier_purge.plan.document import read_plan
from glacier_purge.plan.files import kept_ids
from glacier_purge.proof.reconcile import KEPT_GONE_FILE, VERIFICATION_FOLDER, KeptEarlier
from glacier_purge.proof.verifying import Verdict, Verifying
from glacier_purge.storage.folder import PLAN_FILE, RunFolder
from glacier_purge.storage.ownership import open_own
from glacier_purge.vault.emptiness import Certified, Unlisted
from glacier_purge.vault.freeze import thaw
from glacier_purge.vault.removal import VaultRemoval, WrittenTo

_EMPTY = frozenset({Event.PROVEN, Event.KEPT_REST, Event.EMPTY, Event.NEVER_INVENTORIED})
"""Steps that lead to the removal of the vault, each with a proof of its own."""


async def verify(here: LifecycleContext) -> PhaseResult:
    """Hold what was deleted against a newer inventory; what is left is another round."""
    place, plan = await here.purged()
    await drop_unusable(place.path / VERIFICATION_FOLDER, here.target.vault)
    verdict = await Verifying(
        here.control,
        place,
        plan,
        here.waiter,
        here.callbacks.say,
        by=here.by,
        wanted=here.wanted,
        earlier=_earlier(here),
        sign_key=here.sign_key,
    ).verify()
    found = verdict.found
    facts: dict[str, Any] = {
        "run_dir": str(place.path),
        "gone": found.gone,
        "new_since": found.new_since,
        "kept_gone": found.kept_gone,
    }
    if (event := _proven(here, verdict)) is not None and verdict.certificate is not None:
        proof = {"certificate": verdict.certificate.digest, "inventory": verdict.inventory_date}
        return event, proof | ({} if event is Event.PROVEN else {"kept": found.kept}) | facts
    if sum(step.event is Event.SOMETHING_LEFT for step in here.file.steps) >= ROUNDS_MAX - 1:
        raise GivenUp(
            f"{found.listed - found.kept:,} archives are still listed after {ROUNDS_MAX} rounds: somebody goes on "
            f"uploading, or the service does not delete them. See {place.path / 'verification'}; --freeze stops "
            "uploads."
        )
    certified = {} if verdict.certificate is None else {"certified": place.path.name}
    return Event.SOMETHING_LEFT, {
        **certified,
        "listed": found.listed,
        "never_deleted": found.never_deleted,
        "still_listed": found.still_listed,
        **facts,
    }


async def delete_vault(here: LifecycleContext) -> PhaseResult:
    """Remove the vault that was proven empty, where its name was typed for that."""
    if here.options.remove_vault is None:
        return Event.KEPT, {}
    proof = await _proof_that_it_is_empty(here)
    place = proof.folder if isinstance(proof, Certified) else RunFolder.open(here.round_path)
    await here.hold(place)
    removal = VaultRemoval(
        here.control,
        place.path,
        proof,
        here.waiter,
        by=here.by,
        even_the_last=here.options.even_the_last,
        keep_others_out=here.keep_others_out,
    )
    try:
        answer = await removal.remove(here.options.remove_vault)
    except WrittenTo as written:
        if sum(step.event is Event.WRITTEN_TO for step in here.file.steps) >= ROUNDS_MAX:
            raise
        return Event.WRITTEN_TO, {"because": first_sentence(written)}
    return Event.DELETED, {"answer": answer.value}


async def allow_uploads(here: LifecycleContext) -> PhaseResult:
    """Take back what denied uploads, if anything did."""
    if not may_be_frozen(here.folder, here.file.steps):
        return Event.THAWED, {}
    await here.keep_others_out()
    still_denied_by = await thaw(here.control, here.folder)
    return Event.THAWED, {"still_denied_by": still_denied_by} if still_denied_by else {}


def _earlier(here: LifecycleContext) -> KeptEarlier | None:
    """What the round that was purged before the one to verify let be; None for the first."""
    purged = [step.round for step in here.file.steps if step.event is Event.ACCOUNTED]
    if len(purged) < 2:
        return None
    place = round_path(here.folder.path, purged[-2])
    sent = read_plan(place / PLAN_FILE)

    def told_gone() -> Iterator[str]:
        with suppress(FileNotFoundError):  # lost: those in it are told once more, rather than others never
            descriptor = open_own(place / VERIFICATION_FOLDER / KEPT_GONE_FILE)
            with os.fdopen(descriptor, encoding="ascii", errors="replace") as ids:
                yield from (line.rstrip("\n") for line in ids)

    return KeptEarlier(kept=lambda: kept_ids(place, sent), told_gone=told_gone)


def _proven(here: LifecycleContext, verdict: Verdict) -> Event | None:
    """What a later inventory proves; None where something is left to do."""
    if verdict.certificate is None:
        return None
    if verdict.found.vault_is_empty:
        return Event.PROVEN
    only_kept = led_by(here.file.steps) is Event.ONLY_KEPT  # a newer one was gone through
    return Event.KEPT_REST if only_kept or not verdict.found.new_since else None


async def _proof_that_it_is_empty(here: LifecycleContext) -> Certified | Unlisted:
    """What the last step rests on by which the vault may go."""
    found = next(step for step in reversed(here.file.steps) if step.event in _EMPTY)
    if found.event in {Event.PROVEN, Event.KEPT_REST}:
        here.check_vault_may_go(found.facts.get("kept", 0), "by the plan")
        place, plan = await here.purged()
        return Certified(folder=place, plan=plan)
    date = found.facts.get("inventory")
    return Unlisted(vault=here.target.vault, as_of=None if date is None else datetime.fromisoformat(date))
