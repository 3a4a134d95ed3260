"""``why``: one archive's whole story."""

from __future__ import annotations

from pathlib import Path

from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.options import LogOptions, Logs, Output
from glacier_purge.cli.output import OutputFormat, print_page, print_result


def why(run_dir: Path, archive_id: str, *, logs: Logs = LogOptions(), output: Output = OutputFormat.TEXT) -> int:
    """Tell one archive's whole story: which inventory lists it, what was decided and why, who approved it, when it was
    sent and with what outcome, and what a later inventory and the certificate say of it.

    Reads the folder's inventories and logs through, which takes seconds a million records, and sends nothing. Where
    nothing names the archive, it says where it was looked for.

    Parameters
    ----------
    run_dir
        The folder of a run, of a lifecycle with its rounds, of a fleet with its members, or of a script's log.
    archive_id
        The archive's id. One that begins with a hyphen is written after --.

    Examples
    --------
    glacier-purge why photos-run NkbByEejwEggmBz2fTHgJrg0XBoDfjP4q6iu87
    # An id that begins with a hyphen stands after --.
    glacier-purge why photos-run -- -Zp3qRk
    """
    from glacier_purge.report.story import as_lines, told
    from glacier_purge.storage.folder import RunFolder

    story = told(RunFolder.look(run_dir), archive_id)
    if output is OutputFormat.JSON:
        print_result(story, output)
    else:
        print_page("\n".join(as_lines(story)))
    if story.unreadable:
        return ExitCode.AUDIT_DAMAGED
    return ExitCode.DONE if story.found else ExitCode.FAILED
