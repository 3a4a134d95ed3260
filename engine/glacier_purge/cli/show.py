"""``show``: a plan again, as `plan` printed it: a run's, that of a lifecycle's round, or all of a fleet that wait."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from glacier_purge.cli.listing import ListForm
from glacier_purge.cli.options import AwsOptions, LogOptions, Logs, Output, SettingsOptions, SettingsSource
from glacier_purge.cli.output import OutputFormat, print_page, print_result

if TYPE_CHECKING:
    from glacier_purge.report.plan_shown import PlanShown
    from glacier_purge.storage.folder import RunFolder


def show(
    run_dir: Path,
    *,
    which: Annotated[Literal["goes", "stays", "failed"] | None, Parameter(name="--list")] = None,
    form: Annotated[ListForm, Parameter(name="--format")] = "csv",
    to: Path | None = None,
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Print a plan again, whole: what goes, what stays and why, what it costs, how long it takes. Sends nothing.

    Of a lifecycle it is the plan of the round that waits for an approval, or of the last; of a fleet it is every plan
    that waits. The files a plan was made from are checked first. With `--list`, it is the archives of one plan instead:
    id, size, decision, date of upload, tree hash, the file's name where the description has one, and the description.

    Parameters
    ----------
    run_dir
        The folder of a run (`plan`), of a lifecycle (`run`) or of a fleet.
    which
        List archives: what goes, what stays and why, or what failed when it was carried out.
    form
        How a list is written: csv, or jsonl, an object a line.
    to
        File to make for a list, packed where its name ends in .gz or .zst; otherwise stdout.

    Examples
    --------
    glacier-purge show photos-run
    glacier-purge show photos-run --list goes --to goes.csv.gz
    glacier-purge show photos-run --list stays --format jsonl | head
    """
    from glacier_purge.api.run_dirs import check_is_no_stream
    from glacier_purge.fleet.roster import settled_roster
    from glacier_purge.report.bars import bar_on
    from glacier_purge.report.plan_shown import plan_shown, plans_waiting
    from glacier_purge.storage.folder import RunFolder

    settings = source.load(AwsOptions())
    folder = RunFolder.look(run_dir)
    if which is not None:
        return _list(folder, which, form, to)
    roster = settled_roster(folder)
    if roster is not None:
        _show_all(folder, plans_waiting(folder, roster, settings), output)
        return 0
    check_is_no_stream(folder)
    shown = plan_shown(folder, settings)
    if output is OutputFormat.JSON:
        print_result(shown.as_result(), output)
    else:
        print_page(shown.as_text(bar_on(sys.stdout)))
    return 0


def _list(folder: RunFolder, which: str, form: ListForm, to: Path | None) -> int:
    from glacier_purge.api.run_dirs import check_is_no_stream
    from glacier_purge.cli.listing import print_list
    from glacier_purge.errors import UsageError
    from glacier_purge.fleet.roster import settled_roster
    from glacier_purge.proof.lists import DECIDED, SETTLED, decided_rows, settled_rows
    from glacier_purge.report.plan_shown import planned

    if form == "s3-batch":
        raise UsageError("a plan has no completion report. Give csv or jsonl, or: glacier-purge audit export RUN-DIR")
    check_is_no_stream(folder)
    if settled_roster(folder) is not None:
        raise UsageError(f"{folder.path} is a fleet's. Give the folder of one vault in it.")
    place, plan, _ = planned(folder)
    if which == "failed":
        print_list(settled_rows(place.path, plan, "failed"), SETTLED, form, to, vault=plan.vault_name)
    else:
        rows = decided_rows(place.path, plan, going=which == "goes")
        print_list(rows, DECIDED, form, to, vault=plan.vault_name)
    return 0


def _show_all(folder: RunFolder, waiting: list[PlanShown], output: OutputFormat) -> None:
    from glacier_purge.report.bars import bar_on
    from glacier_purge.report.plan_shown import all_shown

    if output is OutputFormat.JSON:
        print_result(all_shown(folder, waiting), output)
        return
    none = f"No plan in {folder.path} waits for an approval. How its vaults stand: glacier-purge status {folder.path}"
    print_page("\n\n\n".join(shown.as_text(bar_on(sys.stdout)) for shown in waiting) or none)
