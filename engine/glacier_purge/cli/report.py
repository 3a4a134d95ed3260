"""``report``: what became of a vault, for a manager and an auditor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.cli.options import AwsOptions, LogOptions, Logs, Output, SettingsOptions, SettingsSource
from glacier_purge.cli.output import OutputFormat, print_page, print_result, tell

if TYPE_CHECKING:
    from glacier_purge.report.fleet_report import FleetReport
    from glacier_purge.report.vault_report import VaultReport


def report(
    run_dir: Path,
    *,
    html: Path | None = None,
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Say what became of a vault: what was deleted, kept and failed, how it went, what is proven, and how to check it.

    Reads the folder's files, sends nothing and asks nobody. The same report as a page, `report.html`, is written into
    the folder whenever `apply`, `purge`, `run` or `fleet` ends; `--html` writes it anew, wherever you want it. The page
    is one file that loads nothing and runs nothing: it can be mailed, printed and kept.

    Parameters
    ----------
    run_dir
        The folder of a run (`plan`), of a lifecycle (`run`) or of a fleet; or one with several fleets below it, as
        workers of `cluster` have them.
    html
        File to write the page to; one that is there is replaced.

    Examples
    --------
    glacier-purge report photos-run
    glacier-purge report photos-run --html photos.html
    """
    from glacier_purge.api.reporting import report_of
    from glacier_purge.report.fleet_report import FleetReport
    from glacier_purge.report.report_text import as_answer, as_lines, fleet_lines
    from glacier_purge.storage.folder import RunFolder

    settings = source.load(AwsOptions())
    folder = RunFolder.look(run_dir)
    found = report_of(folder, settings)
    if html is not None:
        _write_page(found, html)
    if output is OutputFormat.JSON:
        print_result(as_answer(found), output)
    elif isinstance(found, FleetReport):
        print_page("\n".join(fleet_lines(found)))
    else:
        print_page("\n".join(as_lines(found)))
    return 0


def _write_page(found: VaultReport | FleetReport, file: Path) -> None:
    from glacier_purge.clock import utc_now
    from glacier_purge.errors import UsageError
    from glacier_purge.report.html.page import as_html

    try:
        file.write_text(as_html(found, utc_now()), "utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}.") from error
    tell(f"the page is {file}")
