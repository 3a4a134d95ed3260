"""``status``: how far a run, a lifecycle or a fleet is, what it waits for and until when.

Told from its folder, and for deletes under way from the process that sends them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from glacier_purge.cli.options import LogOptions, Logs, Output
from glacier_purge.cli.output import OutputFormat, columns_of, print_page, print_result, print_text


def status(run_dir: Path, *, logs: Logs = LogOptions(), output: Output = OutputFormat.TEXT) -> int:
    """Say how far a run, a lifecycle or a fleet is and what it waits for. Counts are what is on disk; disturbs nothing.

    Parameters
    ----------
    run_dir
        The folder of a run (`plan`), of a lifecycle (`run`) or of a fleet.

    Examples
    --------
    glacier-purge status photos-run
    glacier-purge status vaults-run --output json
    """
    from glacier_purge.api.run_dirs import check_is_no_stream
    from glacier_purge.clock import utc_now
    from glacier_purge.errors import AuditDamaged
    from glacier_purge.fleet.roster import settled_roster
    from glacier_purge.lifecycle.state import is_lifecycle
    from glacier_purge.report.grid import grid
    from glacier_purge.report.lifecycle_view import LifecycleView, fleet_view, unreadable
    from glacier_purge.report.run_view import run_status
    from glacier_purge.report.way import COLUMNS
    from glacier_purge.storage.folder import RunFolder

    folder = RunFolder.look(run_dir)
    roster = settled_roster(folder)
    if roster is not None:
        facts, table = fleet_view(folder, roster)
        print_page(table) if output is OutputFormat.TEXT else print_result(facts, output)
        return max((getattr(vault, "exit_code", 0) for vault in facts.vaults), default=0)
    if not is_lifecycle(run_dir):
        check_is_no_stream(folder)
        print_result(run_status(folder, utc_now()), output)
        return 0
    try:
        view = LifecycleView.of(folder)
        print_result(view.as_result(), output)
        if output is OutputFormat.TEXT:
            cells = [line.cells for line in view.way.phases]
            print_text(f"\n{grid(COLUMNS, cells, columns_of(sys.stdout), numbers=frozenset())}")
    except AuditDamaged as damaged:
        print_result(unreadable(run_dir, damaged), output)
        return damaged.exit_code
    return 0
