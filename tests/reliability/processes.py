"""What a process started, and what those started: found and ended to the last one."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@contextmanager
def orphans_adopted() -> Iterator[None]:
    """Be the parent of whatever processes below this one leave behind, so that nothing gets away; at last, end those.

    What this process started before is left alone.
    """
    before = set(children_of(os.getpid()))
    _adopt(1)
    try:
        yield
    finally:
        end_all(os.getpid(), but=before)
        for adopted in set(children_of(os.getpid())) - before:
            os.waitpid(adopted, 0)
        _adopt(0)


def _adopt(whether: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, whether, 0, 0, 0)


def children_of(process_id: int) -> list[int]:
    """The processes that have this one as their parent, those included that have ended and were not waited for."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            parent = int(stat.read_text("ascii", "replace").rpartition(")")[2].split()[1])
            if parent == process_id:
                found.append(int(stat.parent.name))
    return found


def end_all(process_id: int, but: Collection[int] = ()) -> list[str]:
    """Kill every process below this one, but for some of its own children, and say what they were."""
    said: list[str] = []
    while below := [child for child in children_of(process_id) if child not in but and not _has_ended(child)]:
        for child in below:
            said.append(_command(child))
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGSTOP)  # or it goes on starting others
            said += end_all(child)
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        for child in below:
            _wait_for(child)
    return said


def _has_ended(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def _command(process_id: int) -> str:
    try:
        words = Path(f"/proc/{process_id}/cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        words = b""
    return words.decode("utf-8", "replace").strip() or f"process {process_id}"


def _wait_for(process_id: int) -> None:
    while not _has_ended(process_id):
        time.sleep(0.002)
