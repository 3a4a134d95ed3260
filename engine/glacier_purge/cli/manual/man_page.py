"""The page for ``man``: every verb on one page, so that a search finds it, with what they share told once.

It is written in man(7), the macros that every ``man`` knows.  It holds no date: the same version is the same page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_purge.cli import version
from glacier_purge.cli.exit_codes import MEANINGS
from glacier_purge.cli.manual.described import everything
from glacier_purge.cli.manual.places import ENVIRONMENT, FILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from glacier_purge.cli.exit_codes import ExitCode
    from glacier_purge.cli.manual.described import Described


def man_page() -> str:
    """The whole page, in troff."""
    verbs, shared = everything()
    lines = [
        f'.TH GLACIER-PURGE 1 "" "glacier-purge {version()}" "User Commands"',
        *(".nh", ".SH NAME", r"glacier\-purge \- empties Amazon Glacier vaults"),
        *(".SH SYNOPSIS", r".B glacier\-purge", ".I COMMAND", "[OPTIONS]"),
        ".SH DESCRIPTION",
        "Deletes what a vault inventory lists, or a part of it, as fast as the service allows and no faster.",
        "Resumes wherever it was stopped, and leaves a hash-chained audit log in which each deletion is on record.",
        ".SH COMMANDS",
    ]
    for verb in verbs:
        lines += _verb(verb)
    lines.append(".SH OPTIONS OF SEVERAL COMMANDS")
    for title, options in shared.items():
        lines += [f".SS {_escaped(title)}", *_listed((option.written, option.text) for option in options)]
    lines += [".SH EXIT STATUS", *_codes(MEANINGS)]
    lines += [".SH ENVIRONMENT", *_listed(ENVIRONMENT.items()), ".SH FILES", *_listed(FILES.items())]
    return "\n".join(lines) + "\n"


def _verb(verb: Described) -> Iterator[str]:
    yield f".SS {_escaped(verb.usage)}"
    for paragraph in verb.paragraphs:
        yield from (_escaped(paragraph), ".PP")
    yield from _listed((option.written, option.text) for option in verb.own)
    if verb.groups:
        yield from (".PP", f"And the options of several commands: {_escaped(', '.join(verb.groups))}.")
    yield from (".PP", "Examples:", ".PP", ".nf", ".RS 4", *map(_escaped, verb.examples), ".RE", ".fi")
    yield from (".PP", "Exit codes:", ".PD 0", *_codes(verb.endings), ".PD")


def _codes(meanings: Mapping[ExitCode, str]) -> Iterator[str]:
    return _listed((str(code.value), meaning) for code, meaning in meanings.items())


def _listed(entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, text in entries:
        yield from (".TP", rf"\fB{_escaped(name)}\fR", _escaped(text))


def _escaped(text: str) -> str:
    """Text as it stands: no line of it is an order, and a hyphen is one that can be copied."""
    plain = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("`", r"\(ga")
    return rf"\&{plain}" if plain.startswith((".", "\\(aq")) else plain
