"""``manual``: everything that ``--help`` tells of all verbs, as a page for man or as pages of Markdown."""

from __future__ import annotations

from pathlib import Path

from glacier_purge.cli.options import LogOptions, Logs
from glacier_purge.cli.output import print_text


def manual(*, pages_to: Path | None = None, logs: Logs = LogOptions()) -> int:
    """Print the manual, as a page for man: every verb with its options, examples and exit codes.

    `make install` puts it where man finds it. Of a package that pip, pipx or uv installed it is read as the example has
    it.

    Parameters
    ----------
    pages_to
        Folder to write the reference to instead: Markdown pages of verbs, settings, exit codes and JSON answers.

    Examples
    --------
    glacier-purge manual | man -l -
    glacier-purge manual --pages-to reference
    """
    if pages_to is None:
        from glacier_purge.cli.manual.man_page import man_page

        print_text(man_page().rstrip("\n"))
        return 0
    from glacier_purge.cli.manual.pages import pages

    pages_to.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (pages_to / name).write_text(text, "utf-8")
    return 0
