"""What a verb tells: its result on stdout and nowhere else, what a person who watches should know on stderr.

A result is one of ``report.results``.  As JSON it is one line of ASCII, for programs; as text it is one aligned line
per entry, for people, each made safe for a terminal.  A reader that went away, or a disk that is full, does not change
how a run ended, so a stdout that can't be written is no error here.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

from glacier_purge.cli.streams import OutputClosed
from glacier_purge.cli.voice import say
from glacier_purge.errors import HostFailed
from glacier_purge.report.terminal import fitted, safe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier_purge.report.results.result import Result


class OutputFormat(StrEnum):
    """How a result is written."""

    TEXT = "text"
    JSON = "json"


def print_result(result: Result, output: OutputFormat) -> None:
    """Write one result to stdout and flush it."""
    import msgspec

    from glacier_purge.report.results.result import as_members

    if output is OutputFormat.JSON:
        print_text(json.dumps(msgspec.to_builtins(result)))
    else:
        print_page(as_text(as_members(result)))


def print_page(text: str) -> None:
    """Write text for people, already safe, as ``print_text`` does; on a terminal, lines are broken to fit its width."""
    print_text(fitted_to(sys.stdout, text))


def fitted_to(stream: TextIO, text: str) -> str:
    """The text with its lines broken to fit ``stream``, where that is a terminal."""
    columns = columns_of(stream)
    return text if columns is None else fitted(text, columns)


def columns_of(stream: TextIO) -> int | None:
    """How wide the terminal behind ``stream`` is; None where there is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None  # a pseudo-terminal nobody gave a size says 0
    except (OSError, ValueError):  # no file behind it, or none that is a terminal
        return None


def print_text(text: str) -> None:
    """Write text, already safe, to stdout with a newline and flush it."""
    with suppress(OutputClosed):
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except HostFailed as failed:
            tell(str(failed), "warning")


def as_text(result: Mapping[str, object]) -> str:
    """Lay a result out for people: names aligned, whole numbers with thousands separators."""
    width = max((len(name) for name in result), default=0)
    return "\n".join(f"{_label(name):<{width}}  {safe(_value(value))}" for name, value in result.items())


def _label(name: str) -> str:
    return safe(name.replace("_", " "))


def _value(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.1f}"
        case list():
            return ", ".join(map(_value, value)) or "-"
        case _:
            return str(value)


def tell(message: str, level: str = "info") -> None:
    """Say it on stderr, made safe; ``warning`` is what nobody should miss."""
    say(level, message, fitted_to(sys.stderr, f"glacier-purge: {safe(message)}"))
