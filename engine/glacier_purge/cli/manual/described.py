"""A verb in words: usage, text, options by group, examples and exit codes, as ``--help`` has them.

What many verbs share (where the service is, what is said on stderr) is told once in a manual, so the groups of options
that are the same in all verbs that have them are told apart from a verb's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from cyclopts.help import create_parameter_help_panel

from glacier_purge.cli.app import build, tidied
from glacier_purge.cli.verbs import VERBS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyclopts.help import HelpEntry

    from glacier_purge.cli.exit_codes import ExitCode
    from glacier_purge.cli.verb_parser import VerbParser

_OWN = ("Arguments", "Parameters")


class Option(NamedTuple):
    """An argument or an option."""

    written: str
    """As it is typed: ``RUN-DIR``, ``--max-rate FLOAT``."""
    text: str


Group = tuple[Option, ...]


class Described(NamedTuple):
    """One verb."""

    called: str
    usage: str
    paragraphs: tuple[str, ...]
    own: Group
    """What only it takes, arguments first."""
    groups: Mapping[str, Group]
    """What other verbs may take as well, by title."""
    examples: tuple[str, ...]
    endings: Mapping[ExitCode, str]


def described(called: str) -> Described:
    """Read a verb's text off its parser and its docstring."""
    app = build()
    *group, name = called.split()
    parser = cast("VerbParser", (app[group[0]] if group else app)[name])
    with app.app_stack([*group, name]):
        arguments = parser.assemble_argument_collection(parse_docstring=True)
    panels = {
        group.name: create_parameter_help_panel(group, arguments.filter_by(group=group), "plaintext")
        for group in arguments.groups
    }
    entries = {title: [tidied(entry) for entry in panel.entries] for title, panel in panels.items() if panel.entries}
    own = [entry for title in _OWN for entry in entries.pop(title, ())]
    places = [entry.positional_label for entry in own if entry.positional_label]
    return Described(
        called=called,
        usage=" ".join(["glacier-purge", called, "[OPTIONS]", *places]),
        paragraphs=tuple(parser.description.split("\n\n")),
        own=tuple(map(_option, own)),
        groups={title: tuple(map(_option, group)) for title, group in sorted(entries.items())},
        examples=tuple(parser.examples),
        endings=VERBS[called].endings,
    )


def everything() -> tuple[list[Described], dict[str, Group]]:
    """All verbs with what is theirs alone, and the groups that several of them share, by title."""
    verbs = [described(called) for called in VERBS]
    titles = {title for verb in verbs for title in verb.groups}
    variants = {title: [verb.groups[title] for verb in verbs if title in verb.groups] for title in sorted(titles)}
    shared = {title: found[0] for title, found in variants.items() if len(found) > 1 and len(set(found)) == 1}
    return [_with_its_own(verb, shared) for verb in verbs], shared


def _with_its_own(verb: Described, shared: Mapping[str, Group]) -> Described:
    """The verb with all that no other has in one group."""
    own = [option for title, group in verb.groups.items() if title not in shared for option in group]
    return verb._replace(
        own=(*verb.own, *own), groups={title: shared[title] for title in verb.groups if title in shared}
    )


def _option(entry: HelpEntry) -> Option:
    written = entry.positional_label or ", ".join(entry.display_labels_with_metavar)
    facts = [
        "Required." if entry.required and not entry.positional_label else "",
        f"One of {', '.join(entry.choices)}." if entry.choices else "",
        f"Default: {entry.default}." if entry.default else "",
    ]
    return Option(written, " ".join(filter(None, [entry.description.primary_renderable.plain.strip(), *facts])))
