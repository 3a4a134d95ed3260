"""How a lifecycle or a fleet of them stands, for people and programs: from their folders, whoever works on them.

A lifecycle is *done* or *abandoned*; *running* or *waiting* while a process works on it; *pending* when nobody does and
it waits for a time or for somebody's approval; *stopped* when nobody does and it could go on now; *not begun* before
its first phase.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glacier_purge.archive import Vault
from glacier_purge.audit.recovery import replay
from glacier_purge.errors import AuditDamaged, GlacierPurgeError
from glacier_purge.fleet.fleet import folder_name
from glacier_purge.lifecycle.endings import abandonment
from glacier_purge.lifecycle.phases import Event, Phase
from glacier_purge.lifecycle.state import denial, read_state
from glacier_purge.report.approvals import NOT_LOOKED_AT, ApprovalsThere, approvals_there
from glacier_purge.report.fleet import Row, as_table
from glacier_purge.report.results.lifecycles import FleetStatus, LifecycleStatus, LifecycleUnreadable, NotBegun
from glacier_purge.report.results.result import UNSET, UnsetType
from glacier_purge.report.shape import PAUSED, WORKING
from glacier_purge.report.snapshot import NOBODY, Snapshot, Told, sent_by
from glacier_purge.report.way import Way, way
from glacier_purge.storage.folder import TERMS_FILE, RunFolder
from glacier_purge.text import share

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from glacier_purge.fleet.roster import Enlisted, Roster
    from glacier_purge.lifecycle.state import LifecycleState
    from glacier_purge.report.results.lifecycles import FleetState, State
    from glacier_purge.report.snapshot import Sent

_BEFORE_SENDING = frozenset({Phase.FREEZE, Phase.PURGE})
_STATES = ("done", "abandoned", "running", "waiting", "pending", "stopped", "not begun", "damaged", "refused")
_WAITS = frozenset({"waiting", "pending", "stopped"})
_GO_ON = "nobody works on it; the same command goes on"


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleView:
    """One lifecycle now. ``sent`` are the deletes of its last planned round; None before there is one."""

    folder: RunFolder
    standing: LifecycleState
    sent: Sent | None
    there: ApprovalsThere = NOT_LOOKED_AT

    @classmethod
    def of(cls, folder: RunFolder) -> LifecycleView:
        """Look at the lifecycle in ``folder``. Raises what its files raise when they can't be read."""
        standing = read_state(folder)
        if standing.planned is None:
            return cls(folder=folder, standing=standing, sent=None)
        place, plan = standing.planned
        told, ledger = told_of(standing, place), replay(place.path)
        there = approvals_there(place, plan, ledger)
        return cls(folder=folder, standing=standing, sent=sent_by(str(place.path), plan, ledger, told), there=there)

    @property
    def state(self) -> State:
        """How it stands, in a word or two."""
        standing = self.standing
        if standing.phase is Phase.DONE:
            return "done" if abandonment(standing.steps) is None else "abandoned"
        waits = standing.waiting is not None or self._approval_wanted is not None
        if standing.at_work:
            return "waiting" if waits else "running"
        if waits and standing.ended is None:
            return "pending"
        return "stopped" if standing.steps or standing.ended is not None else "not begun"

    @property
    def why(self) -> str:
        """What it does, or why it does nothing, in words."""
        standing = self.standing
        if standing.phase is Phase.DONE:
            return self._outcome()
        if standing.ended is not None and not standing.at_work:
            return standing.ended.message
        if self._approval_wanted is not None and self.there.needed:
            return f"waiting for people to approve: {self.there.sentence()}"
        if self._approval_wanted is not None:
            return f"waiting for somebody's approval: --confirm-digest {self._approval_wanted}"
        if standing.waiting is not None:
            return f"waiting for {standing.waiting.what}"
        if standing.phase is Phase.PURGE and self.sent is not None:
            return f"{self._part()} - {self.sent.progress.why if standing.at_work else _GO_ON}"
        return "at work" if standing.at_work else _GO_ON

    @property
    def way(self) -> Way:
        """Each phase: what came of it, what is done or waited for now, what comes next."""
        standing = self.standing
        waiting = None if standing.waiting is None else standing.waiting.until
        title = "" if standing.terms is None else Vault.from_arn(standing.terms.vault_arn).name
        return way(title, standing.steps, standing.phase, standing.round, now_told=self.why, until=waiting)

    @property
    def until(self) -> str | None:
        """When what it waits for is looked at again (UTC, ISO 8601)."""
        waiting = self.standing.waiting
        return None if waiting is None else f"{waiting.until:%Y-%m-%dT%H:%M:%SZ}"

    def as_result(self, vault_arn: str | UnsetType = UNSET) -> LifecycleStatus:
        """The lifecycle for programs: counts are of the last planned round. ``vault_arn`` is for one of a fleet."""
        standing, terms = self.standing, self.standing.terms
        return LifecycleStatus(
            vault_arn=vault_arn,
            state=self.state,
            vault=None if terms is None else Vault.from_arn(terms.vault_arn).name,
            phase=standing.phase.value,
            round=standing.round,
            why=self.why,
            until=self.until,
            confirm_digest=self._approval_wanted,
            chosen="unknown" if terms is None else ", ".join(terms.told()) or "every archive",
            **self._approvals(),
            **self._counts(),
            uploads=standing.denied or "as the vault's owner has it",
            certificate=self._fact("certificate"),
            kept_gone=self._fact("kept_gone") or 0,
            last_step=None if not standing.steps else standing.steps[-1].at,
            run_dir=str(self.folder.path),
        )

    def _approvals(self) -> dict[str, Any]:
        wanted = {"approvals_needed": self.there.needed, "approvals_there": list(self.there.by)}
        return {"approved_by": self.there.given} | (wanted if self.there.needed else {})

    def _counts(self) -> dict[str, Any]:
        if self.standing.planned is None or self.sent is None:
            return {}
        place, plan = self.standing.planned
        return {
            "inventory": plan.counts.inventory,
            "selected": plan.counts.selected,
            "kept": plan.counts.skipped,
            "deleted": self.sent.counts["deleted"],
            "failed": self.sent.counts["failed"],
            "digest": plan.digest,
            "round_dir": str(place.path),
        }

    def row(self, vault: Vault) -> Row:
        """The lifecycle as a row of its fleet's table."""
        standing = self.standing
        number = "" if standing.round == 1 else f", round {standing.round}"
        return Row(
            vault=vault.name,
            where=f"{vault.account_id} {vault.region}",
            phase=standing.phase.value + number if standing.steps else "not begun",
            standing="; ".join(filter(None, (self.why, standing.denied))),
            until=None if standing.waiting is None else standing.waiting.until,
        )

    @property
    def _approval_wanted(self) -> str | None:
        """The digest of the plan that nobody has said yes to yet."""
        if self.standing.planned is None:
            return None
        missing = self.there.given is None and len(self.there.by) < self.there.needed  # somebody's key was revoked
        if self.standing.phase is not Phase.APPROVAL and not (missing and self.standing.phase in _BEFORE_SENDING):
            return None
        return self.standing.planned[1].digest

    def _part(self) -> str:
        assert self.sent is not None
        moment = self.sent.progress
        done = moment.deleted + moment.failed
        return f"{done:,} of {moment.selected:,} ({share(done, moment.selected)})"

    def _outcome(self) -> str:
        abandoned = abandonment(self.standing.steps)
        if abandoned is not None:
            return f"abandoned at {abandoned.at} by {abandoned.facts.get('by', 'somebody')}; nothing more is sent"
        parts = [self.standing.steps[-1].event.value if self.sent is None else f"deleted {self._part()}"]
        if kept := self._fact("kept"):
            parts.append(f"{kept:,} kept")
        if self.standing.steps[-1].event is Event.DELETED:
            parts.append("the vault is gone")
        return ", ".join(parts)

    def _fact(self, name: str) -> Any:
        """What the lifecycle's end said of ``name``; None when it said nothing, or has not come."""
        ends = {Event.PROVEN, Event.KEPT_REST, Event.NOTHING_CHOSEN}
        return next((step.facts.get(name) for step in reversed(self.standing.steps) if step.event in ends), None)


def of_lifecycle(view: LifecycleView, now: datetime) -> Snapshot | None:
    """A lifecycle at ``now`` (UTC) as one object; None for one that was not begun."""
    terms, sent = view.standing.terms, view.sent
    if terms is None:
        return None
    vault = Vault.from_arn(terms.vault_arn)
    by_itself = PAUSED if view.state in _WAITS else WORKING
    return Snapshot(
        vault=vault.name,
        account_id=vault.account_id,
        region=vault.region,
        endpoint_url=terms.endpoint_url,
        folder=str(view.folder.path),
        at=now,
        phase=view.standing.phase.value,
        round=view.standing.round,
        state=view.state,
        why=view.why,
        kind=by_itself if sent is None else sent.kind or by_itself,
        until=view.until,
        sent=sent,
    )


def told_of(standing: LifecycleState, place: RunFolder) -> Told:
    """What the process says that sends the deletes of a round: in its phase alone does one."""
    return Told.asked(place) if standing.phase is Phase.PURGE else NOBODY


def fleet_view(folder: RunFolder, roster: Roster) -> tuple[FleetStatus, str]:
    """The fleet in ``folder`` as a result for programs, and as a table for people."""
    return company_view(folder, [(folder, roster)])


def company_view(folder: RunFolder, fleets: Sequence[tuple[RunFolder, Roster]]) -> tuple[FleetStatus, str]:
    """Fleets below ``folder`` as one. Of a vault that several disks have, the one that is furthest is told."""
    found: dict[str, tuple[LifecycleStatus | LifecycleUnreadable | NotBegun, Row]] = {}
    for place, roster in fleets:
        for one in roster.vaults:
            there = _of_fleet(one, place)
            known = found.get(one.vault_arn)
            if known is None or _reached(known[0]) < _reached(there[0]):
                found[one.vault_arn] = there
    counts: Counter[str] = Counter(told.state for told, _ in found.values())
    status = FleetStatus(
        state=_fleet_state(counts, at_work=any(place.is_locked() for place, _ in fleets)),
        **{state.replace(" ", "_"): counts[state] for state in _STATES},
        findings=tuple(dict.fromkeys(finding for _, roster in fleets for finding in roster.findings)),
        vaults=tuple(told for told, _ in found.values()),
        run_dir=str(folder.path),
    )
    return status, as_table([row for _, row in found.values()])


def _of_fleet(one: Enlisted, folder: RunFolder) -> tuple[LifecycleStatus | LifecycleUnreadable | NotBegun, Row]:
    vault = Vault.from_arn(one.vault_arn)
    place = folder.path / folder_name(vault)
    if place.exists():
        return _member(one, vault, place)
    where = f"{vault.account_id} {vault.region}"
    return (
        NotBegun(vault_arn=one.vault_arn, state="not begun", run_dir=str(place)),
        Row(vault=vault.name, where=where, phase="not begun", standing=_GO_ON),
    )


def _reached(told: LifecycleStatus | LifecycleUnreadable | NotBegun) -> tuple[int, int, int, str]:
    """How far a folder of a vault is; one that can't be read is further than none: it is told."""
    if not isinstance(told, LifecycleStatus):
        return (0, isinstance(told, LifecycleUnreadable), 0, "")
    deleted = told.deleted if isinstance(told.deleted, int) else 0
    return (told.round, [*Phase].index(Phase(told.phase)), deleted, told.last_step or "")


def _member(one: Enlisted, vault: Vault, place: Path) -> tuple[LifecycleStatus | LifecycleUnreadable, Row]:
    """One vault as a result and as a row; what cannot be read of it is told, and hides no other vault."""
    try:
        view = LifecycleView.of(RunFolder.look(place))
        terms = view.standing.terms
        if terms is not None and (terms.vault_arn, terms.endpoint_url) != (one.vault_arn, one.endpoint_url):
            raise AuditDamaged(
                f"the lifecycle is of {terms.vault_arn} at {terms.endpoint_url}, and its folder is another vault's",
                file=str(place / TERMS_FILE),
                offset_bytes=0,
            )
        return view.as_result(one.vault_arn), view.row(vault)
    except GlacierPurgeError as error:
        told = unreadable(place, error, one.vault_arn)
        where = f"{vault.account_id} {vault.region}"
        return told, Row(vault=vault.name, where=where, phase=told.state, standing=str(error))


def unreadable(place: Path, error: GlacierPurgeError, vault_arn: str | UnsetType = UNSET) -> LifecycleUnreadable:
    """A lifecycle of which nothing can be told but why, for programs."""
    return LifecycleUnreadable(
        vault_arn=vault_arn,
        state="damaged" if isinstance(error, AuditDamaged) else "refused",
        why=str(error),
        uploads=denial(place) or "as the vault's owner has it",
        exit_code=error.exit_code,
        run_dir=str(place),
    )


def _fleet_state(counts: Counter[str], *, at_work: bool) -> FleetState:
    if counts.total() == counts["done"] + counts["abandoned"]:
        return "done"
    if at_work:
        return "running"
    if counts["damaged"] or counts["refused"]:
        return "damaged"
    return "pending" if counts["pending"] else "stopped"
