"""``audit verify`` and ``audit export``: prove what a run did, and hand it to others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.cli.options import Hyphened, Output
from glacier_purge.cli.output import OutputFormat, print_result

if TYPE_CHECKING:
    from glacier_purge.audit.verification import PlanFacts
    from glacier_purge.run.folder import RunFolder

_FAULTS_SHOWN = 10


def verify(run_dir: Path, *, anchor: Hyphened | None = None, output: Output = OutputFormat.TEXT) -> int:
    """Check every line of a run's audit log; name each record that is not as it was written.

    The same check runs without this program: copy glacier_purge/audit/verification.py and run it with python3.

    Parameters
    ----------
    run_dir
        The run folder.
    anchor
        SEQ:HASH printed by an earlier check and kept elsewhere; shows a log that was rewritten or cut back since.
    """
    from glacier_purge.audit.verification import verify as verify_log
    from glacier_purge.cli.run_dir import look_at_run
    from glacier_purge.errors import UsageError

    folder = look_at_run(run_dir)
    plan_fault, facts = _plan_facts(folder)
    try:
        found = verify_log(folder.path, plan=facts, anchor=anchor)
    except ValueError as error:
        raise UsageError(f"--anchor {anchor!r} is not SEQ:HASH as an earlier check printed it ({error}).") from error
    faults = [f"{fault.file}, byte {fault.offset_bytes:,}: {fault.kind}: {fault.message}" for fault in found.faults]
    if plan_fault is not None:
        faults.insert(0, plan_fault)
    result: dict[str, object] = {
        "verdict": "damaged" if faults else "sound",
        "finished": found.finished,
        "lines": found.records,
        **found.counts,
        "faults": len(faults),
        "notices": len(found.notices),
        "anchor": found.anchor,
        "run_dir": str(run_dir),
    }
    if output is OutputFormat.JSON:
        result |= {"fault_list": faults, "notice_list": list(found.notices)}
    else:
        result |= {f"fault {number}": fault for number, fault in enumerate(faults[:_FAULTS_SHOWN], 1)}
        result |= {f"notice {number}": notice for number, notice in enumerate(found.notices[:_FAULTS_SHOWN], 1)}
    print_result(result, output)
    return 4 if faults else 0


def _plan_facts(folder: RunFolder) -> tuple[str | None, PlanFacts | None]:
    """What the plan says, for the check; or why it can't be believed, which is a fault as well."""
    from glacier_purge.audit.verification import PlanFacts
    from glacier_purge.errors import PlanRefused
    from glacier_purge.plan.decisions import check_decisions, selected_bitmap
    from glacier_purge.plan.document import read_plan

    try:
        plan = read_plan(folder.plan_file)
        folder.identity(plan)
        check_decisions(folder.path, plan.decisions_sha256)
    except PlanRefused as error:
        return str(error), None
    return None, PlanFacts(digest=plan.digest, records=plan.counts.inventory, selected=selected_bitmap(folder.path))


def export(run_dir: Path, *, to: Path | None = None) -> int:
    """Write a run's outcomes as CSV that a spreadsheet can open without running anything in it.

    Parameters
    ----------
    run_dir
        The run folder.
    to
        File to write; otherwise stdout.
    """
    import sys

    from glacier_purge.audit.export import export_csv
    from glacier_purge.cli.run_dir import look_at_run

    folder = look_at_run(run_dir)
    if to is None:
        export_csv(folder.path, sys.stdout)
    else:
        with to.open("x", encoding="ascii", newline="") as file:
            export_csv(folder.path, file)
    return 0
