"""``audit verify`` and ``audit export``: prove what a run did, and hand it to others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from glacier_purge.cli.options import Hyphened, Output
from glacier_purge.cli.output import OutputFormat, as_text, print_page, print_result

if TYPE_CHECKING:
    from glacier_purge.audit.verification import FolderVerdict
    from glacier_purge.report.results.auditing import Audited

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
    from glacier_purge.report.results.auditing import AllAudited

    try:
        verdicts = verify_folder(run_dir, anchor=anchor)
    except NotToBeChecked as refused:
        raise UsageError(f"{refused}. Nothing was checked.") from refused
    if output is OutputFormat.TEXT:
        for verdict in verdicts:
            name = {"folder": verdict.name} if len(verdicts) > 1 else {}
            print_page(as_text(name | _told(_audited(verdict, run_dir / verdict.name))))
    elif len(verdicts) == 1:
        print_result(_audited(verdicts[0], run_dir), output)
    else:
        folders = [_audited(verdict, run_dir / verdict.name) for verdict in verdicts]
        print_result(AllAudited(verdict=_worst(verdicts), folders=folders, run_dir=str(run_dir)), output)
    return max(verdict.found.exit_code for verdict in verdicts)


def _audited(verdict: FolderVerdict, place: Path) -> Audited:
    from glacier_purge.report.results.auditing import Audited

    found = verdict.found
    return Audited(
        verdict=_worst([verdict]),
        of=verdict.what,
        finished=found.finished,
        lines=found.records,
        **found.counts,
        faults=len(found.faults),
        notices=len(found.notices),
        anchor=found.anchor,
        run_dir=str(place),
        fault_list=[str(fault) for fault in found.faults],
        notice_list=list(found.notices),
    )


def _told(audited: Audited) -> dict[str, object]:
    """The verdict for people: the first of what is wrong, a line each."""
    from glacier_purge.report.results.result import as_members

    result = as_members(audited)
    faults, notices = result.pop("fault_list"), result.pop("notice_list")
    result |= {f"fault {number}": fault for number, fault in enumerate(faults[:_FAULTS_SHOWN], 1)}
    return result | {f"notice {number}": notice for number, notice in enumerate(notices[:_FAULTS_SHOWN], 1)}


def _worst(verdicts: list[FolderVerdict]) -> Literal["sound", "damaged"]:
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

    from glacier_purge.api.run_dirs import look_at_log
    from glacier_purge.audit.export import export_csv

    folder = look_at_log(run_dir)
    if to is None:
        export_csv(folder.path, sys.stdout)
    else:
        with to.open("x", encoding="ascii", newline="") as file:
            export_csv(folder.path, file)
    return 0
