"""How large the terminal is that something is drawn on.

rich takes the environment's COLUMNS before the terminal's own word, looks at other streams than the one it draws on,
and takes 80 for a terminal it knows nothing of.  Whoever has COLUMNS from a start-up file would get a narrow table on a
wide terminal.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

from rich.console import ConsoleDimensions

if TYPE_CHECKING:
    from rich.console import Console


def fit(console: Console, stream: TextIO) -> None:
    """Let the console have the size that the terminal behind ``stream`` has now; without a terminal rich decides."""
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):  # no file behind it, or none that is a terminal
        return
    if columns and lines:  # a pseudo-terminal that nobody gave a size says 0
        console.size = ConsoleDimensions(columns, lines)
