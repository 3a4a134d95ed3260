"""The first phases of each round: an inventory that can be planned with, and a plan; or why there is none to make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from glacier_purge.approval.documents import sign_plan
from glacier_purge.errors import PlanOutdated, first_sentence
from glacier_purge.inventory.fetching.job_choice import ANY_JOB, WantedJob
from glacier_purge.inventory.fetching.progress import read_progress
from glacier_purge.inventory.fetching.retrieval import NeverInventoried, Retrieval, RetrievalSettings, drop_inventory
from glacier_purge.lifecycle.context import LifecycleContext, PhaseResult
from glacier_purge.lifecycle.files import identity_sha256, round_of
from glacier_purge.lifecycle.phases import Event
from glacier_purge.lifecycle.readiness import check_age, check_begun, drop_unusable
from glacier_purge.lifecycle.steps import denied_since, led_by
from glacier_purge.plan.choosing import Earlier
from glacier_purge.plan.document import read_plan
from glacier_purge.plan.files import kept_ids
from glacier_purge.plan.making import NothingToDelete
from glacier_purge.run.planned import clear_unfinished, keep_plan
from glacier_purge.storage.folder import PLAN_FILE, RunFolder

_FROM_ANEW = frozenset({Event.INVENTORY_GIVEN_UP, Event.PLAN_GIVEN_UP, Event.WRITTEN_TO})
"""After these an inventory is wanted that is the service's last."""


async def preflight(here: LifecycleContext) -> PhaseResult:
    """What could go wrong is looked at before anything is asked for."""
    return Event.CLEAR, await here.callbacks.preflight()


async def inventory(here: LifecycleContext) -> PhaseResult:
    """Fetch the round's inventory, hours or days as that may take."""
    place = RunFolder.open_or_create(here.round_path)
    if here.is_removing and here.file.round == 1 and (await here.control.describe_vault()).last_inventory is None:
        return Event.NEVER_INVENTORIED, {}
    await drop_unusable(place.path, here.target.vault)
    wanted = here.wanted
    if _was_fetched(place) and here.why_another_inventory(place.path) is None:
        wanted = ANY_JOB  # what was ordered is here, and a stop came before its step
    if led_by(here.file.steps) in _FROM_ANEW:
        wanted = replace(wanted, created_from=(await here.control.describe_vault()).last_inventory)
    try:
        snapshot, job_id = await _retrieval(here, place, wanted).fetch()
    except NeverInventoried as never:
        event = Event.NEVER_INVENTORIED if here.is_removing else Event.NEVER_WRITTEN
        return event, {"because": str(never)}
    await here.callbacks.look_at(snapshot)
    return Event.FETCHED, {
        "job": job_id,
        "records": snapshot.records,
        "of": snapshot.inventory_date,
        "sha256": snapshot.sha256,
    }


async def plan(here: LifecycleContext) -> PhaseResult:
    """Make the round's plan, or find it made."""
    place = RunFolder.open(here.round_path)
    if not place.plan_file.exists():
        nothing = await _make_plan(here, place)
        if nothing is not None:
            return nothing
    made = read_plan(place.plan_file)
    if here.sign_key is not None:
        sign_plan(place, made, here.sign_key, here.by, here.waiter.now())
    return Event.PLANNED, {
        "digest": made.digest,
        "vault": made.vault.arn,
        "endpoint": made.endpoint_url,
        "run_json": identity_sha256(place.path),
        "archives": made.counts.selected,
        "bytes": made.selected_bytes,
        "kept": made.counts.skipped,
        "run_dir": str(place.path),
    }


async def _make_plan(here: LifecycleContext, place: RunFolder) -> PhaseResult | None:
    """Write the round's plan; or say why there is none to be made of this inventory."""
    if await drop_unusable(place.path, here.target.vault, here.file.fact(Event.FETCHED, "sha256")):
        return Event.INVENTORY_GIVEN_UP, {"because": "its file is not what came from the service"}
    if (because := here.why_another_inventory(place.path)) is not None:
        drop_inventory(place.path)
        return Event.INVENTORY_GIVEN_UP, {"because": because}
    snapshot, _ = await _retrieval(here, place, ANY_JOB).fetch()  # fetched already: read again
    try:
        await check_age(snapshot.inventory_date, here.control, here.rules, here.waiter.now())
    except PlanOutdated as old:
        drop_inventory(place.path)
        return Event.INVENTORY_GIVEN_UP, {"because": first_sentence(old)}
    if not snapshot.records:
        listed = Event.EMPTY if here.is_removing else Event.NOTHING_LISTED
        return _nothing(here, Event.NOTHING_LEFT, listed), {"inventory": snapshot.inventory_date}
    clear_unfinished(place)
    try:
        decided = await here.callbacks.decide(snapshot, _earlier(here))
    except NothingToDelete as nothing:
        if not nothing.kept:
            raise
        here.check_vault_may_go(nothing.kept, str(nothing))
        return _nothing(here, Event.ONLY_KEPT, Event.NOTHING_CHOSEN), {"kept": nothing.kept}
    kept = [f"{one.records:,} {one.code}" for one in decided.plan.reasons if one.keeps and one.records]
    here.check_vault_may_go(decided.plan.counts.skipped, ", ".join(kept))
    keep_plan(place, decided.plan, retrievals_looked_at=decided.retrievals_looked_at)
    return None


def _was_fetched(place: RunFolder) -> bool:
    progress = read_progress(place.path)
    return progress is not None and progress.sha256 is not None


def _retrieval(here: LifecycleContext, place: RunFolder, wanted: WantedJob) -> Retrieval:
    how = RetrievalSettings(id_rule=here.target.id_rule)
    return Retrieval(here.control, place.path, wanted, here.waiter, here.callbacks.say, how)


def _nothing(here: LifecycleContext, after_a_purge: Event, otherwise: Event) -> Event:
    """What it means that nothing is listed that is to be deleted."""
    if round_of(here.folder.path, here.file.steps, Event.ACCOUNTED) is not None:
        return after_a_purge
    if otherwise is Event.EMPTY:  # the vault goes, and what denies uploads with it
        return otherwise
    return otherwise if denied_since(here.file.steps) is None else Event.NOTHING_SENT


def _earlier(here: LifecycleContext) -> Earlier | None:
    """What the rounds before this one came to; None where none was sent."""
    place = round_of(here.folder.path, here.file.steps, Event.ACCOUNTED)
    if place is None:
        return None
    sent = read_plan(place / PLAN_FILE)
    told = [step.facts for step in here.file.steps if "gone" in step.facts]
    gone = {Path(facts["run_dir"]).name: facts["gone"] for facts in told}

    def kept() -> Iterator[str]:
        check_begun(place, sent)
        yield from kept_ids(place, sent)

    return Earlier(kept=kept, deleted=sum(gone.values()))  # a round may be verified twice
