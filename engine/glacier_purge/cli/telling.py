"""What a person who watches should know, on stderr: one line each, broken between words on a terminal."""

from __future__ import annotations

import sys

from glacier_purge.cli.output import fitted_to
from glacier_purge.report.terminal import safe


def tell(message: str) -> None:
    """Say it, made safe."""
    sys.stderr.write(fitted_to(sys.stderr, f"glacier-purge: {safe(message)}") + "\n")
    sys.stderr.flush()
