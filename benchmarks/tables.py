"""Tables of figures, for a terminal and for Markdown: the first column is what, the others are how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True)
class Table:
    """A title, the names of the columns, rows of as many cells, and a line of how it came about."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    about: str = ""

    def text(self) -> str:
        """For a terminal."""
        cells = [list(self.columns), *([figure(cell) for cell in row] for row in self.rows)]
        widths = [max(len(row[index]) for row in cells) for index in range(len(self.columns))]
        lines = [
            "  ".join(
                cell.ljust(width) if index == 0 else cell.rjust(width)
                for index, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in cells
        ]
        return "\n".join([self.title, *([self.about] if self.about else []), "", *lines])

    def markdown(self) -> str:
        """For people who read files."""
        rule = ["---", *["---:"] * (len(self.columns) - 1)]
        cells = [list(self.columns), rule, *([figure(cell) for cell in row] for row in self.rows)]
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
        return "\n".join([f"## {self.title}", "", *([self.about, ""] if self.about else []), *lines])


def figure(value: object) -> str:
    """A figure with the digits that mean something; None is a hyphen."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float() if abs(value) >= 1000:
            return f"{value:,.0f}"
        case float() if abs(value) >= 100:
            return f"{value:.0f}"
        case float():
            return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
        case _:
            return str(value)
