"""How far a run is, for people and programs: from its folder, and for deletes under way from the process that sends."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from glacier_purge.audit.recovery import replay
from glacier_purge.plan.document import read_plan
from glacier_purge.report.lifecycle_view import moment_of
from glacier_purge.report.results.running import RunStatus
from glacier_purge.report.summary import progress, summarise
from glacier_purge.text import duration

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.audit.ledger import Ledger
    from glacier_purge.report.summary import Progress
    from glacier_purge.storage.folder import RunFolder


def run_status(folder: RunFolder) -> RunStatus:
    """Look at the run in ``folder``, whoever works on it. Raises what its files raise when they can't be read."""

    run_dir, plan = folder.path, read_plan(folder.plan_file)
    at_work = folder.is_locked()
    live = moment_of(folder) if at_work else None
    ledger = replay(folder.path, plan_digest=plan.digest)
    summary = summarise(ledger, inventory=plan.counts.inventory, selected=plan.counts.selected, run_dir=str(run_dir))
    facts = live if live is not None else ledger.last_telemetry or {}
    more: dict[str, Any] = {}
    if at_work:
        more = _at_work(facts, progress(ledger, facts, plan), live=live is not None)
    elif ledger.finished is None:
        more = _at_rest(ledger, run_dir)
    return RunStatus(
        **asdict(summary),
        state=_state(ledger, at_work=at_work, live=live),
        vault=plan.vault_name,
        digest=plan.digest,
        last_deletion=ledger.last_deletion_ts,
        **more,
    )


def _state(ledger: Ledger, *, at_work: bool, live: dict[str, Any] | None) -> str:
    if ledger.finished is not None:
        return "finished"
    if at_work:
        return "running" if live is None else str(live["state"])
    return "stopped, resumable with apply" if ledger.epoch > 0 else "planned, not begun"


def _at_work(facts: dict[str, Any], moment: Progress, *, live: bool) -> dict[str, Any]:

    return {
        "rate_per_second": moment.rate_per_second,
        "limit_per_second": moment.limit_per_second,
        "max_rate": facts.get("max_per_second"),
        "in_flight": moment.in_flight,
        "left": duration(moment.remaining_seconds),
        "why": moment.why or "the process begins or ends",
        "until": facts.get("until"),
        "window_closes": facts.get("window_closes"),
        "as_of": "now" if live else "what was written last",
    }


def _at_rest(ledger: Ledger, run_dir: Path) -> dict[str, Any]:
    """Why nothing happens. A pause that its process did not outlive is told: the next one does not keep it.

    A hold on the vault is told as well: the next process finds it where it is, or finds it lifted.
    """
    rest: dict[str, Any] = {} if ledger.stop_reason is None else {"stopped_because": ledger.stop_reason}
    rest["why"] = f"nobody works on it; go on with: glacier-purge apply {run_dir}"
    last = ledger.last_telemetry or {}
    paused_by = last.get("paused_by")
    if isinstance(paused_by, list) and "operator" in paused_by:  # the last line of a log has no other to vouch for it
        rest["pause"] = "ended with its process: apply goes on sending"
    if last.get("hold"):
        rest["hold"] = f"when its process ended: {last['hold']}. Apply looks before it sends"
    return rest
