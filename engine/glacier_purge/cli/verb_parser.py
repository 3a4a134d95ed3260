"""A verb's own parser, made when it is asked for: to cyclopts it is an attribute of this module, called as the verb.

It is a parser of cyclopts with the verb's whole text: what its docstring says, its examples, and what it can end with.
Its arguments are read off its signature once.  cyclopts does so twice for every command line, which is most of what
parsing takes; a process that is given thousands, as the tests give them, parses each in a fifth of the time.
"""

from __future__ import annotations

import inspect
import re
from copy import copy
from importlib import import_module
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from cyclopts import App
from cyclopts.argument import ArgumentCollection

from glacier_purge.cli.verbs import VERBS, Verb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cyclopts.argument import Argument

_SECTION = re.compile(r"^(Parameters|Examples)\n-+\n", re.MULTILINE)


def __getattr__(called: str) -> VerbParser:
    if called not in VERBS:
        raise AttributeError(called)
    parser = VerbParser(name=called.rpartition(" ")[2])
    module, _, function = VERBS[called].place.partition(":")
    parser.default(getattr(import_module(module), function))
    parser.verb = VERBS[called]
    return parser


class VerbParser(App):
    """The parser of one verb."""

    verb: Verb
    _pristine: ArgumentCollection | None = None

    def assemble_argument_collection(self, **wanted: Any) -> ArgumentCollection:
        """What can be given, with nothing given yet."""
        if any(wanted.values()):
            return super().assemble_argument_collection(**wanted)
        if self._pristine is None:
            self._pristine = super().assemble_argument_collection()
        fresh = {id(argument): copy(argument) for argument in self._pristine}
        for argument in fresh.values():
            argument.tokens = []
            argument.children = _collected(fresh[id(child)] for child in argument.children)
        return _collected(fresh.values())

    @property
    def description(self) -> str:
        """What the verb does: paragraphs, each on a line."""
        return "\n\n".join(" ".join(part.split()) for part in self._sections()[""].split("\n\n"))

    @property
    def examples(self) -> list[str]:
        """Command lines, as a shell takes them; a line that begins with ``#`` says what the next is for."""
        return dedent(self._sections()["Examples"]).splitlines()

    def _sections(self) -> dict[str, str]:
        verb: Callable[..., object] = self.default_command  # type: ignore[assignment]  # given above
        first, *others = _SECTION.split(inspect.getdoc(verb) or "")
        return {"": first.strip(), **dict(zip(others[::2], map(str.strip, others[1::2]), strict=True))}


def _collected(arguments: Iterable[Argument]) -> ArgumentCollection:
    return ArgumentCollection(arguments)  # type: ignore[no-untyped-call]  # cyclopts gives no types here
