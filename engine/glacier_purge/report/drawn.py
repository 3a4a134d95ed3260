"""What can be drawn on: a terminal whose cursor moves, and no file, pipe, editor or serial line."""

from __future__ import annotations

import os
from typing import TextIO

_NO_CURSOR = {"dumb", "unknown"}
"""What TERM is where text can only be added."""


def is_drawn_on(stream: TextIO) -> bool:
    """Whether something can be drawn in place there."""
    return stream.isatty() and os.environ.get("TERM", "").lower() not in _NO_CURSOR
