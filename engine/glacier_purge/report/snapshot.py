"""How a vault stands at one moment: the one object that ``status``, live page and metrics take their figures from.

It is put together from what is durable (the ledger) and from what the process that sends says of itself: ``Told``, the
answer of its control socket, which is what it writes into its log as telemetry too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from glacier_purge.audit.timeline import UNTOLD
from glacier_purge.errors import UsageError
from glacier_purge.report.shape import CAUSES, FAILING, PAUSED, WORKING
from glacier_purge.report.summary import progress
from glacier_purge.run.host import who
from glacier_purge.run.socket import send_order
from glacier_purge.run.steering import AskStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from glacier_purge.archive import Vault
    from glacier_purge.audit.ledger import Ledger
    from glacier_purge.audit.timeline import Timeline
    from glacier_purge.plan.document import Plan
    from glacier_purge.report.summary import Progress
    from glacier_purge.storage.folder import RunFolder


_BETWEEN = {"state": "running", "cause": "checking", "why": "the process begins or ends"}


@dataclass(frozen=True, slots=True)
class Told:
    """What the process that sends says of itself; ``facts`` is None while one is at work and gives no answer."""

    is_at_work: bool
    facts: Mapping[str, Any] | None

    @classmethod
    def asked(cls, folder: RunFolder) -> Told:
        """Ask the process that works on the run in ``folder``, if one does."""
        if not folder.is_locked():
            return NOBODY
        try:
            return cls(True, send_order(folder.path, AskStatus(by=who())))
        except UsageError:  # it begins, ends or hangs: what it wrote last has to do
            return cls(True, None)


NOBODY = Told(False, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The deletes of one plan: how far they are, and the run's days. ``folder`` is where orders go.

    ``kind`` is the colour of why they go as they do, None where nobody sends; ``is_now`` whether the process said so
    now, or wrote it last.
    """

    folder: str
    progress: Progress
    counts: dict[str, int]
    throttled: int
    faults: int
    attempts: int
    active_seconds: float
    last_deletion: str | None
    limit_per_second: float | None
    rate_per_second_max: float | None
    paused_by: tuple[str, ...]
    state: str
    kind: str | None
    until: str | None
    window_closes: str | None
    is_now: bool
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


def of_run(folder: str, plan: Plan, ledger: Ledger, told: Told, now: datetime) -> Snapshot:
    """A run by itself."""
    sent = sent_by(folder, plan, ledger, told)
    state, why, kind = sent.state, sent.progress.why, sent.kind or PAUSED
    if state == FINISHED:
        kind = WORKING
    elif not told.is_at_work:
        because = f" ({ledger.stop_reason})" if ledger.stop_reason else ""
        why = f"nobody works on it{because}; go on with: glacier-purge apply {folder}"
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
        until=sent.until,
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


FINISHED, STOPPED, PLANNED = "finished", "stopped", "planned"
"""How a run stands on which nobody works; of others, the process says."""


def sent_by(folder: str, plan: Plan, ledger: Ledger, told: Told) -> Sent:
    """The deletes of a plan as its ledger has them, and as the process that sends says, or wrote last."""
    last = ledger.last_telemetry or {}
    facts = told.facts if told.facts is not None else last or (_BETWEEN if told.is_at_work else {})
    moment = progress(ledger, facts, plan)
    if not told.is_at_work:  # the last line's rate is of when it was written
        moment = replace(moment, rate_per_second=None, in_flight=0, waiting=0)
    now: Mapping[str, Any] = facts if told.is_at_work else {}
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
        rate_per_second_max=now.get("max_per_second"),
        paused_by=tuple(now.get("paused_by") or ()),
        state=_state(ledger, told),
        kind=CAUSES.get(str(now.get("cause")), CAUSES[UNTOLD])[1] if told.is_at_work else None,
        until=now.get("until"),
        window_closes=now.get("window_closes"),
        is_now=told.facts is not None,
        timeline=ledger.timeline,
    )


def _state(ledger: Ledger, told: Told) -> str:
    if ledger.finished is not None:
        return FINISHED
    if told.is_at_work:
        return str((told.facts or _BETWEEN).get("state", "running"))
    return STOPPED if ledger.epoch > 0 else PLANNED
