"""Where in memory files can be written.

What is tried makes tens of thousands of lines durable, and each time a disk takes milliseconds, which no test is about.
"""

from __future__ import annotations

import os
from pathlib import Path

_PLACE = Path("/dev/shm")
_BYTES_MIN = 2 << 30


def folder_in_memory() -> Path | None:
    """A folder in memory, where there is enough of it and programs may lie in it; None where there is none."""
    if not _PLACE.is_dir() or not os.access(_PLACE, os.W_OK | os.X_OK):
        return None
    there = os.statvfs(_PLACE)
    is_enough = not there.f_flag & os.ST_NOEXEC and there.f_bavail * there.f_frsize > _BYTES_MIN
    return _PLACE if is_enough else None
