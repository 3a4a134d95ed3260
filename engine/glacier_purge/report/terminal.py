"""The one choke point for text on its way to a terminal: made safe first, then broken to fit. Pure.

Archive descriptions, vault names, error messages of proxies and file names are written by strangers.  A terminal obeys
what it is sent: ESC and the C1 controls move the cursor, rewrite lines already read, set the clipboard; bidirectional
controls make a reader see another text than the program deletes by (CVE-2021-25743 in kubectl, CVE-2021-42574 in
source code).  So everything that is not plainly visible is shown as its escape, and nothing is dropped: what is shown
can be copied back into a bug report.  JSON output does not pass here, it is ASCII-escaped by its encoder.

A terminal breaks lines anywhere and goes on at the edge, so that labels and words are hard to find; here they are
broken between words and kept in their columns.  A line with a command in it is left to the terminal, which joins it
again for whoever copies it; so is one with a word that fits on no line.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata

_PLAIN = re.compile(r"[ -~]*")
"""Printable ASCII, nearly all text there is: passes without being looked at again."""
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories escaped: controls (C0, DEL, C1), format characters (bidirectional, zero-width, tags), lone
surrogates, private use, unassigned, line and paragraph separators."""
_DRAWN_AS_NOTHING = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Letters, marks and symbols without a picture: the rest of Unicode's default ignorable code points (fillers,
joiners, variation selectors), and the blank Braille pattern."""
_COMMAND = "glacier-purge "
_LABEL_CHARACTERS_MAX = 32
_LABEL = re.compile(r".*(?:\S {2,}|^ +)(?=\S)")
"""Up to where a line's text begins: after the last gap that is wider than one space."""


def safe(text: str) -> str:
    r"""Return ``text`` as one line that a terminal only displays.

    Newline and tab become ``\n`` and ``\t``; other invisible characters ``\xNN``, ``\uNNNN`` or ``\UNNNNNNNN``.
    """
    if _PLAIN.fullmatch(text):
        return text
    return "".join(_visible(character) for character in text)


def safe_lines(text: str) -> str:
    """Return ``text`` made safe line by line, for messages of our own that have more than one."""
    return "\n".join(safe(line) for line in text.split("\n"))


def fitted(text: str, columns: int) -> str:
    """Break the lines that are longer than ``columns``; what goes on stands below where the line's text began."""
    return "\n".join(_broken(line, columns) for line in text.split("\n"))


def is_visible(character: str) -> bool:
    """Whether a character has a picture, and is no command to whoever draws it."""
    if _DRAWN_AS_NOTHING.match(character):
        return False
    category = unicodedata.category(character)
    return character == " " if category == "Zs" else category not in _INVISIBLE


def _visible(character: str) -> str:
    if is_visible(character):
        return character
    return character.encode("unicode_escape").decode("ascii")


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
