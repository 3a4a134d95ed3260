"""Tables for people, laid out by rich and drawn as plain text: as wide as the terminal, and in a pipe as they need.

Names and sentences are broken where there is no room for them; numbers are not.
"""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from glacier_purge.report.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_UNBOUNDED = 100_000
_INDENT = 2
_FIRST_COLUMN_PART = 4
"""A name takes a quarter of the width at most: there are vaults' of 255 characters."""


def grid(head: Sequence[str], rows: Iterable[Sequence[str]], columns: int | None, *, numbers: frozenset[int]) -> str:
    """Draw rows of cells below ``head``, those at the places ``numbers`` to the right and never broken.

    Without any name in ``head`` there is no line of them.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(head), header_style="")
    for place, name in enumerate(head):
        is_number = place in numbers
        widest = columns // _FIRST_COLUMN_PART if columns and not place else None
        justify: Literal["left", "right"] = "right" if is_number else "left"
        table.add_column(name, justify=justify, no_wrap=is_number, overflow="fold", max_width=widest)
    for cells in rows:
        table.add_row(*map(safe, cells))
    drawn = StringIO()
    console = Console(
        file=drawn, width=columns or _UNBOUNDED, color_system=None, markup=False, highlight=False, emoji=False
    )
    console.print(Padding(table, (0, 0, 0, _INDENT)))
    return "\n".join(line.rstrip() for line in drawn.getvalue().splitlines())
