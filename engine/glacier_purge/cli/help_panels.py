"""How ``--help`` draws its panels: texts run on where a docstring's line ends, defaults that tell nothing are left out.

cyclopts takes a line's end in a docstring for one on the screen, which leaves half-empty lines in the middle of a text.
It is rich that draws, so it is only imported when somebody asks for help.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts.help import DefaultFormatter, HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

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
