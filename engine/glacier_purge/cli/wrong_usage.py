"""What was wrong with a command line, in plain words: the parser's own speak of parameters, tokens and types."""

from __future__ import annotations

import difflib
import types
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from cyclopts import CoercionError, MissingArgumentError, RepeatArgumentError, UnusedCliTokensError

if TYPE_CHECKING:
    from cyclopts import CycloptsError
    from cyclopts.argument import Argument

_KINDS: dict[Any, str] = {
    float: "a number",
    int: "a whole number",
    bool: "yes or no",
    timedelta: "a span of time like 7d or 12h",
}


def explained(error: CycloptsError, verb: str) -> str:
    """Say what was wrong, by the option or the argument as it was typed; ``verb`` is what the user called."""
    match error:
        case MissingArgumentError(argument=argument) if argument is not None:
            return _missing(error, argument, verb)
        case CoercionError(argument=argument, token=token) if token is not None and not _is_choice(error.target_type):
            name = token.keyword or (_shown(argument) if argument is not None else "a value")
            return f"{name} {token.value!r} is not {_kind(error.target_type)}."
        case RepeatArgumentError(token=token):
            return f"{token.keyword} was given more than once. Give it once."
        case UnusedCliTokensError(unused_tokens=surplus):
            return f"{verb} takes no {' '.join(map(repr, surplus or ()))}. Leave it out, or give it to an option."
        case _:
            return str(error)


def _missing(error: MissingArgumentError, argument: Argument, verb: str) -> str:
    typed = error.keyword or next((token.keyword for token in reversed(argument.tokens) if token.keyword), None)
    if typed is not None:
        return (
            f"{typed} was given without a value. Write {typed} VALUE, or {typed}=VALUE where it begins with a hyphen."
        )
    near = difflib.get_close_matches(argument.name, [one for one in error.unused_tokens or () if one[:1] == "-"], n=1)
    instead = f" Did you mean it by {near[0]}?" if near else ""
    return f"{verb} needs {_shown(argument)}, which is missing.{instead}"


def _shown(argument: Argument) -> str:
    """The argument as the line of usage has it: ``VAULT`` by its place, ``--inventory`` by its name."""
    return argument.name.lstrip("-").upper() if argument.index is not None else argument.name


def _is_choice(kind: object) -> bool:
    """Whether the parser lists what there is to choose from, which needs no other words."""
    return get_origin(kind) is Literal or (isinstance(kind, type) and hasattr(kind, "__members__"))


def _kind(kind: object) -> str:
    if get_origin(kind) in {Union, types.UnionType}:
        return " or ".join(_kind(one) for one in get_args(kind) if one is not type(None))
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    return _KINDS.get(kind, f"of the kind that goes here ({getattr(kind, '__name__', kind)})")
