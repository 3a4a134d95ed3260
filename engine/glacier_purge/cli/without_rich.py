"""Imports structlog as it is where rich is not installed; what imports this imports it before structlog.

structlog prepares to draw tracebacks with rich wherever it finds it.  The operator log prints them plainly, and rich
with its highlighting of code would take 4 MB of every run for as long as it lasts.  The live display imports of rich
what it needs, on a terminal.
"""

from __future__ import annotations

import sys

if "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # Python's own way to say that there is no such module
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
