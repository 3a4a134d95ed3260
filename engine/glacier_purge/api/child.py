"""Becomes ``glacier-purge`` with the arguments given, and dies with the process named first: it is asked to end in good
order when that one is gone.  Where a system has no word for that (macOS), the lock of its folder keeps others out.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Be the command from here on."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the worker that started this is gone; nothing was sent")
    os.execv(sys.executable, [sys.executable, "-m", "glacier_purge", *sys.argv[2:]])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
