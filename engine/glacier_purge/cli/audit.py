"""``audit verify`` and ``audit export``: prove what a run did, and hand it to others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.cli.options import Hyphened, Output
from glacier_purge.cli.output import OutputFormat, print_result

if TYPE_CHECKING:
    from glacier_purge.audit.verification import FolderVerdict

_FAULTS_SHOWN = 10


def verify(run_dir: Path, *, anchor: Hyphened | None = None, output: Output = OutputFormat.TEXT) -> int:
    """Check every file of a run's, a lifecycle's or a fleet's folder; name each that is not as it was written.

    The same check runs without this program: copy glacier_purge/audit/verification.py and run it with python3.

    Parameters
    ----------
    run_dir
        The folder of a run, of a lifecycle with its rounds, or of a fleet with its members.
    anchor
        SEQ:HASH printed by an earlier check of this run and kept elsewhere; shows a log that was rewritten or cut back
        since.
    """
    from glacier_purge.audit.verification import NotToBeChecked, verify_folder
    from glacier_purge.errors import UsageError

    try:
        verdicts = verify_folder(run_dir, anchor=anchor)
    except NotToBeChecked as refused:
        raise UsageError(f"{refused}. Nothing was checked.") from refused
    if len(verdicts) == 1:
        print_result(_told(verdicts[0], run_dir, output), output)
    elif output is OutputFormat.JSON:
        folders = [_told(verdict, run_dir / verdict.name, output) for verdict in verdicts]
        print_result({"verdict": _worst(verdicts), "folders": folders, "run_dir": str(run_dir)}, output)
    else:
        for verdict in verdicts:
            print_result({"folder": verdict.name} | _told(verdict, run_dir / verdict.name, output), output)
    return max(verdict.found.exit_code for verdict in verdicts)


def _told(verdict: FolderVerdict, place: Path, output: OutputFormat) -> dict[str, object]:
    found = verdict.found
    result: dict[str, object] = {
        "verdict": _worst([verdict]),
        "of": verdict.what,
        "finished": found.finished,
        "lines": found.records,
        **found.counts,
        "faults": len(found.faults),
        "notices": len(found.notices),
        "anchor": found.anchor,
        "run_dir": str(place),
    }
    if output is OutputFormat.JSON:
        return result | {"fault_list": [str(fault) for fault in found.faults], "notice_list": list(found.notices)}
    result |= {f"fault {number}": str(fault) for number, fault in enumerate(found.faults[:_FAULTS_SHOWN], 1)}
    return result | {f"notice {number}": notice for number, notice in enumerate(found.notices[:_FAULTS_SHOWN], 1)}


def _worst(verdicts: list[FolderVerdict]) -> str:
    return "damaged" if any(verdict.found.faults for verdict in verdicts) else "sound"


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
    from glacier_purge.cli.run_dir import look_at_log

    folder = look_at_log(run_dir)
    if to is None:
        export_csv(folder.path, sys.stdout)
    else:
        with to.open("x", encoding="ascii", newline="") as file:
            export_csv(folder.path, file)
    return 0
