"""A page of text on a terminal that is narrower than its lines: broken between words, and kept in its columns. Pure.

A terminal breaks anywhere and goes on at the edge, so that labels and words are hard to find.  A line with a command in
it is left to the terminal, which joins it again for whoever copies it; so is one with a
word that fits on no line.
"""

from __future__ import annotations

import re
import textwrap

_COMMAND = "glacier-purge "
_LABEL_CHARACTERS_MAX = 32
_LABEL = re.compile(r".*(?:\S {2,}|^ +)(?=\S)")
"""Up to where a line's text begins: after the last gap that is wider than one space."""


def fitted(text: str, columns: int) -> str:
    """Break the lines that are longer than ``columns``; what goes on stands below where the line's text began."""
    return "\n".join(_broken(line, columns) for line in text.split("\n"))


def _broken(line: str, columns: int) -> str:
    if len(line) <= columns or _COMMAND in line:
        return line
    label = _LABEL.match(line[:_LABEL_CHARACTERS_MAX])
    indent = label.end() if label is not None else 2
    if max(map(len, line.split())) > columns - indent:
        return line
    return textwrap.fill(
        line,
        columns,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
