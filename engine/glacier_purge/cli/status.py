"""``status``: how far a run is, from its folder alone, also while another process works on it."""

from __future__ import annotations

from pathlib import Path

from glacier_purge.cli.options import Output
from glacier_purge.cli.output import OutputFormat, print_result


def status(run_dir: Path, *, output: Output = OutputFormat.TEXT) -> int:
    """Say how far a run is. Reads only what is on disk, asks nobody, disturbs nothing.

    Parameters
    ----------
    run_dir
        The run folder.
    """
    from glacier_purge.audit.recovery import replay
    from glacier_purge.plan.document import read_plan
    from glacier_purge.report.summary import progress, summarise
    from glacier_purge.report.words import duration
    from glacier_purge.run.folder import RunFolder

    folder = RunFolder.open(run_dir)
    plan = read_plan(folder.plan_file)
    ledger = replay(folder.path)
    summary = summarise(ledger, inventory=plan.counts.inventory, selected=plan.counts.selected, run_dir=str(run_dir))
    moment = progress(ledger, ledger.last_telemetry or {}, selected=plan.counts.selected)
    at_work = folder.is_locked()
    result = {
        **summary.as_dict(),
        "state": _state(finished=ledger.finished is not None, at_work=at_work, begun=ledger.epoch > 0),
        "vault": plan.vault_name,
        "digest": plan.digest,
        "last_deletion": ledger.last_deletion_ts,
    }
    if at_work:
        result |= {
            "rate_per_second": moment.rate_per_second,
            "limit_per_second": moment.limit_per_second,
            "left": duration(moment.remaining_seconds),
            "why": moment.why,
        }
    elif ledger.stop_reason is not None and ledger.finished is None:
        result |= {"stopped_because": ledger.stop_reason}
    print_result(result, output)
    return 0


def _state(*, finished: bool, at_work: bool, begun: bool) -> str:
    if finished:
        return "finished"
    if at_work:
        return "running"
    return "stopped, resumable with apply" if begun else "planned, not begun"
