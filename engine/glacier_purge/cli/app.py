"""The verbs and where they live, the parser that finds them, and how ``--help`` is drawn.

A verb is a plain function in ``cli/<verb>.py``: its parameters are its options, its docstring is its help, the int it
returns is the exit code (None is 0).  It is named here by import path, so ``--help`` imports none of them and a verb
imports none of the others.

cyclopts takes a line's end in a docstring for one on the screen, which leaves half-empty lines in the middle of a text.
So its panels are drawn here with texts that run on, and without defaults that tell nothing.  It is rich that draws: it
is imported when somebody asks for help, and not before.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from cyclopts import App, CycloptsError, Parameter

from glacier_purge.cli import exit_codes, version
from glacier_purge.cli.wrong_usage import explained
from glacier_purge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cyclopts.help import DefaultFormatter, HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

_COMMAND = "glacier-purge"

_VERBS = {
    "doctor": ("glacier_purge.cli.doctor:doctor", "Look at what could go wrong with a purge; reads only."),
    "plan": ("glacier_purge.cli.plan:plan", "Choose what goes, write it down in a run folder; sends no delete."),
    "show": ("glacier_purge.cli.show:show", "Print a plan again, whole; sends nothing."),
    "apply": ("glacier_purge.cli.apply:apply", "Carry out a plan, or resume one that was begun."),
    "purge": ("glacier_purge.cli.purge:purge", "Plan, confirm and apply in one go."),
    "verify": ("glacier_purge.cli.verify:verify", "Prove by a later inventory that what a run deleted is gone."),
    "delete-vault": ("glacier_purge.cli.delete_vault:delete_vault", "Remove a vault that was proven to be empty."),
    "run": ("glacier_purge.cli.run:run", "Carry a vault from its name to a proven purge, over days."),
    "fleet": ("glacier_purge.cli.fleet:fleet", "Carry several vaults through all of that side by side."),
    "thaw": ("glacier_purge.cli.thaw:thaw", "Let uploads again that a lost lifecycle denies."),
    "abandon": ("glacier_purge.cli.abandon:abandon", "End a lifecycle before its end, in good order and for good."),
    "why": ("glacier_purge.cli.why:why", "Tell one archive's whole story, from inventory to certificate."),
    "status": ("glacier_purge.cli.status:status", "Say how far a run is, also while it is going on."),
    "pause": ("glacier_purge.cli.orders:pause", "Let a run that is going on send nothing for now."),
    "resume": ("glacier_purge.cli.orders:resume", "Go on after pause."),
    "rate": ("glacier_purge.cli.orders:rate", "Change the highest rate of a run that is going on."),
    "stop": ("glacier_purge.cli.orders:stop", "End a run's process in good order; apply goes on with the run."),
    "completion": (
        "glacier_purge.cli.completion:completion",
        "Print what a shell needs to complete verbs and options.",
    ),
    "demo": ("glacier_purge.cli.demo:demo", "Purge a simulated vault; touches no AWS account."),
    "bench": ("glacier_purge.cli.benching.bench:bench", "Time the whole purge against a simulator."),
    "simulate": ("glacier_purge.cli.simulate:simulate", "Serve a simulated Amazon Glacier on loopback."),
}

_GROUPS = {
    "inventory": (
        "Get vault inventories and look into them.",
        {
            "fetch": ("glacier_purge.cli.inventory_fetch:fetch", "Fetch a vault's inventory, waiting hours for it."),
            "inspect": ("glacier_purge.cli.inventory:inspect", "Count, date and check the records of an inventory."),
        },
    ),
    "audit": (
        "Prove what a run did.",
        {
            "verify": ("glacier_purge.cli.audit:verify", "Check a run's audit log for damage and tampering."),
            "anchor": ("glacier_purge.cli.audit:anchor", "Keep the heads of logs elsewhere, signed."),
            "bundle": ("glacier_purge.cli.audit:bundle", "Write one file for an auditor."),
            "export": ("glacier_purge.cli.audit:export", "Write what became of each archive as a list."),
        },
    ),
    "config": (
        "See the settings.",
        {
            "show": ("glacier_purge.cli.config:show", "Print the settings in force."),
            "schema": (
                "glacier_purge.cli.config:schema",
                "Print the JSON Schema of a settings file, or of a verb's answers.",
            ),
        },
    ),
}


def build() -> App:
    """Make the parser with every verb registered and none imported."""
    app = App(
        name=_COMMAND,
        help="Empties Amazon Glacier vaults: streamed, paced, resumable, every deletion recorded and provable.",
        help_epilogue=f"Exit codes:\n\n{exit_codes.table()}",
        help_format="plaintext",
        version_flags=("--version", "-V"),
        version=lambda: f"{_COMMAND} {version()}",
        help_formatter=HelpPanels(),
        default_parameter=Parameter(negative=""),
    )
    _register(app, _VERBS)
    for name, (summary, verbs) in _GROUPS.items():
        group = App(name=name, help=summary)
        _register(group, verbs)
        app.command(group)
    return app


def parse(arguments: list[str]) -> Callable[[], object]:
    """Find the verb and its arguments; calling the result runs it.

    Raises ``UsageError`` for anything that cannot be understood.
    """
    try:
        verb, bound, _ = build().parse_args(arguments, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        asked = " ".join(error.command_chain or ())
        raise UsageError(f"{explained(error, asked)}\nSee `{' '.join([_COMMAND, asked]).strip()} --help`.") from error
    return partial(verb, *bound.args, **bound.kwargs)


def _register(app: App, verbs: dict[str, tuple[str, str]]) -> None:
    for name, (import_path, summary) in verbs.items():
        app.command(import_path, name=name, help=summary)


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
        self._drawing(console, options, panel.copy(entries=[_tidied(entry) for entry in panel.entries]))

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """Draw the line of usage."""
        self._drawing.render_usage(console, options, usage)

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:
        """Draw the verb's description."""
        self._drawing.render_description(console, options, description)


def _tidied(entry: HelpEntry) -> HelpEntry:
    from rich.text import Text

    text = getattr(entry.description, "primary_renderable", None)
    if isinstance(text, Text):
        text.plain = " ".join(text.plain.split())
    return entry.copy(default=None) if entry.default in _TELLS_NOTHING else entry
