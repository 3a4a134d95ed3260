"""How a vault stands at one moment: the one object that live page and metrics take their figures from.

It is put together from what is durable (the ledger) and from what the process that sends says of itself (telemetry),
both of which are handed in; ``status`` and the terminal show the same ``Progress``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glacier_purge.archive import Vault
from glacier_purge.audit.timeline import UNTOLD
from glacier_purge.report.shape import CAUSES, FAILING, PAUSED, WORKING
from glacier_purge.report.summary import progress

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from glacier_purge.audit.ledger import Ledger
    from glacier_purge.audit.timeline import Timeline
    from glacier_purge.plan.document import Plan
    from glacier_purge.report.lifecycle_view import LifecycleView
    from glacier_purge.report.summary import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The deletes of one plan: how far they are, and the run's days. ``folder`` is where orders go."""

    folder: str
    progress: Progress
    counts: dict[str, int]
    throttled: int
    faults: int
    attempts: int
    active_seconds: float
    last_deletion: str | None
    limit_per_second: float | None
    paused_by: tuple[str, ...]
    timeline: Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One vault at ``at`` (UTC). ``kind`` is the colour of why it does what it does; ``sent`` is None before a plan."""

    vault: str
    account_id: str
    region: str
    endpoint_url: str
    folder: str
    at: datetime
    phase: str
    round: int
    state: str
    why: str
    kind: str
    until: str | None
    sent: Sent | None


def of_run(folder: str, plan: Plan, ledger: Ledger, telemetry: Mapping[str, Any] | None, now: datetime) -> Snapshot:
    """A run by itself; ``telemetry`` is what the process that sends says now, None where nobody does."""
    sent = sent_by(folder, plan, ledger, telemetry)
    if ledger.finished is not None:
        state, why, kind = "finished", sent.progress.why, WORKING
    elif telemetry is not None:
        state, why, kind = str(telemetry.get("state", "running")), sent.progress.why, _kind(telemetry)
    else:
        because = f" ({ledger.stop_reason})" if ledger.stop_reason else ""
        state, why, kind = "stopped", f"nobody works on it{because}; go on with: glacier-purge apply {folder}", PAUSED
    return Snapshot(
        vault=plan.vault_name,
        account_id=plan.account_id,
        region=plan.region,
        endpoint_url=plan.endpoint_url,
        folder=folder,
        at=now,
        phase="purge",
        round=1,
        state=state,
        why=why,
        kind=kind,
        until=None if telemetry is None else telemetry.get("until"),
        sent=sent,
    )


def of_unreadable(name: str, folder: str, why: str, now: datetime, vault: Vault | None = None) -> Snapshot:
    """What can't be read, which is not nothing: it is told in the place of what is not known."""
    return Snapshot(
        vault=name if vault is None else vault.name,
        account_id="unknown" if vault is None else vault.account_id,
        region="unknown" if vault is None else vault.region,
        endpoint_url="",
        folder=folder,
        at=now,
        phase="unknown",
        round=1,
        state="damaged",
        why=why,
        kind=FAILING,
        until=None,
        sent=None,
    )


def of_lifecycle(
    view: LifecycleView, plan: Plan | None, telemetry: Mapping[str, Any] | None, now: datetime
) -> Snapshot | None:
    """A lifecycle; ``plan`` is that of its last planned round. None for one that was not begun."""
    terms = view.standing.terms
    if terms is None:
        return None
    vault = Vault.from_arn(terms.vault_arn)
    sent = None
    if plan is not None and view.ledger is not None and view.standing.planned is not None:
        sent = sent_by(str(view.standing.planned[0].path), plan, view.ledger, telemetry)
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
        kind=_kind(telemetry) if telemetry is not None else PAUSED if view.state in _WAITS else WORKING,
        until=view.until,
        sent=sent,
    )


_WAITS = frozenset({"waiting", "pending", "stopped"})


def sent_by(folder: str, plan: Plan, ledger: Ledger, telemetry: Mapping[str, Any] | None) -> Sent:
    """The deletes of a plan as its ledger has them, and as the process that sends says."""
    facts = telemetry if telemetry is not None else ledger.last_telemetry or {}
    moment = progress(ledger, facts, plan)
    return Sent(
        folder=folder,
        progress=moment,
        counts=ledger.counts,
        throttled=max(ledger.throttled, moment.throttled),
        faults=ledger.server_faults,
        attempts=ledger.attempts,
        active_seconds=moment.elapsed_seconds,
        last_deletion=ledger.last_deletion_ts,
        limit_per_second=moment.limit_per_second,
        paused_by=tuple(facts.get("paused_by") or ()) if telemetry is not None else (),
        timeline=ledger.timeline,
    )


def _kind(telemetry: Mapping[str, Any]) -> str:
    return CAUSES.get(str(telemetry.get("cause")), CAUSES[UNTOLD])[1]
