"""The machine a benchmark runs on: which core for whom, and what a command cost that ran on one of them.

Client and server each get a core where there are two, so that neither is measured waiting for the other's work.  Cost
is what the kernel booked on a finished command and everything it waited for (``wait4``): all threads, user and system.
"""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_USABLE = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
CLIENT_CORE, SERVER_CORE = _USABLE[0], _USABLE[-1]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a command took: CPU time, wall-clock time, the most memory held by one of its processes, and its output."""

    cpu_seconds: float
    seconds: float
    peak_rss_mb: float
    output: str


def pin(core: int, process_id: int = 0) -> None:
    """Keep a process (0: this one, and what it starts from now on) on one core, where there is more than one."""
    if len(_USABLE) > 1:
        os.sched_setaffinity(process_id, {core})


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keep this process and what it starts on one core, for the length of the block."""
    pin(core)
    try:
        yield
    finally:
        if len(_USABLE) > 1:
            os.sched_setaffinity(0, _USABLE)


def run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, given: str = "", *, ends_with: int = 0
) -> Cost:
    """Run a command to its end with ``given`` on stdin.

    Raises ``RuntimeError`` with its stderr when its exit code is another than ``ends_with``.
    """
    with (
        tempfile.TemporaryFile("w+") as stdin,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        stdin.write(given)
        stdin.seek(0)
        began = time.perf_counter()
        with subprocess.Popen(command, stdin=stdin, stdout=out, stderr=err, env=environment) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        out.seek(0)
        err.seek(0)
        if process.returncode != ends_with:
            raise RuntimeError(f"{' '.join(command)[:200]}: exit {process.returncode}\n{err.read()[-2000:]}")
        return Cost(
            cpu_seconds=used.ru_utime + used.ru_stime,
            seconds=seconds,
            peak_rss_mb=used.ru_maxrss * 1024 / 1e6,
            output=out.read(),
        )


def description() -> dict[str, str]:
    """The machine in words: Python, system, processors. No names and no paths."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(len(_USABLE)),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - no path of ours
            return next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "unknown")
    except OSError:
        return platform.processor() or "unknown"
