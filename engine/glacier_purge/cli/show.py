"""``show``: a plan again, as `plan` printed it: a run's, that of a lifecycle's round, or all of a fleet that wait."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.cli.options import AwsOptions, Output, SettingsOptions, SettingsSource
from glacier_purge.cli.output import OutputFormat, print_page, print_result

if TYPE_CHECKING:
    from glacier_purge.report.plan_shown import PlanShown
    from glacier_purge.storage.folder import RunFolder


def show(run_dir: Path, *, source: SettingsSource = SettingsOptions(), output: Output = OutputFormat.TEXT) -> int:
    """Print a plan again, whole: what goes, what stays and why, what it costs, how long it takes. Sends nothing.

    Of a lifecycle it is the plan of the round that waits for an approval, or of the last; of a fleet it is every plan
    that waits. The files a plan was made from are checked first.

    Parameters
    ----------
    run_dir
        The folder of a run (`plan`), of a lifecycle (`run`) or of a fleet.
    """
    from glacier_purge.api.run_dirs import check_is_no_stream
    from glacier_purge.fleet.roster import settled_roster
    from glacier_purge.report.plan_shown import plan_shown, plans_waiting
    from glacier_purge.storage.folder import RunFolder

    settings = source.load(AwsOptions())
    folder = RunFolder.look(run_dir)
    roster = settled_roster(folder)
    if roster is not None:
        _show_all(folder, plans_waiting(folder, roster, settings), output)
        return 0
    check_is_no_stream(folder)
    shown = plan_shown(folder, settings)
    if output is OutputFormat.JSON:
        print_result(shown.as_result(), output)
    else:
        print_page(shown.as_text())
    return 0


def _show_all(folder: RunFolder, waiting: list[PlanShown], output: OutputFormat) -> None:
    from glacier_purge.report.plan_shown import all_shown

    if output is OutputFormat.JSON:
        print_result(all_shown(folder, waiting), output)
        return
    none = f"No plan in {folder.path} waits for an approval. How its vaults stand: glacier-purge status {folder.path}"
    print_page("\n\n\n".join(shown.as_text() for shown in waiting) or none)
