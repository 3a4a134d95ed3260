"""Bars of text: of block characters, an eighth of a column exact, where a terminal draws them; else of hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from glacier_purge.report.drawn import is_drawn_on

if TYPE_CHECKING:
    from collections.abc import Callable

    Bar = Callable[[int, int], str]
    """From a part and the largest of them to a bar; nothing is never shown for something."""

_COLUMNS = 32
_BLOCKS = "█▉▊▋▌▍▎▏"
"""From a whole column to an eighth (U+2588 to U+258F)."""


def hashes(part: int, largest: int) -> str:
    """``1`` of ``64`` is "#"."""
    return "#" * -(-part * _COLUMNS // largest)


def blocks(part: int, largest: int) -> str:
    """``1`` of ``64`` is half a column."""
    whole, eighths = divmod(-(-part * _COLUMNS * 8 // largest), 8)
    return _BLOCKS[0] * whole + (_BLOCKS[8 - eighths] if eighths else "")


def bar_on(stream: TextIO) -> Bar:
    """What ``stream`` can show: a file is read by whatever opens it."""
    try:
        _BLOCKS.encode(stream.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return hashes
    return blocks if is_drawn_on(stream) else hashes
