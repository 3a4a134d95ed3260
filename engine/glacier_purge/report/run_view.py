"""How far a run is, for people and programs: from its folder, and for deletes under way from the process that sends."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from glacier_purge.audit.recovery import replay
from glacier_purge.plan.document import read_plan
from glacier_purge.report.approvals import approvals_there
from glacier_purge.report.results.running import RunStatus
from glacier_purge.report.snapshot import PLANNED, STOPPED, Told, of_run
from glacier_purge.report.summary import summarise
from glacier_purge.text import duration

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from glacier_purge.audit.ledger import Ledger
    from glacier_purge.report.snapshot import Sent
    from glacier_purge.storage.folder import RunFolder


def run_status(folder: RunFolder, now: datetime) -> RunStatus:
    """Look at the run in ``folder`` at ``now`` (UTC), whoever works on it.

    Raises what its files raise when they can't be read.
    """
    run_dir, plan = folder.path, read_plan(folder.plan_file)
    told = Told.asked(folder)
    ledger = replay(folder.path, plan_digest=plan.digest)
    snapshot = of_run(str(run_dir), plan, ledger, told, now)
    summary = summarise(ledger, inventory=plan.counts.inventory, selected=plan.counts.selected, run_dir=str(run_dir))
    more: dict[str, Any] = {}
    if told.is_at_work and snapshot.sent is not None:
        more = _at_work(snapshot.sent)
    elif ledger.finished is None:
        more = _at_rest(ledger, run_dir)
    there = approvals_there(folder, plan, ledger)
    if there.needed:
        more |= {"approvals_needed": there.needed, "approvals_there": list(there.by)}
    return RunStatus(
        **asdict(summary),
        state=_STATES.get(snapshot.state, snapshot.state),
        vault=snapshot.vault,
        digest=plan.digest,
        last_deletion=ledger.last_deletion_ts,
        approved_by=ledger.approved_by,
        **more,
    )


_STATES = {STOPPED: "stopped, resumable with apply", PLANNED: "planned, not begun"}


def _at_work(sent: Sent) -> dict[str, Any]:
    moment = sent.progress
    return {
        "rate_per_second": moment.rate_per_second,
        "limit_per_second": moment.limit_per_second,
        "max_rate": sent.rate_per_second_max,
        "in_flight": moment.in_flight,
        "left": duration(moment.remaining_seconds),
        "why": moment.why,
        "until": sent.until,
        "window_closes": sent.window_closes,
        "as_of": "now" if sent.is_now else "what was written last",
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
