"""The parser that finds the verbs, and how ``--help`` is drawn.

cyclopts takes a line's end in a docstring for one on the screen, which leaves half-empty lines in the middle of a text.
So its panels are drawn here with texts that run on, and without defaults that tell nothing.  It is rich that draws: it
is imported when somebody asks for help, and not before.
"""

from __future__ import annotations

from functools import cache, cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from cyclopts import App, CycloptsError, Group, Parameter

from glacier_purge.cli import exit_codes, version
from glacier_purge.cli.verb_parser import VerbParser
from glacier_purge.cli.verbs import GROUPS, HEADINGS, VERBS
from glacier_purge.cli.wrong_usage import explained
from glacier_purge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cyclopts.help import DefaultFormatter, HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

_COMMAND = "glacier-purge"
_MORE = "A verb's --help has all of its options, examples, and what it ends with; `manual` has all of it on one page."


def build() -> App:
    """Make the parser with every verb registered and none imported."""
    app = App(
        name=_COMMAND,
        help="Empties Amazon Glacier vaults: streamed, paced, resumable, every deletion recorded and provable.",
        help_epilogue=f"{_MORE}\n\nExit codes:\n\n{exit_codes.table()}",
        help_format="plaintext",
        version_flags=("--version", "-V"),
        version=lambda: f"{_COMMAND} {version()}",
        help_formatter=HelpPanels(),
        default_parameter=Parameter(negative=""),
    )
    order = {word: number for number, word in enumerate(chain.from_iterable(HEADINGS.values()))}
    headings = [(Group.create_ordered(heading), words) for heading, words in HEADINGS.items()]
    parts = {word: heading for heading, words in headings for word in words}
    groups = {
        name: App(name=name, help=summary, group=parts[name], sort_key=order[name]) for name, summary in GROUPS.items()
    }
    for called, verb in VERBS.items():
        *group, name = called.split()
        place = f"glacier_purge.cli.verb_parser:{called}"
        if group:
            groups[group[0]].command(place, name=name, help=verb.summary)
        else:
            app.command(place, name=name, help=verb.summary, group=parts[name], sort_key=order[name])
    for parser in groups.values():
        app.command(parser)
    options = Group.create_ordered("Options")
    for flag in ("--help", "--version"):
        app[flag].group = options
    return app


def parse(arguments: list[str]) -> Callable[[], object]:
    """Find the verb and its arguments; calling the result runs it.

    Raises ``UsageError`` for anything that cannot be understood.
    """
    app = _shared()
    try:
        verb, bound, _ = app.parse_args(arguments, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        asked = " ".join(error.command_chain or ())
        raise UsageError(f"{explained(error, asked)}\nSee `{' '.join([_COMMAND, asked]).strip()} --help`.") from error
    if verb == app.help_print:
        return partial(_print_help, bound.arguments["tokens"])
    return partial(verb, *bound.args, **bound.kwargs)


_shared = cache(build)
"""One for all command lines of a process."""


def _print_help(tokens: list[str]) -> None:
    """Print the list of verbs, or a verb's whole text, which is more than its line there."""
    app = _shared()
    _shared.cache_clear()  # the list has lines again when the next command line asks for it
    *_, asked = app.parse_commands(tokens)[1]
    if isinstance(asked, VerbParser):
        examples = "\n".join(f"  {line}" for line in asked.examples)
        asked.help = asked.description
        asked.help_epilogue = f"Examples:\n\n{examples}\n\nExit codes:\n\n{exit_codes.table(asked.verb.endings)}"
    app.help_print(tokens)


_TELLS_NOTHING = {"False", "()"}
"""The defaults of a flag and of an option that may be repeated."""


class HelpPanels:
    """What cyclopts draws its help with."""

    @cached_property
    def _drawing(self) -> DefaultFormatter:
        from cyclopts.help import DefaultFormatter

        return DefaultFormatter()

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Draw one panel."""
        self._drawing(console, options, panel.copy(entries=[tidied(entry) for entry in panel.entries]))

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """Draw the line of usage."""
        self._drawing.render_usage(console, options, usage)

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:
        """Draw the verb's description."""
        self._drawing.render_description(console, options, description)


def tidied(entry: HelpEntry) -> HelpEntry:
    """What an option is called and does, in a text that runs on, without a default that tells nothing."""
    from rich.text import Text

    text = getattr(entry.description, "primary_renderable", None)
    if isinstance(text, Text):
        text.plain = " ".join(text.plain.split())
    return entry.copy(default=None) if entry.default in _TELLS_NOTHING else entry
